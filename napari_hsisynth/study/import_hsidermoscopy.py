"""A study from a folder in the layout of HSIDermoscopy, checked whole before anything is written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.cube import HSIDERMOSCOPY_BANDS, HSIDERMOSCOPY_RANGE_NM, Cube, even_wavelengths_nm
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.adding import NewCube, commit, study_to_fill
from napari_hsisynth.study.annotation import Annotation, now
from napari_hsisynth.study.cube_files import fitting, read_file
from napari_hsisynth.study.dataset.layout import is_data_set
from napari_hsisynth.study.hsidermoscopy import FoundCube, Layout, read_mask, scan
from napari_hsisynth.study.instance import Instance
from napari_hsisynth.study.settings import checked_wavelengths
from napari_hsisynth.study.storage import Cancelled, Progress, new_folder, sha256_of, skipped_note
from napari_hsisynth.study.study import Study
from napari_hsisynth.study.wavelengths import read_wavelengths
from napari_hsisynth.typed_path import typed_path

_TOLD_PROBLEMS = 3


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Parameters
    ----------
    study : Study
        With the new cubes.
    imported : int
        Number of cubes added.
    skipped : list of (file or id, reason)
        What was left out.
    notes : list of str
        What the user should know, one sentence each.
    """

    study: Study
    imported: int
    skipped: list[tuple[str, str]]
    notes: list[str]


def import_hsidermoscopy(
    src: str | Path,
    study_root: str | Path,
    *,
    wavelengths_nm: ArrayLike | None = None,
    copy: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Make a study from a folder in the layout of HSIDermoscopy, or add its cubes to a study.

    Parameters
    ----------
    src : path-like
        The folder that holds ``images`` and ``masks``.
    study_root : path-like
        A new or empty folder; or a study, to which cubes that it does not have yet are added.
    wavelengths_nm : array_like, shape (bands,), optional
        Band centres. Else those of the study, of ``src/wavelengths.csv`` or of the cubes, in this order; else, for 16
        bands, the even grid 465-630 nm. A note says which.
    copy : bool
        Copy the cubes into the study instead of pointing at them where they are.
    progress : callable, optional
        Called with (cubes checked, cubes in all).
    cancelled : callable, optional
        Asked before every cube; if it says true, `Cancelled` is raised and nothing is written.

    Returns
    -------
    ImportReport
        The study and what to know about it.

    Raises
    ------
    InputError
        If anything does not fit: all of it is looked at first, and then nothing is written.
    """
    src, root = typed_path(src).absolute(), typed_path(study_root).absolute()
    if is_data_set(src):
        fix = f"run: napari-hsisynth import dataset {src.name} STUDY"
        raise InputError("a synthetic data set, whose cubes must not be taken for real ones", where=src, fix=fix)
    layout = scan(src)
    target = study_to_fill(root)
    given = None if wavelengths_nm is None else checked_wavelengths(wavelengths_nm, where="wavelengths")
    known, source = _known_wavelengths(src, target, given)
    new: list[NewCube] = []
    bands: Counter[int] = Counter()
    of_cubes: dict[str, list[str]] = defaultdict(list)
    for done, found in enumerate(layout.cubes):
        if cancelled is not None and cancelled():
            raise Cancelled
        if progress is not None:
            progress(done, len(layout.cubes))
        try:
            sha256 = sha256_of(found.path)
            if _is_there(target, found, sha256):
                layout.skipped.append((found.cube_id, "in the study already"))
                continue
            cube = read_file(found.path)
            if known is None:
                known, source = _wavelengths_of(cube)
            bands[cube.bands] += 1
            cube = fitting(cube, known, name=found.cube_id, where=found.path, new=True)
            for note in cube.notes:
                of_cubes[note].append(found.cube_id)
            annotation = _annotation(found, cube.shape_yx, layout.notes)
            new.append(NewCube(found.cube_id, found.path, found.diagnosis, "", sha256, annotation))
        except InputError as error:
            layout.problems.append(str(error))
    if target is None and known is not None and bands and len(known) not in bands:
        counts = " or ".join(str(count) for count in sorted(bands))
        raise InputError(f"{len(known)} wavelengths for cubes of {counts} bands", where=src, fix=f"given: {source}")
    _refuse_problems(layout, src)
    assert known is not None  # some cube was read, or the study has wavelengths
    if progress is not None:
        progress(len(layout.cubes), len(layout.cubes))
    if target is not None:
        commit(target, new, copy=copy)
    else:
        with new_folder(root) as hidden:
            said = source.removeprefix("wavelengths: ")
            notes = f"imported from {src.name} (HSIDermoscopy layout)"
            made = Study.create(hidden, wavelengths_nm=known, notes=notes, wavelengths_source=said)
            commit(made, new, copy=copy, final_root=root)
    told = [source, *(f"{_named(ids)}: {note}" for note, ids in of_cubes.items()), *layout.notes]
    unmarked = sum(one.annotation is None for one in new)
    if unmarked:
        told.append(f"{unmarked} of {len(new)} cubes have no mask yet")
    if layout.skipped:
        told.append(skipped_note(layout.skipped))
    return ImportReport(target or Study.open(root), len(new), layout.skipped, told)


def _known_wavelengths(
    src: Path, study: Study | None, given: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64] | None, str]:
    table = src / "wavelengths.csv"
    if study is not None:
        own = study.wavelengths_nm
        if given is not None and (given.shape != own.shape or not np.allclose(given, own, atol=0.05)):
            raise InputError("the study has other wavelengths than those given", where=study.root, fix="leave them out")
        return own, f"wavelengths: the study's, {_span(own)}"
    if given is not None:
        return given, f"wavelengths: as given, {_span(given)}"
    if table.is_file():
        read = read_wavelengths(table)
        return read, f"wavelengths: from {table.name}, {_span(read)}"
    return None, ""


def _wavelengths_of(cube: Cube) -> tuple[NDArray[np.float64], str]:
    if cube.wavelengths_known:
        return cube.wavelengths_nm, f"wavelengths: from the cubes, {_span(cube.wavelengths_nm)}"
    if cube.bands != HSIDERMOSCOPY_BANDS:
        raise InputError(
            f"the wavelengths of {cube.bands} bands are not known", where=cube.name, fix="give them, or wavelengths.csv"
        )
    even = even_wavelengths_nm(cube.bands, *HSIDERMOSCOPY_RANGE_NM)
    return even, f"wavelengths: none given, so an even grid is assumed, {_span(even)}"


def _named(ids: list[str]) -> str:
    """Name some cubes in few words: what holds for all need not be said three hundred times."""
    return ", ".join(ids) if len(ids) <= 3 else f"{ids[0]}, {ids[1]} and {len(ids) - 2} more"


def _span(wavelengths_nm: NDArray[np.float64]) -> str:
    return f"{len(wavelengths_nm)} bands {wavelengths_nm.min():g}-{wavelengths_nm.max():g} nm"


def _is_there(study: Study | None, found: FoundCube, sha256: str) -> bool:
    if study is None:
        return False
    same = next((entry for entry in study.entries if entry.id.lower() == found.cube_id.lower()), None)
    if same is None:
        return False
    if same.sha256 != sha256:
        raise InputError(f"the study has another cube of the id {same.id}", where=found.path, fix="rename one of them")
    return True


def _annotation(found: FoundCube, shape_yx: tuple[int, int], notes: list[str]) -> Annotation | None:
    """Make the labels of a cube's masks; pixels of two masks stay with the earlier one, and a note says so."""
    if not found.masks:
        return None
    labels = np.zeros(shape_yx, np.uint16)
    instances: list[Instance] = []
    time = now()
    for path in found.masks:
        mask, note = read_mask(path)
        if note:
            notes.append(note)
        if mask.shape != shape_yx:
            size = f"{mask.shape[0]} x {mask.shape[1]} px, its cube {shape_yx[0]} x {shape_yx[1]} px"
            raise InputError(f"the mask has {size}", where=path)
        free = mask & (labels == 0)
        if not free.any():
            notes.append(f"{path.name}: lies wholly inside earlier lesions of {found.cube_id} and was left out")
            continue
        if shared := int(mask.sum() - free.sum()):
            notes.append(f"{path.name}: {shared:,} px belong to an earlier lesion of {found.cube_id} and stay with it")
        instances.append(
            Instance(len(instances) + 1, found.diagnosis, backend="import", model="hsidermoscopy", time=time)
        )
        labels[free] = instances[-1].id
    return Annotation(found.cube_id, labels, tuple(instances), "done", {"imported_from": [p.name for p in found.masks]})


def _refuse_problems(layout: Layout, src: Path) -> None:
    if not layout.problems:
        return
    told = " | ".join(layout.problems[:_TOLD_PROBLEMS])
    more = len(layout.problems) - _TOLD_PROBLEMS
    what = told if len(layout.problems) == 1 else f"{len(layout.problems)} problems: {told}"
    raise InputError(what + (f" | and {more} more" if more > 0 else "") + " (nothing was imported)", where=src)
