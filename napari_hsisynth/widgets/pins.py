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
        self._last: list[Pin] = []
        self._removed: list[Pin] = []
        self._most = 0  # pins that were ever set; their numbers are not given again

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
        """Set a pin at a point in world coordinates; the first one makes the layer ``<cube> · pins``."""
        number = 0 if self.layer is None else int(self.layer.metadata[_MARK])
        y, x = (float(value) for value in position[-2:])
        self._set(Pin(f"pin {number + 1}", pin_colour(number), (y, x)), cube, number + 1)
        self.changed.emit()

    def _set(self, pin: Pin, cube: str, count: int) -> None:
        """Add a point, the `count`-th ever. The layer that was active stays so, because the user goes on with it."""
        layer = self.layer
        if layer is None:
            active = self._viewer.layers.selection.active
            layer = self._viewer.add_points(
                np.array([pin.position]),
                name=f"{cube} · pins",
                features={_NAME: np.array([pin.name], dtype=object)},
                face_color=pin.colour,
                border_color="white",
                border_width=0.15,
                size=_SIZE,
                metadata={_MARK: count},
                axis_labels=("y", "x"),
                units=("pixel", "pixel"),
            )
            if active is not None:
                self._viewer.layers.selection.active = active
            return
        layer.metadata[_MARK] = count
        before = set(layer.selected_data)
        layer.selected_data = set()  # or they would take the colour of the new one
        layer.feature_defaults = {_NAME: pin.name}
        layer.current_face_color = pin.colour
        layer.add(np.asarray(layer.world_to_data(pin.position), dtype=float))
        layer.selected_data = before
        layer.feature_defaults = {_NAME: ""}  # one that the user adds with the layer's own tool is numbered

    def rename(self, index: int, name: str) -> None:
        """Give pin `index` (from 0) a name."""
        layer = self.layer
        if layer is not None and index < len(layer.data):
            features = layer.features.copy()
            features.loc[features.index[index], _NAME] = name.strip()
            layer.features = features
            self.changed.emit()

    def move(self, index: int, position: Sequence[float]) -> None:
        """Move pin `index` (from 0) to a point in world coordinates."""
        layer = self.layer
        if layer is not None and index < len(layer.data):
            data = layer.data.copy()
            data[index, -2:] = layer.world_to_data(tuple(position))[-2:]
            layer.data = data
            self.changed.emit()

    def remove(self, indices: Sequence[int]) -> None:
        """Remove pins; the layer goes with the last one."""
        layer = self.layer
        if layer is None:
            return
        if not indices:
            return
        self.look()
        if len(set(indices)) >= len(layer.data):
            self._viewer.layers.remove(layer)
        else:
            layer.remove(sorted(set(indices)))
        self.changed.emit()

    # -- what was removed -----------------------------------------------------------------------------------------

    def look(self) -> list[Pin]:
        """Return all pins, and keep what was removed since the last look, here or in the layer, for `put_back`."""
        pins, before = self.pins, self._last
        if len(pins) < len(before):
            self._removed = [pin for pin in before if pin not in pins]
        self._last = pins
        self._most = int(self.layer.metadata[_MARK]) if self.layer is not None else self._most
        return pins

    @property
    def have_changed(self) -> bool:
        """Whether pins are other ones than at the last look."""
        return self.pins != self._last

    @property
    def removed(self) -> list[Pin]:
        """The pins that `put_back` would set again."""
        return list(self._removed)

    def put_back(self, cube: str) -> None:
        """Set the pins again that were removed last, behind the others; the layer too if it is gone."""
        removed, self._removed = self._removed, []
        for pin in removed:
            self._set(pin, cube, self._most)
        if removed:
            self.changed.emit()


def followed(pin: Pin, before: Sequence[Pin], now: Sequence[Pin]) -> Pin | None:
    """Return what has become of a pin: the same one, one that was moved or renamed, or None if it was removed."""
    if pin in now:
        return pin
    if len(now) == len(before) and pin in before:
        return now[before.index(pin)]
    return next((each for each in now if each.name == pin.name), None)
