"""Spectra of regions, and the transforms in which spectra are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError

Transform = Callable[[ArrayLike, ArrayLike], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class SpectrumStatistics:
    """Mean and spread of the spectra of a region.

    Parameters
    ----------
    mean, std : ndarray, shape (bands,)
        Over the pixels, in the unit of the data; `std` is that of the population (divided by n). NaN where `n` is 0.
    n : int
        Pixels that are finite in every band; the others are left out.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    n: int


def roi_statistics(data: ArrayLike, mask: ArrayLike) -> SpectrumStatistics:
    """Mean and standard deviation of the spectra under a mask.

    Parameters
    ----------
    data : array_like, shape (bands, y, x)
        Pixels with NaN or infinity in any band are left out.
    mask : array_like, shape (y, x)
        Non-zero inside.

    Returns
    -------
    SpectrumStatistics
        With ``n == 0`` and NaN if nothing valid lies under the mask.

    Raises
    ------
    InputError
        If mask and data have different sizes.

    Examples
    --------
    >>> found = roi_statistics(np.arange(8.0).reshape(2, 2, 2), [[1, 0], [0, 1]])
    >>> found.mean, found.std, found.n
    (array([1.5, 5.5]), array([1.5, 1.5]), 2)
    """
    values, region = _checked(data, mask)
    inside = values[:, region != 0].astype(np.float64)
    return _statistics(inside)


def label_statistics(data: ArrayLike, labels: ArrayLike) -> dict[int, SpectrumStatistics]:
    """Statistics of every label in an image of labels; 0 is background.

    Parameters
    ----------
    data : array_like, shape (bands, y, x)
        As for `roi_statistics`.
    labels : array_like of int, shape (y, x)

    Returns
    -------
    dict of int to SpectrumStatistics
        In ascending order; a label without any valid pixel is there with ``n == 0``.
    """
    values, image = _checked(data, labels)
    places = np.flatnonzero(image)
    order = places[np.argsort(image.reshape(-1)[places], kind="stable")]
    numbers, starts = np.unique(image.reshape(-1)[order], return_index=True)
    pixels = values.reshape(len(values), -1)
    groups = np.split(order, starts[1:]) if len(numbers) else []
    return {
        int(number): _statistics(pixels[:, group].astype(np.float64))
        for number, group in zip(numbers, groups, strict=True)
    }


def _checked(data: ArrayLike, mask: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    values, region = np.asarray(data), np.asarray(mask)
    if values.ndim != 3 or region.shape != values.shape[1:]:
        raise InputError(
            f"a mask of {region.shape} does not fit data of {values.shape}",
            fix="the data are (bands, y, x), the mask (y, x)",
        )
    return values, region


def _statistics(pixels: NDArray[np.float64]) -> SpectrumStatistics:
    """Statistics of spectra, shape (bands, n)."""
    valid = pixels[:, np.isfinite(pixels).all(axis=0)]
    if valid.shape[1] == 0:
        nothing = np.full(len(pixels), np.nan)
        return SpectrumStatistics(nothing, nothing.copy(), 0)
    return SpectrumStatistics(valid.mean(axis=1), valid.std(axis=1), valid.shape[1])


def raw(values: ArrayLike, wavelengths_nm: ArrayLike | None = None, *, axis: int = 0) -> NDArray[np.float64]:
    """Return the values as they are, in float64."""
    return np.asarray(values, dtype=np.float64)


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


def derivative(values: ArrayLike, wavelengths_nm: ArrayLike, *, axis: int = 0) -> NDArray[np.float64]:
    """First derivative along the spectrum, per nm, also for uneven bands in any order.

    Second-order differences, exact for parabolas (with two bands: the slope between them).

    Parameters
    ----------
    values : array_like
    wavelengths_nm : array_like, shape (bands,)
        Distinct band centres, nm.
    axis : int
        The axis of the bands.

    Raises
    ------
    InputError
        If there is only one band, or two bands share a wavelength.

    Examples
    --------
    >>> derivative([0.0, 1.0, 9.0], [500, 501, 503])  # of (wavelength - 500)^2
    array([0., 2., 6.])
    """
    found, wavelengths = _with_wavelengths(values, wavelengths_nm, axis)
    if len(wavelengths) < 2:
        raise InputError("a derivative needs two bands or more")
    order = np.argsort(wavelengths)
    edge: Literal[1, 2] = 2 if len(order) > 2 else 1
    with np.errstate(invalid="ignore"):
        slopes = np.gradient(np.take(found, order, axis=axis), wavelengths[order], axis=axis, edge_order=edge)
    return np.take(slopes, np.argsort(order), axis=axis)


def continuum_removed(values: ArrayLike, wavelengths_nm: ArrayLike, *, axis: int = 0) -> NDArray[np.float64]:
    """Divide each spectrum by its continuum, the upper convex hull over the wavelengths [1]_.

    1 on the hull, below 1 in absorption bands. NaN where a spectrum has NaN or infinity, or its continuum is not
    positive.

    Parameters
    ----------
    values : array_like
    wavelengths_nm : array_like, shape (bands,)
        Distinct band centres, nm.
    axis : int
        The axis of the bands.

    References
    ----------
    .. [1] Clark & Roush, J. Geophys. Res. 89 (1984) 6329. doi:10.1029/JB089iB07p06329

    Examples
    --------
    >>> continuum_removed([1.0, 0.5, 3.0], [500, 510, 520])
    array([1.  , 0.25, 1.  ])
    """
    found, wavelengths = _with_wavelengths(values, wavelengths_nm, axis)
    order = np.argsort(wavelengths)
    spectra = np.moveaxis(found, axis, 0)[order]
    flat = spectra.reshape(len(order), -1)
    hull = np.full(flat.shape, np.nan)
    valid = np.isfinite(flat).all(axis=0)
    hull[:, valid] = _upper_hull(flat[:, valid], wavelengths[order])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(hull > 0, flat / hull, np.nan).reshape(spectra.shape)
    return np.moveaxis(ratio[np.argsort(order)], 0, axis)


def _upper_hull(spectra: NDArray[np.float64], wavelengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Upper convex hull of spectra (bands, n) over ascending wavelengths, walked for all n together.

    From a corner of the hull the next one is where the slope is largest (the farthest of equals).
    """
    bands, n = spectra.shape
    hull = spectra.copy()
    corner = np.zeros(n, dtype=np.intp)
    for band in range(bands - 1):
        at = np.flatnonzero(corner == band)
        if len(at) == 0:
            continue
        run = wavelengths[band + 1 :] - wavelengths[band]
        slopes = (spectra[band + 1 :, at] - spectra[band, at]) / run[:, None]
        following = len(run) - 1 - np.argmax(slopes[::-1], axis=0)
        steepest = slopes[following, np.arange(len(at))]
        corner[at] = band + 1 + following
        line = spectra[band, at] + steepest * run[:, None]
        # strictly between the corners only: at the corners the hull is the spectrum itself, without rounding
        between = np.arange(len(run))[:, None] < following
        rows, columns = np.nonzero(between)
        hull[band + 1 + rows, at[columns]] = line[rows, columns]
    return hull


def _with_wavelengths(
    values: ArrayLike, wavelengths_nm: ArrayLike, axis: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = np.asarray(values, dtype=np.float64)
    wavelengths = np.asarray(wavelengths_nm, dtype=np.float64).reshape(-1)
    if found.shape[axis] != len(wavelengths):
        raise InputError(f"{len(wavelengths)} wavelengths for {found.shape[axis]} bands")
    if len(np.unique(wavelengths)) != len(wavelengths):
        raise InputError("two bands share a wavelength", fix="give each band its own centre, nm")
    return found, wavelengths


#: Name -> ``function(values, wavelengths_nm)`` for spectra of shape (bands, ...).
TRANSFORMS: dict[str, Transform] = {
    "raw": raw,
    "optical density": optical_density,
    "derivative": derivative,
    "SNV": snv,
    "continuum removed": continuum_removed,
}

#: Name -> what the values then are, with the unit, for the axis of a plot.
TRANSFORM_LABELS: dict[str, str] = {
    "raw": "value",
    "optical density": "optical density",
    "derivative": "derivative (1/nm)",
    "SNV": "standard normal variate",
    "continuum removed": "value / continuum",
}
