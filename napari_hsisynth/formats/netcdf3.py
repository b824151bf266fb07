"""NetCDF 3, the form before HDF5: its classic, 64-bit-offset and 64-bit-data variants.

SciPy reads the first two, but asks for as much memory as a header claims, and reads every array at once. The header is
simple; this is it, with every length compared with the file's size. Source: "NetCDF Classic Format Specification",
Unidata; "CDF-5 Format Specification", Northwestern University and Argonne National Laboratory.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.axis_names import axes_of, text_of
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.self_describing import self_described_cube
from napari_hsisynth.formats.unlabelled import Variable, check_claim, choose
from napari_hsisynth.lazy_array import RawFile

_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12
_CHAR = 2
_TYPES = {1: "i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8"}
_TYPES |= {7: "u1", 8: ">u2", 9: ">u4", 10: ">i8", 11: ">u8"}  # in CDF-5 only
#: Of names, axes, attributes or arrays; and bytes of one attribute.
_MOST, _MOST_AXES, _LONGEST = 10_000, 32, 2**22


@dataclass(frozen=True)
class Stored:
    """An array of the file.

    Parameters
    ----------
    variable : Variable
    dtype : dtype
        Of the stored values.
    dimensions : tuple of str
        Names of its axes.
    attributes : mapping
    begin : int
        Where its values begin.
    stride : int, optional
        Bytes from one record to the next, if its first axis is the unlimited one.
    """

    variable: Variable
    dtype: np.dtype[Any]
    dimensions: tuple[str, ...]
    attributes: Mapping[str, Any]
    begin: int
    stride: int | None

    @property
    def end(self) -> int:
        """Where its last value ends."""
        shape = self.variable.shape
        if self.stride is None or 0 in shape:
            return self.begin + math.prod(shape) * self.dtype.itemsize
        return self.begin + (shape[0] - 1) * self.stride + math.prod(shape[1:]) * self.dtype.itemsize

    def source(self, path: Path, size: int, *, lazy: bool) -> RawFile:
        """Return its values, still in the file of `size` bytes."""
        check_claim(self.variable, size, lazy=lazy)
        return RawFile(path, self.dtype, self.variable.shape, self.begin, first_stride=self.stride)


def sniff(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of a NetCDF 3 file."""
    return head[:4] in (b"CDF\1", b"CDF\2", b"CDF\5")


class _Header:
    """The head of a file, read from its beginning to its end."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        version = self.take(4)[3]
        self.count: Callable[[], int] = self._long if version == 5 else self._int
        self.offset: Callable[[], int] = self._int if version == 1 else self._long

    def take(self, length: int) -> bytes:
        found = self._handle.read(length) if length <= _LONGEST else b""
        if len(found) < length:
            raise InputError("damaged or truncated: its header ends too early")
        return found

    def _int(self) -> int:
        return int(struct.unpack(">I", self.take(4))[0])

    def _long(self) -> int:
        return int(struct.unpack(">Q", self.take(8))[0])

    def padded(self, length: int) -> bytes:
        return self.take(length + -length % 4)[:length]

    def name(self) -> str:
        return self.padded(self.count()).decode("utf-8", "backslashreplace")

    def entries(self, tag: int) -> range:
        """Begin a list."""
        found, count = self._int(), self.count()
        if found not in (tag, 0) or (found == 0 and count) or count > _MOST:
            raise InputError("damaged: its header makes no sense")
        return range(count)

    def kind(self) -> str:
        found = _TYPES.get(number := self._int())
        if found is None:
            raise InputError(f"damaged: there is no type {number}")
        return found

    def attributes(self) -> dict[str, Any]:
        return dict(self._attribute() for _ in self.entries(_ATTRIBUTES))

    def _attribute(self) -> tuple[str, Any]:
        name, kind = self.name(), self.kind()
        content = self.padded(self.count() * np.dtype(kind).itemsize)
        return name, content.decode("utf-8", "replace") if kind == _TYPES[_CHAR] else np.frombuffer(content, kind)


def _arrays(path: Path) -> dict[str, Stored]:
    """Return the arrays of the file by their names."""
    size = path.stat().st_size
    with open(path, "rb") as handle:
        header = _Header(handle)
        records: int | None = header.count()
        if records in (2**32 - 1, 2**64 - 1):  # it was still being written
            records = None
        dimensions = [(header.name(), header.count()) for _ in header.entries(_DIMENSIONS)]
        header.attributes()
        drafts = []
        for _ in header.entries(_VARIABLES):
            name, rank = header.name(), header.count()
            if rank > _MOST_AXES:
                raise InputError(f"damaged: '{name}' has {rank} axes")
            places = [header.count() for _ in range(rank)]
            if any(place >= len(dimensions) for place in places):
                raise InputError(f"damaged: '{name}' has an axis that is not there")
            attributes, kind, _, begin = header.attributes(), header.kind(), header.count(), header.offset()
            drafts.append((name, [dimensions[place] for place in places], attributes, kind, begin))
    unlimited = [draft for draft in drafts if draft[1] and draft[1][0][1] == 0]
    lengths = [math.prod(n for _, n in axes[1:]) * np.dtype(kind).itemsize for _, axes, _, kind, _ in unlimited]
    # a lone array of records is not padded
    stride = lengths[0] if len(lengths) == 1 else sum(length + -length % 4 for length in lengths)
    if records is None:
        first = min((draft[4] for draft in unlimited), default=size)
        records = max(0, size - first) // max(stride, 1)
    found = {}
    for name, axes, attributes, kind, begin in drafts:
        moving = bool(axes) and axes[0][1] == 0
        shape = tuple(length for _, length in axes)
        shape = (records, *shape[1:]) if moving else shape
        if text_of(attributes.get("_Unsigned")).lower() == "true":
            kind = kind.replace("i", "u")
        dtype = np.dtype(kind)
        variable = Variable(name, shape, str(dtype.newbyteorder("=")), numeric=dtype.kind in "fiu")
        names = tuple(name for name, _ in axes)
        found[name] = Stored(variable, dtype, names, attributes, begin, stride if moving else None)
        if found[name].end > size:
            raise InputError(f"the file is truncated: it does not hold all of '{name}'", fix="copy it again")
    return found


def variables(path: Path) -> list[Variable]:
    """Return the arrays of the file."""
    return [stored.variable for stored in _arrays(path).values()]


def read(path: Path, options: ReadOptions) -> Cube:
    """Read the one 3-D array, or the one asked for; names of the axes or its shape tell which is the bands."""
    size = path.stat().st_size
    found = _arrays(path)
    chosen = choose([stored.variable for stored in found.values()], options.variable)
    stored = found[chosen.name]
    source = stored.source(path, size, lazy=options.lazily(math.prod(chosen.shape)))
    return self_described_cube(
        source,
        chosen,
        path=path,
        options=options,
        kind="netcdf 3",
        axes=axes_of(stored.dimensions, stored.attributes),
        attributes=stored.attributes,
        others={name: other.variable for name, other in found.items()},
        load=lambda name: (found[name].source(path, size, lazy=False)[...], found[name].attributes),
        attached=[name for name in stored.dimensions if name in found],
        tie="first",
    )


FORMAT = Format("netcdf3", "NetCDF 3", (".nc", ".cdf", ".nc3"), sniff, variables, read)
