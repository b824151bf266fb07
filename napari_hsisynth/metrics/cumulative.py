"""Distributions of many numbers per cube as rows, so that the Wasserstein distance of any subset is one product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Numbers from which the levels are taken; more would not change them.
_POOL = 200_000


def cumulative_rows(values: Sequence[NDArray[np.floating]], n_levels: int) -> tuple[Floats, Floats]:
    """Share of each cube's numbers that lie at or below each of some levels, column by column.

    The distribution of a set of cubes is the mean of their rows, and the 1-Wasserstein distance between two sets, as a
    mean over the columns, is ``abs(mean row - other mean row) @ widths``.

    Parameters
    ----------
    values : sequence of ndarray, shape (n, columns)
        Of every cube of all sets that are to be compared: for example pixels or patches on random directions. How many
        may differ; none gives a row of NaN.
    n_levels : int
        Levels of a column; they are at quantiles of all cubes together, which bounds the error of the distance by the
        width of an interval.

    Returns
    -------
    rows : ndarray, shape (cubes, columns * n_levels)
    widths : ndarray, shape (columns * n_levels,)
        Of the intervals around the levels, divided by the number of columns.
    """
    ordered = [np.sort(one, axis=0) for one in values]
    filled = [one for one in ordered if len(one)]
    if not filled:
        return np.full((len(ordered), 1), np.nan), np.ones(1)
    columns = filled[0].shape[1]
    # the mean of cubes' quantiles would miss the tails; a strided pool of all numbers has them, and the two extremes
    stride = max(1, sum(map(len, filled)) // _POOL)
    pool = np.concatenate([*(one[::stride] for one in filled), *(one[[0, -1]] for one in filled)])
    edges = np.quantile(pool, np.linspace(0, 1, n_levels + 1), axis=0)  # (levels + 1, columns)
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges, axis=0) / columns
    rows = np.full((len(ordered), middles.size), np.nan)
    for row, one in zip(rows, ordered, strict=True):
        if len(one):
            below = [np.searchsorted(one[:, k], middles[:, k], side="right") for k in range(columns)]
            row[:] = np.concatenate(below) / len(one)
    return rows, widths.T.reshape(-1)
