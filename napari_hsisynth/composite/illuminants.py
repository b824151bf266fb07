"""Relative power of the CIE illuminants under which a cube can be shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError

_NM = np.arange(400.0, 701.0, 10.0)
# fmt: off
#: CIE standard illuminant D65 (CIE S 014-2).
_D65 = np.array([
    82.7549, 91.4860, 93.4318, 86.6823, 104.865, 117.008, 117.812, 114.861, 115.923, 108.811, 109.354, 107.802, 104.790,
    107.689, 104.405, 104.046, 100.000, 96.3342, 95.7880, 88.6856, 90.0062, 89.5991, 87.6987, 83.2886, 83.6992, 80.0268,
    80.2146, 82.2778, 78.2842, 69.7213, 71.6091,
])
#: Mean of daylight and its two characteristic vectors, S0, S1, S2 (CIE 15:2004, table T.2).
_DAYLIGHT = np.array([
    [94.8, 104.8, 105.9, 96.8, 113.9, 125.6, 125.5, 121.3, 121.3, 113.5, 113.1, 110.8, 106.5, 108.8, 105.3, 104.4,
     100.0, 96.0, 95.1, 89.1, 90.5, 90.3, 88.4, 84.0, 85.1, 81.9, 82.6, 84.9, 81.3, 71.9, 74.3],
    [43.4, 46.3, 43.9, 37.1, 36.7, 35.9, 32.6, 27.9, 24.3, 20.1, 16.2, 13.2, 8.6, 6.1, 4.2, 1.9,
     0.0, -1.6, -3.5, -3.5, -5.8, -7.2, -8.6, -9.5, -10.9, -10.7, -12.0, -14.0, -13.6, -12.0, -13.3],
    [-1.1, -0.5, -0.7, -1.2, -2.6, -2.9, -2.8, -2.6, -2.6, -1.8, -1.5, -1.3, -1.2, -1.0, -0.5, -0.3,
     0.0, 0.2, 0.5, 2.1, 3.2, 4.1, 4.7, 5.1, 6.7, 7.3, 8.6, 9.8, 10.2, 8.3, 9.6],
])
# fmt: on
#: Correlated colour temperature of the daylights that are computed, K: the nominal one times 1.4388 / 1.4380, since
#: the second radiation constant has changed after they were defined (CIE 15:2004, 3.1).
_DAYLIGHT_K = {"D50": 5003.0, "D55": 5503.0, "D75": 7504.0}

#: Name -> what it is. Fluorescent lamps are not among them: their lines are narrower than the bands of any camera.
ILLUMINANTS: dict[str, str] = {
    "D65": "average daylight, 6504 K",
    "D50": "horizon daylight, 5003 K, for prints",
    "D55": "mid-morning daylight, 5503 K",
    "D75": "north sky daylight, 7504 K",
    "A": "incandescent lamp, 2856 K",
    "E": "equal power, the same at every wavelength",
}


def illuminant_power(name: str, wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
    """Relative spectral power of an illuminant.

    Parameters
    ----------
    name : str
        A key of `ILLUMINANTS`.
    wavelengths_nm : array_like, shape (bands,)
        Daylight is tabulated from 400 to 700 nm, and taken as constant beyond.

    Returns
    -------
    ndarray, shape (bands,)
        100 at 560 nm.

    Raises
    ------
    InputError
        If there is no such illuminant.

    Notes
    -----
    A is Planck's law at 2848 K with the radiation constant of its definition [1]_ (eq. 3.1), D50, D55 and D75 are the
    CIE's daylight of a colour temperature [1]_ (eqs. 3.3 to 3.7), D65 is its table.

    References
    ----------
    .. [1] CIE 15:2004, Colorimetry, 3rd edition.
    """
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    if name == "E":
        return np.full(nm.shape, 100.0)
    if name == "A":
        planck = np.expm1(1.435e7 / (2848 * 560)) / np.expm1(1.435e7 / (2848 * np.maximum(nm, 1.0)))
        return 100 * (560 / np.maximum(nm, 1.0)) ** 5 * planck
    if name == "D65":
        return np.interp(nm, _NM, _D65)
    if name in _DAYLIGHT_K:
        return np.interp(nm, _NM, _daylight(_DAYLIGHT_K[name]))
    raise InputError(f"no illuminant '{name}'", fix=f"use one of {', '.join(ILLUMINANTS)}")


def _daylight(kelvin: float) -> NDArray[np.float64]:
    """Daylight of a correlated colour temperature of 4000-25000 K at `_NM`."""
    per = 1000 / kelvin
    if kelvin <= 7000:
        x = -4.6070 * per**3 + 2.9678 * per**2 + 0.09911 * per + 0.244063
    else:
        x = -2.0064 * per**3 + 1.9018 * per**2 + 0.24748 * per + 0.237040
    y = -3.0 * x**2 + 2.870 * x - 0.275
    scale = 0.0241 + 0.2562 * x - 0.7341 * y
    # rounded to three decimals, as the CIE does it
    first = round((-1.3515 - 1.7703 * x + 5.9114 * y) / scale, 3)
    second = round((0.0300 - 31.4424 * x + 30.0717 * y) / scale, 3)
    return np.array([1.0, first, second]) @ _DAYLIGHT
