"""`LesionPicker`: which lesion was clicked on the canvas, and bringing one into view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_hsisynth.widgets.layers import pixel_at
from napari_hsisynth.widgets.mask_layers import MaskLayers
from napari_hsisynth.widgets.session import session_for

_CLICK = 5.0  # screen px: a press and release this close is a click, not a drag


class LesionPicker:
    """Tells of plain clicks on lesions, while the mouse makes neither prompts nor strokes.

    Parameters
    ----------
    viewer : napari.Viewer
    masks : MaskLayers

    Attributes
    ----------
    picked : Signal(int)
        Number of the lesion that was clicked.
    """

    picked = Signal(int)

    def __init__(self, viewer: Any, masks: MaskLayers) -> None:
        self.viewer, self.masks = viewer, masks
        self.enabled = False
        viewer.mouse_drag_callbacks.append(self._mouse)

    def disconnect(self) -> None:
        """Stop listening to the viewer."""
        if self._mouse in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._mouse)

    def _mouse(self, _viewer: Any, event: Any) -> Iterator[None]:
        layer = self.masks.lesions
        if not self.enabled or event.button != 1 or event.modifiers or layer is None or self._is_busy:
            return
        pixel = pixel_at(layer, event.position)
        number = int(self.masks.labels[pixel]) if pixel is not None else 0
        if not number or not layer.visible:
            return
        screen = np.array(event.pos, float)
        yield
        while event.type == "mouse_move":
            if float(np.hypot(*(np.array(event.pos) - screen))) > _CLICK:
                return
            yield
        self.picked.emit(number)

    @property
    def _is_busy(self) -> bool:
        """Whether a press means something else: a prompt, or what the active layer's tool does."""
        tool = getattr(self.viewer.layers.selection.active, "mode", "pan_zoom")
        return bool(session_for(self.viewer).clicks_taken_by) or tool not in ("pan_zoom", "pick")

    def bring_into_view(self, mask: NDArray[np.bool_]) -> None:
        """Centre the view on a mask, shape (y, x), if its middle is not seen."""
        layer = self.masks.lesions
        if layer is None or not mask.any() or self.viewer.dims.ndisplay != 2 or layer.ndim != 2:
            return
        middle = np.array([where.mean() for where in np.nonzero(mask)])
        place = np.array(layer.data_to_world(middle))[-2:]
        displayed = [axis - (self.viewer.dims.ndim - 2) for axis in self.viewer.dims.displayed]
        if sorted(displayed) != [0, 1]:
            return
        place = place[displayed]
        camera = self.viewer.scene.camera
        half = np.array(self.viewer.canvas.viewbox_size(self.viewer.layers)) / camera.zoom / 2
        if (np.abs(place - np.array(camera.center[-2:])) > half).any():
            camera.center = (*camera.center[:-2], *(float(value) for value in place))
