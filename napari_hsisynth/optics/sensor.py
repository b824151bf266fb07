"""From reflectance to what a camera records: ideal bands, or the gains and noise of a 16-band mosaic camera."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import HSIDERMOSCOPY_BANDS, HSIDERMOSCOPY_RANGE_NM, even_wavelengths_nm
from napari_hsisynth.optics.reflectance import SURFACE_REFLECTANCE, Skin, skin_reflectance
from napari_hsisynth.optics.tables import table

SENSORS = ("ideal", "hsidermoscopy")
#: Both sensors have narrow bands at 465 + 11 b nm.
WAVELENGTHS_NM = even_wavelengths_nm(HSIDERMOSCOPY_BANDS, *HSIDERMOSCOPY_RANGE_NM)

#: The skin that the hsidermoscopy gains turn into the published mean of normal skin: the median of the phantoms'.
REFERENCE_SKIN = Skin(0.026, 0.006, 0.0045, 0.65, 1.0)

# Spread of the lamp and exposure from cube to cube, log. The real data's skin varies by 35 % and more per band.
_EXPOSURE_SPREAD = 0.22
_WHITE_BALANCE_SPREAD = 0.02  # per band and cube, log: what calibration leaves over
_VIGNETTING = 0.12  # loss of light from the centre of the image to its corners
_TILT = 0.05  # uneven lamp: change from the centre to an edge
_BLUR_VARIANCE_PX2 = 0.25  # of the lens, along y and x
_MOSAIC = 4  # the bands sit in a 4 x 4 pattern, so each sees the scene from its own place in the super-pixel
_SHOT_VARIANCE = 2e-5  # per unit of signal: about 50,000 electrons at 1
_READ_NOISE = 0.0015
_DARK_SPREAD = 0.0015  # per band and cube: what the dark correction leaves over


@cache
def hsidermoscopy_gain() -> NDArray[np.float64]:
    """Gain per band that turns `REFERENCE_SKIN` into the published mean of normal skin, shape (16,), read-only."""
    reflectance = skin_reflectance(WAVELENGTHS_NM, *REFERENCE_SKIN) + SURFACE_REFLECTANCE
    gain = table("hsidermoscopy")["skin_mean"] / reflectance
    gain.flags.writeable = False
    return gain


def record(reflectance: NDArray[np.float32], sensor: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Turn reflectance into recorded values.

    Parameters
    ----------
    reflectance : ndarray, float32, shape (16, y, x)
        At `WAVELENGTHS_NM`.
    sensor : str
        ``"ideal"``: returned as it is. ``"hsidermoscopy"``: lens blur and the shift of each band's place in the mosaic,
        gain per band, lamp and exposure of this cube, shot and read noise; not clipped, so it leaves 0-1 both ways.
    rng : numpy.random.Generator
        Source of the cube's exposure and noise.

    Returns
    -------
    ndarray, float32, shape (16, y, x)
    """
    if sensor == "ideal":
        return reflectance
    bands, height, width = reflectance.shape
    exposure = float(np.exp(_EXPOSURE_SPREAD * rng.standard_normal() - _EXPOSURE_SPREAD**2 / 2))
    balance = np.exp(_WHITE_BALANCE_SPREAD * rng.standard_normal((bands,)))
    gain = (exposure * balance * hsidermoscopy_gain()).astype(np.float32)
    dark = _DARK_SPREAD * rng.standard_normal((bands,), np.float32)
    tilt_y, tilt_x = _TILT * rng.uniform(-1, 1, size=2).astype(np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    lamp = 1 + tilt_y * y + tilt_x * x - np.float32(_VIGNETTING / 2) * (y * y + x * x)
    padded = np.pad(reflectance, ((0, 0), (1, 1), (1, 1)), mode="edge")
    recorded = np.empty_like(reflectance)
    noise = np.empty((height, width), np.float32)
    for band in range(bands):
        row, column = divmod(band, _MOSAIC)
        signal = _seen_from(padded[band], (row + 0.5) / _MOSAIC - 0.5, (column + 0.5) / _MOSAIC - 0.5)
        signal *= lamp * gain[band]
        rng.standard_normal(out=noise, dtype=np.float32)
        noise *= np.sqrt(np.float32(_SHOT_VARIANCE) * signal + np.float32(_READ_NOISE**2))
        signal += noise
        np.add(signal, dark[band], out=recorded[band])
    return recorded


def _seen_from(padded: NDArray[np.float32], shift_y: float, shift_x: float) -> NDArray[np.float32]:
    """Blur and shift an image with one more pixel on each side by up to half a pixel, along y and then x."""
    before, here, after = _taps(shift_y)
    rows = before * padded[:-2] + here * padded[1:-1] + after * padded[2:]
    before, here, after = _taps(shift_x)
    return before * rows[:, :-2] + here * rows[:, 1:-1] + after * rows[:, 2:]


def _taps(shift: float) -> tuple[np.float32, np.float32, np.float32]:
    """Three weights with sum 1, mean `shift` and the lens's variance; none is negative up to a shift of .5 px."""
    second_moment = _BLUR_VARIANCE_PX2 + shift * shift
    weights = ((second_moment - shift) / 2, 1 - second_moment, (second_moment + shift) / 2)
    return np.float32(weights[0]), np.float32(weights[1]), np.float32(weights[2])
