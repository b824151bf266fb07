"""`MaskLayers`: the accepted lesions of a cube and the mask that is being made, as Labels layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from psygnal import Signal

from napari_hsisynth.study import DIAGNOSIS_COLOURS, Diagnosis
from napari_hsisynth.widgets.overlay_layer import lay_over
from napari_hsisynth.widgets.regions import NO_REGIONS

_DRAFT_COLOUR = "#F0E442"  # that of the inside prompts: it is what they gave
_CHOSEN_COLOUR = "#FFFFFF"
_OPACITY, _DRAFT_OPACITY = 0.35, 0.9
_CONTOUR = 2  # px: as an outline, which lets one see whether it is right
_DRAFT, _CHOSEN = 1, 2


class MaskLayers:
    """Two Labels layers over a cube: ``<cube> · lesions`` with instance ids, and ``<cube> · draft`` with outlines.

    The second one shows the mask that is being made, and in white the lesion that is chosen. Both can be painted on
    with napari's tools. The labels are kept here as well: if the user deletes a layer, nothing is lost, and it comes
    back when it is needed. The next cube gets the same layers: to make one takes napari longer than a click may.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    edited : Signal
        The user, or a script, changed the lesions; not sent by `write`.
    draft_edited : Signal(ndarray of bool)
        The user changed the draft; not sent by `show_draft`.
    undo_asked, redo_asked : Signal
        Of napari's own undo, of which there would otherwise be a second one.
    """

    edited = Signal()
    draft_edited = Signal(object)
    undo_asked = Signal()
    redo_asked = Signal()

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.lesions: Labels | None = None
        self.draft: Labels | None = None
        self.painting = False
        self._image: Layer | None = None
        self._labels = _frozen(np.zeros((1, 1), np.uint16))
        self._outlines: NDArray[np.uint8] = np.zeros((1, 1), np.uint8)
        self._mask: NDArray[np.bool_] | None = None
        self._chosen: int | None = None
        self._colours: dict[int | None, str] = {None: "transparent"}
        self._visible, self._writing = True, False
        self._stroked: Labels | None = None
        viewer.layers.events.removed.connect(self._removed)
        viewer.layers.selection.events.active.connect(self._active_changed)

    @property
    def labels(self) -> NDArray[np.uint16]:
        """Instance ids, shape (y, x); read-only, and another array after every change."""
        return self._labels

    def attach(self, image: Layer, labels: NDArray[np.uint16]) -> None:
        """Show the lesions of another cube."""
        self._image = image
        self._labels = _frozen(labels.astype(np.uint16))
        self._outlines = np.zeros(self._labels.shape, np.uint8)
        self._mask = self._chosen = None
        self._writing = True
        try:
            if self.draft is not None:
                self.draft.data = self._outlines.copy()
                lay_over(self.viewer, self.draft, image, "draft", above=1)
            if self.lesions is not None:
                self.lesions.data = self._labels.copy()
                lay_over(self.viewer, self.lesions, image, "lesions", above=1)
        finally:
            self._writing = False
        self._ensure_lesions()

    def detach(self) -> None:
        """Belong to no cube; the layers stay for the next one, until `remove`."""
        self._image, self.painting = None, False

    def remove(self) -> None:
        """Take the layers away."""
        lesions, draft = self.lesions, self.draft
        self.lesions = self.draft = None
        for layer in (draft, lesions):
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def disconnect(self) -> None:
        """Remove the layers and stop listening to the viewer."""
        self.remove()
        self.viewer.layers.events.removed.disconnect(self._removed)
        self.viewer.layers.selection.events.active.disconnect(self._active_changed)

    # --- lesions

    def write(self, labels: NDArray[np.uint16]) -> None:
        """Show other lesions of the same cube."""
        self._labels = _frozen(labels.astype(np.uint16))
        layer = self._ensure_lesions()
        if layer.data.shape != labels.shape:
            self._quietly(layer, "data", self._labels.copy())
        elif not np.array_equal(layer.data, labels):
            self._overwrite(layer, labels)
        if self._chosen is not None:
            self._outline()

    def colour(self, diagnoses: dict[int, Diagnosis], other: Diagnosis) -> None:
        """Give every lesion the colour of its diagnosis, and labels painted by hand that of `other`."""
        wanted: dict[int | None, str] = {None: DIAGNOSIS_COLOURS[other], 0: "transparent"}
        wanted.update((number, DIAGNOSIS_COLOURS[diagnosis]) for number, diagnosis in diagnoses.items())
        if wanted != self._colours:
            self._colours = wanted
            if self.lesions is not None:
                self.lesions.colormap = DirectLabelColormap(color_dict=wanted)

    # --- draft

    def show_draft(self, mask: NDArray[np.bool_] | None) -> None:
        """Outline the mask that is being made; None outlines none."""
        self._mask = mask
        self._outline()

    def choose(self, number: int | None) -> None:
        """Outline a lesion in white; None outlines none."""
        if number != self._chosen:
            self._chosen = number
            self._outline()

    def _outline(self) -> None:
        wanted: NDArray[np.uint8] = np.zeros(self._labels.shape, np.uint8)
        if self._chosen is not None:
            wanted[self._labels == self._chosen] = _CHOSEN
        if self._mask is not None:
            wanted[self._mask] = _DRAFT
        self._outlines = wanted
        if self._image is None or (self.draft is None and not wanted.any()):
            return
        layer = self.ensure_draft()
        if layer is None:
            return
        if layer.data.shape != wanted.shape:
            self._quietly(layer, "data", wanted.copy())
        elif not np.array_equal(layer.data, wanted):
            self._overwrite(layer, wanted)

    def ensure_draft(self) -> Labels | None:
        """Make the layer of the draft if there is none; None without a cube."""
        if self.draft is None and self._image is not None and self._image in self.viewer.layers:
            layer = self._add("draft", self._outlines.copy(), _DRAFT_OPACITY, above=1 if self.lesions is None else 2)
            colours: dict[int | None, str] = {None: _DRAFT_COLOUR, 0: "transparent", _CHOSEN: _CHOSEN_COLOUR}
            layer.colormap = DirectLabelColormap(color_dict=colours)
            layer.contour = _CONTOUR
            layer.metadata[NO_REGIONS] = (_CHOSEN,)  # the chosen lesion is a region of the lesions' layer already
            self.draft = layer
            self._listen(layer, self._draft_touched)
        return self.draft

    # --- both

    def toggle(self) -> bool:
        """Hide the masks, or show them again; return whether they are shown."""
        shown = [layer.visible for layer in (self.lesions, self.draft) if layer is not None]
        self._visible = not any(shown)
        if self._visible and self._image is not None:
            self._ensure_lesions()
        for layer in (self.lesions, self.draft):
            if layer is not None:
                layer.visible = self._visible
        return self._visible

    def _ensure_lesions(self) -> Labels:
        if self.lesions is None:
            layer = self._add("lesions", self._labels.copy(), _OPACITY, above=1)
            layer.colormap = DirectLabelColormap(color_dict=self._colours)
            self.lesions = layer
            self._listen(layer, self._lesions_touched)
        return self.lesions

    def _add(self, what: str, data: NDArray[Any], opacity: float, above: int) -> Labels:
        assert self._image is not None
        active = self.viewer.layers.selection.active
        layer = self.viewer.add_labels(data, opacity=opacity, visible=self._visible)
        lay_over(self.viewer, layer, self._image, what, above=above)
        if active is not None:
            self.viewer.layers.selection.active = active
        return layer

    def _listen(self, layer: Labels, touched: Any) -> None:
        # napari has no one event for "the pixels changed": a stroke, a script that paints, a new array and a refresh
        # each tell by another
        events = layer.events
        for event in (events.paint, events.labels_update, events.data, events.set_data):
            event.connect(touched)
        layer.mouse_drag_callbacks.append(self._stroke)
        # keys and scripts of napari go this way
        layer.undo, layer.redo = self.undo_asked.emit, self.redo_asked.emit

    def _stroke(self, layer: Labels, _event: Any) -> Iterator[None]:
        self.painting, self._stroked = layer.mode not in ("pan_zoom", "transform", "pick"), layer
        yield
        while _event.type == "mouse_move":
            yield
        self.painting = False  # napari's own generator comes after this one, and tells of the whole stroke at once

    def _active_changed(self, event: Any) -> None:
        if self.painting and event.value is not self._stroked:
            # a key, as Esc, broke the stroke off: napari tells only the active layer that the button was released
            self.painting = False
            self._lesions_touched()
            self._draft_touched()

    def _overwrite(self, layer: Labels, wanted: NDArray[Any]) -> None:
        """Write only what differs, into the same array: quick, and nothing of it goes to napari's own undo."""
        self._writing = True
        try:
            differs = np.asarray(layer.data) != wanted
            layer.data[differs] = wanted[differs]
            layer.refresh(extent=False)
        finally:
            self._writing = False

    def _quietly(self, layer: Labels, attribute: str, value: Any) -> None:
        self._writing = True
        try:
            setattr(layer, attribute, value)
        finally:
            self._writing = False

    def _lesions_touched(self, _: Any = None) -> None:
        layer = self.lesions
        if self._writing or self.painting or self._image is None or layer is None:
            return
        data = np.asarray(layer.data)
        if data.shape == self._labels.shape and not np.array_equal(data, self._labels):
            self._labels = _frozen(data.astype(np.uint16))
            self.edited.emit()

    def _draft_touched(self, _: Any = None) -> None:
        layer = self.draft
        if self._writing or self.painting or self._image is None or layer is None:
            return
        data = np.asarray(layer.data)
        if data.shape == self._outlines.shape and not np.array_equal(data, self._outlines):
            # whatever label was painted with, but for what is still the chosen lesion's
            mask = (data > 0) & ~((data == _CHOSEN) & (self._outlines == _CHOSEN))
            if self._mask is None or not np.array_equal(mask, self._mask):
                self.draft_edited.emit(mask)
            self._outline()

    def _removed(self, event: Any) -> None:
        if event.value is self.lesions:
            self.lesions, self.painting = None, False
        elif event.value is self.draft:
            self.draft, self.painting = None, False


def _frozen(labels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return a copy that nobody can change."""
    copy = labels.copy()
    copy.setflags(write=False)
    return copy
