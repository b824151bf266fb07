"""Band centres that are written in names: of channels, of pages, of files."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.formats.unlabelled import PLAUSIBLE_NM

#: "465nm", "0.55 um", "b_612.5_nm": a number that no other number or point leads in, and its unit.
_WITH_UNIT = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)[\s_]*(nm|[uµμ]m|nanomet(?:er|re)s?)(?![a-z])", re.IGNORECASE)
#: "wavelength=550.3", without a unit: nm.
_NAMED = re.compile(r"wave_?length\w*[\"']?\s*[=:]\s*[\"']?(\d+(?:\.\d+)?)", re.IGNORECASE)
#: Longer texts are no names, but whole headers.
_LONGEST = 4000


def wavelength_in(name: str) -> float | None:
    """Return the one wavelength that a name gives, nm; None if it gives none, several, or one that cannot be.

    Examples
    --------
    >>> wavelength_in("b_465nm"), wavelength_in("0.55 µm"), wavelength_in("wavelength=612.5"), wavelength_in("band 3")
    (465.0, 550.0, 612.5, None)
    """
    if len(name) > _LONGEST:
        return None
    found = {float(number) * (1 if unit[0] in "nN" else 1000) for number, unit in _WITH_UNIT.findall(name)}
    found = found or {float(number) for number in _NAMED.findall(name)}
    if len(found) != 1:
        return None
    nm = round(found.pop(), 9)  # 0.55 um is 550 nm, not 550.0000000000001
    return nm if PLAUSIBLE_NM[0] <= nm <= PLAUSIBLE_NM[1] else None


def wavelengths_in(names: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the wavelengths that all `names` give, nm, shape (bands,); None if one of them gives none."""
    found = [wavelength_in(name) for name in names]
    return None if not found or None in found else np.array(found, dtype=np.float64)
