"""Writing TIFF: room for float32 pages first, then their values in any order."""

from __future__ import annotations

from typing import IO

import numpy as np
import tifffile
from numpy.typing import NDArray

#: Classic TIFF counts bytes in 32 bits; beyond, with room for the pages' tags, BigTIFF is written.
_CLASSIC_BYTES = 2**32 - 2**25


def reserve(handle: IO[bytes], shape: tuple[int, int, int], description: str) -> int:
    """Write the headers of float32 pages, little endian, whose values follow each other without gaps.

    Parameters
    ----------
    handle : file
        Open for binary writing, empty.
    shape : (int, int, int)
        Pages, height, width.
    description : str
        Of the first page, in ASCII.

    Returns
    -------
    int
        Where the values begin, bytes.
    """
    size = 4 * int(np.prod(shape, dtype=np.int64))
    with tifffile.TiffWriter(handle, bigtiff=size > _CLASSIC_BYTES, byteorder="<", ome=False, imagej=False) as writer:
        placed = writer.write(
            None,
            shape=shape,
            dtype="<f4",
            photometric="minisblack",
            description=description,
            metadata=None,
            software="napari-hsisynth",
            returnoffset=True,
        )
    assert placed is not None
    return placed[0]


def fill(handle: IO[bytes], offset: int, rows: slice, values: NDArray[np.float32]) -> None:
    """Write some rows of the page whose values begin at `offset`, shape (rows, x)."""
    handle.seek(offset + 4 * values.shape[1] * rows.start)
    handle.write(np.ascontiguousarray(values, dtype="<f4").data)
