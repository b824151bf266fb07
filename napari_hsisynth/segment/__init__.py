"""From prompts to masks: one protocol, one file per backend.

Examples
--------
>>> import numpy as np
>>> from napari_hsisynth.cube import Cube
>>> y, x = np.mgrid[:60, :80]
>>> lesion = (y - 30) ** 2 + (x - 40) ** 2 < 15**2
>>> cube = Cube(np.where(lesion, 0.1, 0.5) * np.ones((16, 1, 1)), name="disc")
>>> segmenter = load_segmenter("spectral")
>>> segmenter.set_cube(cube)
>>> found = segmenter.predict(Prompts(points=[(30, 40)], labels=[1]))
>>> bool(found.masks[0][30, 40]), bool((found.masks[0] & lesion).sum() > 0.9 * (found.masks[0] | lesion).sum())
(True, True)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_hsisynth.segment.prompts import Prompts, Proposals
from napari_hsisynth.segment.registry import (
    ENTRY_POINT_GROUP,
    EmbedsAhead,
    Segmenter,
    list_segmenters,
    load_segmenter,
    needs_weights,
    sees_view,
    segmenter_models,
)
from napari_hsisynth.segment.weights import WeightsStatus, weights_status

__all__ = [
    "ENTRY_POINT_GROUP",
    "EmbedsAhead",
    "Prompts",
    "Proposals",
    "SegmentReport",
    "Segmenter",
    "WeightsStatus",
    "list_segmenters",
    "load_segmenter",
    "needs_weights",
    "sees_view",
    "segment_cube",
    "segment_path",
    "segment_study",
    "segmenter_models",
    "weights_status",
]

if TYPE_CHECKING:
    from napari_hsisynth.segment.batch import SegmentReport, segment_cube, segment_path, segment_study

_BATCH = ("SegmentReport", "segment_cube", "segment_path", "segment_study")


def __getattr__(name: str) -> Any:
    # late, because it loads studies, which the process behind every first click would wait for
    if name in _BATCH:
        return getattr(import_module(f"{__name__}.batch"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
