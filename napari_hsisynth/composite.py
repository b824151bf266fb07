"""A cube as a picture: for eyes, and for networks that know pictures only.

Every view shows pixels that are not finite as 0 (black) and never changes with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError

View = Callable[[Cube], NDArray[np.float32]]

#: Wyman, Sloan & Shirley (2013), table 1: height, centre nm, width below and above the centre nm, per lobe.
_LOBES: tuple[tuple[tuple[float, float, float, float], ...], ...] = (
    ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
    ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
)

#: Relative power of CIE standard illuminant D65, 400-700 nm in steps of 10 nm (CIE S 014-2).
_D65_NM = np.arange(400.0, 701.0, 10.0)
# fmt: off
_D65 = np.array([
    82.7549, 91.4860, 93.4318, 86.6823, 104.865, 117.008, 117.812, 114.861, 115.923, 108.811, 109.354, 107.802, 104.790,
    107.689, 104.405, 104.046, 100.000, 96.3342, 95.7880, 88.6856, 90.0062, 89.5991, 87.6987, 83.2886, 83.6992, 80.0268,
    80.2146, 82.2778, 78.2842, 69.7213, 71.6091,
])
# fmt: on

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


def band_mean(cube: Cube) -> NDArray[np.float32]:
    """Mean over the bands, shape (y, x), in the cube's unit; what published work shows to SAM (in three channels)."""
    return np.where(cube.valid(), _without_invalid(cube).mean(axis=0), 0).astype(np.float32)


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
    centres = np.sort(cube.wavelengths_nm)
    widest = float(np.diff(centres).max()) if len(centres) > 1 else 0.0
    low, high = float(centres[0]), float(centres[-1])
    if not low - widest <= wavelength_nm <= high + widest:
        raise InputError(f"{wavelength_nm:g} nm is not in the cube's {low:g}-{high:g} nm", where=cube.name or None)
    band = cube.data[int(np.argmin(np.abs(cube.wavelengths_nm - wavelength_nm)))]
    return np.where(np.isfinite(band), band, np.float32(0))


def rgb_cie1931(
    cube: Cube, illuminant: Literal["D65", "E"] = "D65", *, white: float | None = None
) -> NDArray[np.float32]:
    """Colour as the CIE 1931 observer would see it, in sRGB.

    The colour matching functions are integrated over the bands that are there and scaled so that a flat spectrum is
    neutral, since a cube of 465-630 nm lacks both ends of the visible spectrum: hues are right relative to grey, but
    not those of a photograph.

    Parameters
    ----------
    cube : Cube
        With wavelengths.
    illuminant : {"D65", "E"}
        Daylight, or the same power at every wavelength.
    white : float, optional
        Value of a flat spectrum that is shown as white. By default the 99.5th percentile of this cube's luminance, so
        that counts and reflectances both look right; give it where pictures of several cubes are compared.

    Returns
    -------
    ndarray of float32, shape (y, x, 3)
        0..1, gamma-encoded, clipped.

    Raises
    ------
    InputError
        If the wavelengths are not known or do not reach from blue to red.
    """
    weights = _xyz_weights(cube, illuminant)
    xyz = np.tensordot(weights, _without_invalid(cube).astype(np.float64), axes=1)
    if white is None:
        bright = xyz[1][cube.valid()]
        white = float(np.percentile(bright, 99.5)) if bright.size else 1.0
        white = white if white > 0 else 1.0
    elif not white > 0:
        raise InputError(f"the value shown as white must be positive, not {white}")
    linear = np.clip(np.tensordot(_XYZ_TO_RGB, xyz * _WHITE_XYZ[:, None, None] / white, axes=1), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.moveaxis(np.where(cube.valid(), encoded, 0), 0, -1).astype(np.float32)


def _xyz_weights(cube: Cube, illuminant: str) -> NDArray[np.float64]:
    """Weights (3, bands) from spectrum to X, Y, Z relative to white: each row sums to 1."""
    if cube.axis_label == "band":
        raise InputError(
            "a colour render needs wavelengths, and the bands of this cube are only numbered",
            where=cube.name or None,
            fix="give the band centres (--wavelengths, or a layout's CSV for a mosaic frame)",
        )
    nm = cube.wavelengths_nm
    visible = (nm >= _VISIBLE_NM[0]) & (nm <= _VISIBLE_NM[1])
    needed_low, needed_high = _NEEDED_NM
    if np.unique(nm[visible]).size < 3 or nm[visible].min() > needed_low or nm[visible].max() < needed_high:
        raise InputError(
            f"a colour render needs bands from {needed_low:g} to {needed_high:g} nm or beyond, three at least;"
            f" the cube has {nm.size} in {nm.min():g}-{nm.max():g} nm",
            where=cube.name or None,
            fix="use the band mean or PCA view",
        )
    if illuminant == "D65":
        power = np.interp(nm, _D65_NM, _D65)
    elif illuminant == "E":
        power = np.ones_like(nm)
    else:
        raise InputError(f"no illuminant '{illuminant}'", fix="use D65 or E")
    weights = colour_matching(nm) * power * _interval_nm(nm, visible)
    return weights / weights.sum(axis=1, keepdims=True)


def _interval_nm(nm: NDArray[np.float64], used: NDArray[np.bool_]) -> NDArray[np.float64]:
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


def pca3(cube: Cube) -> NDArray[np.float32]:
    """First three principal components of the spectra as a picture.

    Parameters
    ----------
    cube : Cube

    Returns
    -------
    ndarray of float32, shape (y, x, 3)
        Each component from its 1st to its 99th percentile brought to 0..1 and clipped; its sign is such that the
        loadings sum to a positive number. Components that do not exist (fewer than 3 bands) or are constant are 0.
    """
    valid = cube.valid()
    spectra = cube.data[:, valid].astype(np.float64)
    picture = np.zeros((*cube.shape_yx, 3), dtype=np.float32)
    if spectra.shape[1] < 2:
        return picture
    spectra -= spectra.mean(axis=1, keepdims=True)
    variances, loadings = np.linalg.eigh(spectra @ spectra.T / spectra.shape[1])
    for component in range(min(3, cube.bands)):
        loading = loadings[:, -1 - component]
        if variances[-1 - component] <= 1e-12 * max(variances[-1], np.finfo(float).tiny):
            continue  # rounding noise, which the scaling would blow up
        scores = (loading if loading.sum() >= 0 else -loading) @ spectra
        low, high = np.percentile(scores, [1, 99])
        if high > low:
            picture[valid, component] = np.clip((scores - low) / (high - low), 0, 1)
    return picture


def _without_invalid(cube: Cube) -> NDArray[Any]:
    valid = cube.valid()
    return cube.data if valid.all() else np.where(valid, cube.data, np.float32(0))


#: Name -> view with its defaults, (y, x) or (y, x, 3).
VIEWS: dict[str, View] = {"CIE RGB": rgb_cie1931, "band mean": band_mean, "PCA-3": pca3}
