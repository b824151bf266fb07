"""MATLAB 7.3 ``.mat``, which is HDF5 with the axes reversed; and HDF5 files of other programs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import (
    MAX_VALUES,
    WAVELENGTH_NAMES,
    Variable,
    band_axis,
    check_claim,
    choose,
    unlabelled_cube,
)

_MAGIC = b"\x89HDF\r\n\x1a\n"
_NOT_NUMBERS = {"char", "logical", "cell", "struct", "function_handle", "string"}
_GUESSED_ORDER = "the file does not say that MATLAB wrote it; its axes were taken in MATLAB's order, (y, x, bands)"
#: Fields of structs are groups; deeper or more than this is no file of cubes.
_DEEPEST, _MOST = 4, 1000


def sniff(path: Path, head: bytes) -> bool:
    """Whether HDF5 begins at 0 or behind a user block, as MATLAB's does at 512."""
    return any(head[start : start + 8] == _MAGIC for start in (0, 512, 1024))


def _datasets(group: h5py.Group, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, h5py.Dataset]]:
    """Walk the arrays of this file; links that lead to another file are not followed."""
    for key in group:
        if key.startswith("#") or not isinstance(group.get(key, getlink=True), h5py.HardLink):
            continue  # '#refs#' and '#subsystem#' hold the insides of cells and objects
        item = group[key]
        if isinstance(item, h5py.Dataset):
            yield prefix + key, item
        elif isinstance(item, h5py.Group) and depth < _DEEPEST:
            yield from _datasets(item, f"{prefix}{key}/", depth + 1)


def _matlab_class(dataset: h5py.Dataset) -> str | None:
    value = dataset.attrs.get("MATLAB_class")
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


def _reversed(dataset: h5py.Dataset) -> bool:
    """Whether the axes are stored as MATLAB does: it counts them from the fastest, HDF5 from the slowest.

    Files that other programs write for MATLAB often lack its class attribute. Bands that come first in HDF5's order
    then tell: they are the last axis of (y, x, bands), the customary order in MATLAB.
    """
    if _matlab_class(dataset) is not None:
        return True
    shape = tuple(dataset.shape or ())
    return len(shape) == 3 and band_axis(shape, None, "first") == 0


def _described(name: str, dataset: h5py.Dataset) -> Variable:
    kind = _matlab_class(dataset)
    numeric = dataset.dtype.kind in "fiu" and kind not in _NOT_NUMBERS and "MATLAB_empty" not in dataset.attrs
    shape = tuple(dataset.shape or ())
    return Variable(name, shape[::-1] if _reversed(dataset) else shape, kind or str(dataset.dtype), numeric)


def _all(file: h5py.File) -> dict[str, tuple[Variable, h5py.Dataset]]:
    found = {}
    for name, dataset in _datasets(file):
        found[name] = (_described(name, dataset), dataset)
        if len(found) > _MOST:
            raise InputError(f"more than {_MOST} arrays inside; not a file of cubes")
    return found


def _values(variable: Variable, dataset: h5py.Dataset, size: int) -> Any:
    if dataset.external or dataset.is_virtual:
        raise InputError(f"'{variable.name}' lies in another file, which is not followed")
    check_claim(variable, size)
    if dataset.chunks and math.prod(dataset.chunks) > MAX_VALUES:
        raise InputError(f"damaged: '{variable.name}' claims blocks of {math.prod(dataset.chunks):,} values")
    stored = dataset[()]
    return stored.T if _reversed(dataset) else stored


def variables(path: Path) -> list[Variable]:
    """Return the arrays of the file; fields of structs are named ``struct/field``."""
    with h5py.File(path, "r", locking=False) as file:
        return [variable for variable, _ in _all(file).values()]


def read(path: Path, options: ReadOptions) -> Cube:
    """Read the one 3-D array, or the one asked for; its bands may be the last axis or the first."""
    size = path.stat().st_size
    with h5py.File(path, "r", locking=False) as file:
        found = _all(file)
        chosen = choose([variable for variable, _ in found.values()], options.variable)
        array = np.asarray(_values(*found[chosen.name], size))
        nearby = chosen.name.rpartition("/")[0]
        names = [f"{nearby}/{name}" if nearby else name for name in WAVELENGTH_NAMES]
        stored = next((_values(*found[name], size) for name in names if name in found and found[name][0].numeric), None)
        dataset = found[chosen.name][1]
        kind = "matlab 7.3" if _matlab_class(dataset) is not None else "hdf5"
        guessed = kind == "hdf5" and _reversed(dataset)
    cube = unlabelled_cube(
        array,
        path=path,
        options=options,
        provenance={"format": kind, "variable": chosen.name},
        stored_nm=stored,
        tie="last",
    )
    return cube.replace(notes=(*cube.notes, _GUESSED_ORDER)) if guessed else cube


FORMAT = Format("matlab73", "MATLAB 7.3 .mat", (".mat",), sniff, variables, read)
