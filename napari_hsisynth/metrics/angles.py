"""The spectral angle: how far two spectra differ in shape, whatever their brightness."""

from __future__ import annotations

import math
from typing import Any

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.arrays import Array, as_floating, as_pair


def spectral_angle_map(prediction: Any, target: Any) -> Array:
    r"""Spectral angle of every pixel.

    Parameters
    ----------
    prediction, target : array or tensor, shape (..., bands, y, x)
        Pairs of cubes, any unit: the angle does not depend on scale.

    Returns
    -------
    array or tensor, shape (..., y, x)
        Radians, 0..pi. NaN where one of the two spectra is zero in every band or not finite in one, since it has no
        direction there; `invalid_pixels` counts them.

    Notes
    -----
    With unit vectors :math:`\hat a, \hat b` the angle is :math:`2\arcsin(|\hat a-\hat b|/2)`, and for obtuse angles
    :math:`\pi-2\arcsin(|\hat a+\hat b|/2)`. The usual :math:`\arccos(\hat a\cdot\hat b)` cannot resolve angles below
    :math:`\sqrt{2\varepsilon}`, some 1e-4 rad in float32 [2]_.

    References
    ----------
    .. [1] F. A. Kruse et al., "The spectral image processing system (SIPS)", Remote Sensing of Environment 44, 1993,
       https://doi.org/10.1016/0034-4257(93)90013-N
    .. [2] W. Kahan, "How futile are mindless assessments of roundoff in floating-point computation?", 2006, section 12

    Examples
    --------
    >>> import numpy as np
    >>> a = np.zeros((2, 1, 3)); a[0] = 1
    >>> b = np.stack([np.ones((1, 3)), np.array([[0.0, 1.0, np.nan]])])
    >>> np.round(np.degrees(spectral_angle_map(a, b)), 3).tolist()
    [[0.0, 45.0, nan]]
    """
    xp, a, b = as_pair(prediction, target)
    return _angle(xp, a, b, axis=-3)


def spectral_angle(prediction: Any, target: Any, *, mask: Any = None) -> Array:
    """Mean spectral angle over the valid pixels of each pair of cubes.

    Parameters
    ----------
    prediction, target : array or tensor, shape (..., bands, y, x)
        Pairs of cubes.
    mask : array or tensor of bool, shape (..., y, x) or (y, x), optional
        Only these pixels, for example those of the lesion.

    Returns
    -------
    array or tensor, shape (...)
        Radians. NaN where no pixel is valid. See `spectral_angle_map` for what is valid and for the formula.

    Examples
    --------
    >>> import numpy as np
    >>> target = np.ones((16, 4, 4))
    >>> float(spectral_angle(3 * target, target))  # the same spectra, three times as bright
    0.0
    """
    xp, a, b = as_pair(prediction, target)
    angles = _angle(xp, a, b, axis=-3)
    taken = xp.isfinite(angles)
    if mask is not None:
        if tuple(mask.shape) not in (tuple(angles.shape), tuple(angles.shape[-2:])):
            raise InputError(f"the mask {tuple(mask.shape)} does not fit {tuple(angles.shape)} pixels")
        taken = taken & (xp.asarray(mask) != 0)
    total = xp.sum(xp.where(taken, angles, xp.zeros_like(angles)), axis=(-2, -1))
    count = xp.sum(xp.astype(taken, angles.dtype), axis=(-2, -1))
    missing = xp.full_like(total, math.nan)
    return xp.where(count > 0, total / xp.where(count > 0, count, xp.ones_like(count)), missing)


def invalid_pixels(prediction: Any, target: Any) -> Array:
    """Count the pixels without a spectral angle: zero in every band, or not finite, in one of the two cubes.

    Parameters
    ----------
    prediction, target : array or tensor, shape (..., bands, y, x)
        Pairs of cubes.

    Returns
    -------
    array or tensor of int, shape (...)
        Pixels.
    """
    xp, a, b = as_pair(prediction, target)
    return xp.sum(xp.astype(~xp.isfinite(_angle(xp, a, b, axis=-3)), xp.int64), axis=(-2, -1))


def spectrum_angle(a: Any, b: Any) -> Array:
    """Angle between spectra along the last axis.

    Parameters
    ----------
    a, b : array or tensor, shape (..., bands)
        Spectra, for example the mean spectra of two classes.

    Returns
    -------
    array or tensor, shape (...)
        Radians, 0..pi; NaN for a spectrum that is zero or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> float(np.degrees(spectrum_angle(np.array([1.0, 0.0]), np.array([-2.0, 0.0]))))
    180.0
    """
    xp, a = as_floating(a, name="first spectrum", axes=1)
    _, b = as_floating(b, name="second spectrum", axes=1)
    if a.shape[-1] != b.shape[-1]:
        raise InputError(f"spectra of {a.shape[-1]} and of {b.shape[-1]} bands cannot be compared")
    a, b = xp.broadcast_arrays(a, b)
    return _angle(xp, a, b, axis=-1)


def _angle(xp: Any, a: Array, b: Array, *, axis: int) -> Array:
    a, valid_a = _unit(xp, a, axis)
    b, valid_b = _unit(xp, b, axis)
    one = xp.ones_like(xp.sum(a, axis=axis))
    apart = xp.sqrt(xp.sum((a - b) ** 2, axis=axis)) / 2
    together = xp.sqrt(xp.sum((a + b) ** 2, axis=axis)) / 2
    # each form is used where it is well conditioned; rounding can push the half chord past 1 only in the other's range
    acute = 2 * xp.asin(xp.minimum(apart, one))
    obtuse = math.pi - 2 * xp.asin(xp.minimum(together, one))
    angle = xp.where(apart <= together, acute, obtuse)
    return xp.where(valid_a & valid_b, angle, xp.full_like(angle, math.nan))


def _unit(xp: Any, x: Array, axis: int) -> tuple[Array, Array]:
    """Return unit vectors along `axis`, and where there are any."""
    largest = xp.max(xp.abs(x), axis=axis, keepdims=True)
    valid = xp.isfinite(largest) & (largest > 0)
    # scaled first, so that squares of very small or large values neither vanish nor overflow
    x = xp.where(valid, x, xp.ones_like(x)) / xp.where(valid, largest, xp.ones_like(largest))
    x = x / xp.sqrt(xp.sum(x * x, axis=axis, keepdims=True))
    return x, xp.squeeze(valid, axis=axis)
