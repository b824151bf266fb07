"""From polygons to a mask. The rule: a pixel belongs to it if its centre lies inside, by even and odd crossings.

Pixel (y, x) covers the square from (x, y) to (x + 1, y + 1), so its centre is (x + 0.5, y + 0.5). A centre exactly on
the outline counts as inside on the left and upper sides of the area, and as outside on the others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError

#: Points beyond this many px are no part of any image.
_FARTHEST_PX = 1e6
_EDGES_AT_ONCE = 2048


def filled(polygon: NDArray[np.float64], shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie inside a polygon.

    Parameters
    ----------
    polygon : ndarray, shape (points, 2)
        Corners as (x, y), px; it closes by itself and may reach beyond the image. Where it crosses itself, what is
        enclosed an even number of times is outside.
    shape_yx : (int, int)
        Of the image.

    Examples
    --------
    >>> filled(np.array([(0, 0), (2, 0), (2, 1), (0, 1)]), (2, 3)).astype(int)
    array([[1, 1, 0],
           [0, 0, 0]])
    """
    height, width = shape_yx
    crossings = np.zeros((height, width + 1), np.int64)
    points = np.asarray(polygon, dtype=np.float64)
    following = np.roll(points, -1, axis=0)
    upward = points[:, 1] > following[:, 1]
    high, low = np.where(upward[:, None], following, points), np.where(upward[:, None], points, following)
    for start in range(0, len(points), _EDGES_AT_ONCE):
        part = slice(start, start + _EDGES_AT_ONCE)
        _count_crossings(crossings, high[part], low[part])
    return np.cumsum(crossings, axis=1)[:, :width] % 2 == 1


def _count_crossings(crossings: NDArray[np.int64], high: NDArray[np.float64], low: NDArray[np.float64]) -> None:
    """Count, in every row, the edges that cross the line of centres left of a pixel's centre, at the first such pixel.

    Parameters
    ----------
    crossings : ndarray, shape (y, x + 1)
        Changed in place.
    high, low : ndarray, shape (edges, 2)
        The upper and lower ends of the edges.
    """
    height, last = crossings.shape[0], crossings.shape[1] - 1
    first_row, end_row = (np.clip(np.ceil(ends[:, 1] - 0.5), 0, height).astype(np.int64) for ends in (high, low))
    rows_of = end_row - first_row
    edge = np.repeat(np.arange(len(high)), rows_of)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(rows_of) - rows_of, rows_of) + first_row[edge]
    (x0, y0), (x1, y1) = high[edge].T, low[edge].T
    x = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    np.add.at(crossings, (row, np.clip(np.ceil(x - 0.5), 0, last).astype(np.int64)), 1)


def corners(values: Any, *, scale: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.float64]:
    """Return the corners of a polygon from a file, as (x, y), shape (points, 2).

    Parameters
    ----------
    values : list
        Pairs, or x and y in turn.
    scale : (float, float)
        How many px one unit of x and y is.

    Raises
    ------
    InputError
        If there are fewer than three, or what is there is not a number of px.
    """
    if not isinstance(values, list):
        raise InputError("a polygon is a list of points")
    numbers: list[Any] = []
    for value in values:
        if isinstance(value, list):
            if len(value) != 2:
                raise InputError("a point of a polygon has two numbers")
            numbers.extend(value)
        else:
            numbers.append(value)
    if not all(is_number(number) for number in numbers):
        raise InputError("a point of a polygon is not a number")
    if len(numbers) % 2 or len(numbers) < 6:
        raise InputError(f"a polygon needs three points of two numbers, not {len(numbers)} numbers")
    points = np.array(numbers, dtype=np.float64).reshape(-1, 2) * scale
    if np.abs(points).max() > _FARTHEST_PX:
        raise InputError("a point of a polygon lies far outside of every image")
    return points


def is_number(value: Any) -> bool:
    """Whether a value from a JSON file is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # of whole numbers beyond every float
        return False
