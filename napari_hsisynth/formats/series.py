"""A folder with one image file per band: of other programs, and as written here."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.atomic import atomic_folder
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.labels import labelled_cube, provenance_json, storable_name
from napari_hsisynth.formats.ome import band_names
from napari_hsisynth.formats.planes import PlaneSource, plane_of
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.series_names import Series, find_series
from napari_hsisynth.formats.tiff_write import fill, reserve
from napari_hsisynth.formats.unlabelled import PLAUSIBLE_NM, WAVELENGTH_NAMES, Variable, check_claim, choose
from napari_hsisynth.lazy_array import LazyArray

#: Beside the bands in our own folders.
CUBE_JSON = "cube.json"
_KIND = "napari-hsisynth bands"
_TABLES = ("wavelengths.csv", "wavelengths.txt")
#: No table of wavelengths is longer, bytes.
_LONGEST_TABLE = 2**20


@dataclass(frozen=True)
class _Ours:
    """What our own folder says of itself."""

    files: tuple[Path, ...]
    meta: dict[str, Any]


def sniff(path: Path, head: bytes) -> bool:
    """Whether a folder is one of ours, or holds image files whose names differ by a running number."""
    return path.is_dir() and (_says_so(path) or bool(find_series(path)))


def _says_so(folder: Path) -> bool:
    try:
        with open(folder / CUBE_JSON, "rb") as file:
            return _KIND.encode() in file.read(200)
    except OSError:
        return False


def _ours(folder: Path) -> _Ours | None:
    """Read our own description of a folder; None if there is none."""
    try:
        meta = json.loads((folder / CUBE_JSON).read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        raise InputError(f"damaged: {CUBE_JSON} is not JSON") from None
    if not isinstance(meta, dict) or meta.get("kind") != _KIND:
        return None
    names = meta.get("files")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and _plain(name) for name in names):
        raise InputError(f"damaged: {CUBE_JSON} does not name its files")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InputError(f"damaged: {missing[0]} is missing" + (f", and {len(missing) - 1} more" * (len(missing) > 1)))
    return _Ours(tuple(folder / name for name in names), meta)


def _plain(name: str) -> bool:
    """Whether a name is that of a file in the folder itself."""
    return bool(name) and not any(part in name for part in "/\\:\0") and name not in (".", "..")


def _listed(folder: Path) -> list[tuple[Variable, Sequence[Path], Series | None]]:
    ours = _ours(folder)
    if ours is not None:
        return [(_variable("cube", ours.files), ours.files, None)]
    found: list[tuple[Variable, Sequence[Path], Series | None]] = [
        (_variable(series.name, series.files), series.files, series) for series in find_series(folder)
    ]
    names = [variable.name for variable, _, _ in found]
    return [  # two kinds of files may have the same names
        (Variable(v.name + files[0].suffix, v.shape, v.dtype) if names.count(v.name) > 1 else v, files, series)
        for v, files, series in found
    ]


def _variable(name: str, files: Sequence[Path]) -> Variable:
    plane = plane_of(files[0])
    return Variable(name, (len(files), *plane.shape), str(plane.dtype.newbyteorder("=")))


def variables(path: Path) -> list[Variable]:
    """Return the series of the folder; only the first file of each is looked into."""
    return [variable for variable, _, _ in _listed(path)]


def parts(path: Path) -> list[Path]:
    """Return the image files, and what our own folder says of them."""
    files = [file for _, files, _ in _listed(path) for file in files]
    return [path / CUBE_JSON, *files] if _ours(path) is not None else files


def read(path: Path, options: ReadOptions) -> Cube:
    """Read one image per band, in the order of their running number."""
    listed = _listed(path)
    if not listed:
        raise InputError("this folder does not hold a series of images")
    chosen = choose([variable for variable, _, _ in listed], options.variable)
    files, series = next((files, series) for variable, files, series in listed if variable == chosen)
    data = _data(files, chosen, options)
    given = options.wavelengths_nm
    if series is None:
        ours = _ours(path)
        assert ours is not None
        stored = np.array(ours.meta.get("wavelengths_nm"), dtype=np.float64).reshape(-1)
        return labelled_cube(
            data,
            given_nm=given,
            stored_nm=stored,
            known=bool(ours.meta.get("wavelengths_known", True)),
            name=str(ours.meta.get("name", "")),
            provenance=json.dumps(ours.meta.get("provenance") or {}),
        )
    fields: dict[str, Any] = {
        "name": path.name,
        "provenance": {
            "source": path.name,
            "format": "series",
            "files": [file.name for file in files],
            "dtype": chosen.dtype,
        },
    }
    note = f"{len(files)} images {files[0].name} to {files[-1].name} were taken as the bands"
    known = given or series.wavelengths_nm()
    if known is not None:
        return Cube(data, np.array(known), notes=(note,), **fields)
    table = _table(path, len(files))
    if table is not None:
        name, values = table
        return Cube(data, np.array(values), notes=(note, f"the wavelengths are those of {name}"), **fields)
    likely = series.likely_wavelengths_nm()
    if likely is not None:
        assumed = "the numbers in the names of the images were taken as wavelengths in nm"
        return Cube.with_assumed_wavelengths(data, np.array(likely), notes=(note, assumed), **fields)
    numbered = "the names of the images give no wavelengths: the bands are numbered from 0"
    return Cube.with_assumed_wavelengths(data, np.arange(len(files)), notes=(note, numbered), **fields)


def _data(files: Sequence[Path], variable: Variable, options: ReadOptions) -> Any:
    lazily = options.lazily(int(np.prod(variable.shape, dtype=np.int64)))
    check_claim(variable, sum(file.stat().st_size for file in files), lazy=lazily)
    planes = [plane_of(file) for file in files]
    for plane in planes:
        if plane.shape != planes[0].shape:
            size, first = (" x ".join(map(str, each.shape)) for each in (plane, planes[0]))
            raise InputError(f"{plane.path.name} is {size} px, but {planes[0].path.name} is {first}")
        if plane.dtype.newbyteorder("=") != planes[0].dtype.newbyteorder("="):
            raise InputError(
                f"{plane.path.name} holds {plane.dtype.name}, but {planes[0].path.name} {planes[0].dtype.name}"
            )
    axes = options.axes or "byx"
    data = LazyArray(PlaneSource(planes), (axes.index("b"), axes.index("y"), axes.index("x")))
    if lazily:
        return data
    values = np.empty([variable.shape[axes.index(axis)] for axis in "byx"], np.float32)
    for number, plane in enumerate(planes):
        values.transpose(*("byx".index(axis) for axis in axes))[number] = plane.values()
    return values


def _table(folder: Path, bands: int) -> tuple[str, list[float]] | None:
    """Read the wavelengths that lie beside the images: the column that is called so, or all numbers there are."""
    path = next((folder / name for name in _TABLES if (folder / name).is_file()), None)
    if path is None:
        return None
    if path.stat().st_size > _LONGEST_TABLE:
        raise InputError(f"{path.name} is too long for a list of wavelengths")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path.name} is not a text file") from None
    lines = [line.replace(";", ",").replace("\t", ",") for line in lines if line.strip() and line[:1] != "#"]
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines)]
    header = [cell.lower().replace(" ", "_") for cell in rows[0]] if rows else []
    column = next((header.index(name) for name in (*WAVELENGTH_NAMES, "wavelength_nm", "nm") if name in header), None)
    try:
        if column is not None:
            values = [float(row[column]) for row in rows[1:]]
        else:
            values = [float(cell) for row in rows for cell in row if cell]
    except (ValueError, IndexError):
        raise InputError(
            f"{path.name} is not a list of wavelengths", fix="a column 'wavelength_nm', or one number per line"
        ) from None
    if len(values) != bands or not all(PLAUSIBLE_NM[0] <= nm <= PLAUSIBLE_NM[1] for nm in values):
        raise InputError(f"{path.name} does not give {bands} wavelengths in nm")
    return path.name, values


# --- writing


def write(path: Path, cube: Cube) -> list[str]:
    """Write a folder of one float32 TIFF per band, and what they are in ``cube.json``; everything but notes is kept.

    A folder of this kind is replaced as a whole; any other that holds something is refused.
    """
    if path.exists() and not path.is_dir():
        raise InputError("a file of this name is in the way", where=path, fix="choose another name")
    if path.is_dir() and any(path.iterdir()) and not _replaceable(path):
        raise InputError("the folder holds other things", where=path, fix="choose a new one")
    names = [
        f"band_{number:04d}{'' if name.startswith('band') else '_' + name.replace(' ', '')}.tif"
        for number, name in enumerate(band_names(cube), 1)
    ]
    meta = {
        "kind": _KIND,
        "name": storable_name(cube),
        "shape": list(cube.data.shape),
        "wavelengths_nm": cube.wavelengths_nm.tolist(),
        "wavelengths_known": cube.wavelengths_known,
        "provenance": json.loads(provenance_json(cube)),
        "files": names,
    }
    with atomic_folder(path) as folder:
        offsets = []
        for name, title in zip(names, band_names(cube), strict=True):
            with open(folder / name, "wb") as handle:
                offsets.append(reserve(handle, (1, *cube.shape_yx), title))
        for rows, block in cube.blocks():
            for name, offset, part in zip(names, offsets, block, strict=True):
                with open(folder / name, "rb+") as handle:
                    fill(handle, offset, rows, part)
        (folder / CUBE_JSON).write_text(json.dumps(meta, indent=1) + "\n", encoding="ascii")
    return []


def _replaceable(folder: Path) -> bool:
    """Whether a folder holds nothing but a series that was written here."""
    try:
        ours = _ours(folder)
    except InputError:
        return False
    return ours is not None and {file.name for file in folder.iterdir()} <= {
        CUBE_JSON,
        *(file.name for file in ours.files),
    }


FORMAT = Format("series", "folder of bands", (".bands",), sniff, variables, read, write, folders=True, parts=parts)
