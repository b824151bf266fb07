"""Annotations of other tools, into a study that has the cubes: all is read and checked before anything is written.

Nobody's work is overwritten: a cube that has lesions, or was finished without one, is left alone, unless the new ones
are to be added, or to replace the old annotation (which is then kept), or belong to another annotator, who has a file
of their own.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotation import (
    Annotation,
    annotation_path,
    encode_labels,
    now,
    read_annotation,
    read_annotation_json,
    write_annotation,
)
from napari_hsisynth.study.annotators import annotation_key, annotator_id, owner
from napari_hsisynth.study.exchange.assembling import assembled, merged
from napari_hsisynth.study.exchange.kinds import kind_of
from napari_hsisynth.study.exchange.matching import CubeNames
from napari_hsisynth.study.exchange.record import Record
from napari_hsisynth.study.exchange.told import Told, left_out
from napari_hsisynth.study.instance import CubeStatus, Instance
from napari_hsisynth.study.manifest import checked_id
from napari_hsisynth.study.storage import Cancelled, Progress, study_lock, writing
from napari_hsisynth.study.study import Study
from napari_hsisynth.typed_path import typed_path

#: What is done with a cube that has lesions already, or was finished without one.
IfMarked = Literal["skip", "merge", "replace"]
#: Folder of a study with the annotations that imports replaced, as they were in ``masks``: one folder per second.
BACKUP = "replaced-masks"
HAS_LESIONS = "its cube has lesions already"
WITHOUT_LESION = "its cube was finished without a lesion"
#: Why a cube was left alone that could have been merged into, replaced, or marked by another annotator.
LEFT_ALONE = (HAS_LESIONS, WITHOUT_LESION)
_LONGEST_NAME = 80
_TOLD = 3  # reasons in one error
_SIGNED = "annotator"  # in the JSON of an annotation: whose it is


@dataclass(frozen=True)
class AnnotationImport:
    """What an import of annotations did.

    Parameters
    ----------
    study : Study
        That has them now.
    cubes : list of str
        Ids of the cubes that have new lesions.
    lesions : int
        How many.
    skipped : list of (what, reason)
        What was left out.
    notes : list of str
        What the user should know, one sentence each.
    """

    study: Study
    cubes: list[str]
    lesions: int
    skipped: list[tuple[str, str]]
    notes: list[str]


@dataclass(frozen=True, eq=False)
class _Ready:
    """An annotation that was read and fits its cube; its mask is packed, for there may be many."""

    picture: str
    whose: str
    cube_id: str
    png: bytes
    instances: tuple[Instance, ...]
    status: CubeStatus
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, annotation: Annotation, picture: str, whose: str) -> _Ready:
        png, extra = encode_labels(annotation.mask), dict(annotation.extra)
        if annotator_id(whose):
            extra[_SIGNED] = whose
        return cls(picture, whose, annotation.cube_id, png, annotation.instances, annotation.status, extra)

    def annotation(self) -> Annotation:
        with Image.open(io.BytesIO(self.png)) as image:
            return Annotation(self.cube_id, np.array(image), self.instances, self.status, self.extra)


def import_annotations(
    kind: str,
    src: str | Path,
    study: str | Path | Study,
    *,
    if_marked: IfMarked = "skip",
    annotator: str = "",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> AnnotationImport:
    """Add the annotations in a file or folder of another tool to the cubes of a study.

    Parameters
    ----------
    kind : str
        ``"coco"``, ``"labelstudio"`` or ``"labelme"``.
    src : path-like
        The JSON file, or the folder that holds it.
    study : path-like or Study
        It has the cubes; pictures are matched to them by their file names.
    if_marked : {"skip", "merge", "replace"}
        What is done with a cube that has lesions of the same annotator, or that they have finished without one: leave
        it alone, add the new lesions, or replace the annotation and keep the old one in ``replaced-masks/``.
    annotator : str
        Whose work it is, whatever the file says. By default what the file says; if it says nothing, it becomes the
        cube's first annotation.
    progress, cancelled : callable, optional
        As in `make_crops`; cancelling leaves the study as it was.

    Returns
    -------
    AnnotationImport
        Which cubes have new lesions, and what was left out and why.

    Raises
    ------
    InputError
        If there is no such file or study, the file is not of this kind, or nothing in it could be used.
    """
    if if_marked not in get_args(IfMarked):
        raise InputError(f"unknown choice '{if_marked}'", fix="use skip, merge or replace")
    if annotator and not annotator_id(annotator):
        raise InputError(f"'{annotator}' cannot be a name of an annotator", fix="use one with a letter or a digit")
    src = typed_path(src)
    study = study if isinstance(study, Study) else _opened(study)
    find = kind_of(kind).find
    if find is None:
        raise InputError(f"masks of {kind} come with their cubes", fix="use import_hsidermoscopy")
    found = find(src)
    study.reload()
    told, skipped = Told(), list(found.skipped)
    ready = _checked(study, found.records, annotator, told, skipped, progress, cancelled)
    if not ready:
        what = f"nothing to import: {'; '.join(left_out(skipped)[:_TOLD])}" if skipped else "no pictures in it"
        raise InputError(what, where=src, fix="pictures are matched to cubes by their file names")
    cubes, lesions = _stored(study, ready, if_marked, told, skipped)
    if progress is not None:
        progress(len(found.records), len(found.records))
    notes = [*found.notes, *told.lines(), *left_out(skipped)]
    return AnnotationImport(study, cubes, lesions, skipped, notes)


def _opened(path: str | Path) -> Study:
    try:
        return Study.open(path)
    except InputError as error:
        fix = "import its cubes first, for example with: napari-hsisynth import hsidermoscopy"
        raise InputError(error.what, where=error.where, fix=fix) from None


def _checked(
    study: Study,
    records: list[Record],
    annotator: str,
    told: Told,
    skipped: list[tuple[str, str]],
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> list[_Ready]:
    """Decode every record that belongs to a cube; nothing is written yet."""
    names, ready = CubeNames(study), []
    seen: set[tuple[str, str]] = set()
    for done, record in enumerate(records):
        if cancelled is not None and cancelled():
            raise Cancelled
        if progress is not None:
            progress(done, len(records))
        whose = annotator or record.annotator
        try:
            cube_id = _cube_of(study, record, names)
            person = (cube_id, annotator_id(whose).lower())
            if person in seen:
                raise InputError("a second annotation of this cube by the same annotator")
            annotation = _annotation(study, cube_id, record, annotator, told)
            seen.add(person)
            ready.append(_Ready.of(annotation, record.picture, whose))
        except InputError as error:
            skipped.append((_shown(record.picture), error.what))
    if cancelled is not None and cancelled():
        raise Cancelled
    return ready


def _cube_of(study: Study, record: Record, names: CubeNames) -> str:
    """Return the cube that a record is of: as our own export says it, else by the picture's name."""
    if any(entry.id == record.cube_id for entry in study.entries):
        return record.cube_id
    return names.find(record.picture)


def _annotation(study: Study, cube_id: str, record: Record, annotator: str, told: Told) -> Annotation:
    shape_yx = study.shape_yx(cube_id)
    if record.shape_yx not in (None, shape_yx):
        sizes = [f"{height} x {width} px" for height, width in (record.shape_yx or shape_yx, shape_yx)]
        raise InputError(f"the picture has {sizes[0]}, its cube {sizes[1]}")
    entry, tell = study.entry(cube_id), told.of(cube_id)
    annotation = assembled(record, entry, shape_yx, study.classes, annotator, tell)
    if not annotation.instances and record.status in (None, "todo"):
        raise InputError("no lesion in it")
    return annotation


def _stored(
    study: Study, ready: list[_Ready], if_marked: IfMarked, told: Told, skipped: list[tuple[str, str]]
) -> tuple[list[str], int]:
    """Write what was checked, one cube after the other; each as a whole."""
    cubes: list[str] = []
    taken: dict[tuple[str, str | None], str] = {}
    lesions, backup = 0, study.root / BACKUP / now().replace(":", "").replace("+0000", "")
    for one in ready:
        new = one.annotation()
        with study_lock(study.root):
            try:
                key = _key(study, one, taken)
                path = annotation_path(study.masks_dir, one.cube_id, key)
                present = read_annotation(path) if path.exists() else None
                if present is not None:
                    others = {name: value for name, value in present.extra.items() if name != _SIGNED}
                    new = new.replace(extra={**others, **new.extra})
                marked = present is not None and bool(present.instances or present.status != "todo")
                if present is not None and marked and if_marked == "skip":
                    raise InputError(HAS_LESIONS if present.instances else WITHOUT_LESION)
                if present is not None and present.instances and if_marked == "merge":
                    study.check_fit(present, path)
                    new = merged(present, new, told.of(one.cube_id))
            except InputError as error:
                skipped.append((_shown(one.picture), error.what))
                continue
            before = len(present.instances) if present is not None and if_marked == "merge" else 0
            if before and len(new.instances) == before:
                continue
            if marked and if_marked == "replace":
                _keep(path, backup)
                told.of(one.cube_id)(f"the old annotation is kept in {BACKUP}/{backup.name}")
            write_annotation(study.masks_dir, new, key)
        taken[one.cube_id, key] = annotator_id(one.whose).lower()
        cubes.append(one.cube_id)
        lesions += len(new.instances) - before
    return list(dict.fromkeys(cubes)), lesions


def _key(study: Study, one: _Ready, taken: Mapping[tuple[str, str | None], str]) -> str | None:
    """Return under whose name an annotation is stored; None for the cube's first.

    A person's work never goes into a first annotation that is not theirs, be it nobody's, as that of an imported mask.
    """
    own = annotator_id(one.whose)
    if not own:
        return None
    key = annotation_key(study, one.cube_id, one.whose)
    first = annotation_path(study.masks_dir, one.cube_id)
    if key is None and first.exists() and read_annotation_json(first)["instances"]:
        theirs = annotator_id(owner(study, one.cube_id)) or taken.get((one.cube_id, None), "")
        key = None if theirs.lower() == own.lower() else own
    return None if key is None else checked_id(key, what="name of an annotator")


def _keep(path: Path, backup: Path) -> None:
    """Copy an annotation, PNG first, to where it can be taken back from."""
    with writing(backup):
        for source in (path.parent / read_annotation_json(path)["mask"], path):
            with atomic_path(backup / source.name) as temporary:
                shutil.copyfile(source, temporary)


def _shown(picture: str) -> str:
    return picture if len(picture) <= _LONGEST_NAME else f"...{picture[-_LONGEST_NAME:]}"
