"""Thumbnails of all bands: the small space in which single cubes are compared with each other."""

from __future__ import annotations

from typing import Any

from napari_hsisynth.metrics.arrays import Array

#: Side of a thumbnail, cells. Lesions, their colours and coarse structure remain; noise and fine texture do not.
SIDE_CELLS = 16


def band_scale(xp: Any, x: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each band over a set (n, bands, y, x); 1 for a band that does not vary."""
    mean, spread = xp.mean(x, axis=(0, 2, 3)), xp.std(x, axis=(0, 2, 3))
    return mean, xp.where(spread > 0, spread, xp.ones_like(spread))


def cell_px(shape_yx: tuple[int, int]) -> int:
    """Side of a cell in px, such that the smaller side of the cube has about `SIDE_CELLS`."""
    return max(1, round(min(shape_yx) / SIDE_CELLS))


def thumbnails(xp: Any, x: Array, cell: int, y0: int = 0, x0: int = 0) -> Array:
    """Means over cells of `cell` px side, counted from (`y0`, `x0`), shape (n, bands, rows, columns).

    What is left over at the far borders is not used.
    """
    rows, columns = (x.shape[-2] - y0) // cell, (x.shape[-1] - x0) // cell
    x = x[..., y0 : y0 + rows * cell, x0 : x0 + columns * cell]
    return xp.mean(xp.reshape(x, (*x.shape[:-2], rows, cell, columns, cell)), axis=(-3, -1))


def squared_distances(a: Array, b: Array) -> Array:
    """Squared distances between the rows of `a` (n, d) and of `b` (m, d), shape (n, m); never below 0."""
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2 * (a @ b.T)
    return squares * (squares > 0)
