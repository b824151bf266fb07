"""Masks without a display: prompts from a file, or none at all, for one cube or a whole study.

The file of prompts is JSON: for every cube a list with one object per lesion ::

    {"DN_012": [{"points": [[120, 200], [10, 10]], "labels": [1, 0], "box": null, "diagnosis": "nevus"}]}

For a single cube, the list alone will do. Masks from prompts are stored as accepted, because a person pointed at them;
those proposed without prompts as drafts, because nobody has looked at them yet.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.overlaps import placed
from napari_hsisynth.segment.prompts import Prompts
from napari_hsisynth.segment.registry import Segmenter, load_segmenter
from napari_hsisynth.study import Annotation, AnnotationSummary, Diagnosis, Instance, Study
from napari_hsisynth.study.annotation import now, write_annotation
from napari_hsisynth.study.instance import InstanceStatus
from napari_hsisynth.study.settings import SETTINGS
from napari_hsisynth.study.storage import study_lock

Progress = Callable[[int, int], object]


@dataclass(frozen=True, eq=False)
class Lesion:
    """One lesion that a segmenter found.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)
        Its pixels.
    score : float
        The segmenter's estimate, 0..1.
    prompts : Prompts, optional
        What it was found by; None where it was proposed.
    diagnosis : Diagnosis, optional
        As said with the prompts.
    """

    mask: NDArray[np.bool_]
    score: float
    prompts: Prompts | None = None
    diagnosis: Diagnosis | None = None


@dataclass(frozen=True)
class SegmentReport:
    """What was segmented.

    Parameters
    ----------
    target : Path
        The study, or the mask's PNG of a single cube.
    lesions : dict of str to int
        Number of new lesions per cube.
    status : str
        Under which they were stored.
    notes : tuple of str
        What the user should know.
    """

    target: Path
    lesions: dict[str, int] = field(hash=False)
    status: str
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "target": str(self.target),
            "lesions": dict(self.lesions),
            "status": self.status,
            "notes": [*self.notes],
        }

    def text(self) -> str:
        """Return the report as one line for people."""
        count, cubes = sum(self.lesions.values()), len(self.lesions)
        return f"{count} {'lesion' if count == 1 else 'lesions'} ({self.status}) in {cubes} cubes -> {self.target}"


def segment_cube(
    cube: Cube,
    prompts: list[tuple[Prompts, Diagnosis | None]] | None = None,
    backend: str | Segmenter = "spectral",
    options: Mapping[str, Any] | None = None,
) -> list[Lesion]:
    """Find lesions in a cube.

    Parameters
    ----------
    cube : Cube
        Where to look.
    prompts : list of (Prompts, Diagnosis or None), optional
        One per lesion; without, the segmenter proposes lesions.
    backend : str or Segmenter
        Which segmenter.
    options : mapping, optional
        For `load_segmenter`, where it is given by its name.

    Returns
    -------
    list of Lesion
        In the order of the prompts, or the likeliest first. Prompts that give no mask give no lesion.
    """
    segmenter = load_segmenter(backend, **(options or {})) if isinstance(backend, str) else backend
    segmenter.set_cube(cube)
    if prompts is None:
        found = segmenter.propose()
        return [Lesion(mask, float(score)) for mask, score in zip(found.masks, found.scores, strict=True)]
    lesions = []
    for prompt, diagnosis in prompts:
        try:
            found = segmenter.predict(prompt)
        except InputError as error:
            raise InputError(error.what, where=error.where or cube.name or None, fix=error.fix) from None
        if len(found):
            lesions.append(Lesion(found.masks[0], float(found.scores[0]), prompt, diagnosis))
    return lesions


def segment_study(
    study: Study,
    prompts: Mapping[str, list[tuple[Prompts, Diagnosis | None]]] | None = None,
    backend: str = "spectral",
    *,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> SegmentReport:
    """Find lesions in the cubes of a study and add them to its annotations.

    Parameters
    ----------
    study : Study
        Where to look.
    prompts : mapping of cube id to list of (Prompts, Diagnosis or None), optional
        The lesions of these cubes; stored as accepted, and the cube as done. They take the pixels of drafts, but none
        of lesions that are no drafts. Without prompts, lesions are proposed in every cube that has none and was not
        finished without one, and stored as drafts: they become crops once a person has accepted them.
    backend : str
        Which segmenter.
    options : mapping, optional
        For `load_segmenter`.
    progress : callable, optional
        Called with (done, total) cubes.

    Raises
    ------
    InputError
        If a cube is not in the study or prompts do not fit their cube. What was stored before stays.
    """
    segmenter = load_segmenter(backend, **(options or {}))
    status: InstanceStatus = "draft" if prompts is None else "accepted"
    cubes = [entry.id for entry in study.entries] if prompts is None else sorted(prompts)
    for cube_id in cubes:
        study.entry(cube_id)  # an unknown id is better said before hours of work than after
    found: dict[str, int] = {}
    notes = _remarks(segmenter)
    left_alone: Counter[str] = Counter()
    for done, cube_id in enumerate(cubes):
        if progress:
            progress(done, len(cubes))
        asked = None if prompts is None else prompts[cube_id]
        marked = _marked(study.annotation_summary(cube_id)) if asked is None else ""
        if not marked:
            lesions = segment_cube(study.read_cube(cube_id), asked, segmenter)
            if len(lesions) < (1 if asked is None else len(asked)):
                notes.append(f"{cube_id}: no lesion found" + ("" if asked is None else " for some of the prompts"))
            with study_lock(study.root):
                # somebody may have saved while the segmenter was at it
                annotation = study.annotation(cube_id)
                marked = _marked(annotation) if asked is None else ""
                if lesions and not marked:
                    annotation, kept, said = _with_lesions(study, annotation, lesions, segmenter, status)
                    study.check_fit(annotation)
                    if kept:
                        write_annotation(study.masks_dir, annotation)
                    found[cube_id] = kept
                    notes += [f"{cube_id}: {line}" for line in said]
                elif not marked:
                    found[cube_id] = 0
        if marked:
            left_alone[marked] += 1
    if progress:
        progress(len(cubes), len(cubes))
    notes += [f"{count} of {len(cubes)} cubes left alone: {why}" for why, count in left_alone.items()]
    return SegmentReport(study.root, found, status, tuple(notes))


def _marked(annotation: Annotation | AnnotationSummary) -> str:
    """Return why nothing is proposed where this annotation is; empty if something is."""
    if annotation.instances:
        return "they have lesions already"
    return "" if annotation.status == "todo" else "they were finished without a lesion"


def _with_lesions(
    study: Study, annotation: Annotation, lesions: Sequence[Lesion], segmenter: Segmenter, status: InstanceStatus
) -> tuple[Annotation, int, list[str]]:
    """Add lesions to an annotation; return it, how many were added, and what the user should know.

    They take pixels from drafts and from each other, but none from what a person has decided about.
    """
    decided = np.isin(annotation.mask, [one.id for one in annotation.instances if one.status != "draft"])
    first, said = annotation.next_id, []
    for lesion in lesions:
        free = lesion.mask & ~decided
        if not free.any():
            said.append("a lesion lies wholly inside lesions that were there before, and was left out")
            continue
        if shared := int(lesion.mask.sum() - free.sum()):
            said.append(f"{shared:,} px stay with lesions that were there before")
        number = annotation.next_id
        put = placed(annotation.mask, free, number, takes_overlaps=True)
        instance = Instance(
            number,
            lesion.diagnosis or study.entry(annotation.cube_id).diagnosis,
            prompts=None if lesion.prompts is None else lesion.prompts.to_json(),
            backend=segmenter.name,
            model=segmenter.model,
            weights_sha256=segmenter.weights_sha256,
            status=status,
            score=lesion.score,
            time=now(),
        )
        others = [one for one in annotation.instances if one.id not in put.swallowed]
        annotation = annotation.replace(mask=put.labels, instances=(*others, instance))
    added = sum(one.id >= first for one in annotation.instances)
    return annotation.replace(status="done" if status == "accepted" else annotation.status), added, said


def segment_path(
    path: str | Path,
    prompts: str | Path | None = None,
    backend: str = "spectral",
    out: str | Path | None = None,
    progress: Progress | None = None,
    options: Mapping[str, Any] | None = None,
) -> SegmentReport:
    """Find lesions in a study or in the file of a single cube; what the verb ``segment`` does.

    Parameters
    ----------
    path : path-like
        A study, or a cube in any readable format.
    prompts : path-like, optional
        File of prompts (see the module); without it, or with the word ``propose``, lesions are proposed.
    backend : str
        Which segmenter.
    out : path-like, optional
        For a single cube: the PNG to write, 16-bit instance labels. By default beside it, ``<name>_mask.png``.
    progress : callable, optional
        Called with (done, total) cubes.
    options : mapping, optional
        For `load_segmenter`.

    Raises
    ------
    InputError
        If the input does not exist, is no cube or study, or the prompts do not fit.
    """
    path = Path(path)
    asked = None if prompts is None or str(prompts) == "propose" else read_prompts(Path(prompts))
    if path.is_dir() and not _is_cube(path):
        if out is not None:
            raise InputError("--out is for a single cube; a study keeps its masks itself", where=path)
        by_cube = asked if asked is None or isinstance(asked, dict) else None
        if asked is not None and by_cube is None:
            raise InputError("prompts for a study need a cube id per list", where=prompts, fix='write {"ID": [...]}')
        return segment_study(Study.open(path), by_cube, backend, options=options, progress=progress)
    from napari_hsisynth.formats import read_cube

    cube = read_cube(path)
    if isinstance(asked, dict):
        if path.stem not in asked and len(asked) != 1:
            raise InputError(f"no prompts for '{path.stem}'", where=prompts, fix=f"name one list '{path.stem}'")
        asked = asked.get(path.stem) or next(iter(asked.values()))
    target = path.with_name(f"{path.stem}_mask.png") if out is None else Path(out)
    segmenter = load_segmenter(backend, **(options or {}))
    lesions = segment_cube(cube, asked, segmenter)
    if not lesions:
        raise InputError("no lesion found, nothing written", where=path, fix="point at one with --prompts FILE")
    write_mask(target, [lesion.mask for lesion in lesions])
    return SegmentReport(
        target, {path.stem: len(lesions)}, "draft" if asked is None else "accepted", (*cube.notes, *_remarks(segmenter))
    )


def write_mask(path: str | Path, masks: list[NDArray[np.bool_]]) -> None:
    """Write masks, each (y, x), as the labels 1, 2, ... of a 16-bit PNG; where they overlap, the later one wins."""
    labels = np.zeros(masks[0].shape, np.uint16)
    for number, mask in enumerate(masks, 1):
        labels[mask] = number
    write_labels(path, labels)


def write_labels(path: str | Path, labels: NDArray[np.uint16]) -> None:
    """Write instance labels, shape (y, x), as a 16-bit PNG, atomically."""
    from PIL import Image

    if Path(path).suffix.lower() != ".png":
        raise InputError("a mask is written as PNG", where=path, fix="give a name that ends in .png")
    try:
        with atomic_path(path) as temporary:
            Image.fromarray(np.ascontiguousarray(labels, dtype="<u2")).save(temporary, format="PNG")
    except OSError as error:
        raise InputError(f"cannot write the mask ({error.strerror or error})", where=path) from error


def read_prompts(
    path: Path,
) -> dict[str, list[tuple[Prompts, Diagnosis | None]]] | list[tuple[Prompts, Diagnosis | None]]:
    """Read a file of prompts: per cube id, or the bare list for a single cube.

    Raises
    ------
    InputError
        If the file is missing or not JSON of that form; names the cube and the number of the entry.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", where=path, fix="give a JSON file, or leave --prompts out") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from None
    except ValueError as error:
        raise InputError(f"not JSON ({error})", where=path) from None
    if isinstance(value, list):
        return _lesions(value, str(path))
    if not isinstance(value, dict) or not value:
        raise InputError("no prompts in it", where=path, fix='write {"ID": [{"points": [[y, x]], "labels": [1]}]}')
    return {cube_id: _lesions(lesions, f"{path}, {cube_id}") for cube_id, lesions in value.items()}


def _lesions(value: Any, where: str) -> list[tuple[Prompts, Diagnosis | None]]:
    if not isinstance(value, list) or not value:
        raise InputError("a list with one object per lesion is needed", where=where)
    lesions = []
    for number, one in enumerate(value, 1):
        prompts = Prompts.from_json(one, where=f"{where}, lesion {number}")
        if not prompts:
            raise InputError("no point and no box", where=f"{where}, lesion {number}")
        named = one.get("diagnosis")
        lesions.append((prompts, Diagnosis.parse(named, where=where) if named else None))
    return lesions


def _remarks(segmenter: Segmenter) -> list[str]:
    """What the user should know of the segmenter itself, for example that its weights are no published ones."""
    return list(getattr(segmenter, "notes", ()))


def _is_cube(folder: Path) -> bool:
    """Whether a folder is a cube of a format that is a folder, and not a study."""
    from napari_hsisynth.formats import format_of

    if (folder / SETTINGS).is_file():
        return False
    try:
        return format_of(folder).folders
    except InputError:
        return False
