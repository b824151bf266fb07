"""Boxes around lesions. Ends are exclusive; pixel coordinates, (y, x)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError

Box = tuple[int, int, int, int]

LARGEST_MARGIN = 10.0


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """Return ``(y0, x0, y1, x1)`` of the true pixels of `mask`, shape (y, x); None if there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def crop_box(box: Box, shape_yx: tuple[int, int], *, margin: float = 0.5, square: bool = False) -> Box:
    """Widen a box by a margin about its centre and clip it at the image.

    Parameters
    ----------
    box : tuple of int
        ``(y0, x0, y1, x1)`` inside the image.
    shape_yx : tuple of int
        Height and width of the image, px.
    margin : float
        Fraction of the box, 0..10: 0.5 makes both sides 1.5 times as long, 25 % more on each side. Sides are rounded to
        whole pixels; the centre moves by half a pixel at most.
    square : bool
        Make both sides as long as the longer one. A square that would stick out is moved inwards instead of clipped;
        only where the image itself is shorter the box is not square.

    Returns
    -------
    tuple of int
        The crop's box. It always holds `box`.

    Examples
    --------
    >>> crop_box((100, 200, 140, 220), (256, 512))
    (90, 195, 150, 225)
    >>> crop_box((100, 200, 140, 220), (256, 512), square=True)
    (90, 180, 150, 240)
    >>> crop_box((0, 0, 40, 20), (256, 512))
    (0, 0, 50, 25)
    """
    check_margin(margin)
    y0, x0, y1, x1 = box
    lengths = [math.floor(side * (1 + margin) + 0.5) for side in (y1 - y0, x1 - x0)]
    if square:
        lengths = [max(lengths)] * 2
    (top, bottom), (left, right) = (
        _widened(low, high, length, limit, keep_length=square)
        for (low, high), length, limit in zip(((y0, y1), (x0, x1)), lengths, shape_yx, strict=True)
    )
    return top, left, bottom, right


def _widened(low: int, high: int, length: int, limit: int, *, keep_length: bool) -> tuple[int, int]:
    start = (low + high - length) // 2
    if keep_length:
        start = max(0, min(start, limit - length))
    return max(0, start), min(limit, start + length)


def check_margin(margin: float) -> None:
    """Raise InputError unless the margin is a number from 0 to 10."""
    if not (math.isfinite(margin) and 0 <= margin <= LARGEST_MARGIN):
        raise InputError(
            f"margin {margin} is not in 0..{LARGEST_MARGIN:g}", fix="0.5 makes both sides 1.5 times as long"
        )
