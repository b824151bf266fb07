"""A cube as a picture: for eyes, and for networks that know pictures only.

Every view shows pixels that are not finite in a band that it uses as 0 (black) and never changes with them. All walk
over the cube row by row, so that one whose values stay in their file needs little more memory than its picture.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.composite.bands import band_mean, default_bands, rgb_bands, single_band
from napari_hsisynth.composite.camera_curves import camera_rgb_weights
from napari_hsisynth.composite.colour import cie1931_rgb_weights, colour_matching, rgb_cie1931
from napari_hsisynth.composite.illuminants import ILLUMINANTS, illuminant_power
from napari_hsisynth.composite.principal import pca3
from napari_hsisynth.composite.segmenter_view import SEGMENTER_VIEWS, check_view, segmenter_view
from napari_hsisynth.composite.walk import Tick
from napari_hsisynth.cube import Cube

View = Callable[[Cube], NDArray[np.float32]]

#: Name -> view with its defaults, (y, x) or (y, x, 3).
VIEWS: dict[str, View] = {"CIE RGB": rgb_cie1931, "band mean": band_mean, "PCA-3": pca3}

__all__ = [
    "ILLUMINANTS",
    "SEGMENTER_VIEWS",
    "VIEWS",
    "Tick",
    "View",
    "band_mean",
    "camera_rgb_weights",
    "check_view",
    "cie1931_rgb_weights",
    "colour_matching",
    "default_bands",
    "illuminant_power",
    "pca3",
    "rgb_bands",
    "rgb_cie1931",
    "segmenter_view",
    "single_band",
]
