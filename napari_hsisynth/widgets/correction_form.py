"""`CorrectionForm`: the corrections of a whole cube, each with its button; a new cube comes of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QSpinBox, QWidget

from napari_hsisynth.corrections import bin_bands, bin_pixels, crop_bands, drop_bands, flat_field
from napari_hsisynth.cube import Cube
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.layers import layer_cube
from napari_hsisynth.widgets.reference_box import ReferenceBox

_BIN_BANDS, _BIN_PIXELS = "view/bin_bands", "view/bin_pixels"
_MOST_BINNED = 64


@dataclass(frozen=True)
class Correction:
    """One correction as it was asked for.

    Parameters
    ----------
    name : str
        Behind the cube's name in that of the new layer: ``"flat-fielded"``.
    make : callable
        Takes the cube, returns the corrected one.
    pixel_factor : int
        Side of a new pixel in pixels of the cube.
    """

    name: str
    make: Callable[[Cube], Cube]
    pixel_factor: int = 1


def bad_bands(cube: Cube) -> list[int]:
    """Return the bands that the file calls bad."""
    said = cube.provenance.get("bad_bands")
    if not isinstance(said, list) or not all(isinstance(band, int) and 0 <= band < cube.bands for band in said):
        return []
    return said


class CorrectionForm(QWidget):
    """Flat field, bands, pixels.

    Parameters
    ----------
    parent : QWidget

    Attributes
    ----------
    asked : Signal(object)
        A `Correction` is wanted.
    """

    asked = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._cube: Cube | None = None
        self._locked = ""
        self.white = ReferenceBox("white reference", "choose …", self)
        self.white.setToolTip("The same scene or a line of it with a white target, in the unit of the cube")
        self.dark = ReferenceBox("dark reference", "none", self)
        self.dark.setToolTip("The same with the shutter closed; without one, 0 is subtracted")
        self.flat_button = QPushButton("Flat-field", self)
        self.band_factor = self._factor_box("bands per new band", _BIN_BANDS)
        self.bin_bands_button = QPushButton("Bin bands", self)
        self.low, self.high = (self._place_box(which) for which in ("first", "last"))
        self.unit = QLabel("nm", self)  # beside them, since there is no room for it in them
        self.crop_button = QPushButton("Crop bands", self)
        self.bad_text = QLabel(self)
        self.drop_button = QPushButton("Drop bad bands", self)
        self.pixel_factor = self._factor_box("side of a new pixel, px", _BIN_PIXELS)
        self.bin_pixels_button = QPushButton("Bin pixels", self)
        self.form = form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("white", self.white)
        form.addRow("dark", self.dark)
        form.addRow("", self.flat_button)
        form.addRow("bands", _row(self.band_factor, self.bin_bands_button))
        form.addRow("from", _row(self.low, QLabel("to", self), self.high, self.unit))
        form.addRow("", self.crop_button)
        form.addRow("bad", _row(self.bad_text, self.drop_button))
        form.addRow("pixels", _row(self.pixel_factor, self.bin_pixels_button))
        for button, slot in (
            (self.flat_button, self._flat_field),
            (self.bin_bands_button, self._bin_bands),
            (self.crop_button, self._crop),
            (self.drop_button, self._drop),
            (self.bin_pixels_button, self._bin_pixels),
        ):
            button.clicked.connect(slot)
        for changed in (self.white.changed, self.dark.changed, self.low.valueChanged, self.high.valueChanged):
            changed.connect(self._update)
        for changed in (self.band_factor.valueChanged, self.pixel_factor.valueChanged):
            changed.connect(self._update)

    def _factor_box(self, name: str, key: str) -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(2, _MOST_BINNED)
        box.setValue(settings.value(key, 2))
        box.setPrefix("by ")
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.valueChanged.connect(lambda value: settings.set_value(key, value))
        return box

    def _place_box(self, which: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox(self)
        box.setAccessibleName(f"{which} band to keep")
        box.setDecimals(1)
        box.setMinimumWidth(1)
        return box

    def show_layer(self, layer: Image | None, others: Sequence[Image], locked: str = "") -> None:
        """Offer corrections of a cube layer, with other ones as references; `locked` says why there are none now."""
        cube = layer_cube(layer) if layer is not None else None
        self._locked = locked
        self.white.offer(others)
        self.dark.offer(others)
        if cube is not None and cube is not self._cube:
            numbered = cube.axis_label == "band"
            low, high = float(cube.wavelengths_nm.min()), float(cube.wavelengths_nm.max())
            # outwards, or rounding to what is shown would leave out the bands at the ends
            low, high = (low, high) if numbered else (float(np.floor(10 * low) / 10), float(np.ceil(10 * high) / 10))
            self.unit.setVisible(not numbered)
            for box, value in ((self.low, low), (self.high, high)):
                with QSignalBlocker(box):
                    box.setDecimals(0 if numbered else 1)
                    box.setRange(low, high)
                    box.setValue(value)
                box.setToolTip(f"{low:g} to {high:g}{'' if numbered else ' nm'}, included")
        self._cube = cube
        self._update()

    def _update(self, _: Any = None) -> None:
        """Enable what can be done, and say why not what cannot."""
        cube = self._cube
        bad = bad_bands(cube) if cube is not None else []
        self.bad_text.setText(f"{len(bad)} named by the file")
        self.form.setRowVisible(6, bool(bad))
        kept = self._kept()
        left = -(-cube.bands // self.band_factor.value()) if cube is not None else 0
        side, pixels = self.pixel_factor.value(), cube.shape_yx if cube is not None else (0, 0)
        few = cube is None or self.band_factor.value() > cube.bands
        told = (
            (self.flat_button, "" if self.white.cube is not None else "choose the white reference first",
             "(cube - dark) / (white - dark) in every band and pixel, as a new layer"),
            (self.bin_bands_button, "there are fewer bands" if few else "",
             f"Average neighbouring bands: {left} bands, as a new layer"),
            (self.crop_button, "" if kept else "no band lies there",
             f"Keep {kept} of {cube.bands if cube is not None else 0} bands, as a new layer"),
            (self.drop_button, "", "Leave out the bands that the file calls bad, as a new layer"),
            (self.bin_pixels_button, "the image is smaller" if side > min(pixels) else "",
             f"Average squares of {side} x {side} px: {pixels[0] // side} x {pixels[1] // side} px, as a new layer"),
        )  # fmt: skip
        for button, reason, tip in told:
            reason = self._locked or reason
            button.setEnabled(cube is not None and not reason)
            button.setToolTip(reason[:1].upper() + reason[1:] if reason else tip)

    def _kept(self) -> int:
        if self._cube is None:
            return 0
        nm = self._cube.wavelengths_nm
        return int(((nm >= self.low.value()) & (nm <= self.high.value())).sum())

    # -- asking ---------------------------------------------------------------------------------------------------

    def _flat_field(self) -> None:
        white, dark = self.white.cube, self.dark.cube
        if white is not None:
            self.asked.emit(Correction("flat-fielded", lambda cube: flat_field(cube, white, dark)))

    def _bin_bands(self) -> None:
        factor = self.band_factor.value()
        self.asked.emit(Correction(f"bands binned by {factor}", lambda cube: bin_bands(cube, factor)))

    def _crop(self) -> None:
        low, high = self.low.value(), self.high.value()
        numbered = self._cube is not None and self._cube.axis_label == "band"
        name = f"bands {low:g}-{high:g}" if numbered else f"{low:g}-{high:g} nm"
        self.asked.emit(Correction(name, lambda cube: crop_bands(cube, low, high)))

    def _drop(self) -> None:
        self.asked.emit(Correction("without bad bands", lambda cube: drop_bands(cube, bad_bands(cube))))

    def _bin_pixels(self) -> None:
        factor = self.pixel_factor.value()
        name = f"pixels binned by {factor}"
        self.asked.emit(Correction(name, lambda cube: bin_pixels(cube, factor), factor))


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
    return row
