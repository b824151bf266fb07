"""`LazyArray`: a float32 array of (bands, y, x) whose values stay in their file until they are asked for.

Files are read, not mapped into memory: a map of a large file counts as memory of this process as soon as it is touched,
and a walk over its pixels touches all of it.
"""

from __future__ import annotations

import math
import operator
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError

#: Work on a whole array goes through blocks of about so many values: 64 MiB as float32.
BLOCK_VALUES = 2**24

Key = tuple[int | slice, ...]


class Source(Protocol):
    """What a `LazyArray` reads from: an h5py data set, a zarr array, a `RawFile`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:
        """NumPy dtype of the stored values."""

    def __getitem__(self, key: Any) -> Any:
        """Return the part that integers and slices with a positive step select, one for each axis."""


class LazyArray:
    """A stored array seen as float32 (bands, y, x). Integers, slices and ``...`` select parts, which are NumPy arrays.

    Parameters
    ----------
    source : Source
        Three axes in any order.
    axes : tuple of int
        Which axes of `source` are band, y and x.
    scale : float
        Stored values are divided by this.
    missing : float or sequence of float, optional
        Stored values that mean "no value"; become NaN.
    offset : float
        Added after the division.
    where : object, optional
        The file, for the error of values that cannot be read any more.

    Raises
    ------
    InputError
        Later, when values are asked for: if the file is damaged there, or gone.

    Examples
    --------
    >>> stored = np.arange(24, dtype=">u2").reshape(2, 3, 4)  # (y, x, band)
    >>> lazy = LazyArray(stored, axes=(2, 0, 1))
    >>> lazy.shape, lazy[1, 0], lazy[:, 1, 2].dtype
    ((4, 2, 3), array([1., 5., 9.], dtype=float32), dtype('float32'))
    """

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(
        self,
        source: Source,
        axes: tuple[int, int, int] = (0, 1, 2),
        *,
        scale: float = 1.0,
        missing: float | Sequence[float] | None = None,
        offset: float = 0.0,
        where: object = None,
    ) -> None:
        if sorted(axes) != [0, 1, 2] or len(source.shape) != 3:
            raise ValueError(f"axes {axes} of an array of shape {source.shape}: three different ones are needed")
        self._source, self._axes, self._where = source, axes, where
        self._scale, self._offset = scale, offset
        alone = isinstance(missing, int | float | np.number)
        self._missing: tuple[float, ...] = (missing,) if alone else tuple(missing or ())  # type: ignore[arg-type, assignment]
        self.shape: tuple[int, int, int] = tuple(int(source.shape[axis]) for axis in axes)  # type: ignore[assignment]

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all values would take in memory."""
        return 4 * self.size

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"LazyArray({'x'.join(map(str, self.shape))} of {self._source.dtype})"

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        places = _full_key(key, self.shape)
        asked: list[int | slice] = [0, 0, 0]
        flipped = []
        for axis, place in zip(self._axes, places, strict=True):
            backwards = isinstance(place, slice) and place.step < 0
            asked[axis] = _forwards(place) if backwards else place  # type: ignore[arg-type]
            if isinstance(place, slice):
                flipped.append(slice(None, None, -1) if backwards else slice(None))
        try:
            stored = np.asarray(self._source[tuple(asked)])
        except MemoryError:
            raise
        except Exception as error:  # readers that meet arbitrary bytes raise anything
            what = f"its values cannot be read ({error or type(error).__name__})"
            raise InputError(what, where=self._where, fix="the file is damaged or was changed") from error
        # integers have taken their axes away; those that are left are still in the order of the source
        left = [axis for axis, place in zip(self._axes, places, strict=True) if isinstance(place, slice)]
        order = [sorted(left).index(axis) for axis in left]
        return self._converted(np.asarray(stored.transpose(order)[tuple(flipped)]))

    def _converted(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        if not self._missing and self._scale == 1 and self._offset == 0:
            return np.ascontiguousarray(stored, dtype=np.float32).reshape(stored.shape)
        narrow = stored.dtype.itemsize <= 2 or stored.dtype == np.float32
        # a sum may cancel what float32 keeps of its parts
        exact = np.float32 if narrow and self._offset == 0 else np.float64
        values: NDArray[Any] = stored.astype(exact)
        if self._scale != 1:
            values /= exact(self._scale)
        if self._offset != 0:
            values += exact(self._offset)
        for missing in self._missing:
            values[stored == missing] = np.nan
        return values.astype(np.float32, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the values of a LazyArray cannot be had without reading them")
        bands, height, width = self.shape
        step = max(1, BLOCK_VALUES // max(bands * width, 1))
        if step >= height:
            values = self[:]
        else:  # or the stored values would lie in memory beside the converted ones
            values = np.empty(self.shape, np.float32)
            for start in range(0, height, step):
                values[:, start : start + step] = self[:, start : start + step]
        return values if dtype is None else values.astype(dtype, copy=False)


def _full_key(key: Any, shape: tuple[int, ...]) -> Key:
    """Return an index or slice with explicit bounds for each axis."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if any(part is Ellipsis for part in parts):
        at = next(number for number, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(shape) + 1 - len(parts))
    parts += [slice(None)] * (len(shape) - len(parts))
    if len(parts) != len(shape):
        raise IndexError(f"{len(parts)} indices for {len(shape)} axes")
    return tuple(_place(part, length) for part, length in zip(parts, shape, strict=True))


def _place(part: Any, length: int) -> int | slice:
    if isinstance(part, slice):
        start, stop, step = part.indices(length)
        count = len(range(start, stop, step))
        # the end just behind the last one, so that no source reads on to the next step
        return slice(start, start + (count - 1) * step + (1 if step > 0 else -1), step) if count else slice(0, 0, 1)
    try:
        index = operator.index(part)
    except TypeError:
        raise IndexError(
            f"a LazyArray takes integers, slices and ..., not {type(part).__name__}; np.asarray reads all of it"
        ) from None
    if not -length <= index < length:
        raise IndexError(f"index {index} is out of range for an axis of {length}")
    return index % length


def _forwards(place: slice) -> slice:
    """Return the same places in ascending order."""
    count = len(range(place.start, place.stop, place.step))
    return slice(place.start + (count - 1) * place.step, place.start + 1, -place.step)


class Reversed:
    """A `Source` with its axes in the reverse order: C order in the file is Fortran order in the array."""

    def __init__(self, source: Source) -> None:
        self._source, self.dtype = source, source.dtype
        self.shape: tuple[int, ...] = tuple(source.shape)[::-1]

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self._source[_full_key(key, self.shape)[::-1]]).T


class RawFile:
    """An array stored in C order in a file, a `Source`; only the bytes that are needed are read.

    Parameters
    ----------
    path : pathlib.Path
    dtype : dtype
        Of the stored values, with their byte order.
    shape : tuple of int
    offset : int
        Bytes before the first value.
    first_stride : int, optional
        Bytes from one place of the first axis to the next, where other things lie in between.

    Notes
    -----
    The file is held open, so that renaming or replacing it meanwhile does no harm; several threads may read.
    """

    def __init__(
        self, path: Path, dtype: Any, shape: tuple[int, ...], offset: int = 0, *, first_stride: int | None = None
    ) -> None:
        self.dtype, self.shape, self._offset = np.dtype(dtype), tuple(shape), offset
        self._first_stride = first_stride
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        self._lock = threading.Lock()
        steps = [self.dtype.itemsize]
        for length in reversed(self.shape[1:]):
            steps.append(steps[-1] * length)
        self._strides = tuple(reversed(steps))
        self._end = offset + math.prod(self.shape) * self.dtype.itemsize

    def __getitem__(self, key: Any) -> NDArray[Any]:
        places = _full_key(key, self.shape)
        kept = tuple(len(range(p.start, p.stop, p.step)) for p in places if isinstance(p, slice))
        if 0 in kept:
            return np.empty(kept, self.dtype)
        spans = [range(p, p + 1) if isinstance(p, int) else range(p.start, p.stop, p.step) for p in places]
        found = np.empty([len(span) for span in spans], self.dtype)
        if self._first_stride is None:
            self._fill(found, spans, self._offset)
        else:
            inner = [range(1), *spans[1:]]
            for number, place in enumerate(spans[0]):
                self._fill(found[number : number + 1], inner, self._offset + place * self._first_stride)
        return found.reshape(kept)

    def _fill(self, found: NDArray[Any], spans: list[range], offset: int) -> None:
        """Read the places `spans` of the last axes into `found`; these axes begin at byte `offset`."""
        axis = len(self.shape) - len(spans)
        while len(spans) > 1 and len(spans[0]) == 1:
            offset += spans[0][0] * self._strides[axis]
            found, spans, axis = found[0], spans[1:], axis + 1
        span, stride, behind = spans[0], self._strides[axis], self.shape[axis + 1 :]
        # bytes from the first to the last of the values, and how many reads would take these values alone
        reach = (span[-1] - span[0]) * stride + (stride if behind else self.dtype.itemsize)
        reads, whole = 1, True
        for one, length in zip(reversed(spans), reversed(self.shape[axis:]), strict=True):
            reads *= 1 if whole and one.step == 1 else len(one)
            whole = whole and one == range(length)
        if found.nbytes == reach:
            self._read(found, offset + span[0] * stride)
            return
        if reach <= min(reads * _GAP_BYTES, _MOST_BYTES):
            between = np.empty((span[-1] - span[0] + 1, *behind), self.dtype)
            self._read(between, offset + span[0] * stride)
            inside = (slice(one.start, one.stop, one.step) for one in spans[1:])
            found[...] = between[(slice(None, None, span.step), *inside)]
            return
        if found.size == len(span):
            first = sum(one[0] * step for one, step in zip(spans[1:], self._strides[axis + 1 :], strict=True))
            self._read_apart(found, range(offset + first + span[0] * stride, self._end, span.step * stride))
            return
        for number, place in enumerate(span):
            if behind:
                self._fill(found[number], spans[1:], offset + place * stride)
            else:
                self._read(found[number : number + 1], offset + place * stride)

    def _read(self, into: NDArray[Any], offset: int) -> None:
        view = memoryview(into.reshape(-1).view(np.uint8).data)
        with self._lock:
            self._file.seek(offset)
            while view:
                count = self._file.readinto(view)
                if not count:
                    raise OSError(f"{self._file.name}: the file has become shorter since it was opened")
                view = view[count:]

    def _read_apart(self, into: NDArray[Any], offsets: range) -> None:
        """Read single values, as of one pixel in all bands: what happens at every move of the mouse."""
        size, offsets = self.dtype.itemsize, offsets[: into.size]
        if hasattr(os, "pread"):
            number, read = self._file.fileno(), os.pread
            values = b"".join([read(number, size, offset) for offset in offsets])
        else:
            with self._lock:
                values = b"".join([self._file.read(size) for offset in offsets if self._file.seek(offset) >= 0])
        if len(values) != into.nbytes:
            raise OSError(f"{self._file.name}: the file has become shorter since it was opened")
        into.reshape(-1)[:] = np.frombuffer(values, self.dtype)

    def __del__(self) -> None:
        close: Callable[[], None] | None = getattr(getattr(self, "_file", None), "close", None)
        if close is not None:
            close()


#: A read costs as much as so many bytes: values that lie closer together are read with what is between them,
_GAP_BYTES = 4096
#: but not more than so much at a time.
_MOST_BYTES = 2**25
