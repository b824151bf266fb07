"""``dataset.csv``: one row per cube of a data set, with everything that is known of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.atomic import write_text
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.crops import CropRecord
from napari_hsisynth.study.dataset.layout import TABLE

#: Columns of a record that readers look for first; its others follow.
_FIRST = ("mask_source", "diagnosis", "run", "checkpoint", "seed", "condition")
_OTHERS = tuple(f.name for f in fields(CropRecord) if f.name not in (*_FIRST, "file", "source_sha256"))
_NUMBERS = ("instance", "y0", "x0", "y1", "x1")
_NUMBERS_OR_EMPTY = ("seed", "height_px", "width_px", "source_height_px", "source_width_px")
_COLUMNS = (
    "file", "mask_file", "lesion_px", *_FIRST, "checkpoint_sha256", "model", "set",
    "min", "mean", "max", "invalid_px", "sha256", *_OTHERS,
)  # fmt: skip


@dataclass(frozen=True)
class Values:
    """The values of a cube in short.

    Parameters
    ----------
    lowest, mean, highest : float or None
        Over the finite values of all bands; None if there are none.
    invalid_px : int
        Pixels that are not finite in some band.
    """

    lowest: float | None
    mean: float | None
    highest: float | None
    invalid_px: int

    @classmethod
    def of(cls, cube: Cube) -> Values:
        """Look at a cube."""
        finite = cube.data[np.isfinite(cube.data)]
        invalid_px = int((~cube.valid()).sum())
        if not finite.size:
            return cls(None, None, None, invalid_px)
        return cls(float(finite.min()), float(finite.mean(dtype=np.float64)), float(finite.max()), invalid_px)


@dataclass(frozen=True)
class Row:
    """One cube of a data set.

    Parameters
    ----------
    record : CropRecord
        What it is; its ``file`` is the cube's in the data set, its ``mask_source`` that of the mask there.
    mask_file : str
        Empty where there is no mask, or nothing in it.
    lesion_px : int
        Size of the mask.
    model : str
        Family of the generator; empty if not known.
    set_name : str
        The set of the study that it was taken from.
    values : Values
        In short.
    sha256 : str
        Of the file with the cube's values.
    """

    record: CropRecord
    mask_file: str
    lesion_px: int
    model: str
    set_name: str
    values: Values
    sha256: str


def write_table(folder: Path, rows: Iterable[Row]) -> None:
    """Write ``dataset.csv``."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        record = row.record.to_json()
        cells = {
            **{name: record[name] for name in (*_FIRST, *_OTHERS)},
            "file": row.record.file,
            "mask_file": row.mask_file,
            "lesion_px": row.lesion_px,
            "checkpoint_sha256": row.record.source_sha256,
            "model": row.model,
            "set": row.set_name,
            "min": row.values.lowest,
            "mean": row.values.mean,
            "max": row.values.highest,
            "invalid_px": row.values.invalid_px,
            "sha256": row.sha256,
        }
        writer.writerow({name: "" if value is None else value for name, value in cells.items()})
    write_text(folder / TABLE, text.getvalue())


def read_table(folder: Path) -> list[Row]:
    """Read ``dataset.csv``.

    Raises
    ------
    InputError
        If it is missing, or a row cannot be used; the message names the line.
    """
    path = folder / TABLE
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InputError("cannot be read", where=path, fix="copy the data set again") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"columns missing: {', '.join(missing)}", where=path, fix="copy the data set again")
    rows: list[Row] = []
    seen: set[str] = set()
    for cells in reader:
        where = f"{path} line {reader.line_num}"
        try:
            row = _row(cells)
        except InputError as error:
            raise InputError(error.what, where=where, fix=error.fix) from None
        except (ValueError, TypeError) as error:
            raise InputError(f"not a cube's row ({error})", where=where) from None
        if not row.record.synthetic:
            raise InputError(f"{row.record.crop_id} names no run: it is not synthetic", where=where)
        if row.record.crop_id.lower() in seen:
            raise InputError(f"cube '{row.record.crop_id}' is there twice", where=where)
        seen.add(row.record.crop_id.lower())
        rows.append(row)
    if not rows:
        raise InputError("the data set has no cubes", where=path)
    return rows


def _row(cells: dict[str, Any]) -> Row:
    values: dict[str, Any] = {name: cells[name] for name in (*_FIRST, *_OTHERS)}
    values |= {name: int(cells[name]) for name in _NUMBERS}
    values |= {name: int(cells[name]) if cells[name] else None for name in _NUMBERS_OR_EMPTY}
    record = CropRecord(**values, file=cells["file"], source_sha256=cells["checkpoint_sha256"])
    lowest, mean, highest = (float(cells[name]) if cells[name] else None for name in ("min", "mean", "max"))
    return Row(
        record,
        cells["mask_file"],
        int(cells["lesion_px"]),
        cells["model"],
        cells["set"],
        Values(lowest, mean, highest, int(cells["invalid_px"])),
        cells["sha256"],
    )


def as_crop(row: Row) -> CropRecord:
    """Return the record of a row as a study lists it: the file is a crop's."""
    return replace(row.record, file=f"{row.record.crop_id}.npz")
