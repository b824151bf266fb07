"""The unfinished lesion of a cube, in the study: a crash, or another computer, comes back to it.

One file per cube and annotator, ``drafts/<id>.<annotator>.json``, gone when there is no draft. A draft is a person's,
not an annotation's: two people who begin with the same cube would else take each other's prompts away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_hsisynth.atomic import write_json
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotators import annotator_id
from napari_hsisynth.study.manifest import checked_id
from napari_hsisynth.study.storage import writing
from napari_hsisynth.study.study import Study

FOLDER = "drafts"


def draft_path(study: Study, cube_id: str, annotator: str | None = None) -> Path:
    """Return where the draft of a cube is kept; `annotator` as for `save_draft`."""
    study.entry(cube_id)
    if annotator is not None:
        checked_id(annotator, what="name of an annotator")
    return study.root / FOLDER / (f"{cube_id}.{annotator}.json" if annotator else f"{cube_id}.json")


def read_draft(study: Study, cube_id: str, annotator: str | None = None) -> dict[str, Any] | None:
    """Return the draft of a cube as it was saved; None if there is none, or it is damaged: work goes on without it."""
    try:
        found = json.loads(draft_path(study, cube_id, annotator).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def save_draft(study: Study, cube_id: str, draft: Mapping[str, Any] | None, annotator: str | None = None) -> None:
    """Keep the draft of a cube in one step that is done or not; None forgets it.

    Parameters
    ----------
    draft : mapping of JSON types, or None
        What the annotation needs to go on: prompts, diagnosis, the lesion being changed.
    annotator : str, optional
        Whose it is: their `annotator_id`, also where they own the cube's first annotation. None for a person without
        a name.

    Raises
    ------
    InputError
        If the study cannot be written to.
    """
    path = draft_path(study, cube_id, annotator)
    if draft is not None and not study.root.is_dir():
        raise InputError("the study is not there any more", where=study.root, fix="was it moved, or its drive removed?")
    with writing(path):
        if draft is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(exist_ok=True)
            write_json(path, dict(draft))


def cubes_with_draft(study: Study, name: str) -> frozenset[str]:
    """Return the ids of the cubes on which a person has an unfinished lesion; one listing of the folder."""
    own = annotator_id(name).lower()
    found = set()
    for path in (study.root / FOLDER).glob("*.json"):
        cube_id, _, annotator = path.name.removesuffix(".json").partition(".")
        if annotator.lower() == own:
            found.add(cube_id)
    return frozenset(found)
