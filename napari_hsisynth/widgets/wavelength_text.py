"""`WavelengthText`: the centre of the shown band as text on the canvas, right also for uneven bands."""

from __future__ import annotations

from typing import Any
from weakref import ref

from napari_hsisynth.widgets.layers import front_cube_layer, layer_cube, shown_band


def band_text(viewer: Any) -> str:
    """Return ``542 nm`` for the cube in front; without wavelengths ``band 7 of 16``, from 0 as on the slider."""
    layer = front_cube_layer(viewer)
    cube = layer_cube(layer) if layer is not None else None
    if cube is None or viewer.dims.ndisplay != 2:
        return ""
    band = shown_band(viewer, layer)
    return f"band {band} of {cube.bands}" if cube.axis_label == "band" else f"{cube.wavelengths_nm[band]:.4g} nm"


class WavelengthText:
    """Keeps napari's text overlay at the shown band. A text of the user's own is left alone.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer, self._shown = ref(viewer), ""
        viewer.dims.events.point.connect(self.update)
        viewer.dims.events.ndisplay.connect(self.update)
        viewer.layers.events.connect(self._layers_changed)
        viewer.layers.selection.events.active.connect(self.update)
        self.update()

    def _layers_changed(self, event: Any) -> None:
        # the list passes on what happens to its layers, under names it does not know itself
        if event.type in ("inserted", "removed", "reordered", "visible", "metadata", "data"):
            self.update()

    def update(self, event: Any = None) -> None:
        """Write what is shown now."""
        viewer = self._viewer()
        if viewer is None:
            return
        overlay = viewer.canvas.overlays.text
        if overlay.text not in ("", self._shown):
            return
        text = band_text(viewer)
        if text == overlay.text:
            return
        overlay.text = self._shown = text
        overlay.visible = bool(text)
