"""Spectra on their wavelengths: what must fit, and bringing them to other wavelengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError

#: Wavelengths this close beyond the ends of a spectrum are still its ends, nm: files round to a tenth.
_TOLERANCE_NM = 0.05


def checked_spectra(
    values: ArrayLike, wavelengths_nm: ArrayLike, axis: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values and their wavelengths as float64; `InputError` unless each band has its own wavelength."""
    found = np.asarray(values, dtype=np.float64)
    wavelengths = np.asarray(wavelengths_nm, dtype=np.float64).reshape(-1)
    if found.shape[axis] != len(wavelengths):
        raise InputError(f"{len(wavelengths)} wavelengths for {found.shape[axis]} bands")
    if len(np.unique(wavelengths)) != len(wavelengths):
        raise InputError("two bands share a wavelength", fix="give each band its own centre, nm")
    return found, wavelengths


def resample(values: ArrayLike, from_nm: ArrayLike, to_nm: ArrayLike, *, axis: int = 0) -> NDArray[np.float64]:
    """Bring spectra to other wavelengths by linear interpolation.

    Parameters
    ----------
    values : array_like
        Spectra, in any unit.
    from_nm : array_like, shape (bands,)
        Their distinct wavelengths, nm, in any order.
    to_nm : array_like, shape (wanted,)
        Wavelengths to find values at, nm, in any order.
    axis : int
        The axis of the bands.

    Returns
    -------
    ndarray, float64
        As `values`, with `wanted` bands. NaN outside the range of `from_nm` (0.05 nm beyond its ends is taken for the
        end) and beside a value that is not finite; nothing is ever extrapolated.

    Examples
    --------
    >>> resample([1.0, 3.0], [500, 520], [500, 505, 530])
    array([1. , 1.5, nan])
    """
    found, known = checked_spectra(values, from_nm, axis)
    wanted = np.asarray(to_nm, dtype=np.float64).reshape(-1)
    order = np.argsort(known)
    spectra, nm = np.moveaxis(found, axis, 0)[order], known[order]
    inside = (wanted >= nm[0] - _TOLERANCE_NM) & (wanted <= nm[-1] + _TOLERANCE_NM)
    at = np.clip(wanted, nm[0], nm[-1])
    right = np.clip(np.searchsorted(nm, at), 0, len(nm) - 1)  # nm[right] >= at
    left = np.maximum(right - 1, 0)
    gap = np.where(right > left, nm[right] - nm[left], 1.0)
    share = ((nm[right] - at) / gap).reshape(-1, *[1] * (spectra.ndim - 1))  # of the left one; 0 on a known wavelength
    with np.errstate(invalid="ignore"):
        between = np.where(share == 0, spectra[right], share * spectra[left] + (1 - share) * spectra[right])
    between[~inside | ~np.isfinite(wanted)] = np.nan
    between[~np.isfinite(between)] = np.nan
    return np.moveaxis(between, 0, axis)


def difference(values: ArrayLike, reference: ArrayLike, *, axis: int = 0) -> NDArray[np.float64]:
    """Spectra minus a reference spectrum.

    Parameters
    ----------
    values : array_like
        Spectra.
    reference : array_like, shape (bands,)
        On the wavelengths of `values`, see `resample`, and in the same unit.
    axis : int
        The axis of the bands.

    Returns
    -------
    ndarray, float64
        In the unit of `values`; NaN where the reference is.

    Raises
    ------
    InputError
        If the numbers of bands differ.

    Examples
    --------
    >>> difference([0.5, 0.7], [0.25, 0.75])
    array([ 0.25, -0.05])
    """
    found, beside = _beside(values, reference, axis)
    with np.errstate(invalid="ignore"):
        return found - beside


def ratio(values: ArrayLike, reference: ArrayLike, *, axis: int = 0) -> NDArray[np.float64]:
    """Spectra divided by a reference spectrum.

    Parameters
    ----------
    values, reference, axis
        As for `difference`.

    Returns
    -------
    ndarray, float64
        Without unit; NaN where the reference is 0 or not finite. A negative reference divides like any other number:
        derivatives have them.

    Raises
    ------
    InputError
        If the numbers of bands differ.

    Examples
    --------
    >>> ratio([0.5, 0.7], [0.25, 0.0])
    array([ 2., nan])
    """
    found, beside = _beside(values, reference, axis)
    usable = np.isfinite(beside) & (beside != 0)
    with np.errstate(over="ignore", invalid="ignore"):
        return found / np.where(usable, beside, np.nan)


def _beside(values: ArrayLike, reference: ArrayLike, axis: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = np.asarray(values, dtype=np.float64)
    known = np.asarray(reference, dtype=np.float64).reshape(-1)
    if found.shape[axis] != len(known):
        raise InputError(
            f"the reference has {len(known)} bands, the spectrum {found.shape[axis]}",
            fix="bring it to the same wavelengths first",
        )
    shape = [1] * found.ndim
    shape[axis] = len(known)
    return found, known.reshape(shape)
