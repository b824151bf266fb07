"""Crops on disk: one ``.npz`` per lesion or synthetic cube, and ``crops.csv`` that lists them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_path, write_text
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.manifest import checked_id
from napari_hsisynth.study.storage import writing

INDEX = "crops.csv"
_MAY_BE_EMPTY = ("seed", "height_px", "width_px", "source_height_px", "source_width_px")
MaskSource = Literal["annotation", "automatic", "conditioning", "none"]


@dataclass(frozen=True)
class CropRecord:
    """One row of ``crops.csv``: where a crop came from.

    Parameters
    ----------
    crop_id : str
        ``<cube id>_<instance>``, or the name of a synthetic cube.
    cube_id : str
        The cube it was cut from; for a synthetic cube its own name.
    instance : int
        The lesion in that cube's mask; 0 where there is none.
    diagnosis : Diagnosis
        Of the lesion.
    patient : str
        Empty if not known.
    y0, x0, y1, x1 : int
        Box in the cube, px, ends exclusive.
    source_sha256 : str
        Of the cube's file.
    file : str
        The ``.npz``, relative to the folder of the index, with forward slashes.
    run, checkpoint : str
        Which generator made it; empty for a real crop.
    seed : int, optional
        Of this synthetic cube.
    mask_source : {"annotation", "automatic", "conditioning", "none"}
        What the mask in the file is.
    height_px, width_px : int, optional
        Of the arrays in the file, where these were resized; None for a crop at the resolution of its cube.
    source_height_px, source_width_px : int, optional
        Of the cube it was cut from; None where that was not written down.
    condition : str
        What a synthetic cube was asked to show: the crop or the file whose mask or RGB image it was made from.
    """

    crop_id: str
    cube_id: str
    instance: int
    diagnosis: Diagnosis
    patient: str
    y0: int
    x0: int
    y1: int
    x1: int
    source_sha256: str
    file: str
    run: str = ""
    checkpoint: str = ""
    seed: int | None = None
    mask_source: MaskSource = "annotation"
    height_px: int | None = None
    width_px: int | None = None
    source_height_px: int | None = None
    source_width_px: int | None = None
    condition: str = ""

    def __post_init__(self) -> None:
        checked_id(self.crop_id, what="crop id", longest=120)  # a cube id, _ and a number
        object.__setattr__(self, "diagnosis", Diagnosis.parse(self.diagnosis))
        if not (0 <= self.y0 < self.y1 and 0 <= self.x0 < self.x1):
            raise InputError(f"the box {self.box} is empty or reversed", where=self.crop_id)
        for first, second in (("height_px", "width_px"), ("source_height_px", "source_width_px")):
            sides = getattr(self, first), getattr(self, second)
            if sides != (None, None) and (None in sides or min(sides) < 1):
                raise InputError(f"{first} and {second} are not a size: {sides}", where=self.crop_id)
        height, width = self.source_shape_yx or (self.y1, self.x1)
        if self.y1 > height or self.x1 > width:
            raise InputError(f"the box {self.box} is not inside {height} x {width} px", where=self.crop_id)
        if self.mask_source not in get_args(MaskSource):
            raise InputError(f"unknown mask_source '{self.mask_source}'", where=self.crop_id)
        path = PurePosixPath(self.file)
        if not self.file or path.is_absolute() or ".." in path.parts or "\\" in self.file or ":" in self.file:
            raise InputError(f"file '{self.file}' is not a path inside the folder", where=self.crop_id)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``(y0, x0, y1, x1)`` in the cube, px, ends exclusive."""
        return self.y0, self.x0, self.y1, self.x1

    @property
    def box_shape_yx(self) -> tuple[int, int]:
        """Height and width of the box, px of the cube."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Height and width of the arrays in the file, px."""
        if self.height_px is None or self.width_px is None:
            return self.box_shape_yx
        return self.height_px, self.width_px

    @property
    def resized(self) -> bool:
        """Whether the file has another resolution than the cube."""
        return self.shape_yx != self.box_shape_yx

    @property
    def scale_yx(self) -> tuple[float, float]:
        """Pixels of the file per pixel of the cube, along y and x; 1 for a crop that was not resized."""
        (height, width), (rows, columns) = self.shape_yx, self.box_shape_yx
        return height / rows, width / columns

    @property
    def source_shape_yx(self) -> tuple[int, int] | None:
        """Height and width of the cube it was cut from, px; None if not known."""
        if self.source_height_px is None or self.source_width_px is None:
            return None
        return self.source_height_px, self.source_width_px

    @property
    def whole(self) -> bool:
        """Whether it is all of a cube without a lesion; its mask is then empty."""
        return self.instance == 0 and not self.synthetic

    @property
    def synthetic(self) -> bool:
        """Whether a generator made it."""
        return bool(self.run)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {**asdict(self), "diagnosis": self.diagnosis.value}


@dataclass(frozen=True, eq=False)
class Crop:
    """A cut-out cube with the mask of its lesion.

    Parameters
    ----------
    cube : Cube
        Bands as in the source.
    mask : ndarray of bool, shape (y, x)
        The lesion; all false where ``record.mask_source`` is "none".
    record : CropRecord
        Where it came from.
    """

    cube: Cube
    mask: NDArray[np.bool_]
    record: CropRecord

    def __post_init__(self) -> None:
        mask = np.asarray(self.mask)
        if mask.shape != self.cube.shape_yx:
            raise InputError(f"mask of {mask.shape} for a cube of {self.cube.shape_yx} px", where=self.record.crop_id)
        object.__setattr__(self, "mask", mask.astype(bool, copy=False))


def write_crop(folder: str | Path, crop: Crop) -> None:
    """Write ``folder/crop.record.file``; plain arrays and a JSON string, nothing pickled."""
    path = Path(folder) / crop.record.file
    meta = {**crop.record.to_json(), "name": crop.cube.name, "provenance": dict(crop.cube.provenance)}
    with writing(path), atomic_path(path) as temporary:
        # not compressed: float noise shrinks by a tenth and would read ten times slower
        np.savez(
            temporary,
            cube=crop.cube.data,
            mask=crop.mask,
            wavelengths_nm=crop.cube.wavelengths_nm,
            meta=np.array(json.dumps(meta, allow_nan=False)),
        )


def read_crop(folder: str | Path, record: CropRecord) -> Crop:
    """Read the crop that `record` lists.

    Raises
    ------
    InputError
        If the file is missing or damaged, or is another crop than the index says.
    """
    path = Path(folder) / record.file
    try:
        with np.load(path, allow_pickle=False) as stored:
            data, mask, wavelengths_nm = stored["cube"], stored["mask"], stored["wavelengths_nm"]
            meta = json.loads(str(stored["meta"]))
    except FileNotFoundError:
        raise InputError("the crop is missing", where=path, fix="cut the crops again") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"not a crop ({error})", where=path, fix="cut the crops again") from None
    if data.ndim != 3 or mask.shape != data.shape[1:]:
        raise InputError(f"cube {data.shape} and mask {mask.shape} do not fit", where=path, fix="cut the crops again")
    if (
        meta.get("crop_id") != record.crop_id
        or tuple(meta.get(side) for side in ("y0", "x0", "y1", "x1")) != record.box
    ):
        raise InputError(f"the file is not the crop {record.crop_id} that {INDEX} lists", where=path)
    if record.height_px is not None and mask.shape != record.shape_yx:
        raise InputError(f"{mask.shape} px, but {INDEX} says {record.shape_yx}", where=path, fix="cut the crops again")
    provenance = meta.get("provenance") or {}
    return Crop(Cube(data, wavelengths_nm, name=record.crop_id, provenance=provenance), mask.astype(bool), record)


def read_crops_index(folder: str | Path) -> list[CropRecord]:
    """Read ``crops.csv`` of `folder`, in its order.

    Raises
    ------
    InputError
        If there is none or a row cannot be used; the message names the line.
    """
    path = Path(folder) / INDEX
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("no crops here", where=folder, fix="run: napari-hsisynth crop STUDY") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    needed = [f.name for f in fields(CropRecord)]
    missing = [name for name in needed[:11] if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"columns missing: {', '.join(missing)}", where=path, fix="cut the crops again")
    records: dict[str, CropRecord] = {}
    for row in reader:
        where = f"{path} line {reader.line_num}"
        try:
            record = _record({name: row[name] for name in needed if row.get(name) is not None})
        except InputError as error:
            raise InputError(error.what, where=where, fix=error.fix) from None
        except (ValueError, TypeError) as error:
            raise InputError(f"not a crop's row ({error})", where=where) from None
        if record.crop_id in records:
            raise InputError(f"crop '{record.crop_id}' is there twice", where=where)
        records[record.crop_id] = record
    return list(records.values())


def _record(row: dict[str, str]) -> CropRecord:
    values: dict[str, Any] = dict(row)
    for name in ("instance", "y0", "x0", "y1", "x1"):
        values[name] = int(row[name])
    for name in _MAY_BE_EMPTY:  # crops cut by an earlier version have no such column
        values[name] = int(row[name]) if row.get(name) else None
    return CropRecord(**values)


def write_crops_index(folder: str | Path, records: Iterable[CropRecord]) -> None:
    """Replace ``crops.csv`` of `folder`; write it last, since a folder without it has no crops."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [f.name for f in fields(CropRecord)], lineterminator="\n")
    writer.writeheader()
    for record in records:
        row = record.to_json()
        writer.writerow({name: "" if value is None else value for name, value in row.items()})
    with writing(Path(folder) / INDEX):
        write_text(Path(folder) / INDEX, text.getvalue())
