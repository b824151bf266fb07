"""How a study's cubes look as RGB images: the weights of the bands, by the name of a camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.composite import camera_rgb_weights, cie1931_rgb_weights
from napari_hsisynth.errors import InputError

#: The eye of the CIE 1931 observer under D65, as the CIE RGB view of a cube.
OBSERVER = "cie1931"


def rgb_weights(camera: str, wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
    """Weights of each band in linear red, green and blue, shape (3, bands); a flat spectrum is neutral.

    Parameters
    ----------
    camera : str
        `OBSERVER`, or a CSV file of a camera's curves, see `composite.camera_rgb_weights`.
    wavelengths_nm : array_like, shape (bands,)

    Raises
    ------
    InputError
        If the file cannot be used, or the bands do not reach as far as colour needs.
    """
    if camera != OBSERVER:
        return camera_rgb_weights(camera, wavelengths_nm)
    try:
        return cie1931_rgb_weights(wavelengths_nm)
    except InputError as error:
        fix = "use bands that reach from 500 to 600 nm, or the curves of a camera that sees these (camera=FILE.csv)"
        raise InputError(error.what, where=f"camera={camera}", fix=fix) from None
