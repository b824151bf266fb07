"""Metrics: pure functions on arrays and tensors, and the evaluation with its report.

Paired metrics take ``(prediction, target)`` with last axes (bands, y, x) and compare a cube with the one it should be.
Sets of cubes that are not pairs are compared by `sliced_wasserstein`, `sliced_wasserstein_patches`, `diversity` and
`nearest_real`, and by `evaluate`. Loads no torch: tensors are handled through the array API.

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
    from napari_hsisynth.metrics.diversities import diversity
    from napari_hsisynth.metrics.evaluation import Evaluation, Measure
    from napari_hsisynth.metrics.nearest import NearestReal, nearest_real
    from napari_hsisynth.metrics.pairs import evaluate_pairs
    from napari_hsisynth.metrics.patches import sliced_wasserstein_patches
    from napari_hsisynth.metrics.pyramid import laplacian_pyramid
    from napari_hsisynth.metrics.report import write_report
    from napari_hsisynth.metrics.unpaired import evaluate

__all__ = [
    "Evaluation",
    "Measure",
    "NearestReal",
    "class_mean_angle",
    "diversity",
    "evaluate",
    "evaluate_pairs",
    "invalid_pixels",
    "laplacian_pyramid",
    "nearest_real",
    "psnr",
    "rase",
    "rmse",
    "sliced_wasserstein",
    "sliced_wasserstein_patches",
    "spectral_angle",
    "spectral_angle_map",
    "spectrum_angle",
    "ssim",
    "total_variation",
    "write_report",
]

# some bring segmentation, plotting and templates with them; a training loop that wants a metric needs none of it
_HOME = {
    "Evaluation": "evaluation",
    "Measure": "evaluation",
    "NearestReal": "nearest",
    "diversity": "diversities",
    "evaluate": "unpaired",
    "evaluate_pairs": "pairs",
    "laplacian_pyramid": "pyramid",
    "nearest_real": "nearest",
    "sliced_wasserstein_patches": "patches",
    "write_report": "report",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
