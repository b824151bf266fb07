"""How the values of an ENVI image lie in its data file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.envi_header import EnviHeader

#: NumPy types by the numbers of "data type".
DATA_TYPES = {
    1: "u1",
    2: "i2",
    3: "i4",
    4: "f4",
    5: "f8",
    6: "c8",
    9: "c16",
    12: "u2",
    13: "u4",
    14: "i8",
    15: "u8",
}
#: Order of the axes (band, y, x) in the file.
AXES = {"bsq": "byx", "bil": "ybx", "bip": "yxb"}
_IMAGES = ("", "envi", "envi standard", "envi classification")
_NO_IMAGES = ("spectral library", "meta", "mosaic", "tiff", "virtual")
#: Fields that are used up here.
LAYOUT_FIELDS = frozenset(
    ("samples", "lines", "bands", "header offset", "data type", "interleave", "byte order", "file type")
)


@dataclass(frozen=True)
class Layout:
    """Where each value lies.

    Parameters
    ----------
    sizes : dict of str to int
        Length of ``"b"``, ``"y"`` and ``"x"``.
    axes : str
        Their order in the file, ``"byx"`` for BSQ.
    dtype : numpy.dtype
        With its byte order.
    offset : int
        Bytes before the first value.
    notes : tuple of str
        What had to be assumed.
    """

    sizes: dict[str, int]
    axes: str
    dtype: np.dtype[Any]
    offset: int
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Lengths of the axes in the order of the file."""
        first, second, third = (self.sizes[axis] for axis in self.axes)
        return first, second, third

    @property
    def interleave(self) -> str:
        """``"bsq"``, ``"bil"``, ``"bip"``; empty for an order that only a user can have said."""
        return next((name for name, axes in AXES.items() if axes == self.axes), "")

    @property
    def needed_bytes(self) -> int:
        """Size of the data file that the header claims."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize

    def check(self, data: Path) -> tuple[str, ...]:
        """Compare the claim with the size of the data file; return a note if there is more.

        Raises
        ------
        InputError
            If there is less.
        """
        size = data.stat().st_size
        lines, samples, bands = self.sizes["y"], self.sizes["x"], self.sizes["b"]
        if size < self.needed_bytes:
            raise InputError(
                f"truncated: {lines} lines x {samples} samples x {bands} bands of {self.dtype} from byte {self.offset}"
                f" on need {self.needed_bytes:,} bytes, and {data.name} has {size:,}",
                fix="copy it again, or correct the header",
            )
        more = size - self.needed_bytes
        return (f"{more:,} bytes at the end of {data.name} are not described by its header",) if more else ()


def read_layout(header: EnviHeader, axes: str | None = None, *, library: bool = False) -> Layout:
    """Return the layout of a header's image, or of its spectral library.

    Parameters
    ----------
    header : EnviHeader
    axes : str, optional
        The order of the axes in the file, said by the user; wins over the interleave.
    library : bool
        Whether the file type was checked, and may be that of a library.

    Raises
    ------
    InputError
        If a field is missing or makes no sense; the message names it.
    """
    kind = header.text("file type").lower()
    if not library and any(word in kind for word in _NO_IMAGES):
        fix = "open it as a library of reference spectra" if "library" in kind else "open the image that it is made of"
        raise InputError(f"not an image: its file type is '{header.text('file type')[:60]}'", fix=fix)
    if header.text("file compression") not in ("", "0"):
        raise InputError("its data are compressed, which is not read", fix="store it without compression")
    for name in ("major frame offsets", "minor frame offsets"):
        if any(item.strip("0. ") for item in header.items(name, 2)):
            raise InputError(f"it has '{name}', which are not read", fix="store it without gaps between lines or bands")
    sizes = {"x": header.whole("samples"), "y": header.whole("lines"), "b": header.whole("bands")}
    for name, axis in (("samples", "x"), ("lines", "y"), ("bands", "b")):
        if not sizes[axis]:
            raise InputError(f"'{name}' is 0: the image is empty")
    number = header.whole("data type")
    if number not in DATA_TYPES:
        raise InputError(
            f"'data type' is {number}, which is none", fix=f"known are {', '.join(map(str, sorted(DATA_TYPES)))}"
        )
    order, notes = _byte_order(header)
    dtype = np.dtype(order + DATA_TYPES[number])
    if dtype.itemsize == 1:
        notes = ()
    if kind not in _IMAGES and not library:
        notes += (f"its file type '{header.text('file type')[:60]}' was read as raw data",)
    found, said = _axes(header, sizes["b"], axes)
    return Layout(sizes, found, dtype, header.whole("header offset", 0), (*notes, *said))


def _byte_order(header: EnviHeader) -> tuple[str, tuple[str, ...]]:
    if not header.text("byte order") and "byte order" not in header:
        return "<", ("the header has no 'byte order': taken as 0, little endian",)
    number = header.whole("byte order")
    if number not in (0, 1):
        raise InputError(f"'byte order' is {number}, and must be 0 or 1", fix="correct the header")
    return "<>"[number], ()


def _axes(header: EnviHeader, bands: int, given: str | None) -> tuple[str, tuple[str, ...]]:
    interleave = header.text("interleave").lower()
    if given is not None:
        if given == AXES.get(interleave):
            return given, ()
        return given, (f"the order of the axes was given as {given}; the header says '{interleave[:20]}'",)
    if interleave not in AXES:
        if bands == 1:
            return "byx", ()
        said = f"'interleave' is '{interleave[:20]}'" if interleave else "the header has no 'interleave'"
        raise InputError(f"{said}, and must be bsq, bil or bip", fix="correct the header, or say --axes byx")
    return AXES[interleave], ()
