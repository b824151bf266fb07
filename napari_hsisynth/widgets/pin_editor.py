"""`PinEditor`: what the user does to pins in the Spectra dock: set, name, move, remove, put back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject

from napari_hsisynth.widgets.curve_list import CurveList
from napari_hsisynth.widgets.curves import Curve, pixel_curve
from napari_hsisynth.widgets.layers import layer_cube, pixel_at
from napari_hsisynth.widgets.pins import Pin, Pins
from napari_hsisynth.widgets.treatment import RAW, Mode, Relative, Treatment


class PinEditor(QObject):
    """Carries out on `Pins` what is asked for on the canvas and in the list.

    Parameters
    ----------
    pins : Pins
    curve_list : CurveList
    layers : callable
        Returns the cube layers that are shown, the front one first.
    parent : QObject
    """

    def __init__(
        self, pins: Pins, curve_list: CurveList, layers: Callable[[], Sequence[Image]], parent: QObject
    ) -> None:
        super().__init__(parent)
        self.pins, self._list, self._layers = pins, curve_list, layers
        self._pinned = False
        curve_list.renamed.connect(lambda curve, name: self.pins.rename(curve.number, name))
        curve_list.moved.connect(self.move)
        curve_list.nudged.connect(self.nudge)
        curve_list.remove_asked.connect(self.remove_selected)
        curve_list.put_back_asked.connect(self.put_back)

    def add(self, position: tuple[float, ...]) -> None:
        """Keep the spectrum at a point in world coordinates, if a cube is there."""
        inside = next((layer for layer in self._layers() if pixel_at(layer, position) is not None), None)
        cube = layer_cube(inside) if inside is not None else None
        self._pinned = cube is not None
        if cube is not None:
            self.pins.add(position, cube.name)

    def take_back(self) -> None:
        """Take away the pin that `add` has just set."""
        if self._pinned and self.pins.pins:
            self.pins.remove([len(self.pins.pins) - 1])
        self._pinned = False

    def move(self, curve: Curve, y: float, x: float) -> None:
        """Move the pin of a curve to another row and column of its cube."""
        if curve.layer not in self._layers():
            return
        height, width = curve.layer.data.shape[-2:]
        if -0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5:
            self.pins.move(curve.number, curve.layer.data_to_world((0.0, y, x))[-2:])
        else:
            show_warning(f"row {y:g}, column {x:g} is outside the image of {height} x {width} px")

    def nudge(self, down: int, right: int) -> None:
        """Move the selected pins by some rows and columns of the front cube they are in, up to its edge."""
        moved: dict[int, Curve] = {}
        for curve in self._list.chosen:
            if curve.kind == "pin" and curve.place is not None:
                moved.setdefault(curve.number, curve)
        for curve in moved.values():
            assert curve.place is not None
            y, x = np.clip(np.add(curve.place, (down, right)), 0, np.array(curve.layer.data.shape[-2:]) - 1)
            self.move(curve, float(y), float(x))

    def remove_selected(self) -> None:
        """Remove the selected pins."""
        self.pins.remove(sorted({curve.number for curve in self._list.chosen if curve.kind == "pin"}))

    def put_back(self) -> None:
        """Set the pins again that were removed last."""
        cube = layer_cube(self._layers()[0]) if self._layers() else None
        if cube is not None:
            self.pins.put_back(cube.name)

    def curves(self, pins: Sequence[Pin], treatment: Treatment) -> list[Curve]:
        """Return the spectrum of every pin in every cube that it lies in."""
        found = (
            pixel_curve(
                layer,
                pin.position_in(layer),
                treatment,
                kind="pin",
                name=pin.name,
                colour=pin.colour,
                number=number,
            )
            for number, pin in enumerate(pins)
            for layer in self._layers()
        )
        return [curve for curve in found if curve is not None]

    def compared(self, choice: tuple[Mode, Pin] | None) -> Relative | None:
        """Return what spectra are compared with: the pin in the front one of the cubes that it lies in."""
        if choice is None:
            return None
        mode, pin = choice
        curve = next(iter(self.curves([pin], RAW)), None)
        return None if curve is None else Relative(pin.name, mode, curve.wavelengths_nm, curve.values)
