"""`RegionSpectra`: mean ± std, or median and quartiles, of labels and shapes, kept up to date while they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Shapes
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from napari_hsisynth.cube import Cube
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.curves import Curve, ascending, region_curve
from napari_hsisynth.widgets.layers import layer_cube, layer_origin
from napari_hsisynth.widgets.regions import NO_REGIONS, Region, label_regions, shape_regions
from napari_hsisynth.widgets.treatment import RAW, Treatment

#: While the user draws, the curves follow at this pace, ms.
_PACE_MS = 80
#: Regions of more values than this are worked out beside the window, and of far fewer where they have to be read.
AT_ONCE, AT_ONCE_FROM_FILE = 4_000_000, 100_000
COMPUTING = "computing ..."
Key = tuple[Any, ...]


class RegionSpectra(QObject):
    """The curves of labels and shapes.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject

    Attributes
    ----------
    changed : Signal
        `curves` are other ones, after `update_soon` or because what took long is there.
    """

    changed = Signal()

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Image] = []
        self._treatment, self._quartiles = RAW, False
        self._known: dict[Key, Curve] = {}
        self._asked: set[Key] = set()
        self.curves: list[Curve] = []
        #: Regions that are not shown because there are too many.
        self.left_out = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PACE_MS)
        self._timer.timeout.connect(self._follow)
        self._background = Background(latest_only=True, parent=self)
        self._background.done.connect(self._computed)
        self._background.failed.connect(self._failed)

    def update_soon(self) -> None:
        """Look at the regions again within `_PACE_MS`; a stroke asks for it many times."""
        if not self._timer.isActive():
            self._timer.start()

    def _follow(self) -> None:
        before = self.curves
        self.update(self._layers, self._treatment, self._quartiles)
        if [id(curve) for curve in before] != [id(curve) for curve in self.curves]:
            self.changed.emit()

    def update(self, layers: Sequence[Image], treatment: Treatment, quartiles: bool) -> None:
        """Find the curves for these cube layers; what has not changed is not computed again."""
        self._layers = [layer for layer in layers if layer in self._viewer.layers]
        same = (self._treatment, self._quartiles) == (treatment, quartiles)
        before = {(curve.kind, curve.name, id(curve.layer)): curve for curve in self.curves if same}
        self._treatment, self._quartiles = treatment, quartiles
        self.left_out = 0
        known, waiting, curves = {}, {}, []
        for layer, cube, region in self._regions():
            key = (cube, region.content, treatment, quartiles, region.kind, region.name, region.colour)
            if key in known:
                continue
            curve = self._known.get(key)
            if curve is None and _takes_long(cube, region):
                waiting[key] = partial(_curve, layer, cube, region, treatment, quartiles)
                old = before.get((region.kind, region.name, id(layer)))
                curve = _placeholder(layer, cube, region, old)
            elif curve is None:
                curve = _curve(layer, cube, region, treatment, quartiles)
            if key not in waiting:
                known[key] = curve
            curves.append(curve)
        self._known, self.curves = known, curves
        if set(waiting) - self._asked:
            self._background.submit(partial(_compute, waiting))
        self._asked = set(waiting)

    def _regions(self) -> list[tuple[Image, Cube, Region]]:
        """Every region of every visible layer in every cube."""
        labels = [layer for layer in self._viewer.layers if isinstance(layer, Labels) and layer.visible]
        shapes = [layer for layer in self._viewer.layers if isinstance(layer, Shapes) and layer.visible]
        shapes = [layer for layer in shapes if not layer.metadata.get(NO_REGIONS)]
        found = []
        for marks, word, regions_of in ((labels, "label", label_regions), (shapes, "shape", shape_regions)):
            for mark in marks:
                for number, layer in enumerate(self._layers):
                    cube = layer_cube(layer)
                    if cube is None:
                        continue
                    # the curve knows its cube: "lesions 1" instead of "<cube> · lesions 1"
                    prefix = word if len(marks) == 1 else mark.name.removeprefix(f"{cube.name} · ")
                    regions, left_out = regions_of(mark, layer, prefix)
                    self.left_out += left_out if number == 0 else 0
                    found += [(layer, cube, region) for region in regions]
        return found

    def _computed(self, _: int, found: dict[Key, Curve]) -> None:
        self._known |= {key: curve for key, curve in found.items() if key in self._asked}
        self._follow()

    def _failed(self, _: int, error: Exception) -> None:
        self._asked = set()  # asked for again with the next change
        show_warning(f"spectra of regions cannot be read: {error}")


def _takes_long(cube: Cube, region: Region) -> bool:
    return cube.bands * region.n > (AT_ONCE_FROM_FILE if cube.is_lazy else AT_ONCE)


def _curve(layer: Image, cube: Cube, region: Region, treatment: Treatment, quartiles: bool) -> Curve:
    return region_curve(cube, layer_origin(layer), region, treatment, quartiles=quartiles, layer=layer)


def _compute(waiting: dict[Key, partial[Curve]]) -> dict[Key, Curve]:
    return {key: work() for key, work in waiting.items()}


def _placeholder(layer: Image, cube: Cube, region: Region, old: Curve | None) -> Curve:
    """The region as it was, or without values, for as long as it is computed."""
    if old is not None:
        return replace(old, note=COMPUTING)
    wavelengths = ascending(cube)[1]
    nothing = np.full(len(wavelengths), np.nan)
    origin = layer_origin(layer)
    return Curve(
        region.kind, region.name, cube.name, origin, region.colour, wavelengths, nothing, layer=layer, note=COMPUTING
    )
