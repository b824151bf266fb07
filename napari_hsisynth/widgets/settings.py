"""What the docks remember from one start to the next."""

from __future__ import annotations

import json
import os
from typing import Any, TypeVar

from qtpy.QtCore import QSettings

T = TypeVar("T")

#: Environment variable that names an ``.ini`` file to use instead of the user's own settings.
REDIRECT = "HSISYNTH_SETTINGS"


def _store() -> QSettings:
    redirected = os.environ.get(REDIRECT)
    if redirected:
        return QSettings(redirected, QSettings.Format.IniFormat)
    return QSettings("napari-hsisynth", "napari-hsisynth")


def value(key: str, default: T) -> T:
    """Return what was stored under `key`; `default` if nothing was, or something of another type than `default`.

    Parameters
    ----------
    key : str
        With slashes for groups: ``"spectra/transform"``.
    default : str, bool, int, float, list or dict
        Its type is the type of the answer. None allows any type.
    """
    text = _store().value(key)
    try:
        found: Any = json.loads(text)
    except (TypeError, ValueError):
        return default
    if isinstance(default, float) and isinstance(found, int) and not isinstance(found, bool):
        found = float(found)
    return found if default is None or type(found) is type(default) else default


def set_value(key: str, to: Any) -> None:
    """Store a value of JSON types under `key`; None forgets it."""
    store = _store()
    if to is None:
        store.remove(key)
    else:
        # as JSON, because QSettings gives every type back as text on some platforms and not on others
        store.setValue(key, json.dumps(to))
