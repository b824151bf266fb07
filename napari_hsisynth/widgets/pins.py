"""`Pins`: places whose spectra stay, held by an ordinary Points layer that the user may edit, rename or delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Points
from napari.utils.colormaps.standardize_color import rgb_to_hex
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.widgets.curves import pin_colour

_MARK = "hsisynth_pins"
_NAME = "name"
#: Diameter of a pin on the canvas, image px.
_SIZE = 7


@dataclass(frozen=True)
class Pin:
    """One pin.

    Parameters
    ----------
    name : str
    colour : str
        ``#rrggbb``, on the canvas and in the plot.
    position : tuple of float
        (y, x) in world coordinates.
    """

    name: str
    colour: str
    position: tuple[float, float]

    def position_in(self, layer: Any) -> tuple[float, ...]:
        """Return the position with as many axes as a layer has."""
        return (*layer.translate[:-2], *self.position)


class Pins(QObject):
    """The pins of a viewer. The Points layer is the only place where they are kept.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject

    Attributes
    ----------
    changed : Signal
        Pins were added, moved, renamed or removed, here or in the layer.
    """

    changed = Signal()

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer

    @property
    def layer(self) -> Points | None:
        """The layer with the pins; None before the first pin and after the user has deleted it."""
        for layer in self._viewer.layers:
            if isinstance(layer, Points) and layer.metadata.get(_MARK):
                return layer
        return None

    @property
    def pins(self) -> list[Pin]:
        """All pins, in the order in which they were set."""
        layer = self.layer
        if layer is None:
            return []
        names = list(layer.features[_NAME]) if _NAME in layer.features else [""] * len(layer.data)
        places = [tuple(float(value) for value in layer.data_to_world(row)[-2:]) for row in layer.data]
        colours = [rgb_to_hex(colour)[0][:7] for colour in layer.face_color]
        return [
            Pin(self._shown_name(name, number), colour, (place[0], place[1]))
            for number, (name, colour, place) in enumerate(zip(names, colours, places, strict=True), 1)
        ]

    @staticmethod
    def _shown_name(stored: Any, number: int) -> str:
        return stored if isinstance(stored, str) and stored else f"pin {number}"

    def add(self, position: Sequence[float], cube: str) -> None:
        """Set a pin at a point in world coordinates; the first one makes the layer ``<cube> · pins``.

        The layer that was active stays so, because the user goes on with it.
        """
        layer = self.layer
        number = 0 if layer is None else int(layer.metadata[_MARK])
        place, colour = np.asarray(position, dtype=float)[-2:], pin_colour(number)
        name = f"pin {number + 1}"
        if layer is None:
            active = self._viewer.layers.selection.active
            layer = self._viewer.add_points(
                place[None],
                name=f"{cube} · pins",
                features={_NAME: np.array([name], dtype=object)},
                face_color=colour,
                border_color="white",
                border_width=0.15,
                size=_SIZE,
                metadata={_MARK: 1},
                axis_labels=("y", "x"),
                units=("pixel", "pixel"),
            )
            if active is not None:
                self._viewer.layers.selection.active = active
        else:
            layer.metadata[_MARK] = number + 1
            layer.feature_defaults = {_NAME: name}
            layer.current_face_color = colour
            before = set(layer.selected_data)
            layer.add(np.r_[np.zeros(layer.ndim - 2), place])
            layer.selected_data = before
            layer.feature_defaults = {_NAME: ""}  # one that the user adds with the layer's own tool is numbered
        self.changed.emit()

    def rename(self, index: int, name: str) -> None:
        """Give pin `index` (from 0) a name."""
        layer = self.layer
        if layer is not None and index < len(layer.data):
            features = layer.features.copy()
            features.loc[features.index[index], _NAME] = name.strip()
            layer.features = features
            self.changed.emit()

    def remove(self, indices: Sequence[int]) -> None:
        """Remove pins; the layer goes with the last one."""
        layer = self.layer
        if layer is None:
            return
        if len(set(indices)) >= len(layer.data):
            self._viewer.layers.remove(layer)
        else:
            layer.selected_data = set(indices)
            layer.remove_selected()
        self.changed.emit()
