"""MATLAB 5-7 ``.mat``: the form of HSIDermoscopy, and the one written here."""

from __future__ import annotations

import contextlib
import math
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
from napari_hsisynth.formats.matlab5_elements import Matrix, byte_order, left_in_file, matrices, text, values
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import WAVELENGTH_NAMES, Variable, choose, unlabelled_cube
from napari_hsisynth.lazy_array import LazyArray, Source

#: The name under which most files of HSIDermoscopy hold their cube.
CUBE_NAME = "DataCubeC"
#: Says in our own files that the axes are known, so that no shape needs guessing.
_AXES_NAME, _AXES = "axes", "y,x,bands"
#: The header's text; behind it come the subsystem's offset, the version and the mark of the byte order.
_HEADER_TEXT_BYTES = 116
_NUMBERS = {"double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


def sniff(path: Path, head: bytes) -> bool:
    """Whether the header is that of a MATLAB 5 file: version 1 and a mark of the byte order."""
    order = byte_order(head)
    return order is not None and struct.unpack(f"{order}H", head[124:126]) == (0x0100,)


def variables(path: Path) -> list[Variable]:
    """Return the arrays of the file."""
    with open(path, "rb") as handle:
        return [matrix.variable for matrix in matrices(handle, path.stat().st_size)]


def _source(path: Path, handle: IO[bytes], matrix: Matrix, options: ReadOptions) -> Source:
    """Return the cube's values: where they are to stay in the file and are not compressed, still in it."""
    lazy = options.lazily(math.prod(matrix.variable.shape))
    left = left_in_file(path, handle, matrix) if lazy else None
    return values(handle, matrix) if left is None else left


def read(path: Path, options: ReadOptions) -> Cube:
    """Read the one 3-D array, or the one asked for; its bands may be the last axis or the first."""
    with open(path, "rb") as handle:
        found = {matrix.variable.name: matrix for matrix in matrices(handle, path.stat().st_size)}
        chosen = choose([matrix.variable for matrix in found.values()], options.variable)

        def number(name: str) -> NDArray[Any] | None:
            return values(handle, found[name]) if name in found and found[name].variable.dtype in _NUMBERS else None

        def line(name: str) -> str:
            return text(handle, found[name]) if name in found and found[name].variable.dtype == "char" else ""

        array = _source(path, handle, found[chosen.name], options)
        stored = next((nm for name in WAVELENGTH_NAMES if (nm := number(name)) is not None), None)
        if chosen.name == CUBE_NAME and line(_AXES_NAME) == _AXES:
            known = number("wavelengths_known")
            return labelled_cube(
                np.moveaxis(array, -1, 0) if isinstance(array, np.ndarray) else LazyArray(array, (2, 0, 1), where=path),
                given_nm=options.wavelengths_nm,
                stored_nm=stored,
                known=known is None or bool(known.all()),
                name=line("name"),
                provenance=line("provenance"),
            )
    source = {"format": "matlab 5", "variable": chosen.name}
    return unlabelled_cube(array, path=path, options=options, provenance=source, stored_nm=stored, tie="last")


def write(path: Path, cube: Cube) -> list[str]:
    """Write ``DataCubeC`` (y, x, bands) float32 with wavelengths, name and provenance beside it."""
    content = {
        "wavelengths_nm": cube.wavelengths_nm.reshape(1, -1),
        "wavelengths_known": np.array([[cube.wavelengths_known]]),
        _AXES_NAME: _AXES,
        "name": storable_name(cube),
        "provenance": provenance_json(cube),
        CUBE_NAME: np.moveaxis(cube.data, 0, -1),  # last, so that a truncated file always lacks it and is refused
    }
    with atomic_path(path) as temporary, open(temporary, "wb") as handle, _size_limit(path):
        scipy.io.savemat(handle, content, format="5")
        handle.seek(0)
        handle.write(_header_line(content["name"]))
    return []


def _header_line(name: str) -> bytes:
    """Return the text that a file begins with, for eyes: the cube's name in place of SciPy's time of writing.

    So the same cube makes the same bytes. Readers look for MATLAB at its beginning only.
    """
    shown = "".join(sign if sign.isprintable() else " " for sign in name)
    line = f"MATLAB 5.0 MAT-file, written by napari-hsisynth: {shown}".encode("ascii", "replace")
    return line[:_HEADER_TEXT_BYTES].ljust(_HEADER_TEXT_BYTES)


@contextlib.contextmanager
def _size_limit(path: Path) -> Iterator[None]:
    try:
        yield
    except MatWriteError as error:
        raise InputError(f"too large for a MATLAB 5 file ({error})", where=path, fix="write .npz") from error


FORMAT = Format("matlab5", "MATLAB 5 .mat", (".mat",), sniff, variables, read, write)
