"""TIFF: raw frames of a snapshot-mosaic camera, and stacks with one band per page."""

from __future__ import annotations

import logging
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import Variable, check_claim

# what it would print about a damaged file is said once, by the InputError
tifffile.logger().addHandler(logging.NullHandler())

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: A page with several samples per pixel is a picture, not a band.
_PIXEL_AXES = "YX"


def sniff(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of a TIFF or BigTIFF file."""
    return head[:4] in _MAGIC


def _checked_pages(tif: tifffile.TiffFile, size: int) -> Variable:
    """Return shape (bands, y, x) or (y, x) of the file, after comparing its claims with its size."""
    first = tif.pages.first
    if first.axes != _PIXEL_AXES or first.dtype is None or first.dtype.kind not in "fiu":
        raise InputError(
            f"not a cube: its pages are {first.axes} {first.dtype}",
            fix="pages of one numeric value per pixel are needed",
        )
    pages = list(tif.pages)
    for number, page in enumerate(pages):
        if page.shape != first.shape or page.dtype != first.dtype:
            raise InputError(f"not a cube: page {number} has another size or type than the first")
        ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends, default=0) > size or (page is pages[-1] and _following(tif, page.offset)):
            raise InputError("the file is truncated", fix="copy it again")
    shape = first.shape if len(pages) == 1 else (len(pages), *first.shape)
    variable = Variable("pages", shape, str(first.dtype))
    check_claim(variable, size)
    return variable


def _following(tif: tifffile.TiffFile, offset: int) -> int:
    """Return where the page behind the one at `offset` begins; not 0 behind the last means that pages are lost.

    tifffile only logs this and returns fewer bands.
    """
    form, handle = tif.tiff, tif.filehandle
    handle.seek(offset)
    (tags,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    handle.seek(offset + form.tagnosize + tags * form.tagsize)
    return int(struct.unpack(form.offsetformat, handle.read(form.offsetsize))[0])


def variables(path: Path) -> list[Variable]:
    """Return the one stack of pages."""
    # is_ome=False: an OME header may name further files, and reading one file must read one file
    with tifffile.TiffFile(path, is_ome=False) as tif:
        return [_checked_pages(tif, path.stat().st_size)]


def _pixels(path: Path) -> NDArray[Any]:
    with tifffile.TiffFile(path, is_ome=False) as tif:
        stack = _checked_pages(tif, path.stat().st_size)
        pixels = np.stack([page.asarray() for page in tif.pages])
    return pixels.reshape(stack.shape)


def read(path: Path, options: ReadOptions) -> Cube:
    """Unfold a mosaic frame by ``options.layout``, or take each page as a band; counts stay as they are."""
    pixels = _pixels(path)
    layout = options.layout
    given = None if options.wavelengths_nm is None else np.array(options.wavelengths_nm)
    source = {"source": path.name, "dtype": str(pixels.dtype)}
    if layout is None:
        if pixels.ndim == 2:
            raise InputError(
                f"not a cube: a TIFF of one page, {' x '.join(map(str, pixels.shape))} px",
                fix="if it is a raw snapshot-mosaic frame, say --mosaic 4x4 or --mosaic LAYOUT.csv",
            )
        note = "each page of the TIFF was taken as a band"
        if given is not None:
            return Cube(pixels, given, name=path.stem, provenance={**source, "format": "tiff stack"}, notes=(note,))
        return Cube.with_assumed_wavelengths(
            pixels,
            np.arange(len(pixels)),
            name=path.stem,
            provenance={**source, "format": "tiff stack"},
            notes=(note, "no wavelengths in the file: the bands are numbered from 0"),
        )
    cells = [[row, col] for row, col in layout.positions]
    source |= {"format": "mosaic tiff", "mosaic": f"{layout.rows}x{layout.cols}", "layout": layout.source}
    provenance = {**source, "mosaic_positions": cells}
    data = layout.unfold(pixels)
    if given is None and layout.centres_nm is not None:
        given = np.array(layout.centres_nm)
    if given is not None:
        return Cube(data, given, name=path.stem, provenance=provenance)
    return Cube.with_assumed_wavelengths(
        data,
        np.arange(len(data)),
        name=path.stem,
        provenance=provenance,
        notes=(
            "bands are in the order of the mosaic's positions, row by row, and their wavelengths are unknown;"
            " a layout's CSV (--mosaic LAYOUT.csv) sorts and names them",
        ),
    )


FORMAT = Format("tiff", "TIFF", (".tif", ".tiff"), sniff, variables, read)
