"""A data set back into a study: as a synthetic set, never as cubes of patients."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.adding import study_to_fill
from napari_hsisynth.study.crops import INDEX, read_crops_index, write_crop, write_crops_index
from napari_hsisynth.study.cube_files import TOLERANCE_NM
from napari_hsisynth.study.dataset.checksums import SUMS, verify
from napari_hsisynth.study.dataset.cubes import read_row, values_file
from napari_hsisynth.study.dataset.layout import CARD, README, TABLE, read_card
from napari_hsisynth.study.dataset.table import Row, as_crop, read_table
from napari_hsisynth.study.manifest import checked_id, id_from_name
from napari_hsisynth.study.settings import checked_wavelengths
from napari_hsisynth.study.storage import Cancelled, Progress, new_folder, replaced_folder, sha256_of
from napari_hsisynth.study.study import Study
from napari_hsisynth.typed_path import typed_path

#: Folder in ``synthetic`` that is no set: masks painted for sampling are kept there.
_MASKS = "masks"
_FIX_NAME = "say --name NAME"
_COPY = "copy the data set again"


@dataclass
class DatasetImport:
    """What an import of a data set did.

    Parameters
    ----------
    study : Study
        That has the cubes now.
    name : str
        Of the synthetic set.
    cubes : int
        Cubes in it.
    new : bool
        False if the study had exactly this set already.
    notes : list of str
        What the user should know, one sentence each.
    """

    study: Study
    name: str
    cubes: int
    new: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where the cubes are."""
        return self.study.synthetic_dir(self.name)


def import_dataset(
    src: str | Path,
    study_root: str | Path,
    *,
    name: str | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> DatasetImport:
    """Bring the cubes of a data set into a study as a synthetic set, with masks, seeds, runs and conditions.

    First every file that is read is checked against the data set's checksums, and these against table and card. The set
    keeps the card beside its cubes.

    Parameters
    ----------
    src : path-like
        From `export_dataset`.
    study_root : path-like
        A study of the same wavelengths; or a new or empty folder, which becomes one without real cubes.
    name : str, optional
        Of the set, a folder under ``synthetic`` that is empty or not there yet; by default that of `src`. Not
        ``masks``, where painted masks are kept.
    progress, cancelled : callable, optional
        As in `make_crops`.

    Raises
    ------
    InputError
        If a file is damaged or missing, the wavelengths are not the study's, or the study has something else of this
        name.
    Cancelled
        If `cancelled` said so; nothing is left behind.
    """
    src, root = typed_path(src).absolute(), typed_path(study_root).absolute()
    if not src.is_dir():
        raise InputError("no such folder", where=src)
    card = read_card(src)
    set_name = id_from_name(src.name) if name is None else checked_id(name, what="name of a set", longest=200)
    target = study_to_fill(root)
    if set_name.casefold() == _MASKS:
        raise InputError(f"synthetic/{set_name} is for painted masks", where="name", fix=_FIX_NAME)
    nm = checked_wavelengths(card["cubes"]["wavelengths_nm"], where=src / CARD)
    if target is not None:
        _check_wavelengths(target, nm, src)
        if (target.synthetic_dir(set_name) / INDEX).exists():
            return _there_already(target, set_name, src)
        _check_free(target.synthetic_dir(set_name))
    try:  # before its rows are read
        other = (src / TABLE).is_file() and sha256_of(src / TABLE) != card["table_sha256"]
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", where=src / TABLE, fix=_COPY) from None
    if other:
        raise InputError("not the table that the card was written for", where=src / TABLE, fix=_COPY)
    rows = read_table(src)
    steps = _Steps(len(rows), progress, cancelled)
    stated = verify(src, progress=steps.verifying, cancelled=cancelled)
    _check_stated(src, rows, stated)
    if target is not None:
        _fill(target, set_name, src, rows, steps)
    else:
        with new_folder(root) as hidden:
            made = Study.create(
                hidden, wavelengths_nm=nm, notes=_notes(card), wavelengths_source=f"data set {src.name}"
            )
            _fill(made, set_name, src, rows, steps)
        target = Study.open(root)
    said = [f"{card['title']}; licence: {card['licence']}"]
    if card["phantom"]:
        said.append("PHANTOM: the training data of these cubes were simulated")
    return DatasetImport(target, set_name, len(rows), notes=said)


class _Steps:
    """One progress of two passes: all files are checked, then the cubes are written."""

    def __init__(self, cubes: int, progress: Progress | None, cancelled: Callable[[], bool] | None) -> None:
        self._cubes, self._progress, self._cancelled = cubes, progress, cancelled
        self._files = 0

    def verifying(self, done: int, total: int) -> None:
        """So many files are checked."""
        self._files = total
        if self._progress is not None:
            self._progress(done, total + self._cubes)

    def writing(self, done: int) -> None:
        """So many cubes are written."""
        if self._cancelled is not None and self._cancelled():  # first: what is stopped never was all done
            raise Cancelled
        if self._progress is not None:
            self._progress(self._files + done, self._files + self._cubes)


def _fill(study: Study, name: str, src: Path, rows: list[Row], steps: _Steps) -> None:
    """Write a set into a study; it appears as a whole."""
    parent = study.root / "synthetic"
    needed = sum((src / row.record.file).stat().st_size for row in rows)
    parent.mkdir(exist_ok=True)
    free = shutil.disk_usage(parent).free
    if needed > free:
        what = f"the cubes need {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free"
        raise InputError(what, where=parent, fix="free some space")
    with replaced_folder(parent, name) as folder:
        for done, row in enumerate(rows):
            steps.writing(done)
            write_crop(folder, read_row(src, row))
        for file in (CARD, README):
            shutil.copyfile(src / file, folder / file)
        write_crops_index(folder, [as_crop(row) for row in rows])
        steps.writing(len(rows))
        _check_free(study.synthetic_dir(name))  # again: somebody may have begun to fill it


def _check_stated(src: Path, rows: list[Row], stated: dict[str, str]) -> None:
    """Raise InputError if a file that is read has no checksum, or the table says another of what it names."""
    needed = [CARD, README, TABLE]
    for row in rows:
        file = row.record.file
        needed += [file, values_file(Path(file)).as_posix(), *([row.mask_file] if row.mask_file else [])]
    for file in needed:
        if file not in stated:
            raise InputError(f"it has no checksum in {SUMS}", where=src / file, fix=_COPY)
    for row in rows:
        values = values_file(Path(row.record.file)).as_posix()
        if stated[values] != row.sha256:
            raise InputError("not the file that the table was written for", where=src / values, fix=_COPY)


def _check_free(folder: Path) -> None:
    """Raise InputError if there is something at a folder that a set is to become."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError("a folder of this name is in the way", where=folder, fix=_FIX_NAME)


def _check_wavelengths(study: Study, nm: Any, src: Path) -> None:
    own = study.wavelengths_nm
    if own.shape != nm.shape or not np.allclose(own, nm, rtol=0, atol=TOLERANCE_NM):
        raise InputError(
            f"{len(nm)} bands {nm.min():g}-{nm.max():g} nm, but the study has {len(own)} bands"
            f" {own.min():g}-{own.max():g} nm",
            where=src,
            fix="import it into a study of its own",
        )


def _there_already(study: Study, name: str, src: Path) -> DatasetImport:
    """Return the set of this name if it is this data set; InputError if it is another one."""
    folder = study.synthetic_dir(name)
    try:
        same = read_card(folder).get("table_sha256") == sha256_of(src / TABLE)
    except (InputError, OSError):
        same = False
    if not same:
        raise InputError("the study has another synthetic set of this name", where=folder, fix=_FIX_NAME)
    return DatasetImport(study, name, len(read_crops_index(folder)), new=False, notes=["the study has it already"])


def _notes(card: dict[str, Any]) -> str:
    phantom = "PHANTOM: the training data were simulated. " if card["phantom"] else ""
    return f"{phantom}{card['title']}; no real cubes. Licence: {card['licence']}"
