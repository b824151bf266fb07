"""Savitzky-Golay: smoothing and derivatives by polynomials fitted to neighbouring bands, for uneven bands too."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.spectra.wavelengths import checked_spectra

WINDOW = 5
DEGREE = 2


def smooth(
    values: ArrayLike, wavelengths_nm: ArrayLike, *, window: int, order: int = DEGREE, axis: int = 0
) -> NDArray[np.float64]:
    """Smooth spectra along their bands by Savitzky and Golay's method [1]_.

    Around each band a polynomial is fitted by least squares to the `window` nearest bands by number, over their real
    wavelengths, and its value at the band is taken. The first and last bands are read off the polynomial of the first
    and last window. For even bands this is ``scipy.signal.savgol_filter(..., mode="interp")``.

    Parameters
    ----------
    values : array_like
        Spectra. A value that is not finite makes those of its windows NaN and leaves the others alone.
    wavelengths_nm : array_like, shape (bands,)
        Distinct band centres, nm, in any order.
    window : int
        Bands per window, odd; 0 or 1 turns smoothing off. Where there are fewer bands, all of them are the window.
    order : int
        Of the polynomial, 0 or more. A window of ``order + 1`` bands or fewer leaves the spectrum as it is.
    axis : int
        The axis of the bands.

    Returns
    -------
    ndarray, float64
        As `values`.

    Raises
    ------
    InputError
        If the window is even or negative, the order is negative, or two bands share a wavelength.

    References
    ----------
    .. [1] A. Savitzky & M. J. E. Golay, Anal. Chem. 36 (1964) 1627. doi:10.1021/ac60214a047

    Examples
    --------
    >>> smooth([0.0, 0.0, 1.0, 0.0, 0.0], [500, 510, 520, 530, 540], window=3, order=1).round(3)
    array([-0.167,  0.333,  0.333,  0.333, -0.167])
    """
    if window in (0, 1):
        return np.array(values, dtype=np.float64)
    return _filtered(values, wavelengths_nm, window, order, 0, axis)


def derivative(
    values: ArrayLike,
    wavelengths_nm: ArrayLike,
    *,
    order: int = 1,
    window: int = WINDOW,
    degree: int = DEGREE,
    axis: int = 0,
) -> NDArray[np.float64]:
    """Derivative along the spectrum by Savitzky and Golay's method [1]_, for even and uneven bands in any order.

    As `smooth`, but the derivative of each polynomial is taken, which is exact for polynomials of its degree.

    Parameters
    ----------
    values, wavelengths_nm, axis
        As for `smooth`.
    order : int
        1 for the first derivative, 2 for the second, ...
    window : int
        Bands per window, odd, 3 or more. Where there are fewer bands, all of them are the window.
    degree : int
        Of the polynomial; lowered to what the window can hold. With a degree of 3 the second derivative is the same
        inside even bands, but six times as noisy at the first and last band of windows of 5.

    Returns
    -------
    ndarray, float64
        As `values`, in their unit per nm to the power of `order`.

    Raises
    ------
    InputError
        If there are not more bands than `order`, the window is even, or two bands share a wavelength.

    References
    ----------
    .. [1] A. Savitzky & M. J. E. Golay, Anal. Chem. 36 (1964) 1627. doi:10.1021/ac60214a047

    Examples
    --------
    >>> derivative([0.0, 1.0, 9.0], [500, 501, 503]).round(9)  # of (wavelength - 500)^2
    array([0., 2., 6.])
    """
    if order < 1:
        raise InputError(f"a derivative has an order of 1 or more, not {order}")
    return _filtered(values, wavelengths_nm, window, degree, order, axis)


def first_derivative(values: ArrayLike, wavelengths_nm: ArrayLike, *, axis: int = 0) -> NDArray[np.float64]:
    """First derivative per nm: `derivative` of order 1, parabolas through windows of 5 bands."""
    return derivative(values, wavelengths_nm, order=1, axis=axis)


def second_derivative(values: ArrayLike, wavelengths_nm: ArrayLike, *, axis: int = 0) -> NDArray[np.float64]:
    """Second derivative per nm²: `derivative` of order 2, parabolas through windows of 5 bands."""
    return derivative(values, wavelengths_nm, order=2, axis=axis)


def _filtered(
    values: ArrayLike, wavelengths_nm: ArrayLike, window: int, degree: int, order: int, axis: int
) -> NDArray[np.float64]:
    if window < 0 or window % 2 == 0:
        raise InputError(f"a window of {window} bands has no middle", fix="use an odd number of bands")
    if degree < 0:
        raise InputError(f"a polynomial has an order of 0 or more, not {degree}")
    found, wavelengths = checked_spectra(values, wavelengths_nm, axis)
    size = min(window, len(wavelengths))
    if size <= order:
        needed = {1: "two", 2: "three"}.get(order, str(order + 1))
        what = f"a derivative of order {order}" if order > 1 else "a derivative"
        raise InputError(f"{what} needs {needed} bands or more", fix="show the values themselves")
    starts, weights, ascending = _weights(wavelengths.tobytes(), size, min(max(degree, order), size - 1), order)
    spectra = np.moveaxis(found, axis, 0)[ascending]
    result = np.zeros(spectra.shape)
    column = (slice(None), *[None] * (spectra.ndim - 1))
    with np.errstate(invalid="ignore", over="ignore"):
        for place in range(size):
            result += weights[:, place][column] * spectra[starts + place]
    result[~np.isfinite(result)] = np.nan
    back = np.empty_like(result)
    back[ascending] = result
    return np.moveaxis(back, 0, axis)


@lru_cache(maxsize=64)
def _weights(
    wavelengths: bytes, size: int, degree: int, order: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
    """First band of each band's window, the weights of the bands in it (bands, size), and the ascending order."""
    nm = np.frombuffer(wavelengths)
    ascending = np.argsort(nm)
    nm = nm[ascending]
    starts = np.clip(np.arange(len(nm)) - size // 2, 0, len(nm) - size)
    offsets = nm[starts[:, None] + np.arange(size)] - nm[:, None]
    # powers of numbers within -1..1, or a degree of 3 over 100 nm would be beyond what float64 can solve
    scale = np.abs(offsets).max(axis=1)
    scale[scale == 0] = 1
    powers = (offsets / scale[:, None])[..., None] ** np.arange(degree + 1)
    fits = np.linalg.pinv(powers, rcond=1e-13)  # coefficients of the polynomial, about the band, from the values
    return starts, fits[:, order] * (math.factorial(order) / scale**order)[:, None], ascending
