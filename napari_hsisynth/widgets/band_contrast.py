"""`BandContrast`: one range of values for all bands, or limits that follow the displayed band."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Layer
from qtpy.QtCore import QObject

from napari_hsisynth.composite.bands import band_limits
from napari_hsisynth.widgets.layers import CONTRAST_PERCENTILES, cube_layers, is_borrowed, layer_cube, shown_band
from napari_hsisynth.widgets.when_destroyed import when_destroyed

Limits = tuple[float, float]


class BandContrast(QObject):
    """Sets the contrast limits of the visible cubes at each move of the slider, while it is on; values stay.

    Parameters
    ----------
    viewer : napari.Viewer
        Not a plugin's proxy.
    parent : QObject
    """

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._on = viewer, False
        #: Limits of each layer for all bands, as they were when it was first given those of one band.
        self._common: WeakKeyDictionary[Layer, Limits] = WeakKeyDictionary()
        self._found: WeakKeyDictionary[Layer, tuple[Any, dict[int, Limits]]] = WeakKeyDictionary()
        connections: list[tuple[Any, Callable[..., None]]] = [
            (viewer.dims.events.point, self.follow),
            (viewer.layers.events, self._layers_changed),
        ]
        for emitter, slot in connections:
            emitter.connect(slot)

        def let_go() -> None:
            for emitter, slot in connections:
                emitter.disconnect(slot)

        when_destroyed(parent, let_go)

    @property
    def is_on(self) -> bool:
        """Whether limits follow the band."""
        return self._on

    def turn(self, on: bool) -> None:
        """Have limits follow the band, or give every cube back the ones it had for all bands."""
        self._on = on
        if on:
            self.follow()
            return
        for layer, limits in list(self._common.items()):
            if layer in self._viewer.layers:
                layer.contrast_limits = limits
        self._common.clear()

    def follow(self, _: object = None) -> None:
        """Set the limits of the displayed band."""
        if not self._on or self._viewer.dims.ndisplay != 2:
            return
        for layer in cube_layers(self._viewer):
            if is_borrowed(layer):
                continue  # a pair has one exposure
            limits = self.limits_of(layer, shown_band(self._viewer, layer))
            if layer not in self._common:
                self._common[layer] = tuple(layer.contrast_limits)
            if tuple(layer.contrast_limits) != limits:
                layer.contrast_limits = limits

    def limits_of(self, layer: Image, band: int) -> Limits:
        """Return the limits of a band of a layer; each is looked for once."""
        known = self._found.get(layer)
        if known is None or known[0] is not layer.data:
            known = (layer.data, {})
            self._found[layer] = known
            self._common.pop(layer, None)
        if band not in known[1]:
            cube = layer_cube(layer)
            known[1][band] = band_limits(cube, band, CONTRAST_PERCENTILES) if cube is not None else (0.0, 1.0)
        return known[1][band]

    def _layers_changed(self, event: Any) -> None:
        # the list passes on what happens to its layers, under names it does not know itself
        if event.type in ("inserted", "visible", "data"):
            self.follow()
