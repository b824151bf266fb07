"""`value_range`: what a plot has to make room for, from a few pixels of a cube."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.widgets.curves import ascending
from napari_hsisynth.widgets.treatment import RAW, Treatment

#: About so many pixels say what range the values of a cube have.
_PIXELS = 2_000
#: Of a cube that stays in its file, from so many of its rows: each may cost a read for every band.
_ROWS = 4
_PERCENTILES = (0.5, 99.5)
_samples: WeakKeyDictionary[Cube, NDArray[np.float64]] = WeakKeyDictionary()


def value_range(cube: Cube, treatment: Treatment = RAW) -> tuple[float, float]:
    """Return the range that holds nearly all values of a cube seen through a treatment, from some of its pixels."""
    if cube not in _samples:
        _samples[cube] = _sample(cube)
    values = treatment.apply(_samples[cube], ascending(cube)[1])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, _PERCENTILES))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _sample(cube: Cube) -> NDArray[np.float64]:
    """Return spectra from all over the image, shape (bands, n)."""
    height, width = cube.shape_yx
    if cube.is_lazy:
        step = max(1, _ROWS * width // _PIXELS)
        rows = {int((number + 0.5) * height / _ROWS) for number in range(_ROWS)}
        pixels = np.concatenate([cube.data[:, row, ::step] for row in sorted(rows)], axis=1)
    else:
        step = max(1, int(np.sqrt(height * width / _PIXELS)))
        pixels = cube.data[:, ::step, ::step].reshape(cube.bands, -1)
    return pixels[ascending(cube)[0]].astype(np.float64)
