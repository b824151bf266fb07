"""The pages of a TIFF file: held against the file's size before anything is read, and then read in parts."""

from __future__ import annotations

import logging
import math
import struct
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError

# what it would print about a damaged file is said once, by the InputError
tifffile.logger().addHandler(logging.NullHandler())

#: Formats of other programs that tifffile would read in ways of their own. An OME header may name further files, and
#: reading one file must read one file.
_OTHERS = ("ome", "lsm", "ndpi", "scanimage", "mmstack", "stk", "eer")
_PLAIN: Any = {f"is_{kind}": False for kind in _OTHERS if kind in tifffile.TIFF.FILE_FLAGS}
_AXES = ("YX", "YXS", "SYX")
#: Photometric interpretations of pictures: RGB, CMYK, YCbCr, CIELAB and its kin.
_COLOURS = (2, 5, 6, 8, 9, 10)
_GREY, _ALPHA = (0, 1), ((1,), (2,))
_PAGE_NAME = 285
#: Marks in NewSubfileType: a smaller copy of another page, or a mask for it.
_NO_IMAGE = 0b101
#: Decoded strips and tiles are kept for the next look, up to so many bytes.
_CACHE_BYTES = 2**26


@dataclass(frozen=True)
class Page:
    """A page with one or more numbers per pixel.

    Parameters
    ----------
    number : int
        In the file, from 0.
    shape : tuple of int
        (y, x), (y, x, sample) or (sample, y, x), as stored.
    dtype : dtype
        With the byte order of the file.
    samples : int
    offset : int, optional
        Where the values begin, if they lie in the file in one run and need no decoding.
    name, text : str
        Its name and its description.
    """

    number: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    samples: int
    offset: int | None
    name: str
    text: str
    tiff: tifffile.TiffPage = field(repr=False, compare=False)

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def rows_axis(self) -> int:
        """Which axis of `shape` counts the rows."""
        return 1 if len(self.shape) == 3 and self.tiff.planarconfig == 2 else 0


class TiffPages:
    """An open TIFF file.

    Parameters
    ----------
    path : pathlib.Path

    Attributes
    ----------
    pages : list of Page
        Those that can hold bands; colour pictures, masks and smaller copies are not among them.
    left_out : list of str
        Why the others were left out, one for each.
    tiff : tifffile.TiffFile

    Raises
    ------
    InputError
        If the file is truncated or no page can hold bands.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, path.stat().st_size
        self._file = open(path, "rb")  # noqa: SIM115
        self._lock = threading.Lock()
        self._decoded: OrderedDict[tuple[int, int], NDArray[Any]] = OrderedDict()
        self._decoded_bytes = 0
        self.tiff = tifffile.TiffFile(self._file, name=path.name, **_PLAIN)
        self.pages: list[Page] = []
        self.left_out: list[str] = []
        seen: set[int] = set()
        last = 0
        for number, page in enumerate(self.tiff.pages):
            assert isinstance(page, tifffile.TiffPage)
            last = page.offset
            if last in seen:  # tifffile would go round forever
                raise InputError("damaged: its pages follow each other in a circle")
            seen.add(last)
            self._add(number, page)
        if last and self._following(last):
            raise InputError("the file is truncated", fix="copy it again")
        if not self.pages:
            raise InputError(f"not a cube: {self.left_out[0] if self.left_out else 'it has no pages'}")

    def _add(self, number: int, page: tifffile.TiffPage) -> None:
        ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends, default=0) > self.size:
            raise InputError("the file is truncated", fix="copy it again")
        reason = _no_band(page)
        if reason:
            self.left_out.append(reason)
            return
        assert page.dtype is not None
        dtype = page.dtype.newbyteorder(self.tiff.byteorder)
        run = page.is_final and 0 < page.dataoffsets[0] <= self.size - page.nbytes
        self.pages.append(
            Page(
                number,
                page.shape,
                dtype,
                page.samplesperpixel,
                page.dataoffsets[0] if run else None,
                str(page.tags.valueof(_PAGE_NAME, default="")),
                page.description,
                page,
            )
        )

    def _following(self, offset: int) -> int:
        """Return where the page behind the one at `offset` begins; not 0 behind the last means that pages are lost.

        tifffile only logs this and returns fewer bands.
        """
        form, handle = self.tiff.tiff, self._file
        handle.seek(offset)
        (tags,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
        handle.seek(offset + form.tagnosize + tags * form.tagsize)
        return int(struct.unpack(form.offsetformat, handle.read(form.offsetsize))[0])

    def check_codec(self, page: Page) -> None:
        """Raise InputError if the values of a page cannot be decoded here: on opening, rather than on looking."""
        try:
            tifffile.TIFF.DECOMPRESSORS[page.tiff.compression]
            tifffile.TIFF.UNPREDICTORS[page.tiff.predictor]
        except KeyError as error:
            raise self._undecodable(page, error) from error

    def rows(self, page: Page, start: int, stop: int) -> NDArray[Any]:
        """Return some rows of a page, in the order of its axes.

        Raises
        ------
        InputError
            If they cannot be decoded.
        """
        shape = list(page.shape)
        shape[page.rows_axis] = stop - start
        with self._lock:
            try:
                if page.offset is not None:
                    return self._stored_rows(page, start, stop, shape)
                return self._decoded_rows(page, start, stop).reshape(shape)
            except InputError as error:
                raise error.at(self.path) from error
            except Exception as error:
                raise self._undecodable(page, error) from error

    def _stored_rows(self, page: Page, start: int, stop: int, shape: list[int]) -> NDArray[Any]:
        assert page.offset is not None
        found = np.empty(shape, page.dtype)
        planes = page.shape[0] if page.rows_axis else 1  # planar samples lie behind each other
        row_bytes = page.nbytes // (planes * page.shape[page.rows_axis])
        for number in range(planes):
            into = found[number] if page.rows_axis else found
            self._file.seek(page.offset + number * page.nbytes // planes + start * row_bytes)
            if self._file.readinto(memoryview(into.reshape(-1).view(np.uint8).data)) != into.nbytes:
                raise OSError("the file has become shorter since it was opened")
        return found

    def _decoded_rows(self, page: Page, start: int, stop: int) -> NDArray[Any]:
        planes, _, height, width, samples = page.tiff.shaped
        tall, wide = page.tiff.chunks[:2]
        down, across = math.ceil(height / tall), math.ceil(width / wide)
        found = np.empty((planes, stop - start, width, samples), page.dtype.newbyteorder("="))
        for plane in range(planes):
            for tile_y in range(start // tall, (stop - 1) // tall + 1):
                y = tile_y * tall
                inside = slice(max(start - y, 0), min(stop, y + tall, height) - y)
                place = slice(y + inside.start - start, y + inside.stop - start)
                for tile_x in range(across):
                    x = tile_x * wide
                    part = self._segment(page, (plane * down + tile_y) * across + tile_x)
                    if part is None:
                        found[plane, place, x : x + wide] = page.tiff.nodata
                    else:
                        found[plane, place, x : x + wide] = part[0, inside, : width - x]
        return found

    def _segment(self, page: Page, index: int) -> NDArray[Any] | None:
        """Return a strip or tile (1, y, x, sample); None if the file leaves it out."""
        key = (page.number, index)
        if key in self._decoded:
            self._decoded.move_to_end(key)
            return self._decoded[key]
        offsets, counts = page.tiff.dataoffsets, page.tiff.databytecounts
        if index >= min(len(offsets), len(counts)):
            raise InputError(f"damaged: page {page.number} lacks a part of its values")
        if not counts[index]:
            return None
        self._file.seek(offsets[index])
        tables = {"jpegtables": page.tiff.jpegtables} if page.tiff.jpegtables is not None else {}
        part, _, _ = page.tiff.decode(self._file.read(counts[index]), index, **tables)
        assert part is not None
        self._decoded[key] = part
        self._decoded_bytes += part.nbytes
        while len(self._decoded) > 1 and self._decoded_bytes > _CACHE_BYTES:
            self._decoded_bytes -= self._decoded.popitem(last=False)[1].nbytes
        return part

    def _undecodable(self, page: Page, error: Exception) -> InputError:
        if "imagecodecs" in str(error):
            how = getattr(page.tiff.compression, "name", page.tiff.compression)
            return InputError(
                f"its values are compressed by {how}, which needs a package that is not installed",
                where=self.path,
                fix="run: pip install imagecodecs",
            )
        return InputError(f"page {page.number} cannot be read ({error or type(error).__name__})", where=self.path)

    def __enter__(self) -> TiffPages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()


def _no_band(page: tifffile.TiffPage) -> str:
    """Say why a page holds no band; empty if it can hold some."""
    if page.axes not in _AXES or page.dtype is None or page.dtype.kind not in "fiu" or 0 in page.shape:
        return f"its pages are {page.axes} {page.dtype}"
    colours = page.samplesperpixel in (3, 4) and page.photometric in _COLOURS
    with_alpha = page.samplesperpixel == 2 and page.photometric in _GREY and page.extrasamples[:1] in _ALPHA
    if colours or with_alpha:
        return f"its pages are {page.axes} {page.dtype}, a picture"
    if page.subfiletype & _NO_IMAGE:
        return "its pages are smaller copies or masks of others"
    return ""


class PageSource:
    """Bands of a TIFF file as a `Source`: one page each, or the samples of one page.

    Parameters
    ----------
    file : TiffPages
        Stays open as long as this lives.
    pages : list of Page
        Several of one sample, or one of several.
    """

    def __init__(self, file: TiffPages, pages: list[Page]) -> None:
        self._file, self._pages = file, pages
        self._single = pages[0].samples > 1
        self.shape = pages[0].shape if self._single else (len(pages), *pages[0].shape)
        self.dtype = pages[0].dtype

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        if self._single:
            return self._part(self._pages[0], key)
        first, *inside = key
        if isinstance(first, int):
            return self._part(self._pages[first], tuple(inside))
        parts = [self._part(page, tuple(inside)) for page in self._pages[first]]
        return np.stack(parts) if parts else np.empty((0, *self._part(self._pages[0], tuple(inside)).shape), self.dtype)

    def _part(self, page: Page, key: tuple[int | slice, ...]) -> NDArray[Any]:
        axis, places = page.rows_axis, list(key)
        rows = places[axis]
        span = range(rows, rows + 1) if isinstance(rows, int) else range(rows.start, rows.stop, rows.step)
        if not span:
            return np.empty(page.shape, page.dtype)[tuple(key)]
        found = self._file.rows(page, span[0], span[-1] + 1)
        places[axis] = 0 if isinstance(rows, int) else slice(None, None, span.step)
        return found[tuple(places)]
