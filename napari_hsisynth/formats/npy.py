"""NumPy ``.npy``: one array, nothing else; and the header checks that ``.npz`` shares."""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import Variable, band_axis, check_claim, choose, unlabelled_cube
from napari_hsisynth.lazy_array import RawFile, Reversed, Source

#: A header longer than this is not that of an array of numbers or text.
_LONGEST_HEADER = 10_000


def sniff(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of a ``.npy`` file."""
    return head.startswith(np.lib.format.MAGIC_PREFIX)


def read_header(handle: IO[bytes], name: str) -> Variable:
    """Read the header of a ``.npy`` stream; the handle stands at the values afterwards.

    Raises
    ------
    InputError, ValueError
        If it is no such header.
    """
    return _header(handle, name)[0]


def _header(handle: IO[bytes], name: str) -> tuple[Variable, np.dtype[Any], bool]:
    """Return what the header says, the dtype, and whether the order is Fortran's."""
    version = np.lib.format.read_magic(handle)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(handle, max_header_size=_LONGEST_HEADER)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(handle, max_header_size=_LONGEST_HEADER)
    else:  # version 3 exists for names of fields in Unicode, which no cube has
        raise InputError(f"'{name}' is .npy version {version[0]}.{version[1]}, which no plain array needs")
    return Variable(name, tuple(shape), str(dtype), numeric=dtype.kind in "fiu"), dtype, fortran


def values_in_file(path: Path, name: str, start: int, stored_bytes: int, *, lazy: bool) -> Source:
    """Return the numbers of a ``.npy`` stream, still in their file.

    Parameters
    ----------
    path : pathlib.Path
    name : str
        For errors.
    start, stored_bytes : int
        Where in the file the stream begins, and its length; its header must agree with it.
    lazy : bool
        Whether they are to stay there, so that there may be any number of them.
    """
    with open(path, "rb") as handle:
        handle.seek(start)
        variable, dtype, fortran = _header(handle, name)
        begin = handle.tell()
    check_claim(variable, stored_bytes, lazy=lazy)
    if not variable.numeric or math.prod(variable.shape) * dtype.itemsize > start + stored_bytes - begin:
        raise InputError(f"damaged or truncated: '{name}' does not hold the values that its header claims")
    if not fortran:
        return RawFile(path, dtype, variable.shape, begin)
    return Reversed(RawFile(path, dtype, variable.shape[::-1], begin))


def read_values(handle: IO[bytes], name: str, stored_bytes: int) -> NDArray[Any]:
    """Read a ``.npy`` stream from its beginning, once its header agrees with `stored_bytes`; never unpickles."""
    start = handle.tell()
    variable = read_header(handle, name)
    dtype = np.dtype(variable.dtype) if variable.numeric else None
    check_claim(variable, stored_bytes)
    if dtype is None and "object" in variable.dtype:
        raise InputError(f"'{name}' holds Python objects, which are not read", fix="store plain numbers")
    if variable.dtype.startswith(("<U", ">U", "|S")):
        width = int(variable.dtype[2:] or 0)
        check_claim(Variable(name, (*variable.shape, width), variable.dtype), stored_bytes)
    handle.seek(start)
    return np.lib.format.read_array(handle, allow_pickle=False, max_header_size=_LONGEST_HEADER)


def variables(path: Path) -> list[Variable]:
    """Return the one array."""
    with open(path, "rb") as handle:
        return [read_header(handle, "array")]


def read(path: Path, options: ReadOptions) -> Cube:
    """Read an array, bands first or last; the wavelengths can only come from the user."""
    lazy = options.lazily(math.prod(choose(variables(path), options.variable).shape))
    source = values_in_file(path, "array", 0, path.stat().st_size, lazy=lazy)
    return unlabelled_cube(source, path=path, options=options, provenance={"format": "npy"}, tie="first")


def write(path: Path, cube: Cube) -> list[str]:
    """Write the values as (bands, y, x); a shape that would be read with other bands is refused."""
    if band_axis(cube.data.shape, None, "first") != 0:
        raise InputError(
            f"a .npy does not say which axis is the bands, and {cube.data.shape} would be read the wrong way round",
            where=path,
            fix="write .npz or .mat",
        )
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.save(handle, cube.data, allow_pickle=False)
    return ["a .npy holds values only: wavelengths, name and provenance were left out (.npz and .mat keep them)"]


FORMAT = Format("npy", "NumPy .npy", (".npy",), sniff, variables, read, write)
