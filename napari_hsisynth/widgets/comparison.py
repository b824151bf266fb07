"""`Comparison`: two cubes side by side in linked cells of napari's grid; everything is put back afterwards."""

from __future__ import annotations

from typing import Any

from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.cube import Cube
from napari_hsisynth.widgets.layers import METADATA, cube_layer_data
from napari_hsisynth.widgets.when_destroyed import when_destroyed

_LINKED = ("contrast_limits", "gamma", "colormap")
_GRID = ("enabled", "shape", "stride", "spacing")


class Comparison(QObject):
    """A real cube in the left cell and a synthetic one in the right cell, laid over each other in the world.

    While it lasts, the user's layers are hidden, not moved or renamed. They and the grid come back with `leave`.

    Parameters
    ----------
    viewer : napari.Viewer
        Not a plugin's proxy.
    parent : QObject

    Attributes
    ----------
    left : Signal
        It has ended, by `leave` or because the user removed one of its layers.
    """

    left = Signal()

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._pair: tuple[Image, Image] | None = None
        self._hidden: list[Layer] = []
        self._active: Layer | None = None
        self._grid: dict[str, Any] = {}
        viewer.layers.events.removed.connect(self._removed)
        removed, slot = viewer.layers.events.removed, self._removed
        when_destroyed(parent, removed.disconnect, slot)

    @property
    def active(self) -> bool:
        """Whether two cubes are side by side now."""
        return self._pair is not None

    @property
    def layers(self) -> tuple[Image, Image] | None:
        """The real and the synthetic layer."""
        return self._pair

    def show(self, real: Cube, synthetic: Cube) -> None:
        """Put two cubes side by side; another pair takes the place of the present one and keeps contrast and view."""
        if self._pair is not None:
            for layer, cube, view in zip(self._pair, (real, synthetic), ("real", "synthetic"), strict=True):
                _refill(layer, cube, view)
            _align(*self._pair)
            return
        viewer = self._viewer
        self._grid = {name: getattr(viewer.canvas.grid, name) for name in _GRID}
        self._active = viewer.layers.selection.active
        self._hidden = [layer for layer in viewer.layers if layer.visible]
        for layer in self._hidden:
            layer.visible = False
        first, second = (_add(viewer, cube, view) for cube, view in ((real, "real"), (synthetic, "synthetic")))
        self._pair = first, second
        _align(*self._pair)
        second.contrast_limits, second.gamma = first.contrast_limits, first.gamma
        link_layers(self._pair, _LINKED)
        grid = viewer.canvas.grid
        # counted from the bottom: a layer that the user adds on top is drawn over the left cell and moves nothing
        grid.shape, grid.stride, grid.spacing = (1, 2), 1, 0.02
        grid.enabled = True
        viewer.layers.selection.active = first
        viewer.reset_view(layers=self._pair)

    def leave(self) -> None:
        """Remove the two layers and put the user's layers and grid back."""
        if self._pair is None:
            return
        pair, self._pair = self._pair, None
        selection = self._viewer.layers.selection
        give_back = selection.active is None or selection.active in pair
        unlink_layers(pair, _LINKED)
        for layer in pair:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        for layer in self._hidden:
            if layer in self._viewer.layers:
                layer.visible = True
        grid = self._viewer.canvas.grid
        for name, value in self._grid.items():
            setattr(grid, name, value)
        if self._hidden:
            self._viewer.reset_view()
        if give_back and self._active in self._viewer.layers:
            selection.active = self._active
        self._hidden, self._active = [], None
        self.left.emit()

    def _removed(self, event: Any) -> None:
        if self._pair is not None and event.value in self._pair:
            self.leave()


def _add(viewer: Any, cube: Cube, view: str) -> Image:
    data, options = _options(cube, view)
    return viewer.add_image(data, **options)


def _refill(layer: Image, cube: Cube, view: str) -> None:
    data, options = _options(cube, view)
    if layer.data is not data:
        layer.metadata = options["metadata"]
        layer.data = data
        layer.scale, layer.translate, layer.name = options["scale"], options["translate"], options["name"]


def _options(cube: Cube, view: str) -> tuple[Any, dict[str, Any]]:
    data, options, _ = cube_layer_data(cube, None if view == "real" else "synthetic")
    options["metadata"][METADATA]["borrowed"] = True
    return data, {**options, "name": f"{cube.name} · {view}"}


def _align(real: Image, synthetic: Image) -> None:
    """Lay the synthetic image over the middle of the real one, as large as it fits, for one cursor in both cells."""
    height, width = real.data.shape[-2:]
    rows, columns = synthetic.data.shape[-2:]
    factor = min(height / rows, width / columns)
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    synthetic.scale = (synthetic.scale[0], factor, factor)
    synthetic.translate = (
        synthetic.translate[0],
        middle_y - factor * (rows - 1) / 2,
        middle_x - factor * (columns - 1) / 2,
    )
