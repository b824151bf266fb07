"""Under which name this user's lesions are stored: chosen in the Annotate dock, else that of the account."""

from __future__ import annotations

import getpass

from napari_hsisynth.study.annotators import annotator_id
from napari_hsisynth.widgets import settings

_NAME = "annotate/annotator"


def annotator_name() -> str:
    """Return the name as it was typed; empty for an account without one, as in some containers."""
    chosen = settings.value(_NAME, "")
    return chosen if annotator_id(chosen) else account_name()


def account_name() -> str:
    """Return the name of the account; empty if it has none."""
    try:
        return annotator_id(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return ""


def set_annotator_name(name: str) -> None:
    """Choose the name; one without letters and digits goes back to that of the account."""
    name = " ".join(name.split())
    settings.set_value(_NAME, name if annotator_id(name) else None)
