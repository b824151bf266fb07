"""`OtherOutline`: the lesions of another annotator, as outlines over the cube."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from psygnal import Signal

from napari_hsisynth.study import DIAGNOSIS_COLOURS, Annotation

_CONTOUR_PX = 2


class OtherOutline:
    """A layer ``<cube> · <annotator>`` that cannot be edited.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    removed : Signal
        The user has removed the layer.
    """

    removed = Signal()

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.layer: Labels | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the layer is there."""
        return self.layer is not None

    def show(self, image: Layer, annotation: Annotation, name: str) -> None:
        """Show the lesions of an annotation over the cube in `image`, instead of those shown before."""
        self.hide()
        active = self.viewer.layers.selection.active
        colours: dict[int | None, str] = {None: "transparent", 0: "transparent"}
        colours.update((each.id, DIAGNOSIS_COLOURS[each.diagnosis]) for each in annotation.instances)
        self.layer = self.viewer.add_labels(
            annotation.mask,
            name=f"{image.name.split(' · ')[0]} · {name}",
            opacity=1.0,
            colormap=DirectLabelColormap(color_dict=colours),
            scale=image.scale[-2:],
            translate=image.translate[-2:],
            units=image.units[-2:],
            axis_labels=image.axis_labels[-2:],
        )
        self.layer.contour = _CONTOUR_PX
        self.layer.editable = False
        self.viewer.layers.events.removed.connect(self._removed)
        if active is not None:  # the user was about to do something with it
            self.viewer.layers.selection.active = active

    def hide(self) -> None:
        """Take the layer away."""
        layer, self.layer = self.layer, None
        if layer is not None:
            self.viewer.layers.events.removed.disconnect(self._removed)
            self.viewer.layers.remove(layer)

    def _removed(self, event: Any) -> None:
        if event.value is self.layer:
            self.layer = None
            self.viewer.layers.events.removed.disconnect(self._removed)
            self.removed.emit()
