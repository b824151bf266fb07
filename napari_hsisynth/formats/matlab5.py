"""MATLAB 5-7 ``.mat``: the form of HSIDermoscopy, and the one written here."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from scipy.io.matlab import MatWriteError

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.labels import labelled_cube, provenance_json, storable_name
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import WAVELENGTH_NAMES, Variable, check_claim, choose, unlabelled_cube

#: The name under which most files of HSIDermoscopy hold their cube.
CUBE_NAME = "DataCubeC"
#: Says in our own files that the axes are known, so that no shape needs guessing.
_AXES_NAME, _AXES = "axes", "y,x,bands"
_HEADER_BYTES = 128
_NUMERIC = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


def _byte_order(head: bytes) -> str | None:
    return {b"IM": "<", b"MI": ">"}.get(head[126:128])


def sniff(head: bytes) -> bool:
    """Whether the header is that of a MATLAB 5 file: version 1 and a mark of the byte order."""
    order = _byte_order(head)
    return order is not None and struct.unpack(f"{order}H", head[124:126]) == (0x0100,)


def _check_elements(handle: IO[bytes], size: int) -> None:
    """Walk the tags of the elements: a truncated file is told before anything is allocated by its claims."""
    order = _byte_order(handle.read(_HEADER_BYTES))
    position = _HEADER_BYTES
    while position < size:
        handle.seek(position)
        tag = handle.read(8)
        if len(tag) < 8 or position + 8 + struct.unpack(f"{order}II", tag)[1] > size:
            raise InputError("the file is truncated", fix="copy it again")
        position += 8 + struct.unpack(f"{order}II", tag)[1]
    handle.seek(0)


def _listed(handle: IO[bytes], size: int) -> list[Variable]:
    _check_elements(handle, size)
    return [
        Variable(name, tuple(int(side) for side in shape), kind, numeric=kind in _NUMERIC)
        for name, shape, kind in scipy.io.whosmat(handle)
    ]


def variables(path: Path) -> list[Variable]:
    """Return the arrays of the file."""
    with open(path, "rb") as handle:
        return _listed(handle, path.stat().st_size)


def read(path: Path, options: ReadOptions) -> Cube:
    """Read the one 3-D array, or the one asked for; its bands may be the last axis or the first."""
    size = path.stat().st_size
    with open(path, "rb") as handle:
        listed = {variable.name: variable for variable in _listed(handle, size)}
        chosen = choose(list(listed.values()), options.variable)
        labels = (_AXES_NAME, "name", "provenance", "wavelengths_known", *WAVELENGTH_NAMES)
        # only numbers and text are asked for, so that no cell, struct or object is ever built
        wanted = [chosen.name] + [
            name
            for name in labels
            if name in listed and (listed[name].numeric or listed[name].dtype in ("char", "logical"))
        ]
        for name in wanted:
            check_claim(listed[name], size)
        handle.seek(0)
        found = scipy.io.loadmat(handle, variable_names=wanted)
    array = np.asarray(found[chosen.name])
    stored = next((found[name] for name in WAVELENGTH_NAMES if name in found), None)
    if chosen.name == CUBE_NAME and _text(found, _AXES_NAME) == _AXES:
        known = bool(np.all(found.get("wavelengths_known", True)))
        return labelled_cube(
            np.moveaxis(array, -1, 0),
            given_nm=options.wavelengths_nm,
            stored_nm=stored,
            known=known,
            name=_text(found, "name"),
            provenance=_text(found, "provenance"),
        )
    source = {"format": "matlab 5", "variable": chosen.name}
    return unlabelled_cube(
        array, path=path, source=source, given_nm=options.wavelengths_nm, stored_nm=stored, tie="last"
    )


def _text(found: dict[str, Any], name: str) -> str:
    lines: NDArray[Any] = np.asarray(found.get(name, "")).reshape(-1)
    return str(lines[0]) if lines.size else ""


def write(path: Path, cube: Cube) -> list[str]:
    """Write ``DataCubeC`` (y, x, bands) float32 with wavelengths, name and provenance beside it."""
    content = {
        CUBE_NAME: np.moveaxis(cube.data, 0, -1),
        "wavelengths_nm": cube.wavelengths_nm.reshape(1, -1),
        "wavelengths_known": np.array([[cube.wavelengths_known]]),
        _AXES_NAME: _AXES,
        "name": storable_name(cube),
        "provenance": provenance_json(cube),
    }
    with atomic_path(path) as temporary, open(temporary, "wb") as handle, _size_limit(path):
        scipy.io.savemat(handle, content, format="5")
    return []


@contextlib.contextmanager
def _size_limit(path: Path) -> Iterator[None]:
    try:
        yield
    except MatWriteError as error:
        raise InputError(f"too large for a MATLAB 5 file ({error})", where=path, fix="write .npz") from error


FORMAT = Format("matlab5", "MATLAB 5 .mat", (".mat",), sniff, variables, read, write)
