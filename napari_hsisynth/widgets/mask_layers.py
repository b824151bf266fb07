"""`MaskLayers`: the accepted lesions of a cube and the mask that is being made, as Labels layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from psygnal import Signal

from napari_hsisynth.study import DIAGNOSIS_COLOURS, Diagnosis

_DRAFT_COLOUR = "#F0E442"  # that of the inside prompts: it is what they gave
_SCRAP = 0.1  # of a lesion
_OPACITY, _DRAFT_OPACITY = 0.35, 0.9
_DRAFT_CONTOUR = 2  # px: as an outline, which lets one see whether it is right


class MaskLayers:
    """Two Labels layers over a cube: ``<cube> · lesions`` with instance ids, and ``<cube> · draft``.

    The labels are kept here as well: if the user deletes a layer, nothing is lost, and it comes back when it is needed.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    edited : Signal
        The lesions changed: by `put`, by the brush, by undo, by anything.
    """

    edited = Signal()

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.lesions: Labels | None = None
        self.draft: Labels | None = None
        self._image: Layer | None = None
        self._labels = np.zeros((1, 1), np.uint16)
        self._visible = True
        viewer.layers.events.removed.connect(self._removed)

    @property
    def labels(self) -> NDArray[np.uint16]:
        """Instance ids as they are now, shape (y, x)."""
        if self.lesions is None or self.lesions.data.shape != self._labels.shape:
            return self._labels
        return np.asarray(self.lesions.data).astype(np.uint16)

    def attach(self, image: Layer | None, labels: NDArray[np.uint16] | None = None) -> None:
        """Show the lesions of another cube; None removes the layers."""
        self._remove_layers()
        self._image = image
        if image is not None:
            shape = image.data.shape[-2:]
            self._labels = np.zeros(shape, np.uint16) if labels is None else labels.astype(np.uint16)
            self._ensure_lesions()

    def put(self, mask: NDArray[np.bool_] | None, number: int) -> None:
        """Make `mask` the pixels of lesion `number`, instead of those it had; None deletes it. One step to undo.

        It takes its pixels from other lesions, and swallows those of which only scraps would be left.
        """
        layer = self._ensure_lesions()
        wanted = layer.data.copy()
        wanted[wanted == number] = 0
        if mask is not None:
            before = np.bincount(wanted.ravel())
            left = np.bincount(wanted[~mask], minlength=len(before))
            scraps = np.flatnonzero((left > 0) & (left < _SCRAP * before))
            wanted[np.isin(wanted, scraps[scraps > 0])] = 0
            wanted[mask] = number
        touched = np.nonzero(layer.data != wanted)
        if len(touched[0]):
            layer.data_setitem(touched, wanted[touched])
            self._edited()

    def show_draft(self, mask: NDArray[np.bool_] | None) -> None:
        """Show the mask that is being made; None clears it."""
        if mask is None or self._image is None or self._image not in self.viewer.layers:
            if self.draft is not None:
                self.draft.data = np.zeros(self.draft.data.shape, np.uint8)
            return
        if self.draft is None:
            self.draft = self._add("draft", mask.astype(np.uint8), _DRAFT_OPACITY)
            self.draft.colormap = DirectLabelColormap(color_dict={None: "transparent", 1: _DRAFT_COLOUR})
            self.draft.contour = _DRAFT_CONTOUR
            self.draft.editable = False
        else:
            self.draft.data = mask.astype(np.uint8)

    def colour(self, diagnoses: dict[int, Diagnosis], other: Diagnosis) -> None:
        """Give every lesion the colour of its diagnosis, and labels painted by hand that of `other`."""
        if self.lesions is not None:
            wanted: dict[int | None, str] = {None: DIAGNOSIS_COLOURS[other], 0: "transparent"}
            wanted.update((number, DIAGNOSIS_COLOURS[diagnosis]) for number, diagnosis in diagnoses.items())
            self.lesions.colormap = DirectLabelColormap(color_dict=wanted)

    def toggle(self) -> bool:
        """Hide the masks, or show them again; return whether they are shown."""
        self._visible = not self._visible
        if self._visible and self._image is not None:
            self._ensure_lesions()
        for layer in (self.lesions, self.draft):
            if layer is not None:
                layer.visible = self._visible
        return self._visible

    def undo(self) -> None:
        """Take back the last change of the lesions."""
        if self.lesions is not None:
            self.lesions.undo()
            self._edited()

    def redo(self) -> None:
        """Make the change again that was taken back."""
        if self.lesions is not None:
            self.lesions.redo()
            self._edited()

    def disconnect(self) -> None:
        """Remove the layers and stop listening to the viewer."""
        self._remove_layers()
        self.viewer.layers.events.removed.disconnect(self._removed)

    def _ensure_lesions(self) -> Labels:
        if self.lesions is None:
            self.lesions = self._add("lesions", self._labels.copy(), _OPACITY)
            # napari has no one event for "the pixels changed": the brush, undo and a new array each tell by another
            for event in (self.lesions.events.paint, self.lesions.events.set_data, self.lesions.events.data):
                event.connect(self._edited)
        return self.lesions

    def _add(self, what: str, data: NDArray[Any], opacity: float) -> Labels:
        image = self._image
        assert image is not None
        active = self.viewer.layers.selection.active
        layer = self.viewer.add_labels(
            data,
            name=f"{image.name.split(' · ')[0]} · {what}",
            opacity=opacity,
            visible=self._visible,
            scale=image.scale[-2:],
            translate=image.translate[-2:],
            units=image.units[-2:],
            axis_labels=image.axis_labels[-2:],
        )
        # right above the cube, below the prompts and whatever else lies on top of it
        if image in self.viewer.layers:
            above = self.viewer.layers.index(image) + (1 if what == "lesions" or self.lesions is None else 2)
            self.viewer.layers.move(self.viewer.layers.index(layer), above)
        if active is not None:
            self.viewer.layers.selection.active = active
        return layer

    def _edited(self, _: Any = None) -> None:
        labels = self.labels
        if not np.array_equal(labels, self._labels):
            self._labels = labels
            self.edited.emit()

    def _remove_layers(self) -> None:
        lesions, draft = self.lesions, self.draft
        self.lesions = self.draft = None
        for layer in (draft, lesions):
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def _removed(self, event: Any) -> None:
        if event.value is self.lesions:
            self.lesions = None
        elif event.value is self.draft:
            self.draft = None
