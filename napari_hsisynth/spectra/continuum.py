"""Continuum removal: spectra beside the hull that lies on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.spectra.wavelengths import checked_spectra


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
    found, wavelengths = checked_spectra(values, wavelengths_nm, axis)
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
