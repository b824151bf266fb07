"""What an ENVI header says about its bands: centres and widths in any unit, bad ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.envi_header import EnviHeader
from napari_hsisynth.formats.unlabelled import PLAUSIBLE_NM
from napari_hsisynth.formats.wavelength_units import LENGTHS_NM, unit_name

#: Product of the number and the wavelength in nm: 1e7 for wavenumbers in 1/cm, the speed of light for frequencies.
_INVERSES = {
    **dict.fromkeys(("wavenumber", "cm-1", "cm^-1", "1/cm"), 1e7),
    "hz": 299_792_458e9,
    "mhz": 299_792_458e3,
    "ghz": 299_792_458.0,
    "thz": 299_792.458,
}
_BANDS_ONLY = ("index", "band", "bands")


def in_nm(values: NDArray[np.float64], unit: str) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Convert band centres to nm.

    Parameters
    ----------
    values : ndarray, shape (bands,)
    unit : str
        As a file names it: a length, wavenumbers (1/cm) or a frequency, in any case, singular or plural. Empty or
        unknown units are guessed by the size of the values: nm from 100 to 25 000, µm from 0.1 to 100.

    Returns
    -------
    wavelengths_nm : ndarray, shape (bands,), or None
        None if they are not wavelengths, or not between 100 and 25 000 nm.
    notes : tuple of str
        What was converted, guessed or left out.
    """
    name = unit_name(unit)
    low, high = PLAUSIBLE_NM
    if name in _BANDS_ONLY:
        return None, (f"the wavelengths are in units of '{unit}', so only numbers of bands, and were left out",)
    positive = bool(np.isfinite(values).all() and (values > 0).all())
    notes: tuple[str, ...] = ()
    if name not in LENGTHS_NM and name not in _INVERSES:
        said = f"'{unit[:40]}'" if unit else "missing"
        guess = "nm" if positive and values.min() >= low else "µm"
        notes = (f"the wavelength units are {said}: taken as {guess} by their size",)
        name = guess
    if name in _INVERSES and positive:
        found = _INVERSES[name] / values
        notes += (f"the wavelengths were converted from {unit}",)
    else:
        factor = LENGTHS_NM.get(name, 1.0)
        found = values if factor == 1 else values * factor
    if not positive or found.min() < low or found.max() > high:
        stated = f" in {unit}" if unit and not notes else ""
        return None, (f"the wavelengths{stated} do not lie between {low:g} and {high:g} nm and were left out",)
    return found, notes


def unit_in(title: str) -> str:
    """Return the unit that the title of a column names, empty if none.

    Examples
    --------
    >>> unit_in("wavelength_nm"), unit_in("Wavelength [µm]"), unit_in("Wavenumber (cm-1)"), unit_in("x (m)")
    ('nm', 'µm', 'Wavenumber', '')
    """
    words = [word for word in re.split(r"[^\w^/-]|_", title) if len(word) > 1]
    return next((word for word in words if unit_name(word) in LENGTHS_NM or unit_name(word) in _INVERSES), "")


@dataclass(frozen=True, eq=False)
class Bands:
    """Centres, widths and quality of the bands of an image.

    Parameters
    ----------
    wavelengths_nm, fwhm_nm : ndarray, shape (bands,), optional
        None where the file does not say them.
    bad : tuple of int
        Numbers of the bad bands, from 0.
    notes : tuple of str
        What was assumed or left out.
    """

    wavelengths_nm: NDArray[np.float64] | None
    fwhm_nm: NDArray[np.float64] | None
    bad: tuple[int, ...]
    notes: tuple[str, ...]


def read_bands(header: EnviHeader, bands: int) -> Bands:
    """Return what a header says about its bands; lists that do not fit are left out, and a note says so."""
    notes: tuple[str, ...] = ()

    def listed(name: str) -> NDArray[np.float64] | None:
        nonlocal notes
        if not header.text(name):
            return None
        try:
            return header.numbers(name, bands)
        except InputError as error:
            notes += (f"{error.what}, and was left out",)
            return None

    centres, widths, multipliers = listed("wavelength"), listed("fwhm"), listed("bbl")
    nm = None
    if centres is not None:
        nm, said = in_nm(centres, header.text("wavelength units"))
        notes += said
    if widths is not None:
        if nm is None or centres is None:
            widths, notes = None, (*notes, "'fwhm' was left out: the wavelengths that it belongs to are not known")
        elif not (np.isfinite(widths).all() and (widths >= 0).all()):
            widths, notes = None, (*notes, "'fwhm' has values that are no widths, and was left out")
        elif not np.array_equal(nm, centres):
            widths = widths * (nm / centres)  # the factor of a length, and the slope of an inverse unit
    bad = () if multipliers is None else tuple(np.flatnonzero(multipliers == 0).tolist())
    if bad:
        verb = "is" if len(bad) == 1 else "are"
        notes += (f"{len(bad)} of {bands} bands {verb} marked as bad by the file: {spans(bad)}",)
    return Bands(nm, widths, bad, notes)


def spans(numbers: tuple[int, ...]) -> str:
    """Return ascending numbers in short.

    Examples
    --------
    >>> spans((0, 1, 2, 7))
    '0-2, 7'
    """
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    runs = [(run[0], run[-1]) for run in np.split(np.array(numbers), breaks)]
    shown = [f"{first}-{last}" if last > first else f"{first}" for first, last in runs[:8]]
    return ", ".join(shown) + (f" and {len(runs) - 8} more ranges" if len(runs) > 8 else "")
