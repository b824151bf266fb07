"""Laplacian pyramids: a cube taken apart into details of one size after another."""

from __future__ import annotations

from typing import Any

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.arrays import Array, as_floating

#: Sides below this have no level of their own: patches would hardly fit into them, px.
SMALLEST_SIDE_PX = 16


def laplacian_pyramid(x: Any, *, n_levels: int | None = None) -> list[Array]:
    """Take images apart into details of falling fineness and a small remainder.

    Parameters
    ----------
    x : array or tensor, shape (..., bands, y, x)
        Cubes.
    n_levels : int, optional
        Of the pyramid; by default as many as leave the smallest side of the last one at 16 px or more, at least 1.

    Returns
    -------
    list of array or tensor
        The finest level first, each of half the size of the one before (rounded up). Every level but the last is what
        the next coarser one cannot show; the last is the image itself at its size.

    Notes
    -----
    Made as published [1]_ with the binomial filter (1, 4, 6, 4, 1) / 16 and mirrored borders. Bands are never mixed.

    References
    ----------
    .. [1] P. J. Burt, E. H. Adelson, "The Laplacian pyramid as a compact image code", IEEE Transactions on
       Communications 31, 1983, https://doi.org/10.1109/TCOM.1983.1095851

    Examples
    --------
    >>> import numpy as np
    >>> [level.shape for level in laplacian_pyramid(np.ones((2, 64, 48)))]
    [(2, 64, 48), (2, 32, 24)]
    """
    xp, x = as_floating(x, name="cubes")
    side = min(x.shape[-2:])
    if n_levels is None:
        n_levels = max(1, (side // SMALLEST_SIDE_PX).bit_length())
    if n_levels < 1 or (n_levels > 1 and side < 3 * 2 ** (n_levels - 2)):
        raise InputError(f"a pyramid of {n_levels} levels cannot be made of {side} px", where="n_levels")
    levels = []
    for _ in range(n_levels - 1):
        coarse = _halved(xp, _halved(xp, x, -2), -1)
        levels.append(x - _doubled(xp, _doubled(xp, coarse, -2, x.shape[-2]), -1, x.shape[-1]))
        x = coarse
    return [*levels, x]


def _halved(xp: Any, x: Array, axis: int) -> Array:
    """Smooth along an axis and keep every other sample, the first included."""
    x = xp.moveaxis(x, axis, -1)
    side = x.shape[-1]
    before, after = (x[..., 2:3], x[..., 1:2]), (x[..., side - 2 : side - 1], x[..., side - 3 : side - 2])
    x = xp.concat([*before, x, *after], axis=-1)
    parts = [x[..., k : k + side : 2] for k in range(5)]
    return xp.moveaxis((parts[0] + 4 * parts[1] + 6 * parts[2] + 4 * parts[3] + parts[4]) / 16, -1, axis)


def _doubled(xp: Any, x: Array, axis: int, side: int) -> Array:
    """Interpolate along an axis to `side` samples: what `_halved` kept stands at the even ones."""
    x = xp.moveaxis(x, axis, -1)
    left = xp.concat([x[..., 1:2], x[..., :-1]], axis=-1)
    # mirrored at the last sample of the fine image, which an even side has beyond the last coarse one
    beyond = x[..., -1:] if side % 2 == 0 else x[..., -2:-1]
    right = xp.concat([x[..., 1:], beyond], axis=-1)
    even = (left + 6 * x + right) / 8
    odd = (x + right) / 2
    both = xp.reshape(xp.stack([even, odd], axis=-1), (*x.shape[:-1], 2 * x.shape[-1]))
    return xp.moveaxis(both[..., :side], -1, axis)
