"""Arrays of numbers and text inside a MATLAB 5 file, read without trust.

SciPy's reader ends the whole process with a segmentation fault on some damaged files, and with it napari and the user's
unsaved work. The part of the format that a cube needs is small; this is it, with every length compared with what is
there. Source: "MAT-File Format", The MathWorks.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.unlabelled import Variable, check_claim
from napari_hsisynth.lazy_array import RawFile, Reversed, Source

HEADER_BYTES = 128
#: What stands before an array's values is shorter than this: flags, up to 32 axes, a name of up to 63 letters.
_LONGEST_PREFIX = 1024
#: And it is unpacked from fewer bytes than this, the tables of the packing included.
_LONGEST_PACKED = 2**16
_MATRIX, _COMPRESSED = 14, 15
_LOGICAL, _COMPLEX = 0x0200, 0x0800
#: Types of stored elements; values may be stored in a smaller one than their class.
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CLASSES = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single", 16: "function"}
_INTEGERS = {8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64", 15: "uint64"}
_DTYPES = {"double": "f8", "single": "f4", "logical": "u1", **{name: name for name in _INTEGERS.values()}}


@dataclass(frozen=True)
class Matrix:
    """An array in the file and where its bytes are.

    Parameters
    ----------
    variable : Variable
        Its name, shape and class.
    order : {"<", ">"}
        Byte order of the file.
    start, stored_bytes : int
        Where the element begins in the file, and its length.
    compressed : bool
    values_at : int
        Where the values begin, counted in the unpacked element.
    """

    variable: Variable
    order: str
    start: int
    stored_bytes: int
    compressed: bool
    values_at: int


def byte_order(head: bytes) -> str | None:
    """Return ``"<"`` or ``">"`` by the mark in a file's header, None if there is none."""
    return {b"IM": "<", b"MI": ">"}.get(head[126:128])


def matrices(handle: IO[bytes], size: int) -> list[Matrix]:
    """List the arrays of a file of `size` bytes.

    Raises
    ------
    InputError
        If the file is truncated or an array's header is damaged.
    """
    order = byte_order(handle.read(HEADER_BYTES)) or "<"
    found, position = [], HEADER_BYTES
    while position < size:
        handle.seek(position)
        tag = handle.read(8)
        kind, length = struct.unpack(f"{order}II", tag) if len(tag) == 8 else (0, size)
        if position + 8 + length > size:
            raise InputError("the file is truncated", fix="copy it again")
        if kind not in (_MATRIX, _COMPRESSED):
            raise InputError(f"damaged: an element of type {kind} at byte {position:,}")
        compressed = kind == _COMPRESSED
        start, stored = (position + 8, length) if compressed else (position, length + 8)
        prefix = _unpacked(handle, start, stored, compressed, _LONGEST_PREFIX)
        variable, values_at = _described(prefix, order)
        if variable.name:  # the nameless one is the workspace of function handles
            found.append(Matrix(variable, order, start, stored, compressed, values_at))
        position += 8 + length
    return found


def values(handle: IO[bytes], matrix: Matrix) -> NDArray[Any]:
    """Read an array of numbers, in MATLAB's axis order and the dtype of its class."""
    check_claim(matrix.variable, matrix.stored_bytes)
    if matrix.variable.dtype not in _DTYPES:
        raise InputError(f"'{matrix.variable.name}' is {matrix.variable.dtype}, not numbers")
    kind, stored = _payload(handle, matrix)
    if kind not in _STORED:
        raise InputError(f"damaged: '{matrix.variable.name}' is stored as type {kind}")
    dtype = np.dtype(matrix.order + _STORED[kind])
    if len(stored) != math.prod(matrix.variable.shape) * dtype.itemsize:
        raise InputError(
            f"damaged: '{matrix.variable.name}' has {len(stored):,} bytes of values, not as many as its size"
        )
    array = np.frombuffer(stored, dtype).reshape(matrix.variable.shape, order="F")
    return array.astype(_DTYPES[matrix.variable.dtype], copy=False)


def left_in_file(path: Path, handle: IO[bytes], matrix: Matrix) -> Source | None:
    """Return an array of numbers that stays in its file; None if its values are packed or stored as another type."""
    variable = matrix.variable
    if matrix.compressed or variable.dtype not in _DTYPES:
        return None
    check_claim(variable, matrix.stored_bytes, lazy=True)
    handle.seek(matrix.start + matrix.values_at)
    kind, start, length, _ = _tag(handle.read(8), 0, matrix.order)
    dtype = np.dtype(matrix.order + _STORED.get(kind, "V1"))
    if dtype.newbyteorder("=") != np.dtype(_DTYPES[variable.dtype]):
        return None
    fits = matrix.values_at + start + length <= matrix.stored_bytes
    if not fits or length != math.prod(variable.shape) * dtype.itemsize:
        raise InputError(f"damaged: '{variable.name}' has {length:,} bytes of values, not as many as its size")
    return Reversed(RawFile(path, dtype, variable.shape[::-1], matrix.start + matrix.values_at + start))


def text(handle: IO[bytes], matrix: Matrix) -> str:
    """Read a line of text."""
    check_claim(matrix.variable, matrix.stored_bytes)
    if 0 in matrix.variable.shape:
        return ""
    kind, stored = _payload(handle, matrix)
    if matrix.variable.dtype != "char" or kind not in _TEXT:
        raise InputError(f"damaged: '{matrix.variable.name}' is not text")
    encoding = _TEXT[kind]
    ending = {"<": "-le", ">": "-be"}[matrix.order] if encoding in ("utf-16", "utf-32") else ""
    return str(stored, encoding + ending)


def _unpacked(handle: IO[bytes], start: int, stored: int, compressed: bool, limit: int) -> bytes:
    """Return at most `limit` bytes of an element, unpacked."""
    handle.seek(start)
    if not compressed:
        return handle.read(min(stored, limit))
    return zlib.decompressobj().decompress(handle.read(min(stored, _LONGEST_PACKED)), limit)


def _payload(handle: IO[bytes], matrix: Matrix) -> tuple[int, memoryview]:
    """Return the type and the bytes of an array's values, which are not copied once more."""
    handle.seek(matrix.start)
    content = handle.read(matrix.stored_bytes)
    if matrix.compressed:
        longest = matrix.values_at + 16 + 8 * math.prod(matrix.variable.shape)
        unpacker = zlib.decompressobj()
        # one byte more, so that the end of the stream is reached and its checksum compared
        content = unpacker.decompress(content, longest + 1)
        if not unpacker.eof:
            raise InputError(f"damaged: '{matrix.variable.name}' does not unpack to its size")
    kind, start, length, _ = _tag(content, matrix.values_at, matrix.order)
    return kind, memoryview(content)[start : start + length]


def _tag(content: bytes, position: int, order: str) -> tuple[int, int, int, int]:
    """Return type, start and length of the element at `position`, and where the next one begins."""
    if position + 8 > len(content):
        raise InputError("damaged: an array ends too early")
    kind, length = struct.unpack_from(f"{order}II", content, position)
    if kind >> 16:  # a small element: up to 4 bytes beside its tag
        kind, length, start, following = kind & 0xFFFF, kind >> 16, position + 4, position + 8
        if length > 4:
            raise InputError("damaged: a small element is too long")
    else:
        start = position + 8
        following = start + length + -length % 8
    return kind, start, length, following


def _described(prefix: bytes, order: str) -> tuple[Variable, int]:
    """Return what the head of an array says, and where its values begin."""
    parts: list[bytes] = []
    position = 8
    if len(prefix) < 8 or struct.unpack_from(f"{order}I", prefix)[0] != _MATRIX:
        raise InputError("damaged: an element is not an array")
    for _ in range(3):
        _, start, length, position = _tag(prefix, position, order)
        if start + length > len(prefix):
            raise InputError("damaged: the head of an array is too long")
        parts.append(prefix[start : start + length])
    flags, axes, name = parts
    if len(flags) != 8 or len(axes) % 4:
        raise InputError("damaged: the head of an array makes no sense")
    bits = struct.unpack_from(f"{order}I", flags)[0]
    kind = {**_CLASSES, **_INTEGERS}.get(bits & 0xFF, "opaque")
    numeric = kind in _DTYPES and not bits & (_LOGICAL | _COMPLEX)
    if bits & _LOGICAL:
        kind = "logical"
    elif bits & _COMPLEX:
        kind = f"complex {kind}"
    shape = tuple(int(side) for side in np.frombuffer(axes, f"{order}i4"))
    return Variable(name.decode("latin-1"), shape, kind, numeric), position
