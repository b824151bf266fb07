"""What absorbs in skin as curves to lay over spectra, and fitting them to a view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics.chromophores import RANGE_NM, mua_blood_per_cm, mua_melanosome_per_cm


@dataclass(frozen=True)
class Absorber:
    """The absorption spectrum of one substance; call it with wavelengths in nm for 1/cm.

    Parameters
    ----------
    name : str
        For a legend.
    source : str
        Where its values come from, in one sentence.
    function : callable
        From wavelengths in nm within 250-1000, any shape, to absorption coefficients, 1/cm.
    """

    name: str
    source: str
    function: Callable[[ArrayLike], NDArray[np.float64]]

    def __call__(self, wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
        """Absorption coefficient, 1/cm, of the shape of `wavelengths_nm`; NaN outside 250-1000 nm."""
        wavelengths = np.asarray(wavelengths_nm, dtype=np.float64)
        low, high = RANGE_NM
        covered = (wavelengths >= low) & (wavelengths <= high)
        return np.where(covered, self.function(np.where(covered, wavelengths, low)), np.nan)


def absorbers() -> dict[str, Absorber]:
    """Return the absorbers of skin by name.

    Returns
    -------
    dict of str to Absorber
        ``"oxyhaemoglobin"`` and ``"deoxyhaemoglobin"`` as whole blood of 150 g/L, ``"melanin"`` as the inside of a
        melanosome. Unlike the functions behind them they give NaN where nothing is known, for a plot may be wider.

    Examples
    --------
    >>> absorbers()["melanin"]([500.0, 2000.0]).round()
    array([679.,  nan])
    """
    blood = "whole blood of 150 g/L; molar extinction compiled by S. Prahl, https://omlc.org/spectra/hemoglobin/"
    melanin = "inside of a melanosome, 6.6e11 (wavelength/nm)^-3.33 per cm; S. L. Jacques, https://omlc.org/news/jan98/skinoptics.html"
    found = (
        Absorber("oxyhaemoglobin", blood, lambda nm: mua_blood_per_cm(nm, 1.0)),
        Absorber("deoxyhaemoglobin", blood, lambda nm: mua_blood_per_cm(nm, 0.0)),
        Absorber("melanin", melanin, mua_melanosome_per_cm),
    )
    return {each.name: each for each in found}


def scaled_to(curve: ArrayLike, low: float, high: float) -> NDArray[np.float64]:
    """Bring a curve into a view: its smallest value to `low`, its largest to `high`, the rest in proportion.

    Absorption has another unit than what a plot shows; scaled like this only its shape means something, neither its
    height nor its zero.

    Parameters
    ----------
    curve : array_like
        Values; those that are not finite give NaN and do not count.
    low, high : float
        Ends of the view, finite; `high` may be the lower one, which turns the curve upside down as absorption appears
        in reflectance.

    Returns
    -------
    ndarray, float64
        A constant curve lies in the middle.

    Examples
    --------
    >>> scaled_to([10, 20, 40], 0.2, 0.8)
    array([0.2, 0.4, 0.8])
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"a view from {low} to {high} has no size")
    values = np.asarray(curve, dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    if np.isnan(values).all():
        return values
    least, most = np.nanmin(values), np.nanmax(values)
    share = (values - least) / (most - least) if most > least else 0.5 + 0 * values
    return low * (1 - share) + high * share
