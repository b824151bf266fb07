"""Metrics of image structure: SSIM of pairs, total variation of single cubes."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.arrays import Array, as_floating, as_pair, checked_range

_SIGMA_PX = 1.5
_RADIUS_PX = 5  # an 11 x 11 window, as published


def ssim(prediction: Any, target: Any, *, data_range: float | None = None) -> Array:
    """Structural similarity, computed in each band and averaged over the bands.

    Parameters
    ----------
    prediction, target : array or tensor, shape (..., bands, y, x)
        Pairs of cubes, at least 11 x 11 px.
    data_range : float
        The range that the values can take, in their unit; it sets the two small constants and must be given.

    Returns
    -------
    array or tensor, shape (...)
        -1..1, where 1 means equal. NaN for a pair with a NaN.

    Notes
    -----
    Gaussian window of 11 x 11 px, sigma 1.5 px, K1 = 0.01, K2 = 0.03, population moments, and only windows that lie
    inside the image, all as published [1]_.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to
       structural similarity", IEEE Transactions on Image Processing 13, 2004, https://doi.org/10.1109/TIP.2003.819861

    Examples
    --------
    >>> import numpy as np
    >>> cube = np.random.default_rng(0).random((3, 16, 16))
    >>> round(float(ssim(cube, cube, data_range=1.0)), 6), bool(ssim(1 - cube, cube, data_range=1.0) < 0)
    (1.0, True)
    """
    xp, a, b = as_pair(prediction, target)
    extent = checked_range(data_range)
    c1, c2 = (0.01 * extent) ** 2, (0.03 * extent) ** 2
    window = 2 * _RADIUS_PX + 1
    if min(a.shape[-2:]) < window:
        raise InputError(
            f"images of {a.shape[-2]} x {a.shape[-1]} px are too small for SSIM", fix=f"{window} x {window} px at least"
        )
    # variances do not depend on an offset; without it, their difference of squares keeps its digits in float32
    offset = xp.mean(b, axis=(-2, -1), keepdims=True)
    a, b = a - offset, b - offset
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a = _blur(a * a) - mean_a**2
    variance_b = _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    mean_a, mean_b = mean_a + offset, mean_b + offset
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return xp.mean(luminance * structure, axis=(-3, -2, -1))


def _blur(x: Array) -> Array:
    """Gaussian mean over the last two axes, only where the whole window is inside: each gets 10 px shorter."""
    weights = np.exp(-0.5 * (np.arange(-_RADIUS_PX, _RADIUS_PX + 1) / _SIGMA_PX) ** 2)
    weights /= weights.sum()
    rows, columns = x.shape[-2] - 2 * _RADIUS_PX, x.shape[-1] - 2 * _RADIUS_PX
    x = sum(float(w) * x[..., k : k + rows, :] for k, w in enumerate(weights))
    return sum(float(w) * x[..., :, k : k + columns] for k, w in enumerate(weights))


def total_variation(x: Any) -> Array:
    """Anisotropic total variation per pixel and band: how much neighbouring pixels differ.

    Parameters
    ----------
    x : array or tensor, shape (..., bands, y, x)
        Cubes of at least 2 x 2 px.

    Returns
    -------
    array or tensor, shape (...)
        Mean of ``|x[y + 1] - x[y]|`` plus mean of ``|x[x + 1] - x[x]|``, in the unit of the cubes; it does not grow
        with the size of the image, the number of bands or of images. NaN for a cube with a NaN.

    References
    ----------
    .. [1] L. I. Rudin, S. Osher, E. Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 60,
       1992, https://doi.org/10.1016/0167-2789(92)90242-F

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.broadcast_to(0.25 * np.arange(8), (16, 4, 8))
    >>> float(total_variation(ramp))
    0.25
    """
    xp, x = as_floating(x, name="cube")
    if min(x.shape[-2:]) < 2:
        raise InputError(f"images of {x.shape[-2]} x {x.shape[-1]} px have no neighbours", fix="2 x 2 px at least")
    axes = (-3, -2, -1)
    down = xp.mean(xp.abs(x[..., 1:, :] - x[..., :-1, :]), axis=axes)
    across = xp.mean(xp.abs(x[..., :, 1:] - x[..., :, :-1]), axis=axes)
    return down + across
