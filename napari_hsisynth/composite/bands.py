"""Views made of the bands as they are: one, the mean of all, or any three as red, green and blue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.composite.walk import Tick, valid_pixels, walk
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError

Limits = tuple[float, float]

#: Where red, green and blue are looked for, nm, if the file does not say it.
_RGB_NM = (630.0, 545.0, 470.0)
#: Else so far along the spectrum, from its short end, as a fraction.
_RGB_PLACES = (5 / 6, 1 / 2, 1 / 6)
#: Percentiles of a band that become black and white.
_CONTRAST = (1.0, 99.0)
#: About so many pixels are looked at for them; more change nothing visible. Fewer where they have to be read.
_CONTRAST_PIXELS, _LAZY_PIXELS = 100_000, 10_000


def band_mean(cube: Cube, *, tick: Tick | None = None) -> NDArray[np.float32]:
    """Mean over the bands, shape (y, x), in the cube's unit; what published work shows to SAM (in three channels)."""
    picture = np.empty(cube.shape_yx, np.float32)
    for rows, block in walk(cube, tick=tick):
        mean = block.mean(axis=0)
        picture[rows] = np.where(np.isfinite(mean) | valid_pixels(block), mean, np.float32(0))
    return picture


def single_band(cube: Cube, wavelength_nm: float) -> NDArray[np.float32]:
    """Return the band nearest to a wavelength, shape (y, x), in the cube's unit.

    Parameters
    ----------
    cube : Cube
    wavelength_nm : float
        In nm; for a cube whose bands are only numbered, the band's number.

    Raises
    ------
    InputError
        If the wavelength lies outside the cube's bands by more than the widest step between them.
    """
    band = cube.data[_nearest_band(cube, wavelength_nm)]
    return np.where(np.isfinite(band), band, np.float32(0))


def _nearest_band(cube: Cube, wavelength_nm: float) -> int:
    centres = np.sort(cube.wavelengths_nm)
    widest = float(np.diff(centres).max()) if len(centres) > 1 else 0.0
    low, high = float(centres[0]), float(centres[-1])
    if not low - widest <= wavelength_nm <= high + widest:
        what = f"band {wavelength_nm:g}" if cube.axis_label == "band" else f"{wavelength_nm:g} nm"
        unit = "" if cube.axis_label == "band" else " nm"
        raise InputError(f"{what} is not in the cube's {low:g}-{high:g}{unit}", where=cube.name or None)
    return int(np.argmin(np.abs(cube.wavelengths_nm - wavelength_nm)))


def default_bands(cube: Cube) -> tuple[int, int, int]:
    """Return which bands to show as red, green and blue where nobody has chosen them.

    Those that the file names (``default bands`` of an ENVI header); else the ones nearest to 630, 545 and 470 nm, if
    the cube reaches from blue to red; else three that are spread over the spectrum, the longest as red.
    """
    named = _named_bands(cube)
    if named is not None:
        return named
    order = np.argsort(cube.wavelengths_nm, kind="stable")
    centres = cube.wavelengths_nm[order]
    if cube.axis_label != "band" and centres[0] <= _RGB_NM[2] + 30 and centres[-1] >= _RGB_NM[0] - 30:
        places: Any = [int(np.argmin(np.abs(centres - nm))) for nm in _RGB_NM]
        if len(set(places)) == 3:
            return tuple(int(order[place]) for place in places)  # type: ignore[return-value]
    places = [min(int(place * cube.bands), cube.bands - 1) for place in _RGB_PLACES]
    return tuple(int(order[place]) for place in places)  # type: ignore[return-value]


def _named_bands(cube: Cube) -> tuple[int, int, int] | None:
    """Bands that an ENVI header names, counted from 1 there; None if it does not, or names others than there are."""
    header = cube.provenance.get("envi")
    said = header.get("default bands") if isinstance(header, dict) else None
    if not isinstance(said, list | tuple) or len(said) != 3:
        return None
    try:
        red, green, blue = (int(float(number)) - 1 for number in said)
    except (TypeError, ValueError, OverflowError):
        return None
    inside = all(0 <= band < cube.bands for band in (red, green, blue))
    return (red, green, blue) if inside else None


def rgb_bands(
    cube: Cube,
    wavelengths_nm: Sequence[float] | None = None,
    *,
    bands: Sequence[int] | None = None,
    limits: Sequence[Limits] | None = None,
    tick: Tick | None = None,
) -> NDArray[np.float32]:
    """Any three bands as red, green and blue.

    Parameters
    ----------
    cube : Cube
    wavelengths_nm : sequence of 3 float, optional
        Of the bands shown as red, green and blue, nm; the nearest band is taken.
    bands : sequence of 3 int, optional
        Their numbers instead, from 0. Without either, `default_bands`.
    limits : sequence of 3 (low, high), optional
        Values of each band that become 0 and 1, in the cube's unit; by default its 1st and 99th percentile.
    tick : callable, optional
        Told about the progress, ``tick(rows done, rows in all)``; what it raises ends the work.

    Returns
    -------
    ndarray of float32, shape (y, x, 3)
        0..1, linear in the values, clipped. Pixels that are not finite in one of the three bands are 0.

    Raises
    ------
    InputError
        If there are not three bands, one is not in the cube, or limits do not ascend.
    """
    if bands is not None and wavelengths_nm is not None:
        raise InputError("bands both by number and by wavelength", fix="give one of them")
    if bands is not None:
        chosen = [int(band) for band in bands]
    elif wavelengths_nm is not None:
        chosen = [_nearest_band(cube, nm) for nm in wavelengths_nm]
    else:
        chosen = list(default_bands(cube))
    if len(chosen) != 3 or not all(0 <= band < cube.bands for band in chosen):
        raise InputError(
            f"bands {', '.join(map(str, chosen))}: three of 0 to {cube.bands - 1} are needed", where=cube.name or None
        )
    ranges = [band_limits(cube, band) for band in chosen] if limits is None else [(low, high) for low, high in limits]
    if len(ranges) != 3 or not all(np.isfinite(pair).all() and pair[0] < pair[1] for pair in ranges):
        raise InputError(f"limits {ranges}: three pairs are needed, each low < high")
    picture = np.empty((*cube.shape_yx, 3), np.float32)
    for rows, block in walk(cube, chosen, tick):
        valid = valid_pixels(block)
        for channel, (low, high) in enumerate(ranges):
            scaled = (block[channel] - np.float32(low)) * np.float32(1 / (high - low))
            picture[rows, :, channel] = np.where(valid, np.clip(scaled, 0, 1), np.float32(0))
    return picture


def band_limits(cube: Cube, band: int, percentiles: Limits = _CONTRAST) -> Limits:
    """Return the range of a band for display: percentiles of its finite values (of a sample), never equal.

    Parameters
    ----------
    cube : Cube
    band : int
        From 0.
    percentiles : tuple of float
        Which become black and white, 0..100.
    """
    height, width = cube.shape_yx
    step = max(1, int(np.sqrt(height * width / (_LAZY_PIXELS if cube.is_lazy else _CONTRAST_PIXELS))))
    values = cube.data[band, ::step, ::step]
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, percentiles))
    return (low, high) if high > low else (low, low + max(1.0, abs(low) * 1e-6))
