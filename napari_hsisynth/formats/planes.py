"""Image files of one grey plane, PNG or TIFF: the bands of a series, and raw frames."""

from __future__ import annotations

import math
import struct
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.tiff_pages import TiffPages
from napari_hsisynth.formats.unlabelled import Variable, check_claim

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
#: Colour types of PNG, and their numbers per pixel. Colours are read only where they turn out to be grey.
_GREY, _COLOURS = 0, {2: 3, 3: 1, 4: 2, 6: 4}
#: Decoded planes are kept for the next look, up to so many bytes.
_CACHE_BYTES = 2**26


@dataclass(frozen=True)
class Plane:
    """An image file, as its header describes it.

    Parameters
    ----------
    path : pathlib.Path
    shape : (int, int)
        Height and width, px.
    dtype : dtype
        Of the values, with their byte order in the file.
    offset : int, optional
        Where the values begin, if they lie in the file in one run and need no decoding.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int | None = None

    def rows(self, start: int, stop: int) -> NDArray[Any] | None:
        """Read some rows alone; None where only the whole can be decoded."""
        if self.offset is None:
            return None
        found = np.empty((stop - start, self.shape[1]), self.dtype)
        with open(self.path, "rb") as file:
            file.seek(self.offset + start * self.shape[1] * self.dtype.itemsize)
            if file.readinto(memoryview(found.reshape(-1).view(np.uint8).data)) != found.nbytes:
                raise InputError(f"{self.path.name}: the file has become shorter since it was opened")
        return found

    def values(self) -> NDArray[Any]:
        """Read all of it, shape (y, x).

        Raises
        ------
        InputError
            If it is damaged, is no longer what it was, or has colours after all.
        """
        found = self.rows(0, self.shape[0])
        if found is None:
            try:
                found = _png_values(self.path) if _is_png(self.path) else _tiff_values(self.path)
            except InputError as error:
                raise InputError(f"{self.path.name}: {error.what}", fix=error.fix) from error
            except Exception as error:  # decoders that meet arbitrary bytes raise anything
                raise InputError(f"{self.path.name}: cannot be read ({error or type(error).__name__})") from error
        if found.shape != self.shape:
            raise InputError(f"{self.path.name}: the file is another one since it was opened")
        return found


def plane_of(path: Path) -> Plane:
    """Read the header of an image file.

    Raises
    ------
    InputError
        If it is damaged, claims more than it can hold, has colours for certain, or holds several images. The message
        names the file.
    """
    try:
        return _png_plane(path) if _is_png(path) else _tiff_plane(path)
    except InputError as error:
        raise InputError(f"{path.name}: {error.what}", fix=error.fix) from error
    except Exception as error:
        raise InputError(f"{path.name}: not a usable image file ({error or type(error).__name__})") from error


def _is_png(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(PNG_MAGIC)) == PNG_MAGIC


def _tiff_plane(path: Path) -> Plane:
    with TiffPages(path) as file:
        pages = file.pages
        if len(pages) > 1 or pages[0].samples > 1:
            count = f"{pages[0].samples} values per pixel" if len(pages) == 1 else f"{len(pages)} pages"
            raise InputError(f"it has {count}, not one band", fix="read this file for itself")
        height, width = pages[0].shape
        check_claim(Variable(path.name, (height, width), str(pages[0].dtype)), file.size)
        return Plane(path, (height, width), pages[0].dtype, pages[0].offset)


def _tiff_values(path: Path) -> NDArray[Any]:
    with TiffPages(path) as file:
        return file.rows(file.pages[0], 0, file.pages[0].shape[0])


def _png_plane(path: Path) -> Plane:
    with open(path, "rb") as file:
        head = file.read(33)
    length, kind, width, height, depth, colour = struct.unpack(">I4sIIBB", head[8:26])
    if (length, kind) != (13, b"IHDR"):
        raise InputError("damaged: it does not begin with its size")
    if colour == _GREY and depth not in (8, 16):
        raise InputError(f"{depth} bits per pixel; 8 or 16 are needed")
    if colour != _GREY and (depth == 16 or colour not in _COLOURS):
        raise InputError("it is a colour picture, not one band", fix="a grey image is needed")
    row_bytes = math.ceil(width * depth * _COLOURS.get(colour, 1) / 8)
    check_claim(Variable(path.name, (height, row_bytes), "bytes"), path.stat().st_size)
    if not width or not height:
        raise InputError("it has no pixels")
    return Plane(path, (height, width), np.dtype(np.uint16 if depth == 16 else np.uint8))


def _png_values(path: Path) -> NDArray[Any]:
    plane = _png_plane(path)
    with Image.open(path, formats=("PNG",)) as image:
        if image.mode in ("L", "I", "I;16", "I;16B", "I;16L"):  # what 16 bits are called depends on Pillow's version
            return np.asarray(image).astype(plane.dtype)
        pixels = np.asarray(image.convert("RGBA"))
    if (pixels[..., :1] != pixels[..., 1:3]).any() or (pixels[..., 3] != 255).any():
        raise InputError("it is a colour picture, not one band", fix="a grey image is needed")
    return pixels[..., 0]


class PlaneSource:
    """Image files of one size as a `Source` (band, y, x); they are opened when they are needed.

    Parameters
    ----------
    planes : sequence of Plane
        Of one shape and dtype.
    """

    def __init__(self, planes: Sequence[Plane]) -> None:
        self._planes = list(planes)
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self.shape = (len(self._planes), *self._planes[0].shape)
        self.dtype = self._planes[0].dtype.newbyteorder("=")

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        first, *inside = key
        if isinstance(first, int):
            return self._part(first, inside)
        numbers = range(*first.indices(len(self._planes)))
        if not numbers:
            return np.empty((0, *self._part(0, inside).shape), self.dtype)
        return np.stack([self._part(number, inside) for number in numbers])

    def _part(self, number: int, key: list[int | slice]) -> NDArray[Any]:
        plane, rows = self._planes[number], key[0]
        span = range(rows, rows + 1) if isinstance(rows, int) else range(*rows.indices(plane.shape[0]))
        if not span:
            return np.empty(plane.shape, self.dtype)[tuple(key)]
        found = plane.rows(span[0], span[-1] + 1)
        if found is None:
            return self._whole(number)[tuple(key)].astype(self.dtype, copy=False)
        inside = 0 if isinstance(rows, int) else slice(None, None, span.step)
        return found[inside, key[1]].astype(self.dtype, copy=False)

    def _whole(self, number: int) -> NDArray[Any]:
        with self._lock:
            if number not in self._kept:
                self._kept[number] = self._planes[number].values()
                most = max(1, _CACHE_BYTES // self._kept[number].nbytes)
                while len(self._kept) > most:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(number)
            return self._kept[number]
