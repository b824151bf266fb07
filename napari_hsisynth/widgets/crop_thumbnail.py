"""A crop as a small picture, rendered off the GUI thread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.composite import band_mean, rgb_cie1931
from napari_hsisynth.errors import InputError
from napari_hsisynth.study import CropRecord, read_crop


def crop_thumbnail(folder: Path, record: CropRecord, side_px: int) -> NDArray[np.uint8]:
    """Render a crop in CIE 1931 colour, or as its mean band where its wavelengths give no colour.

    Parameters
    ----------
    folder : pathlib.Path
        With the crop's file.
    record : CropRecord
        Which crop.
    side_px : int
        The longer side is about this long, never longer than that of the crop.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)

    Raises
    ------
    InputError
        If the crop cannot be read.
    """
    cube = read_crop(folder, record).cube
    step = max(1, max(cube.shape_yx) // side_px)
    small = cube.replace(data=cube.data[:, ::step, ::step])
    try:
        image = rgb_cie1931(small)
    except InputError:  # bands that lack the blue or the red
        mean = band_mean(small)
        finite = mean[np.isfinite(mean)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        image = np.repeat(((mean - low) / max(high - low, 1e-12))[..., None], 3, axis=2)
    return np.ascontiguousarray(np.rint(255 * np.clip(np.nan_to_num(image), 0, 1)).astype(np.uint8))
