"""From reflectance to what a camera records: ideal bands, or the gains and noise of a 16-band mosaic camera."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import HSIDERMOSCOPY_BANDS, HSIDERMOSCOPY_RANGE_NM, even_wavelengths_nm
from napari_hsisynth.optics.draws import Draws
from napari_hsisynth.optics.reflectance import SURFACE_REFLECTANCE, Skin, skin_reflectance
from napari_hsisynth.optics.tables import table

SENSORS = ("ideal", "hsidermoscopy")
#: Both sensors have narrow bands at 465 + 11 b nm.
WAVELENGTHS_NM = even_wavelengths_nm(HSIDERMOSCOPY_BANDS, *HSIDERMOSCOPY_RANGE_NM)

#: The skin that the hsidermoscopy gains turn into the published mean of normal skin: the median of the phantoms'.
REFERENCE_SKIN = Skin(0.026, 0.006, 0.0045, 0.65, 1.0)

# Spread of the lamp and exposure from cube to cube, log. The real data's skin varies by 35 % and more per band.
_EXPOSURE_SPREAD = 0.23
_WHITE_BALANCE_SPREAD = 0.002  # per band and cube, log: what calibration leaves over
_VIGNETTING = (0.15, 0.55)  # loss of light from the brightest spot to a corner, least and most
_OFF_CENTRE = 0.25  # how far the brightest spot may lie from the centre, in half sides
_MEAN_LAMP = 0.885  # what those leave of the light, over image and cubes
_BLUR_VARIANCE_PX2 = 0.25  # of the lens, along y and x
_MOSAIC = 4  # the bands sit in a 4 x 4 pattern, so each sees the scene from its own place in the super-pixel
_SHOT_VARIANCE = 2e-5  # per unit of signal: about 50,000 electrons at 1
_READ_NOISE = 0.004
_DARK_SPREAD = 0.0004  # per band and cube: what the dark correction leaves over
# Pixels per block of `record`, whose work arrays then stay in the cache
_BLOCK = 32768


@cache
def hsidermoscopy_gain() -> NDArray[np.float64]:
    """Gain per band that turns `REFERENCE_SKIN` into the published mean of normal skin, shape (16,), read-only."""
    reflectance = skin_reflectance(WAVELENGTHS_NM, *REFERENCE_SKIN) + SURFACE_REFLECTANCE
    gain = table("hsidermoscopy")["skin_mean"] / (_MEAN_LAMP * reflectance)
    gain.flags.writeable = False
    return gain


def record(reflectance: NDArray[np.float32], sensor: str, draws: Draws) -> NDArray[np.float32]:
    """Turn reflectance into recorded values.

    Parameters
    ----------
    reflectance : ndarray, float32, shape (16, y, x)
        At `WAVELENGTHS_NM`.
    sensor : str
        ``"ideal"``: returned as it is. ``"hsidermoscopy"``: lens blur and the shift of each band's place in the mosaic,
        gain per band, exposure of this cube, a lamp that darkens towards the corners, saturation at the published
        maximum of each band, shot and read noise; not clipped, so it leaves 0-1 both ways.
    draws : Draws
        Source of the cube's exposure and noise.

    Returns
    -------
    ndarray, float32, shape (16, y, x)
    """
    if sensor == "ideal":
        return reflectance
    bands, height, width = reflectance.shape
    exposure = np.exp(_EXPOSURE_SPREAD * draws.normal() - _EXPOSURE_SPREAD**2 / 2)
    balance = np.exp(_WHITE_BALANCE_SPREAD * draws.normals(bands))
    gain = (exposure * balance * hsidermoscopy_gain()).astype(np.float32)
    dark = (_DARK_SPREAD * draws.normals(bands)).astype(np.float32)
    most = table("hsidermoscopy")["max"].astype(np.float32)
    lamp = _lamp(draws, height, width)
    recorded = np.empty_like(reflectance)
    padded = np.empty((height + 2, width + 2), np.float32)
    step = max(1, _BLOCK // width)
    for band in range(bands):
        row, column = divmod(band, _MOSAIC)
        _pad(reflectance[band], padded)
        for top in range(0, height, step):
            here = slice(top, min(top + step, height))
            seen = padded[here.start : here.stop + 2]
            signal = _seen_from(seen, (row + 0.5) / _MOSAIC - 0.5, (column + 0.5) / _MOSAIC - 0.5)
            signal *= lamp[here]
            signal *= gain[band]
            np.minimum(signal, most[band], out=signal)
            noise = np.float32(_SHOT_VARIANCE) * signal
            noise += np.float32(_READ_NOISE**2)
            np.sqrt(noise, out=noise)
            noise *= draws.noise(signal.shape)
            signal += dark[band]
            np.add(signal, noise, out=recorded[band, here])
    return recorded


def _lamp(draws: Draws, height: int, width: int) -> NDArray[np.float32]:
    """Light over the image: brightest somewhere near the centre, falling off with the square of the distance."""
    y, x = draws.uniforms(2, -_OFF_CENTRE, _OFF_CENTRE)
    loss = draws.uniform(*_VIGNETTING) / (2 * (1 + _OFF_CENTRE) ** 2)
    down = np.linspace(-1, 1, height) - y
    right = np.linspace(-1, 1, width) - x
    return 1 - (loss * down**2).astype(np.float32)[:, None] - (loss * right**2).astype(np.float32)[None, :]


def _pad(image: NDArray[np.float32], padded: NDArray[np.float32]) -> None:
    """Copy an image into an array with one more pixel on each side, which repeats the edge."""
    padded[1:-1, 1:-1] = image
    padded[0], padded[-1] = padded[1], padded[-2]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]


def _seen_from(padded: NDArray[np.float32], shift_y: float, shift_x: float) -> NDArray[np.float32]:
    """Blur and shift an image with one more pixel on each side by up to half a pixel, along y and then x."""
    before, here, after = _taps(shift_y)
    rows = here * padded[1:-1]
    rows += before * padded[:-2]
    rows += after * padded[2:]
    before, here, after = _taps(shift_x)
    seen = here * rows[:, 1:-1]
    seen += before * rows[:, :-2]
    seen += after * rows[:, 2:]
    return seen


def _taps(shift: float) -> tuple[np.float32, np.float32, np.float32]:
    """Three weights with sum 1, mean `shift` and the lens's variance; none is negative up to a shift of .5 px."""
    second_moment = _BLUR_VARIANCE_PX2 + shift * shift
    weights = ((second_moment - shift) / 2, 1 - second_moment, (second_moment + shift) / 2)
    return np.float32(weights[0]), np.float32(weights[1]), np.float32(weights[2])
