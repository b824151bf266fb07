"""What absorbs and scatters light in skin: coefficients per cm, at any visible wavelength."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics.tables import table

HAEMOGLOBIN_G_PER_L = 150.0  # whole blood
HAEMOGLOBIN_G_PER_MOL = 64500.0
#: Beyond these the haemoglobin table ends and the power laws were never meant.
RANGE_NM = (250.0, 1000.0)


def mua_blood_per_cm(wavelengths_nm: ArrayLike, oxygen_saturation: ArrayLike = 1.0) -> NDArray[np.float64]:
    """Absorption coefficient of whole blood with 150 g/L of haemoglobin.

    Parameters
    ----------
    wavelengths_nm : array_like
        Wavelengths in nm, 250-1000. Broadcast against `oxygen_saturation`.
    oxygen_saturation : array_like
        Oxygenated share of the haemoglobin, 0-1.

    Returns
    -------
    ndarray
        Absorption coefficient, 1/cm.

    Raises
    ------
    InputError
        If a wavelength or a saturation is out of range.

    References
    ----------
    Molar extinction compiled by S. Prahl, https://omlc.org/spectra/hemoglobin/ (source of the copy: data/NOTICE.md).

    Examples
    --------
    >>> mua_blood_per_cm([542, 560, 576], 1.0).round()
    array([285., 175., 297.])
    """
    wavelengths = checked_wavelengths_nm(wavelengths_nm)
    saturation = np.asarray(oxygen_saturation)
    if not ((saturation >= 0) & (saturation <= 1)).all():
        raise InputError("must lie in 0-1", where="oxygen_saturation")
    spectra = table("haemoglobin")
    oxygenated = np.interp(wavelengths, spectra["wavelength_nm"], spectra["oxy_per_cm_m"])
    deoxygenated = np.interp(wavelengths, spectra["wavelength_nm"], spectra["deoxy_per_cm_m"])
    extinction = saturation * oxygenated + (1 - saturation) * deoxygenated
    return np.log(10) * extinction * (HAEMOGLOBIN_G_PER_L / HAEMOGLOBIN_G_PER_MOL)


def mua_melanosome_per_cm(wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
    """Absorption coefficient inside a melanosome, 1/cm: 6.6e11 lambda^-3.33 (Jacques 1998), lambda in nm."""
    return 6.6e11 * checked_wavelengths_nm(wavelengths_nm) ** -3.33


def mua_base_per_cm(wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
    """Absorption coefficient of skin without blood and melanin, 1/cm (Jacques 1998), wavelengths in nm."""
    return 0.244 + 85.3 * np.exp(-(checked_wavelengths_nm(wavelengths_nm) - 154) / 66.2)


def musp_per_cm(wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
    """Reduced scattering coefficient of skin, 1/cm: 46 (lambda/500)^-1.421 (Jacques 2013), lambda in nm.

    References
    ----------
    S. L. Jacques, "Optical properties of biological tissues: a review", 2013, doi:10.1088/0031-9155/58/11/R37.
    """
    return 46.0 * (checked_wavelengths_nm(wavelengths_nm) / 500) ** -1.421


def checked_wavelengths_nm(wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
    """Wavelengths as float64; `InputError` outside the range of the tables."""
    wavelengths = np.asarray(wavelengths_nm, dtype=np.float64)
    low, high = RANGE_NM
    if not ((wavelengths >= low) & (wavelengths <= high)).all():
        raise InputError(f"the skin model covers {low:g}-{high:g} nm", where="wavelengths_nm")
    return wavelengths
