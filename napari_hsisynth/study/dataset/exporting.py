"""Synthetic cubes of a study as a data set: a folder that appears as a whole or not at all."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_folder, write_text
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.crops import Crop
from napari_hsisynth.study.dataset.card import Contents, write_card
from napari_hsisynth.study.dataset.checksums import write_sums
from napari_hsisynth.study.dataset.choice import Chosen, choose
from napari_hsisynth.study.dataset.conditions import without_file_name
from napari_hsisynth.study.dataset.cubes import write_cube_file, write_mask_file
from napari_hsisynth.study.dataset.drawing import Draws
from napari_hsisynth.study.dataset.generators import carried_licence, evaluations, generators
from napari_hsisynth.study.dataset.layout import (
    CUBE_FORMATS,
    WAVELENGTHS,
    CubeFormat,
    cube_file,
    is_data_set,
    mask_file,
    stem,
)
from napari_hsisynth.study.dataset.sheets import Render, Sheet, grey_pictures
from napari_hsisynth.study.dataset.table import Row, Values, write_table
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.exchange.told import Told
from napari_hsisynth.study.storage import Cancelled, Progress, patient_lock, sha256_of, study_lock, writing
from napari_hsisynth.study.study import Study
from napari_hsisynth.typed_path import typed_path

#: Which masks are written: those stored with the cubes, automatic ones where there are none; only one of both; none.
Masks = Literal["complete", "stored", "automatic", "none"]
#: Proposes the lesion of a cube, bool (y, x).
Propose = Callable[[Cube], NDArray[np.bool_]]
#: The licence of a data set unless it is said: it is not ours to give.
NOT_STATED = "not stated; ask the owner of the training data"

#: Held while a hidden folder is being filled, so that another export sees which ones nobody fills any more.
_BUSY = ".writing"
#: Beside its values, a cube takes about so much: header, provenance, mask, row.
_MORE_BYTES = 8192


@dataclass
class DatasetExport:
    """What an export of synthetic cubes wrote.

    Parameters
    ----------
    path : pathlib.Path
        The data set.
    cubes : int
        Cubes in it.
    by_diagnosis, by_mask_source : dict of str to int
        Cubes of each.
    sets : list of str
        Where they are from.
    notes : list of str
        What the user should know, one sentence each.
    """

    path: Path
    cubes: int
    by_diagnosis: dict[str, int]
    by_mask_source: dict[str, int]
    sets: list[str]
    notes: list[str] = field(default_factory=list)


def export_dataset(
    study: Study,
    dst: str | Path,
    *,
    sets: Sequence[str] | None = None,
    n: int | None = None,
    diagnosis: str | None = None,
    cube_format: CubeFormat = "mat",
    masks: Masks = "complete",
    licence: str = "",
    title: str = "",
    propose: Propose | None = None,
    proposed_by: str = "a function of the caller",
    render: Render = grey_pictures,
    force: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> DatasetExport:
    """Write synthetic cubes as a data set for others: cubes, masks, table, previews, checksums and a card.

    The same cubes give the same files, byte for byte, whenever they are exported.

    Parameters
    ----------
    study : Study
        That has the cubes.
    dst : path-like
        A new folder, outside of which nothing is written.
    sets, n, diagnosis
        Which cubes: sets of the study's ``synthetic`` or ids of runs (all by default), the first `n` of each diagnosis
        in each set, one diagnosis.
    cube_format : {"mat", "envi"}
        MATLAB 5 as in HSIDermoscopy, or ENVI.
    masks : {"complete", "stored", "automatic", "none"}
        The masks stored with the cubes; "complete": where there are none, automatic ones; or automatic ones for all.
        Automatic ones need `propose`.
    licence, title : str
        For the card; the title is made to begin with SYNTHETIC. Cubes that came from a data set keep its licence unless
        another one is given.
    propose : callable, optional
        Finds the lesion of a cube, for automatic masks.
    proposed_by : str
        How it does so, for the card.
    render : callable
        Makes pictures of cubes for the contact sheets.
    force : bool
        Replace a data set that is there.
    progress, cancelled : callable, optional
        As in `make_crops`.

    Raises
    ------
    InputError
        If there is something else at `dst`, there are no such cubes, one cannot be read, their wavelengths differ, or
        the disk has no room; whatever was at `dst` stays.
    Cancelled
        If `cancelled` said so; nothing is left behind.
    """
    dst = typed_path(dst).absolute()
    if cube_format not in CUBE_FORMATS or masks not in get_args(Masks):
        raise InputError(f"unknown choice '{cube_format}' or '{masks}'", where="export dataset")
    check_target(dst, force=force)
    chosen, repeated = choose(study, sets, n=n, diagnosis=diagnosis)
    needs_proposals = masks == "automatic" or (
        masks == "complete" and any(c.record.mask_source == "none" for c in chosen)
    )
    if needs_proposals and propose is None:
        fix = 'pass propose, or masks="stored"'
        raise InputError("no segmenter was handed in for automatic masks", where="masks", fix=fix)
    about, judged = generators(study, chosen), evaluations(study, chosen)
    with writing(dst), _filling(dst, force=force) as folder:
        _check_space(folder, chosen, len(study.wavelengths_nm))
        work = _Work(folder, cube_format, masks, propose if needs_proposals else None, about)
        work.prepare_sheets(chosen)
        for done, one in enumerate(chosen):
            if progress is not None:
                progress(done, len(chosen))
            if cancelled is not None and cancelled():
                raise Cancelled
            work.add(one)
        work.finish(
            Contents(
                title=_title(title, about),
                licence=_line(licence) or _line(carried_licence(chosen)) or NOT_STATED,
                cube_format=cube_format,
                masks=masks,
                automatic=proposed_by if any(row.record.mask_source == "automatic" for row in work.rows) else "",
                wavelengths_nm=work.wavelengths_nm,
                rows=work.rows,
                generators=[{**each, "drawing": work.draws.of(each["run"])} for each in about],
                evaluations=judged,
                first_n=n,
            ),
            render,
        )
        if cancelled is not None and cancelled():
            raise Cancelled
    if progress is not None:
        progress(len(chosen), len(chosen))
    return DatasetExport(
        dst,
        cubes=len(work.rows),
        by_diagnosis=_counted([row.record.diagnosis.value for row in work.rows]),
        by_mask_source=_counted([row.record.mask_source for row in work.rows]),
        sets=sorted({row.set_name for row in work.rows}),
        notes=work.notes() + ([f"{repeated} cubes are in several sets and were written once"] if repeated else []),
    )


class _Work:
    """A data set being written.

    Parameters
    ----------
    folder : pathlib.Path
        Empty, hidden.
    cube_format, masks
        As asked for.
    propose : callable, optional
        If masks are to be proposed.
    about : list of dict
        The generators.
    """

    def __init__(
        self, folder: Path, cube_format: CubeFormat, masks: Masks, propose: Propose | None, about: list[dict[str, Any]]
    ) -> None:
        self._folder, self._format, self._masks, self._propose = folder, cube_format, masks, propose
        self._models = {each["run"]: each["model"] for each in about}
        self._phantoms = {each["run"] for each in about if each["phantom"]}
        self._sheets: dict[Diagnosis, Sheet] = {}
        self._sums: dict[str, str] = {}
        self._told = Told()
        self.draws = Draws()
        self.rows: list[Row] = []
        self.wavelengths_nm: NDArray[np.float64] = np.empty(0)

    def prepare_sheets(self, chosen: Sequence[Chosen]) -> None:
        """Learn how many cubes of each diagnosis will come."""
        for diagnosis, count in Counter(one.record.diagnosis for one in chosen).items():
            phantom = any(one.record.run in self._phantoms for one in chosen if one.record.diagnosis is diagnosis)
            self._sheets[diagnosis] = Sheet(diagnosis, count, phantom)

    def add(self, one: Chosen) -> None:
        """Write the files of a cube and remember its row."""
        crop = without_file_name(self._read(one))
        mask, source = self._mask(crop)
        record = one.renamed
        if record is not one.record:
            self._told.add(one.record.crop_id, "another set has a cube of this name, so that it got a number")
        phantom = record.run in self._phantoms
        name = stem(record.crop_id, record.diagnosis, phantom=phantom)
        model = self._models.get(record.run) or str(crop.cube.provenance.get("model") or "")
        file = cube_file(name, record.diagnosis, self._format)
        record = replace(record, file=file, mask_source=source, condition=crop.record.condition)
        path = self._folder / record.file
        values = write_cube_file(path, replace(crop, record=record), self._format, model=model, phantom=phantom)
        sha256 = sha256_of(values)
        self._sums[values.relative_to(self._folder).as_posix()] = sha256
        self.draws.add(record.run, crop.cube.provenance)
        lesion_px = int(mask.sum())
        at = mask_file(name, record.diagnosis) if lesion_px else ""
        if lesion_px:
            write_mask_file(self._folder / at, mask)
        elif source == "automatic":
            self._told.add(record.crop_id, "no lesion was found for an automatic mask")
        self.rows.append(Row(record, at, lesion_px, model, one.set_name, Values.of(crop.cube), sha256))
        self._sheets[record.diagnosis].take(crop.cube)

    def finish(self, contents: Contents, render: Render) -> None:
        """Write what is of the whole; the checksums last, since a folder without them is not finished."""
        for sheet in self._sheets.values():
            sheet.write(self._folder, render)
        write_table(self._folder, self.rows)
        table = "".join(f"{band},{nm!r}\n" for band, nm in enumerate(self.wavelengths_nm.tolist()))
        write_text(self._folder / WAVELENGTHS, "band,centre_nm\n" + table)
        write_card(self._folder, contents)
        write_sums(self._folder, self._sums)

    def notes(self) -> list[str]:
        """Return what the user should know."""
        return self._told.lines()

    def _read(self, one: Chosen) -> Crop:
        crop = one.read()
        nm = crop.cube.wavelengths_nm
        if not len(self.wavelengths_nm):
            self.wavelengths_nm = nm
        if not np.array_equal(nm, self.wavelengths_nm):
            raise InputError(
                f"{len(nm)} bands {nm.min():g}-{nm.max():g} nm, unlike the cubes before",
                where=one.folder / one.record.file,
                fix="export such sets apart",
            )
        return crop

    def _mask(self, crop: Crop) -> tuple[NDArray[np.bool_], Literal["annotation", "automatic", "conditioning", "none"]]:
        """Return the mask to write, and what it is."""
        nothing = np.zeros(crop.cube.shape_yx, bool)
        stored = crop.record.mask_source
        if self._masks == "none":
            return nothing, "none"
        if self._masks != "automatic" and stored != "none":
            return crop.mask, stored
        if self._propose is None:
            return nothing, "none"
        return (self._propose(crop.cube) if crop.cube.valid().any() else nothing), "automatic"


@contextlib.contextmanager
def _filling(dst: Path, *, force: bool) -> Iterator[Path]:
    """Yield an empty folder that becomes `dst`, and take away what a killed export to it has left."""
    hidden = re.compile(re.escape(f".{dst.name[:200]}-") + r"[0-9a-f]{8}\.new")
    for left in dst.parent.iterdir() if dst.parent.is_dir() else ():
        if hidden.fullmatch(left.name) and (left / _BUSY).is_file() and _nobody_fills(left):
            shutil.rmtree(left, ignore_errors=True)
    with atomic_folder(dst) as folder:
        with study_lock(folder, _BUSY):
            yield folder
        (folder / _BUSY).unlink()
        check_target(dst, force=force)  # again: another export may have been quicker


def _nobody_fills(folder: Path) -> bool:
    def give_up() -> None:
        raise BlockingIOError

    with contextlib.suppress(OSError), patient_lock(folder / _BUSY, give_up):
        return True
    return False


def check_target(dst: Path, *, force: bool = False) -> None:
    """Raise InputError if a data set cannot be written to `dst`, or, without `force`, one is there already."""
    if dst.is_file():
        raise InputError("a data set is a folder, and this a file", where=dst)
    if not dst.exists() or not any(dst.iterdir()):
        return
    if not is_data_set(dst):
        raise InputError("the folder is not empty and no data set", where=dst, fix="choose a new one")
    if not force:
        raise InputError("it is there already", where=dst, fix="choose another name, or replace it with --force")


def _check_space(folder: Path, chosen: Sequence[Chosen], bands: int) -> None:
    pixels = sum(height * width for height, width in (one.record.shape_yx for one in chosen))
    needed = pixels * (4 * bands + 1) + len(chosen) * _MORE_BYTES
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{len(chosen)} cubes need {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free",
            where=folder.parent,
            fix="free some space or export fewer",
        )


def _title(title: str, about: Sequence[dict[str, Any]]) -> str:
    trained_on = sorted({each["training_data"]["study"] for each in about if each["known"]})
    said = f"hyperspectral dermoscopy cubes, trained on {', '.join(trained_on) or 'unknown data'}"
    title = _line(title) or said
    return title if title.startswith("SYNTHETIC") else f"SYNTHETIC: {title}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _counted(values: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
