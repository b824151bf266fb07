"""Cubes made visible at one common contrast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.composite import band_mean, rgb_cie1931
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.evaluation import Picture

#: Pictures on a contact sheet.
ON_A_SHEET = 12


def spread(count: int, wanted: int = ON_A_SHEET) -> list[int]:
    """Choose up to `wanted` of `count` positions, evenly: not the best ones, and the same ones each time.

    Examples
    --------
    >>> spread(100, 5), spread(3, 5)
    ([10, 30, 50, 70, 90], [0, 1, 2])
    """
    if count <= wanted:
        return list(range(count))
    return [int((k + 0.5) * count / wanted) for k in range(wanted)]


def common_white(cubes: Sequence[Cube]) -> float:
    """Value that all pictures show as white: the 99.5th percentile of all valid pixels' brightest band.

    Skin is much brighter in red than in blue: white at its mean would cut off the red.
    """
    values = np.concatenate([cube.data[:, cube.valid()].max(axis=0) for cube in cubes])
    white = float(np.percentile(values, 99.5)) if values.size else 1.0
    return white if white > 0 else 1.0


def colours(cubes: Sequence[Cube]) -> list[NDArray[np.float64]]:
    """Render cubes at one contrast, (y, x, 3) in 0..1.

    In CIE colours; as grey band means if the bands do not reach from blue to red. Invalid pixels are black.
    """
    white = common_white(cubes)
    try:
        return [np.asarray(rgb_cie1931(cube, white=white), np.float64) for cube in cubes]
    except InputError:
        grey = [np.clip(band_mean(cube) / white, 0, 1).astype(np.float64) for cube in cubes]
        return [np.repeat(image[..., None], 3, axis=-1) for image in grey]


def pictures(cubes: Sequence[Cube], masks: Sequence[NDArray[np.bool_] | None]) -> list[Picture]:
    """Render cubes at one contrast, with their outlines."""
    return [
        Picture(cube.name, image, mask if mask is not None and mask.any() else None)
        for cube, image, mask in zip(cubes, colours(cubes), masks, strict=True)
    ]
