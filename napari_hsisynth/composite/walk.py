"""Walk over the pixels of a cube, in memory or not, with the few bands that a view needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube

#: Called as ``tick(rows done, rows in all)`` before each block; what it raises ends the work.
Tick = Callable[[int, int], None]

#: About so many values at a time, 16 MiB as float32: what is made of a block stays near the processor.
BLOCK_VALUES = 2**22


def walk(
    cube: Cube, bands: Sequence[int] | NDArray[np.intp] | None = None, tick: Tick | None = None, *, every: int = 1
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Walk over a cube in blocks of whole rows.

    Parameters
    ----------
    cube : Cube
    bands : sequence of int, optional
        Only these, in this order; all by default.
    tick : callable, optional
        See `Tick`; also called once at the end.
    every : int
        Only each so-maniest row.

    Yields
    ------
    rows : slice
    block : ndarray, float32, shape (bands, rows, x)
    """
    height, width = cube.shape_yx
    chosen = np.arange(cube.bands) if bands is None else np.asarray(bands, dtype=np.intp)
    first, last = int(chosen.min()), int(chosen.max())
    all_between = np.array_equal(chosen, np.arange(first, last + 1))
    few = len(chosen) * 8 < last - first  # then each is read by itself
    step = every * max(1, BLOCK_VALUES // ((len(chosen) if few else last + 1 - first) * width))
    for start in range(0, height, step):
        if tick is not None:
            tick(start, height)
        rows = slice(start, min(start + step, height), every)
        if few:
            block = np.stack([cube.data[band, rows] for band in chosen])
        else:
            block = cube.data[first : last + 1, rows]
            block = block if all_between else block[chosen - first]
        yield rows, block
    if tick is not None:
        tick(height, height)


def valid_pixels(block: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels of (bands, y, x) that are finite in every band, shape (y, x)."""
    # a sum is finite only if every term is; one that is not may have overflowed
    with np.errstate(invalid="ignore", over="ignore"):
        valid = np.isfinite(block.sum(axis=0))
    if not valid.all():
        doubtful = ~valid
        valid[doubtful] = np.isfinite(block[:, doubtful]).all(axis=0)
    return valid
