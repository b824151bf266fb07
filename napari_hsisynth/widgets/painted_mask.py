"""`PaintedMask`: a lesion mask that the user paints in the viewer, to be shown to a generator."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from numpy.typing import NDArray
from PIL import Image as PILImage
from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.study.storage import writing
from napari_hsisynth.widgets.job_dock import choice, refill
from napari_hsisynth.widgets.layers import METADATA, unwrapped
from napari_hsisynth.widgets.shown_samples import lay_beside, mask_colours
from napari_hsisynth.widgets.when_destroyed import when_destroyed

#: While the user paints, what depends on the pixels follows at this pace, ms.
_PACE_MS = 100
_OPACITY, _GREY = 0.6, 0.5
#: Diameter of the brush, as a part of the image's side.
_BRUSH = 1 / 6
#: Part of the canvas that a painting fills.
_MARGIN = 0.9
#: Side of a painting for a model whose configuration does not say how large its images are, px.
_USUAL_SIDE_PX = 64


class PaintedMask(QWidget):
    """A choice among the 2-D Labels layers of the viewer, and a button that adds an empty one to paint on.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QWidget

    Attributes
    ----------
    changed : Signal
        Another layer is chosen, or this is shown again.
    painted : Signal
        The chosen layer's pixels are other ones; only while this is shown.
    """

    changed, painted = Signal(), Signal()

    def __init__(self, viewer: Any, parent: QWidget) -> None:
        super().__init__(parent)
        self.viewer = unwrapped(viewer)
        self._side_px, self._diagnosis = _USUAL_SIDE_PX, ""
        self._pixels = _Pixels(self._touched)
        self._known: Labels | None = None
        self.box = choice(self, "The Labels layer whose painted pixels are the lesion")
        self.box.setAccessibleName("painted layer")
        self.button = QPushButton("Paint a mask", self)
        self.button.setToolTip("Add an empty layer of the model's image size, with the brush in hand")
        self.button.clicked.connect(self.paint)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box, 1)
        layout.addWidget(self.button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PACE_MS)
        self._timer.timeout.connect(self.painted)
        self.box.currentIndexChanged.connect(self._chosen)
        events = self.viewer.layers.events
        for event in (events.inserted, events.removed, events.renamed):
            event.connect(self._offer)
            when_destroyed(self, event.disconnect, self._offer)
        when_destroyed(self, self._pixels.follow, None)
        self._offer()

    def fit(self, side_px: int, diagnosis: str) -> None:
        """Have the next painting the size of a model's images, if that is known, and the colour of a diagnosis."""
        self._side_px, self._diagnosis = side_px or _USUAL_SIDE_PX, diagnosis

    @property
    def layer(self) -> Labels | None:
        """The chosen layer."""
        return self.box.currentData()

    def mask(self) -> NDArray[np.bool_] | None:
        """Return what is painted, shape (y, x); None without a layer."""
        return None if self.layer is None else np.asarray(self.layer.data) != 0

    def obstacle(self) -> str:
        """Why there is no mask to show to a generator; empty if there is one."""
        mask = self.mask()
        if mask is None:
            return "Press “Paint a mask” and paint the lesion with the brush."
        return "" if mask.any() else "Paint the lesion first: the layer is empty."

    def file(self, folder: Path) -> Path:
        """Return where `save` writes: the name says what is painted, so that the same mask is one file.

        Raises
        ------
        ValueError
            Without a layer.
        """
        mask = self.mask()
        if mask is None:
            raise ValueError("no layer is chosen")
        content = hashlib.sha256(repr(mask.shape).encode() + np.packbits(mask).tobytes()).hexdigest()
        return folder / f"painted-{content[:8]}.png"

    def save(self, folder: Path) -> Path:
        """Write the mask as a PNG, lesion 255 and skin 0; so small that it need not be left to a thread.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        path, mask = self.file(folder), self.mask()
        assert mask is not None
        with writing(path), atomic_path(path) as temporary:
            PILImage.fromarray(mask.astype(np.uint8) * 255).save(temporary, format="PNG")
        return path

    def paint(self) -> None:
        """Add an empty layer over neutral grey, beside what is there, and take the brush in hand."""
        taken = {layer.name for layer in self.viewer.layers}
        name = next(
            name for name in map("mask {}".format, range(1, len(taken) + 2)) if f"{name} · painted" not in taken
        )
        shape = (self._side_px, self._side_px)
        ground = self.viewer.add_image(
            np.full(shape, _GREY, np.float32),
            name=f"{name} · background",
            colormap="gray",
            contrast_limits=(0, 1),
            units=("pixel", "pixel"),
        )
        lay_beside([ground], self.viewer.layers)
        layer = self.viewer.add_labels(
            np.zeros(shape, np.uint8),
            name=f"{name} · painted",
            opacity=_OPACITY,
            translate=ground.translate,
            units=ground.units,
            colormap=mask_colours(self._diagnosis),
        )
        layer.brush_size = max(2, round(_BRUSH * self._side_px))
        layer.mode = "paint"
        self.viewer.layers.selection.active = layer
        self._look_at(ground)
        self._offer()
        self.box.setCurrentIndex(next(row for row in range(self.box.count()) if self.box.itemData(row) is layer))

    def _look_at(self, ground: Layer) -> None:
        """Bring the camera to a layer; napari itself cannot look at 2-D layers alone beside cubes."""
        camera, borders = self.viewer.scene.camera, ground.extent.world[:, -2:]
        camera.center = (*camera.center[:-2], *borders.mean(axis=0))
        camera.zoom = _MARGIN * float(np.min(np.asarray(self.viewer.canvas.size) / np.ptp(borders, axis=0)))

    def _offer(self, _event: Any = None) -> None:
        """List the layers that can be masks, topmost first; the chosen one stays if it is still there."""
        layers = [layer for layer in reversed(self.viewer.layers) if isinstance(layer, Labels) and layer.ndim == 2]
        layers = [layer for layer in layers if not layer.multiscale]  # whose data are several arrays
        layers = [layer for layer in layers if METADATA not in layer.metadata]  # outlines of what has been drawn
        refill(self.box, [(layer.name, layer) for layer in layers])
        self.box.setVisible(bool(layers))
        self._chosen()

    def _chosen(self, _index: int = 0) -> None:
        self._follow()
        if self.layer is not self._known:
            self._known = self.layer
            self.changed.emit()

    def _follow(self) -> None:
        """Listen to the chosen layer while this is shown."""
        self._pixels.follow(self.layer if self.isVisible() else None)
        if not self.isVisible():
            self._timer.stop()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Listen to the pixels, which may be other ones by now."""
        super().showEvent(event)
        self._follow()
        self.changed.emit()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Leave the user's layers alone."""
        super().hideEvent(event)
        self._follow()

    def _touched(self, _event: Any = None) -> None:
        if not self._timer.isActive():
            self._timer.start()


class _Pixels:
    """Calls a function when the pixels of a layer, one at a time, have changed.

    Parameters
    ----------
    changed : callable
        Called with an event of napari's.
    """

    def __init__(self, changed: Callable[[Any], None]) -> None:
        self._changed = changed
        self._layer: Labels | None = None

    def follow(self, layer: Labels | None) -> None:
        """Listen to another layer; None to none."""
        if layer is self._layer:
            return
        for event in self._events():
            event.disconnect(self._changed)
        self._layer = layer
        for event in self._events():
            event.connect(self._changed)

    def _events(self) -> tuple[Any, ...]:
        if self._layer is None:
            return ()
        events = self._layer.events  # of a stroke, of a script that paints, of a new array, of a refresh
        return events.paint, events.labels_update, events.data, events.set_data
