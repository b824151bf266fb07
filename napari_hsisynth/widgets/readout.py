"""`Readout`: one line that says what a spectrum is where the mouse is in the plot, or at the displayed band."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_hsisynth.widgets.curve_list import value_text
from napari_hsisynth.widgets.curves import Curve, angle_deg


class Readout(QLabel):
    """The line; its text can be selected.

    Parameters
    ----------
    parent : QWidget
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setTextFormat(Qt.TextFormat.PlainText)

    def say(self, curve: Curve | None, at: float | None, axis_label: str) -> None:
        """Say the value of a curve at its band nearest to a wavelength, nm."""
        if curve is None or at is None:
            self.setText("cursor outside the image")
            return
        nearest = float(curve.wavelengths_nm[abs(curve.wavelengths_nm - at).argmin()])
        place = place_text(nearest, axis_label)
        text = f"{place}: {value_text(curve.value_at(at))}"
        if curve.spread is not None:
            low, high = (float(edge[abs(curve.wavelengths_nm - at).argmin()]) for edge in curve.spread)
            text += f" ({value_text(low)} to {value_text(high)})"
        self.setText(f"{text}   {curve.name}, {curve.detail}")

    def say_angle(self, first: Curve, second: Curve, with_cube: bool) -> None:
        """Say the angle between two curves as they were measured."""
        names = (f"{curve.name} ({curve.cube})" if with_cube else curve.name for curve in (first, second))
        self.setText(f"{' – '.join(names)}: spectral angle {angle_deg(first, second):.2f}°")

    def say_chosen(self, chosen: Sequence[Curve], otherwise: Curve | None, at: float | None, axis_label: str) -> None:
        """Say the angle of two selected curves, else the value of the selected one, else that of another."""
        if len(chosen) == 2:
            self.say_angle(chosen[0], chosen[1], with_cube=chosen[0].cube != chosen[1].cube)
        else:
            self.say(chosen[0] if chosen else otherwise, at, axis_label)


def place_text(at: float, axis_label: str) -> str:
    """Return a place on the spectral axis with its unit."""
    return f"band {at:g}" if axis_label == "band" else f"{at:.4g} nm"
