"""Under which name this user's lesions are stored: chosen in the Annotate dock, else that of the account."""

from __future__ import annotations

import getpass

from napari_hsisynth.study.annotators import annotator_id
from napari_hsisynth.widgets import settings

_NAME = "annotate/annotator"


def annotator_name() -> str:
    """Return the name; empty for an account without one, as in some containers."""
    chosen = settings.value(_NAME, "")
    if chosen:
        return chosen
    try:
        return annotator_id(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return ""


def set_annotator_name(name: str) -> None:
    """Choose the name; an empty one goes back to that of the account."""
    settings.set_value(_NAME, annotator_id(name) or None)
