"""Who annotates: the first annotator of a cube owns ``masks/<id>.json``, everybody else has a file of their own."""

from __future__ import annotations

import re

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotation import read_annotation_json
from napari_hsisynth.study.study import Study

_UNFIT = re.compile(r"[^A-Za-z0-9_\-]+")


def annotator_id(name: str) -> str:
    """Return a person's name in the form that a file name can hold: ``Jane Doe`` becomes ``Jane_Doe``."""
    return _UNFIT.sub("_", name.strip()).strip("_")


def owner(study: Study, cube_id: str) -> str:
    """Return who made the first annotation of a cube; empty if nobody has, or it came with the cube.

    That is the annotator of its earliest lesion that names one.
    """
    path = study.masks_dir / f"{study.entry(cube_id).id}.json"
    if not path.exists():
        return ""
    named = [one for one in read_annotation_json(path)["instances"] if one.annotator]
    return min(named, key=lambda one: one.time).annotator if named else ""


def annotation_key(study: Study, cube_id: str, name: str) -> str | None:
    """Return the `annotator` under which a person's work on a cube is stored, for `Study.annotation` and its like.

    Parameters
    ----------
    name : str
        Of the person; empty for somebody who does not say.

    Returns
    -------
    str or None
        None for the cube's first annotation, if it is theirs or nobody's; else their `annotator_id`.
    """
    first, own = annotator_id(owner(study, cube_id)), annotator_id(name)
    if not own or not first or first == own:
        return None
    return own


def annotators(study: Study, cube_id: str) -> dict[str, str | None]:
    """Return who has annotated a cube, by name, with their `annotation_key`; the first one comes first.

    A first annotation that nobody put their name to is listed as "first".
    """
    found: dict[str, str | None] = {}
    if (study.masks_dir / f"{study.entry(cube_id).id}.json").exists():
        found[annotator_id(owner(study, cube_id)) or "first"] = None
    for path in sorted(study.masks_dir.glob(f"{cube_id}.*.json")):
        key = path.name.removeprefix(f"{cube_id}.").removesuffix(".json")
        if key and key == annotator_id(key):
            found[key] = key
    if not found:
        raise InputError("nobody has annotated this cube yet", where=cube_id)
    return found
