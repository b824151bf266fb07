"""`slab` on `half_space_reflectance` for whole images at once: the same equations with as few steps as they allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.optics import chromophores

# Pixels per block: its work arrays then stay in the cache, several times as fast as whole images
_BLOCK = 32768


def two_layers(
    wavelengths_nm: NDArray[np.float64],
    melanin: NDArray[Any],
    thickness_cm: NDArray[Any],
    blood: NDArray[Any],
    saturation: NDArray[Any],
    gain: NDArray[Any],
    *,
    boundary: float,
    least_scattering_per_cm: float,
) -> NDArray[Any]:
    """Reflectance of an epidermis on an endless dermis, for checked maps.

    Everything is divided by mus', so that only the ratio q = mua/mus' and the optical thickness are left. With
    the two-layer sum R + T^2 H / (1 - R H) over a common denominator, R = N/D, T = M/D and H = 1/h, it becomes
    (N + M^2 / (D h - N)) / D: two divisions, two roots and one exponential for each value.

    Parameters
    ----------
    wavelengths_nm : ndarray, float64, shape (bands,)
        In the range of the tables.
    melanin, thickness_cm, blood, saturation, gain : ndarray, shape (n,)
        As in `skin_reflectance`, of one floating type.
    boundary : float
        The factor A of the diffusion boundary, see `internal_reflection`.
    least_scattering_per_cm : float
        What the Kubelka-Munk scattering is held above.

    Returns
    -------
    ndarray, shape (bands, n)
        Of the maps' type.
    """
    result = np.empty((len(wavelengths_nm), melanin.size), melanin.dtype)
    if not melanin.size:
        return result
    tables = list(_tables(wavelengths_nm))
    work = [np.empty(min(_BLOCK, melanin.size), melanin.dtype) for _ in range(12)]
    for start in range(0, melanin.size, _BLOCK):
        here = slice(start, min(start + _BLOCK, melanin.size))
        softness, pigment, red, oxygen, depth, a, s, d, e, m, h, t = (each[: here.stop - start] for each in work)
        np.divide(1, gain[here], out=softness)
        np.multiply(melanin[here], softness, out=pigment)
        np.multiply(blood[here], softness, out=red)
        np.multiply(red, saturation[here], out=oxygen)
        np.multiply(thickness_cm[here], gain[here], out=depth)
        for band, (musp, base, melanosome, deoxygenated, oxygenated) in enumerate(tables):
            # dermis: h = 1 + (1 + 2A) q + (1 + 2A/3) sqrt(3 q (1 + q)), one over the reflectance of diffusion theory
            np.multiply(softness, base / musp, out=t)
            np.multiply(red, (deoxygenated - base) / musp, out=h)
            t += h
            np.multiply(oxygen, (oxygenated - deoxygenated) / musp, out=h)
            t += h
            np.multiply(t, t, out=h)
            h += t
            h *= 3 * (1 + 2 * boundary / 3) ** 2
            np.sqrt(h, out=h)
            t *= 1 + 2 * boundary
            h += t
            h += 1
            # epidermis: Kubelka-Munk absorption a and scattering s, decay d, all over mus'
            np.multiply(softness, 2 * base / musp, out=a)
            np.multiply(pigment, 2 * (melanosome - base) / musp, out=t)
            a += t
            np.multiply(a, -0.125, out=s)
            s += 0.75
            np.multiply(softness, least_scattering_per_cm / musp, out=t)
            np.maximum(s, t, out=s)
            np.add(a, s, out=t)  # a + s
            np.add(t, s, out=d)
            d *= a
            d += 1e-20  # a clear layer must not divide 0 by 0
            np.sqrt(d, out=d)
            np.multiply(depth, -musp, out=m)
            m *= d
            np.expm1(m, out=m)
            np.add(m, 1, out=e)
            np.add(e, 1, out=a)
            m *= a  # exp(-2 d depth) - 1
            t *= m
            np.add(m, 2, out=a)
            a *= d
            a -= t  # D
            s *= m  # -N
            d *= e
            d *= d
            d *= 4  # M^2
            h *= a
            h += s
            d /= h
            d -= s
            np.divide(d, a, out=result[band, here])
    return result


def _tables(wavelengths_nm: NDArray[np.float64]) -> Iterator[tuple[float, float, float, float, float]]:
    """Coefficients per cm in each band, as Python floats: NumPy's would turn float32 maps into float64."""
    yield from zip(
        chromophores.musp_per_cm(wavelengths_nm).tolist(),
        chromophores.mua_base_per_cm(wavelengths_nm).tolist(),
        chromophores.mua_melanosome_per_cm(wavelengths_nm).tolist(),
        chromophores.mua_blood_per_cm(wavelengths_nm, 0.0).tolist(),
        chromophores.mua_blood_per_cm(wavelengths_nm, 1.0).tolist(),
        strict=True,
    )
