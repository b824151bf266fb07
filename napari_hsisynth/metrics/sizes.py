"""Bringing cubes to one size exactly as training does, so that like is compared with like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fit(data: NDArray[np.float32], size_yx: tuple[int, int]) -> NDArray[np.float32]:
    """Scale a cube until it just covers `size_yx`, and cut that out of the centre.

    Shrinking averages areas and enlarging is bilinear, as for the crops that a generator is trained on.

    Parameters
    ----------
    data : ndarray, shape (bands, y, x)
        A cube. Pixels that are not finite are left out of the averages, per band; where nothing is left, NaN.
    size_yx : (int, int)
        Height and width, px.

    Returns
    -------
    ndarray of float32, shape (bands, *size_yx)
        `data` itself if it has this size.

    Examples
    --------
    >>> fit(np.arange(16.0).reshape(1, 2, 8), (1, 2)).tolist()  # to 1 x 4 px, then the two in the middle
    [[[6.5, 8.5]]]
    """
    height, width = data.shape[-2:]
    if (height, width) == tuple(size_yx):
        return data
    scale = max(size_yx[0] / height, size_yx[1] / width)
    scaled = [max(wanted, round(side * scale)) for side, wanted in zip((height, width), size_yx, strict=True)]
    rows, columns = (
        _weights(side, new, new - wanted) for side, new, wanted in zip((height, width), scaled, size_yx, strict=True)
    )
    valid = np.isfinite(data)
    if valid.all():
        return (rows @ data.astype(np.float64) @ columns.T).astype(np.float32)
    total = rows @ np.where(valid, data, 0.0).astype(np.float64) @ columns.T
    share = rows @ valid.astype(np.float64) @ columns.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 0, total / share, np.nan).astype(np.float32)


def fit_mask(mask: NDArray[np.bool_], size_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Bring a mask to `size_yx` as its cube; a pixel is inside if at least half of it is."""
    return fit(mask[None].astype(np.float32), size_yx)[0] >= 0.5


def _weights(side: int, new: int, excess: int) -> NDArray[np.float64]:
    """How much each of `side` pixels gives to each of `new` ones; `excess` of these are cut off, shape (kept, side)."""
    weights = np.zeros((new, side))
    for k in range(new):
        if new <= side:  # every pixel that is touched counts alike
            first, last = k * side // new, -(-(k + 1) * side // new)
            weights[k, first:last] = 1 / (last - first)
        else:
            place = min(max((k + 0.5) * side / new - 0.5, 0.0), side - 1.0)
            low = int(place)
            high = min(low + 1, side - 1)
            weights[k, low] += 1 - (place - low)
            weights[k, high] += place - low
    start = excess // 2
    return weights[start : start + new - excess]
