"""Diffuse reflectance of skin: an absorbing epidermis (Kubelka-Munk) on a half-space of dermis (diffusion)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics import chromophores
from napari_hsisynth.optics.two_layers import two_layers

REFRACTIVE_INDEX = 1.4
#: Light that the surface returns before it enters the skin; the models below leave it out, `lesion_phantom` adds it.
SURFACE_REFLECTANCE = 0.01
#: The Kubelka-Munk scattering .75 mus' - .25 mua turns negative where mua exceeds 3 mus'; it is held at this, 1/cm.
LEAST_SCATTERING_PER_CM = 0.1


class Skin(NamedTuple):
    """The parameters of `skin_reflectance`, for scalars or for maps.

    Parameters
    ----------
    melanin_fraction : float or ndarray
        Volume fraction of melanosomes in the epidermis, 0-1. Light skin has about .02.
    thickness_cm : float or ndarray
        Thickness of the epidermis, cm.
    blood_fraction : float or ndarray
        Volume fraction of blood in the dermis, 0-1.
    oxygen_saturation : float or ndarray
        Oxygenated share of the haemoglobin, 0-1.
    scattering_gain : float or ndarray
        Reduced scattering of both layers relative to average skin.
    """

    melanin_fraction: Any
    thickness_cm: Any
    blood_fraction: Any
    oxygen_saturation: Any
    scattering_gain: Any


#: Typical tissues, as uniform layers.
PRESETS: dict[str, Skin] = {
    "light_skin": Skin(0.025, 0.006, 0.004, 0.65, 1.0),
    "tan_skin": Skin(0.06, 0.006, 0.004, 0.65, 1.0),
    "dysplastic_nevus": Skin(0.11, 0.008, 0.008, 0.65, 1.0),
    "melanoma": Skin(0.20, 0.010, 0.015, 0.55, 1.15),
    "regression": Skin(0.03, 0.006, 0.020, 0.55, 1.25),
}


def internal_reflection(refractive_index: float = REFRACTIVE_INDEX) -> float:
    """Factor A = (1 + r)/(1 - r) of the diffusion boundary, r the internal diffuse reflection (Egan and Hilgeman)."""
    n = refractive_index
    r = -1.44 / n**2 + 0.71 / n + 0.668 + 0.0636 * n
    return (1 + r) / (1 - r)


def half_space_reflectance(mua_per_cm: ArrayLike, musp_per_cm: ArrayLike) -> NDArray[Any]:
    """Diffuse reflectance of a half-space under collimated light, by diffusion theory.

    Parameters
    ----------
    mua_per_cm, musp_per_cm : array_like
        Absorption and reduced scattering coefficient, 1/cm, broadcast against each other; scattering above 0.

    Returns
    -------
    ndarray
        Reflectance, from 1 without absorption down to 0.

    References
    ----------
    S. T. Flock et al., IEEE Trans. Biomed. Eng. 36, 1989; T. J. Farrell et al., 1992, doi:10.1118/1.596777.

    Examples
    --------
    >>> float(half_space_reflectance(0.0, 40.0))
    1.0
    """
    mua, musp = np.asarray(mua_per_cm), np.asarray(musp_per_cm)
    boundary = internal_reflection()
    albedo = musp / (mua + musp)
    loss = 1 - albedo
    return albedo / (1 + 2 * boundary * loss + (1 + 2 * boundary / 3) * np.sqrt(3 * loss))


def slab(mua_per_cm: ArrayLike, musp_per_cm: ArrayLike, thickness_cm: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Reflectance and transmittance of a slab for diffuse light, by Kubelka-Munk.

    K = 2 mua and S = .75 mus' - .25 mua, the latter held above `LEAST_SCATTERING_PER_CM`. The usual form
    in sinh and cosh overflows in thick slabs and divides 0 by 0 in clear ones; here both are divided by the growing
    exponential.

    Parameters
    ----------
    mua_per_cm, musp_per_cm : array_like
        Absorption and reduced scattering coefficient, 1/cm, broadcast against each other.
    thickness_cm : array_like
        Thickness, cm; may be infinite.

    Returns
    -------
    reflectance, transmittance : ndarray
        Shares of the light that enters; their sum is 1 without absorption.

    Examples
    --------
    >>> [round(float(share), 3) for share in slab(0.0, 40.0, 0.01)]  # S t = .3: R = .3/1.3
    [0.231, 0.769]
    """
    mua, musp, thickness = np.asarray(mua_per_cm), np.asarray(musp_per_cm), np.asarray(thickness_cm)
    absorption = 2 * mua
    scattering = np.maximum(0.75 * musp - 0.25 * mua, LEAST_SCATTERING_PER_CM)
    decay = np.sqrt(np.maximum(absorption * (absorption + 2 * scattering), 1e-20))  # 1/cm; not 0, see above
    lost = -np.expm1(-2 * decay * thickness)
    denominator = (absorption + scattering) * lost + decay * (2 - lost)
    return scattering * lost / denominator, 2 * decay * np.exp(-decay * thickness) / denominator


def skin_reflectance(
    wavelengths_nm: ArrayLike,
    melanin_fraction: ArrayLike,
    thickness_cm: ArrayLike,
    blood_fraction: ArrayLike,
    oxygen_saturation: ArrayLike,
    scattering_gain: ArrayLike,
) -> NDArray[Any]:
    """Diffuse reflectance of skin in narrow bands.

    An epidermis with melanin (`slab`) on an endless dermis with blood (`half_space_reflectance`), with all reflections
    between the two. Without the reflection of the surface, see `SURFACE_REFLECTANCE`. Diffusion theory wants scattering
    well above absorption, which fails at 465 nm for melanin fractions over .07: such values are dark as they should be,
    and no more than that.

    Parameters
    ----------
    wavelengths_nm : array_like, shape (bands,)
        Wavelengths in nm, 250-1000.
    melanin_fraction, thickness_cm, blood_fraction, oxygen_saturation, scattering_gain : array_like
        As in `Skin`, broadcast against each other to any shape (...).

    Returns
    -------
    ndarray, shape (bands, ...)
        Reflectance in 0-1; float32 if all maps are float32 (numbers do not count), else float64.

    Raises
    ------
    InputError
        If a wavelength or a parameter is out of range or not finite.

    Examples
    --------
    >>> skin_reflectance([542, 560, 575], *PRESETS["light_skin"]).round(3)
    array([0.356, 0.38 , 0.371])
    """
    wavelengths = chromophores.checked_wavelengths_nm(np.atleast_1d(wavelengths_nm))
    skin = Skin(melanin_fraction, thickness_cm, blood_fraction, oxygen_saturation, scattering_gain)
    _check(skin)
    dtype = np.result_type(*(value if isinstance(value, (int, float)) else np.asarray(value) for value in skin))
    if dtype.kind != "f":
        dtype = np.dtype(np.float64)
    maps = np.broadcast_arrays(*(np.asarray(value, dtype) for value in skin))
    shape = maps[0].shape
    flat = [np.ascontiguousarray(each).reshape(-1) for each in maps]
    boundary, least = internal_reflection(), LEAST_SCATTERING_PER_CM
    result = two_layers(wavelengths, *flat, boundary=boundary, least_scattering_per_cm=least)
    return result.reshape(len(wavelengths), *shape)


def _check(skin: Skin) -> None:
    for name, value in zip(Skin._fields, skin, strict=True):
        values = np.asarray(value)
        if values.dtype.kind not in "fiub":
            raise InputError(f"must be a number or an array of numbers, not {values.dtype}", where=name)
        if values.size == 0:
            continue
        low, high = float(values.min()), float(values.max())  # NaN fails every comparison below
        if name == "scattering_gain":
            fits, fix = 0 < low <= high < math.inf, "give a finite number above 0"
        elif name == "thickness_cm":
            fits, fix = low >= 0, "give 0 or more"
        else:
            fits, fix = 0 <= low <= high <= 1, "give 0-1"
        if not fits:
            raise InputError(f"{low:g} to {high:g} is out of range", where=name, fix=fix)
