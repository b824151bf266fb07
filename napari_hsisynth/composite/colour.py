"""Colour: a cube as the CIE 1931 observer would see it under an illuminant, in sRGB."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.composite.illuminants import illuminant_power
from napari_hsisynth.composite.walk import Tick, valid_pixels, walk
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.photographs import srgb

#: Wyman, Sloan & Shirley (2013), table 1: height, centre nm, width below and above the centre nm, per lobe.
_LOBES: tuple[tuple[tuple[float, float, float, float], ...], ...] = (
    ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
    ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
)

#: CIE XYZ to linear sRGB (IEC 61966-2-1), and XYZ of its white, D65.
_XYZ_TO_RGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
_WHITE_XYZ = np.linalg.solve(_XYZ_TO_RGB, np.ones(3))

#: A colour render needs bands this far into the blue and the red, nm; with less, a channel would be made of nothing.
_NEEDED_NM = (500.0, 600.0)
_VISIBLE_NM = (400.0, 700.0)


def colour_matching(wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
    """CIE 1931 2-degree colour matching functions, as the multi-lobe fit of Wyman et al. [1]_.

    Parameters
    ----------
    wavelengths_nm : array_like, shape (bands,)

    Returns
    -------
    ndarray, shape (3, bands)
        x, y, z; the fit is within about 0.02 of the tables.

    References
    ----------
    .. [1] C. Wyman, P.-P. Sloan, P. Shirley, J. Comput. Graph. Tech. 2 (2013) 1.
    """
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    return np.stack(
        [
            sum(
                height * np.exp(-0.5 * ((nm - centre) / np.where(nm < centre, below, above)) ** 2)
                for height, centre, below, above in lobes
            )
            for lobes in _LOBES
        ]
    )


def cie1931_rgb_weights(wavelengths_nm: ArrayLike, illuminant: str = "D65") -> NDArray[np.float64]:
    """Weights of each band in linear sRGB, as `rgb_cie1931` takes them.

    Parameters
    ----------
    wavelengths_nm : array_like, shape (bands,)
    illuminant : str
        A key of `ILLUMINANTS`.

    Returns
    -------
    ndarray, shape (3, bands)
        Each row sums to 1, but for the rounding of the standard's matrix: a flat spectrum is neutral.

    Raises
    ------
    InputError
        As `rgb_cie1931`.
    """
    return _to_rgb(_xyz_weights(np.asarray(wavelengths_nm, dtype=np.float64), illuminant))


def rgb_cie1931(
    cube: Cube, illuminant: str = "D65", *, white: float | None = None, tick: Tick | None = None
) -> NDArray[np.float32]:
    """Colour as the CIE 1931 observer would see it, in sRGB.

    The colour matching functions are integrated over the bands that are there and scaled so that a flat spectrum is
    neutral, since a cube of 465-630 nm lacks both ends of the visible spectrum: hues are right relative to grey, but
    not those of a photograph.

    Parameters
    ----------
    cube : Cube
        With wavelengths.
    illuminant : {"D65", "D50", "D55", "D75", "A", "E"}
        What the light is, see `ILLUMINANTS`. The eye is taken as adapted to it: grey stays grey.
    white : float, optional
        Value of a flat spectrum that is shown as white. By default the 99.5th percentile of this cube's luminance, so
        that counts and reflectances both look right; give it where pictures of several cubes are compared.
    tick : callable, optional
        Told about the progress, ``tick(rows done, rows in all)``; what it raises ends the work.

    Returns
    -------
    ndarray of float32, shape (y, x, 3)
        0..1, gamma-encoded (within 0.5/255 of the formula of IEC 61966-2-1, in fact within 2e-5), clipped. Pixels that
        are not finite in a band of 400-700 nm are 0.

    Raises
    ------
    InputError
        If the wavelengths are not known or do not reach from blue to red, or the illuminant is unknown.
    """
    if white is not None and not white > 0:
        raise InputError(f"the value shown as white must be positive, not {white}")
    if cube.axis_label == "band":
        raise InputError(
            "a colour render needs wavelengths, and the bands of this cube are only numbered",
            where=cube.name or None,
            fix="give the band centres (--wavelengths, or a layout's CSV for a mosaic frame)",
        )
    weights = _xyz_weights(cube.wavelengths_nm, illuminant, where=cube.name or None)
    used = np.flatnonzero(weights.any(axis=0))
    to_rgb = _to_rgb(weights)
    product = np.vstack([to_rgb, weights[1]])[:, used].astype(np.float32)
    height, width = cube.shape_yx
    planes = np.empty((4, height, width), np.float32)  # linear R, G, B and luminance
    valid = np.empty((height, width), bool)
    for rows, block in walk(cube, used, tick):
        valid[rows] = valid_pixels(block)
        with np.errstate(invalid="ignore", over="ignore"):  # in pixels that are not valid
            planes[:, rows] = (product @ block.reshape(len(used), -1)).reshape(4, -1, width)
    if white is None:
        bright = planes[3][valid]
        white = float(np.percentile(bright, 99.5)) if bright.size else 1.0
        white = white if white > 0 else 1.0
    picture = np.empty((height, width, 3), np.float32)
    all_valid = valid.all()
    for channel in range(3):
        encoded = _encoded(planes[channel] * np.float32(1 / white))
        picture[..., channel] = encoded if all_valid else np.where(valid, encoded, np.float32(0))
    return picture


_GAMMA_STEPS = 4096
_GAMMA = srgb(np.linspace(0, 1, _GAMMA_STEPS + 1)).astype(np.float32)
_GAMMA_RISE = np.append(np.diff(_GAMMA), np.float32(0))


def _encoded(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clip to 0..1 and encode; NaN becomes 0. Looked up, since powers take long where the processor has none."""
    place = np.fmin(np.fmax(linear, np.float32(0)), np.float32(1)) * np.float32(_GAMMA_STEPS)
    below = place.astype(np.int32)
    place -= below
    return _GAMMA[below] + place * _GAMMA_RISE[below]


def _to_rgb(xyz_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return _XYZ_TO_RGB @ (_WHITE_XYZ[:, None] * xyz_weights)


def _xyz_weights(nm: NDArray[np.float64], illuminant: str, where: str | None = None) -> NDArray[np.float64]:
    """Weights (3, bands) from spectrum to X, Y, Z relative to white: each row sums to 1."""
    visible = (nm >= _VISIBLE_NM[0]) & (nm <= _VISIBLE_NM[1])
    needed_low, needed_high = _NEEDED_NM
    if np.unique(nm[visible]).size < 3 or nm[visible].min() > needed_low or nm[visible].max() < needed_high:
        raise InputError(
            f"a colour render needs bands from {needed_low:g} to {needed_high:g} nm or beyond, three at least;"
            f" there are {nm.size} in {nm.min():g}-{nm.max():g} nm",
            where=where,
            fix="use the band mean or PCA view",
        )
    power = illuminant_power(illuminant, nm)
    weights = colour_matching(nm) * power * interval_nm(nm, visible)
    return weights / weights.sum(axis=1, keepdims=True)


def interval_nm(nm: NDArray[np.float64], used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Width of the piece of spectrum that each used band stands for (trapezoid rule), 0 for the others.

    Uneven bands must not count by their number; bands at one wavelength share its piece.
    """
    centres, where, count = np.unique(nm[used], return_inverse=True, return_counts=True)
    width = np.zeros_like(nm)
    width[used] = (np.gradient(centres) * _edge_halves(len(centres)) / count)[where]
    return width


def _edge_halves(bands: int) -> NDArray[np.float64]:
    halves = np.ones(bands)
    halves[[0, -1]] = 0.5
    return halves
