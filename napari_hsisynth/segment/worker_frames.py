"""Frames between the program and its segmenting process: a JSON header with arrays behind it, and never a pickle.

A frame is four magic bytes, the lengths of header and arrays in bytes (uint32 and uint64, little-endian), the header as
UTF-8 JSON, and the values of its arrays one after the other in C order. The header lists type and shape of each array.
Masks travel as packed bits.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

_START = struct.Struct("<4sIQ")
_MAGIC = b"HSF1"
_ARRAYS = "arrays"  # the header's own key
_BITS = "bits"
_TYPES = ("<f4", "<f8", "|u1", "<u2", "<i8")
#: What is longer than this was never written by us, bytes.
LONGEST_HEADER, MOST_BYTES = 2**24, 2**32


class FrameError(ValueError):
    """What came is no frame: cut off, or something else wrote into the stream."""


class Source(Protocol):
    """Where frames come from: an unbuffered binary file."""

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill the buffer from its start; return how many bytes were read, 0 at the end."""


class Sink(Protocol):
    """Where frames go: an unbuffered binary file."""

    def write(self, data: Any, /) -> int | None:
        """Write from the start of `data`; return how many bytes were written."""


def write_frame(sink: Sink, header: Mapping[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> None:
    """Write one frame.

    Parameters
    ----------
    sink : file
        Unbuffered and binary; may take less than it is given.
    header : mapping
        JSON types; anything else in it is written as its text. ``"arrays"`` is taken.
    arrays : sequence of ndarray
        Of bool, uint8, uint16, int64, float32 or float64.

    Raises
    ------
    FrameError
        If it would be longer than can be read; then nothing is written.
    OSError
        If nobody reads any more.
    """
    kinds, bodies = [], []
    for array in arrays:
        if array.dtype == bool:
            kind, body = _BITS, np.packbits(array)
        else:
            kind, body = array.dtype.newbyteorder("<").str, np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            if kind not in _TYPES:
                raise TypeError(f"arrays of {array.dtype} are not sent")
        kinds.append({"dtype": kind, "shape": list(array.shape)})
        bodies.append(body)
    text = json.dumps({**header, _ARRAYS: kinds}, default=str, skipkeys=True).encode()
    size = sum(body.nbytes for body in bodies)
    if size > MOST_BYTES or len(text) > LONGEST_HEADER:
        raise FrameError(f"{size:,} bytes are more than can be sent at once")  # the other side would refuse it
    _write_all(sink, _START.pack(_MAGIC, len(text), size) + text)
    for body in bodies:
        if body.nbytes:
            _write_all(sink, body.reshape(-1).view(np.uint8))


def read_frame(source: Source) -> tuple[dict[str, Any], list[NDArray[Any]]] | None:
    """Read one frame: the header as it was given, and the arrays; None if the stream ends before it begins.

    Raises
    ------
    FrameError
        If the stream ends within the frame, or holds anything else. No frame can be read from it after that.
    """
    start = bytearray(_START.size)
    if not _read_all(source, start, may_end=True):
        return None
    magic, header_bytes, body_bytes = _START.unpack(start)
    if magic != _MAGIC or header_bytes > LONGEST_HEADER or body_bytes > MOST_BYTES:
        raise FrameError(f"not a frame: it begins with {bytes(start[:8])!r}")
    text = bytearray(header_bytes)
    _read_all(source, text)
    header, kinds = _parsed(bytes(text))
    if sum(_stored_bytes(*kind) for kind in kinds) != body_bytes:
        raise FrameError("not a frame: its arrays are not as long as its header says")
    return header, [_read_array(source, *kind) for kind in kinds]


def _parsed(text: bytes) -> tuple[dict[str, Any], list[tuple[str, tuple[int, ...]]]]:
    try:
        header = json.loads(text)
        kinds = [(str(kind["dtype"]), tuple(kind["shape"])) for kind in header.pop(_ARRAYS)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FrameError(f"not a frame: its header cannot be read ({type(error).__name__})") from None
    for dtype, shape in kinds:
        if dtype not in (_BITS, *_TYPES) or not all(type(length) is int and length >= 0 for length in shape):
            raise FrameError(f"not a frame: no array is of {dtype} {shape}")
    return header, kinds


def _stored_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    size = math.prod(shape)
    return -(-size // 8) if dtype == _BITS else size * np.dtype(dtype).itemsize


def _read_array(source: Source, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    stored = np.empty(_stored_bytes(dtype, shape), np.uint8)
    _read_all(source, stored)
    if dtype == _BITS:
        return np.unpackbits(stored, count=math.prod(shape)).view(bool).reshape(shape)
    return stored.view(dtype).reshape(shape)


def _read_all(source: Source, buffer: Any, *, may_end: bool = False) -> bool:
    """Fill a buffer; False if the stream ends before its first byte and may do so."""
    view, done = memoryview(buffer), 0
    while done < len(view):
        count = source.readinto(view[done:])
        if not count:
            if may_end and not done:
                return False
            raise FrameError("the frame is cut off")
        done += count
    return True


def _write_all(sink: Sink, data: Any) -> None:
    view = memoryview(data)
    while len(view):
        view = view[sink.write(view) or 0 :]
