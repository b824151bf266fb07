"""The unfinished lesion of a cube, in the study: a crash, or another computer, comes back to it.

One file per cube and annotator, ``drafts/<id>.json`` or ``drafts/<id>.<annotator>.json``, gone when there is no draft.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_hsisynth.atomic import write_json
from napari_hsisynth.study.manifest import checked_id
from napari_hsisynth.study.storage import writing
from napari_hsisynth.study.study import Study

FOLDER = "drafts"


def draft_path(study: Study, cube_id: str, annotator: str | None = None) -> Path:
    """Return where the draft of a cube is kept; `annotator` as for `Study.annotation`."""
    study.entry(cube_id)
    if annotator is not None:
        checked_id(annotator, what="name of an annotator")
    return study.root / FOLDER / (f"{cube_id}.{annotator}.json" if annotator else f"{cube_id}.json")


def read_draft(study: Study, cube_id: str, annotator: str | None = None) -> dict[str, Any] | None:
    """Return the draft of a cube as it was saved; None if there is none, or it is damaged: work goes on without it."""
    try:
        found = json.loads(draft_path(study, cube_id, annotator).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def save_draft(study: Study, cube_id: str, draft: Mapping[str, Any] | None, annotator: str | None = None) -> None:
    """Keep the draft of a cube in one step that is done or not; None forgets it.

    Parameters
    ----------
    draft : mapping of JSON types, or None
        What the annotation needs to go on: prompts, diagnosis, the lesion being changed.

    Raises
    ------
    InputError
        If the study cannot be written to.
    """
    path = draft_path(study, cube_id, annotator)
    with writing(path):
        if draft is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(exist_ok=True)
            write_json(path, dict(draft))
