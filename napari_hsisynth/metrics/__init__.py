"""Metrics: pure functions on arrays and tensors, and the evaluation with its report.

Paired metrics take ``(prediction, target)`` with last axes (bands, y, x) and compare a cube with the one it should be.
Sets of cubes that are not pairs are compared by `evaluate`. Loads no torch: tensors are handled through the array API.

Examples
--------
>>> import numpy as np
>>> from napari_hsisynth import metrics
>>> target = np.full((16, 8, 8), 0.5)
>>> round(float(metrics.rase(target + 0.05, target)), 6)
10.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_hsisynth.metrics.angles import invalid_pixels, spectral_angle, spectral_angle_map, spectrum_angle
from napari_hsisynth.metrics.deviations import psnr, rase, rmse
from napari_hsisynth.metrics.distributions import class_mean_angle, sliced_wasserstein
from napari_hsisynth.metrics.structure import ssim, total_variation

if TYPE_CHECKING:
    from napari_hsisynth.metrics.evaluation import Evaluation, Measure
    from napari_hsisynth.metrics.pairs import evaluate_pairs
    from napari_hsisynth.metrics.report import write_report
    from napari_hsisynth.metrics.unpaired import evaluate

__all__ = [
    "Evaluation",
    "Measure",
    "class_mean_angle",
    "evaluate",
    "evaluate_pairs",
    "invalid_pixels",
    "psnr",
    "rase",
    "rmse",
    "sliced_wasserstein",
    "spectral_angle",
    "spectral_angle_map",
    "spectrum_angle",
    "ssim",
    "total_variation",
    "write_report",
]

# these bring segmentation, plotting and templates with them; a training loop that wants a metric needs none of it
_HOME = {
    "Evaluation": "evaluation",
    "Measure": "evaluation",
    "evaluate": "unpaired",
    "evaluate_pairs": "pairs",
    "write_report": "report",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
