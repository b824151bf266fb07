"""Paired metrics of the size of the deviation: RMSE, PSNR, RASE."""

from __future__ import annotations

import math
from typing import Any

from napari_hsisynth.metrics.arrays import Array, as_pair, checked_range


def rmse(prediction: Any, target: Any) -> Array:
    r"""Root of the mean squared error over bands and pixels.

    Parameters
    ----------
    prediction, target : array or tensor, shape (..., bands, y, x)
        Pairs of cubes.

    Returns
    -------
    array or tensor, shape (...)
        In the unit of the cubes; NaN for a pair with a NaN.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(rmse(np.full((16, 4, 4), 0.55), np.full((16, 4, 4), 0.5))), 6)
    0.05
    """
    xp, a, b = as_pair(prediction, target)
    return xp.sqrt(xp.mean((a - b) ** 2, axis=(-3, -2, -1)))


def psnr(prediction: Any, target: Any, *, data_range: float | None = None) -> Array:
    r"""Peak signal-to-noise ratio, :math:`10\log_{10}(R^2/\mathrm{MSE})`, over bands and pixels together.

    Parameters
    ----------
    prediction, target : array or tensor, shape (..., bands, y, x)
        Pairs of cubes.
    data_range : float
        :math:`R`, the range that the values can take, in their unit. It must be given: cubes of corrected intensity
        leave [0, 1], and each other range gives another figure.

    Returns
    -------
    array or tensor, shape (...)
        dB; infinite for equal cubes, NaN for a pair with a NaN.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(psnr(np.full((16, 4, 4), 0.6), np.full((16, 4, 4), 0.5), data_range=1.0)), 3)
    20.0
    """
    xp, a, b = as_pair(prediction, target)
    peak = checked_range(data_range) ** 2
    error = xp.mean((a - b) ** 2, axis=(-3, -2, -1))
    equal = error == 0
    decibel = 10 * xp.log10(peak / xp.where(equal, xp.ones_like(error), error))
    return xp.where(equal, xp.full_like(error, math.inf), decibel)


def rase(prediction: Any, target: Any) -> Array:
    r"""Relative average spectral error, percent of the target's mean radiance.

    .. math:: \mathrm{RASE} = \frac{100}{\frac1B\sum_b\mu_b}\sqrt{\frac1B\sum_b\mathrm{MSE}_b}

    with :math:`\mu_b` the mean of band `b` of the target. Over the whole image, not in sliding windows.

    Parameters
    ----------
    prediction, target : array or tensor, shape (..., bands, y, x)
        Pairs of cubes.

    Returns
    -------
    array or tensor, shape (...)
        Percent. NaN for a pair with a NaN, and for a target whose mean is not positive.

    References
    ----------
    .. [1] T. Ranchin and L. Wald, "Fusion of high spatial and spectral resolution images: the ARSIS concept and its
       implementation", Photogrammetric Engineering and Remote Sensing 66, 2000, pp. 49-61

    Examples
    --------
    >>> import numpy as np
    >>> round(float(rase(np.full((16, 4, 4), 0.55), np.full((16, 4, 4), 0.5))), 6)
    10.0
    """
    xp, a, b = as_pair(prediction, target)
    mean = xp.mean(b, axis=(-3, -2, -1))
    error = xp.sqrt(xp.mean((a - b) ** 2, axis=(-3, -2, -1)))
    positive = mean > 0
    relative = 100 * error / xp.where(positive, mean, xp.ones_like(mean))
    return xp.where(positive, relative, xp.full_like(mean, math.nan))
