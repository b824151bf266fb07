"""Transforms in which spectra are compared, each a pure function of spectra along one axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.spectra.continuum import continuum_removed
from napari_hsisynth.spectra.savitzky_golay import first_derivative, second_derivative

Transform = Callable[..., NDArray[np.float64]]


def raw(values: ArrayLike, wavelengths_nm: ArrayLike | None = None, *, axis: int = 0) -> NDArray[np.float64]:
    """Return the values as they are, in float64."""
    return np.asarray(values, dtype=np.float64)


def normalised(values: ArrayLike, wavelengths_nm: ArrayLike | None = None, *, axis: int = 0) -> NDArray[np.float64]:
    """Divide each spectrum by its length, the root of its sum of squares, so that brightness no longer counts.

    Two spectra of length 1 lie as far apart as the spectral angle between them says. A spectrum of zeros, and one that
    is not finite in some band, has no length and gives NaN.

    Examples
    --------
    >>> normalised([3.0, 4.0])
    array([0.6, 0.8])
    """
    found = np.asarray(values, dtype=np.float64)
    largest = np.abs(found).max(axis=axis, keepdims=True)
    usable = np.isfinite(largest) & (largest > 0)
    # scaled first, so that squares of very small or large values neither vanish nor overflow
    scaled = np.where(usable, found, np.nan) / np.where(usable, largest, 1.0)
    return scaled / np.sqrt((scaled * scaled).sum(axis=axis, keepdims=True))


def optical_density(
    values: ArrayLike, wavelengths_nm: ArrayLike | None = None, *, axis: int = 0, reference: float = 1.0
) -> NDArray[np.float64]:
    """Absorbance seen in reflection: ``-log10(values / reference)``.

    Parameters
    ----------
    values : array_like
        Reflectance or corrected intensity. Zero and below have no logarithm and give NaN.
    wavelengths_nm, axis
        Not used; here so that all transforms are called alike.
    reference : float
        Value of the white reference, positive, in the unit of `values`.

    Examples
    --------
    >>> optical_density([1.0, 0.1, 0.0])
    array([-0.,  1., nan])
    """
    if not reference > 0:
        raise InputError(f"the white reference must be positive, not {reference}")
    found = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(found > 0, -np.log10(found / reference), np.nan)


def snv(values: ArrayLike, wavelengths_nm: ArrayLike | None = None, *, axis: int = 0) -> NDArray[np.float64]:
    """Standard normal variate: each spectrum minus its mean, divided by its standard deviation (n - 1).

    Takes away brightness and contrast of single spectra [1]_. A constant spectrum, or one of a single band, has no
    spread and gives NaN.

    References
    ----------
    .. [1] Barnes, Dhanoa & Lister, Appl. Spectrosc. 43 (1989) 772. doi:10.1366/0003702894202201
    """
    found = np.asarray(values, dtype=np.float64)
    if found.shape[axis] < 2:
        return np.full(found.shape, np.nan)
    with np.errstate(invalid="ignore"):
        centred = found - found.mean(axis=axis, keepdims=True)
        spread = centred.std(axis=axis, ddof=1, keepdims=True)
        # of a constant spectrum rounding leaves a spread of about this, which must not be blown up to 1
        nothing = spread <= 1e-12 * np.abs(found).max(axis=axis, keepdims=True)
    return centred / np.where(nothing, np.nan, spread)


#: Name -> ``function(values, wavelengths_nm, *, axis=0)``, in the order of menus.
TRANSFORMS: dict[str, Transform] = {
    "raw": raw,
    "normalised": normalised,
    "SNV": snv,
    "optical density": optical_density,
    "first derivative": first_derivative,
    "second derivative": second_derivative,
    "continuum removed": continuum_removed,
}

#: Name -> what the values then are, with the unit, for the axis of a plot.
TRANSFORM_LABELS: dict[str, str] = {
    "raw": "value",
    "normalised": "value / length of the spectrum",
    "SNV": "standard normal variate",
    "optical density": "optical density",
    "first derivative": "first derivative (1/nm)",
    "second derivative": "second derivative (1/nm²)",
    "continuum removed": "value / continuum",
}
