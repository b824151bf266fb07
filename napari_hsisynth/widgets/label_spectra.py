"""`LabelSpectra`: mean ± std under the labels of every visible Labels layer, kept up to date while painting."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps.standardize_color import rgb_to_hex
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_hsisynth.widgets.curves import Curve, label_curves
from napari_hsisynth.widgets.layers import layer_cube, layer_origin

#: While the user paints, the curves follow at this pace, ms.
_PACE_MS = 80
#: More labels than this of one layer make no readable plot; the largest are shown.
MOST_LABELS = 12


class LabelSpectra(QObject):
    """The curves of labels.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject

    Attributes
    ----------
    changed : Signal
        `curves` are other ones, after `update_soon`.
    """

    changed = Signal()

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Image] = []
        self._transform = "raw"
        self._cache: dict[Any, list[Curve]] = {}
        self.curves: list[Curve] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PACE_MS)
        self._timer.timeout.connect(self._follow)

    def update_soon(self) -> None:
        """Look at the labels again within `_PACE_MS`; a stroke asks for it many times."""
        if not self._timer.isActive():
            self._timer.start()

    def _follow(self) -> None:
        before = self.curves
        self.update(self._layers, self._transform)
        if [id(curve) for curve in before] != [id(curve) for curve in self.curves]:
            self.changed.emit()

    def update(self, layers: Sequence[Image], transform: str) -> None:
        """Compute the curves for these cube layers; what has not changed is not computed again."""
        self._layers, self._transform = [layer for layer in layers if layer in self._viewer.layers], transform
        found: dict[Any, list[Curve]] = {}
        shown = [layer for layer in self._viewer.layers if isinstance(layer, Labels) and layer.visible]
        for labels in shown:
            image = label_image(labels)
            if image is None:
                continue
            colours = label_colours(labels, image)
            for layer in self._layers:
                cube = layer_cube(layer)
                if cube is None or image.shape != cube.shape_yx:
                    continue
                # the curve knows its cube: "lesions 1" instead of "<cube> · lesions 1"
                prefix = "label" if len(shown) == 1 else labels.name.removeprefix(f"{cube.name} · ")
                content = zlib.crc32(image.tobytes())
                key = (id(cube), content, transform, prefix, tuple(colours.items()))
                found[key] = self._cache.get(key) or label_curves(
                    cube, layer_origin(layer), image, colours, transform, prefix
                )
        self._cache = found
        self.curves = [curve for curves in found.values() for curve in curves]


def label_image(layer: Labels) -> NDArray[Any] | None:
    """Return the labels of a layer as (y, x), or None if they are not one image of labels."""
    if layer.multiscale or not isinstance(layer.data, np.ndarray):
        return None
    data = layer.data[0] if layer.ndim == 3 and len(layer.data) == 1 else layer.data
    return data if data.ndim == 2 else None


def label_colours(layer: Labels, image: NDArray[Any]) -> dict[int, str]:
    """Return the labels in an image that are shown, at most `MOST_LABELS`, each with its colour on the canvas."""
    numbers, counts = np.unique(image, return_counts=True)
    counts, numbers = counts[numbers != 0], numbers[numbers != 0]
    largest = numbers[np.argsort(counts, kind="stable")[::-1][:MOST_LABELS]]
    return {int(number): rgb_to_hex(layer.get_color(int(number)))[0][:7] for number in np.sort(largest)}
