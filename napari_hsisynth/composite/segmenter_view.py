"""What a segmenter that was trained on photographs is shown of a cube: three 8-bit channels, chosen by name."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.composite.bands import band_mean, single_band
from napari_hsisynth.composite.colour import rgb_cie1931
from napari_hsisynth.composite.principal import pca3
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError

#: Names of the views, apart from ``band:NM``.
SEGMENTER_VIEWS = ("mean", "rgb", "pca3")
_BAND = "band:"
#: Percentiles of the finite values of a view that become black and white.
_STRETCH = (0.5, 99.5)
_MAKERS: dict[str, Callable[[Cube], NDArray[np.float32]]] = {"mean": band_mean, "rgb": rgb_cie1931, "pca3": pca3}


def segmenter_view(cube: Cube, view: str = "mean") -> NDArray[np.uint8]:
    """Return what a photograph-trained segmenter sees of a cube.

    Parameters
    ----------
    cube : Cube
    view : str
        ``"mean"``: the mean of all bands in all three channels, as published for HSIDermoscopy; ``"rgb"``: CIE 1931
        colour; ``"pca3"``: the three leading principal components; ``"band:542"``: the band nearest to 542 nm.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)
        Stretched together over the channels, so that colours keep their hue; pixels that are not finite are black.

    Raises
    ------
    InputError
        If there is no such view, or the wavelength of a band lies outside the cube's.

    Examples
    --------
    >>> cube = Cube(np.linspace(0, 1, 4 * 5).reshape(1, 4, 5), [500])
    >>> segmenter_view(cube, "mean").shape
    (4, 5, 3)
    """
    image = _view(cube, view)
    if image.ndim == 2:
        image = image[..., None]
    finite = np.isfinite(image)
    if not finite.any():
        return np.zeros((*image.shape[:2], 3), np.uint8)
    low, high = np.percentile(image[finite], _STRETCH)
    stretched = np.clip((np.where(finite, image, low) - low) / max(float(high - low), 1e-12), 0, 1)
    return np.ascontiguousarray(np.broadcast_to(np.rint(255 * stretched).astype(np.uint8), (*image.shape[:2], 3)))


def check_view(view: str) -> None:
    """Raise InputError if there is no such view, of whatever cube.

    Examples
    --------
    >>> check_view("band:542")
    """
    if view not in _MAKERS:
        _wavelength_nm(view)


def _view(cube: Cube, view: str) -> NDArray[np.float32]:
    return _MAKERS[view](cube) if view in _MAKERS else single_band(cube, _wavelength_nm(view))


def _wavelength_nm(view: str) -> float:
    if not str(view).startswith(_BAND):
        raise InputError(f"no view '{view}'", where="view", fix=f"use one of: {', '.join(SEGMENTER_VIEWS)}, band:NM")
    try:
        wavelength_nm = float(view.removeprefix(_BAND))
    except ValueError:
        wavelength_nm = math.nan
    if not math.isfinite(wavelength_nm):
        raise InputError(
            f"'{view}' names no wavelength", where="view", fix="write band:542 for the band nearest 542 nm"
        )
    return wavelength_nm
