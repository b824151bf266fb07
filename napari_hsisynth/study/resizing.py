"""Cubes and masks at another size: areas are averaged when shrinking, values interpolated when growing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Size = tuple[int, int]


def size_with_shorter_side(shape_yx: Size, side_px: int) -> Size:
    """Height and width, px, at which the shorter side is `side_px` and the proportions are as nearly kept as can be.

    Examples
    --------
    >>> size_with_shorter_side((120, 180), 224)
    (224, 336)
    >>> size_with_shorter_side((300, 300), 224)
    (224, 224)
    """
    shorter = min(shape_yx)
    height, width = (max(side_px, int(side * side_px / shorter + 0.5)) for side in shape_yx)
    return height, width


def resized(data: NDArray[np.float32], shape_yx: Size) -> NDArray[np.float32]:
    """Bring a cube to another size, each band by itself.

    Along an axis that shrinks, a new pixel is the mean of what it covers, parts of pixels counted as parts: means are
    preserved. Along one that grows, values are interpolated linearly between the centres of pixels. Either way all
    bands are mixed by the same positive weights, so that no value leaves the range of its neighbourhood.

    Parameters
    ----------
    data : ndarray, shape (bands, y, x)
        Values that are not finite are left out of the means of their band; where nothing is left, NaN.
    shape_yx : tuple of int
        Height and width wanted, px.

    Returns
    -------
    ndarray of float32, shape (bands, *shape_yx)
        `data` itself if it has this size.

    Examples
    --------
    >>> resized(np.arange(16, dtype=np.float32).reshape(1, 2, 8), (1, 4)).tolist()
    [[[4.5, 6.5, 8.5, 10.5]]]
    """
    if data.shape[1:] == tuple(shape_yx):
        return data
    finite = np.isfinite(data)
    if finite.all():
        return _weighted(data, shape_yx).astype(np.float32)
    total, share = _weighted(np.where(finite, data, 0), shape_yx), _weighted(finite, shape_yx)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 0, total / share, np.nan).astype(np.float32)


def resized_mask(mask: NDArray[np.bool_], shape_yx: Size) -> NDArray[np.bool_]:
    """Bring a mask to another size: a pixel is inside if at least half of it is.

    A mask with pixels never becomes empty: of one so thin that it fills half of no new pixel, the fullest are kept.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)
    shape_yx : tuple of int
        Height and width wanted, px.

    Returns
    -------
    ndarray of bool, shape `shape_yx`
    """
    if mask.shape == tuple(shape_yx):
        return mask
    share = _weighted(mask[None], shape_yx)[0]
    most = share.max()
    # sums of parts such as 3 x 1/6 may fall short of their value by a rounding error
    return share >= min(0.5, most) - 1e-9 if most > 0 else np.zeros(shape_yx, dtype=bool)


def _weighted(data: NDArray[np.generic], shape_yx: Size) -> NDArray[np.float64]:
    bands, height, width = data.shape
    rows, columns = _weights(height, shape_yx[0]), _weights(width, shape_yx[1])
    by_row = rows @ data.transpose(1, 0, 2).reshape(height, bands * width).astype(np.float64)
    by_column = columns @ by_row.reshape(shape_yx[0] * bands, width).T
    made: NDArray[np.float64] = by_column.reshape(shape_yx[1], shape_yx[0], bands).transpose(2, 1, 0)
    return np.ascontiguousarray(made)


def _weights(side: int, new: int) -> sparse.csr_array:
    """How much each of `side` pixels gives to each of `new` ones, shape (new, side); every row sums to 1."""
    if new < side:
        edges = np.arange(new + 1) * (side / new)
        starts, ends = edges[:-1, None], edges[1:, None]
        most = int(np.ceil(side / new)) + 1  # pixels that one new pixel can touch
        pixels = np.floor(starts).astype(int) + np.arange(most)
        covered = np.clip(np.minimum(ends, pixels + 1) - np.maximum(starts, pixels), 0, None)
        pixels = np.minimum(pixels, side - 1)  # those behind the last are covered by nothing
    else:
        places = np.clip((np.arange(new) + 0.5) * (side / new) - 0.5, 0, side - 1)
        low = np.floor(places).astype(int)
        pixels = np.stack([low, np.minimum(low + 1, side - 1)], axis=1)
        covered = np.stack([1 - (places - low), places - low], axis=1)
    covered /= covered.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(new), covered.shape[1])
    return sparse.csr_array((covered.ravel(), (rows, pixels.ravel())), shape=(new, side))
