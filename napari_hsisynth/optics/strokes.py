"""Lines and dots with smooth edges: hairs, vessels, globules and glints are all drawn as strokes of a round pen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Distance between the touches of the pen along a line, px: the edge then waves by less than .05 px.
STEP_PX = 0.6


def strokes(
    shape: tuple[int, int], points: ArrayLike, half_widths_px: ArrayLike, strengths: ArrayLike = 1.0
) -> NDArray[np.float32]:
    """Touch an image with a round pen at many points.

    Where touches overlap the strongest counts, so that neither their order nor a crossing of lines matters. A pen
    thinner than a pixel covers as much of the pixels on its way as it should.

    Parameters
    ----------
    shape : tuple of int
        Height and width, px.
    points : array_like, shape (n, 2)
        Centres (y, x) of the touches, px; those far outside are left out.
    half_widths_px : array_like, shape (n,) or scalar
        Radius of the pen, px.
    strengths : array_like, shape (n,) or scalar
        What a fully covered pixel gets.

    Returns
    -------
    ndarray, float32, shape (y, x)
        0 where nothing was drawn.
    """
    points = np.asarray(points, np.float64).reshape(-1, 2)
    radii = np.broadcast_to(np.asarray(half_widths_px, np.float64), len(points))
    strengths = np.broadcast_to(np.asarray(strengths, np.float64), len(points))
    if not len(points):
        return np.zeros(shape, np.float32)
    reach = int(np.ceil(radii.max() + 0.5))
    inside = ((points > -reach) & (points < np.array(shape) - 1 + reach)).all(axis=1)
    points, radii, strengths = points[inside], radii[inside], strengths[inside]
    border = 2 * reach + 1  # so that no patch leaves the canvas
    width = shape[1] + 2 * border
    canvas = np.zeros((shape[0] + 2 * border, width), np.float32)
    nearest = np.rint(points)
    offset = (nearest - points).astype(np.float32)[:, :, None] + np.arange(-reach, reach + 1, dtype=np.float32)
    distance = np.sqrt((offset * offset)[:, 0, :, None] + (offset * offset)[:, 1, None, :])
    edge = (radii + 0.5).astype(np.float32)[:, None, None]
    most = np.minimum(1, 2 * radii).astype(np.float32)[:, None, None]
    covered = np.clip(edge - distance, 0, most)
    covered *= strengths.astype(np.float32)[:, None, None]
    corner = (nearest.astype(np.intp) + border - reach) @ np.array([width, 1])
    patch = np.arange(2 * reach + 1)
    where = corner[:, None, None] + (patch[:, None] * width + patch)
    np.maximum.at(canvas.reshape(-1), where.reshape(-1), covered.reshape(-1))
    return canvas[border : border + shape[0], border : border + shape[1]]


def curves(
    starts: ArrayLike, headings: ArrayLike, lengths_px: ArrayLike, bends: ArrayLike, wiggles: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Follow smooth curves that all begin somewhere and turn on their way.

    Parameters
    ----------
    starts : array_like, shape (n, 2)
        First points (y, x), px.
    headings : array_like, shape (n,)
        Directions at the start, radians from x towards y.
    lengths_px : array_like, shape (n,)
        Lengths, px.
    bends : array_like, shape (n,)
        Turn from the start to the end, radians: 2 pi is a circle.
    wiggles : array_like, shape (n,), optional
        Turn to one side and back on top of it, radians.

    Returns
    -------
    ndarray, float64, shape (n, points, 2)
        The same number of points on each, `STEP_PX` apart on the longest.
    """
    starts, lengths = np.asarray(starts, np.float64), np.asarray(lengths_px, np.float64)
    if not len(lengths):
        return np.zeros((0, 1, 2))
    count = max(2, int(np.ceil(lengths.max() / STEP_PX)))
    way = (np.arange(count) + 0.5) / count
    heading = np.asarray(headings, np.float64)[:, None] + np.asarray(bends, np.float64)[:, None] * way
    heading = heading + np.broadcast_to(wiggles, lengths.shape)[:, None] * np.sin(2 * np.pi * way)
    steps = np.stack([np.sin(heading), np.cos(heading)], axis=-1) * (lengths / count)[:, None, None]
    return starts[:, None, :] + np.cumsum(steps, axis=1)
