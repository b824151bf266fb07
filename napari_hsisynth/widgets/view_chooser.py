"""`ViewChooser`: which view of a cube is wanted, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QSlider, QWidget

from napari_hsisynth.composite import ILLUMINANTS, band_mean, default_bands, pca3, rgb_bands, rgb_cie1931
from napari_hsisynth.cube import Cube
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.layers import layer_cube

_VIEW, _ILLUMINANT = "view/view", "view/illuminant"
SINGLE_BAND, CIE_RGB, THREE_BANDS, PCA_3, BAND_MEAN = "single band", "CIE RGB", "three bands", "PCA-3", "mean grey"
#: View -> what it shows.
VIEW_TIPS = {
    SINGLE_BAND: "The cube itself, one band at a time, as napari's slider chooses",
    CIE_RGB: "As the CIE 1931 observer would see the cube under an illuminant; needs bands from blue to red",
    THREE_BANDS: "Any three bands as red, green and blue, each from its 1st to its 99th percentile",
    PCA_3: "The three directions in which the spectra differ most, as red, green and blue",
    BAND_MEAN: "The mean of all bands, in the unit of the cube",
}


@dataclass(frozen=True)
class WantedView:
    """One view to be made.

    Parameters
    ----------
    name : str
        Behind the cube's name in the layer's: ``"CIE RGB"``.
    make : callable
        ``make(cube, tick=...)`` returns the picture.
    options : dict
        How, JSON types, for the layer's metadata.
    """

    name: str
    make: Callable[..., NDArray[np.float32]]
    options: dict[str, Any] = field(default_factory=dict)


class ViewChooser(QWidget):
    """The list of views and the options of the chosen one.

    Parameters
    ----------
    parent : QWidget
        Rows of the dock's own may follow in `form`.

    Attributes
    ----------
    changed : Signal
        Another view is wanted.
    band_chosen : Signal(int)
        The slider of the single band was moved to this band.
    """

    changed = Signal()
    band_chosen = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._layer: Image | None = None
        self._filled_for: Cube | None = None
        #: The three bands that the user has chosen for each layer.
        self._bands: WeakKeyDictionary[Layer, tuple[int, int, int]] = WeakKeyDictionary()
        self.band_boxes: list[QComboBox] = []
        self.box = QComboBox(self)
        self.box.setAccessibleName("view")
        for name, tip in VIEW_TIPS.items():
            self.box.addItem(name)
            self.box.setItemData(self.box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.addRow("view", self.box)
        #: Options of the views that have any.
        self._options = {
            SINGLE_BAND: [self._add("band", self._band_slider())],
            CIE_RGB: [self._add("illuminant", self._illuminant_box())],
            THREE_BANDS: [self._add(channel, self._channel_box(channel)) for channel in ("red", "green", "blue")],
        }
        self.box.setCurrentText(settings.value(_VIEW, CIE_RGB))
        self.box.currentTextChanged.connect(self._view_chosen)
        self._show_options()

    # -- building -------------------------------------------------------------------------------------------------

    def _add(self, label: str, widget: QWidget) -> QWidget:
        self.form.addRow(label, widget)
        return widget

    def _band_slider(self) -> QWidget:
        both = QWidget(self)
        self.slider = QSlider(Qt.Orientation.Horizontal, both)
        self.slider.setAccessibleName("displayed band")
        self.slider.setToolTip("Which band of the cube is displayed; the same as napari's slider")
        self.slider.valueChanged.connect(self.band_chosen.emit)
        self.slider_text = QLabel(both)
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self.slider_text)
        return both

    def _illuminant_box(self) -> QWidget:
        self.illuminant = box = QComboBox(self)
        box.setAccessibleName("illuminant")
        for name, tip in ILLUMINANTS.items():
            box.addItem(f"{name}: {tip.split(',')[0]}", name)
            box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        box.setToolTip("The light that the scene is shown under; grey stays grey")
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(12)
        box.setCurrentIndex(max(0, box.findData(settings.value(_ILLUMINANT, "D65"))))
        box.currentIndexChanged.connect(self._illuminant_chosen)
        return box

    def _channel_box(self, channel: str) -> QWidget:
        box = QComboBox(self)
        box.setAccessibleName(f"band shown as {channel}")
        box.setToolTip(f"Band shown as {channel}, by its centre (nm)")
        box.setMaxVisibleItems(20)
        box.setMinimumContentsLength(8)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.activated.connect(self._band_of_three_chosen)
        self.band_boxes.append(box)
        return box

    # -- what is chosen -------------------------------------------------------------------------------------------

    @property
    def view(self) -> str:
        """Name of the chosen view, a key of `VIEW_TIPS`."""
        return self.box.currentText()

    def wanted(self) -> WantedView | None:
        """Return the view to be made; None for the single band, which the cube's own layer shows."""
        if self.view == CIE_RGB:
            illuminant = str(self.illuminant.currentData())
            return WantedView(CIE_RGB, partial(rgb_cie1931, illuminant=illuminant), {"illuminant": illuminant})
        if self.view == THREE_BANDS:
            bands = self.three_bands
            return WantedView(THREE_BANDS, partial(rgb_bands, bands=bands), {"bands": list(bands)})
        if self.view == PCA_3:
            return WantedView(PCA_3, pca3)
        return WantedView(BAND_MEAN, band_mean) if self.view == BAND_MEAN else None

    @property
    def three_bands(self) -> tuple[int, int, int]:
        """Numbers of the bands chosen as red, green and blue, from 0."""
        red, green, blue = (max(0, box.currentIndex()) for box in self.band_boxes)
        return red, green, blue

    # -- the cube it is for -----------------------------------------------------------------------------------------

    def show_layer(self, layer: Image | None, band: int = 0) -> None:
        """Offer the bands of a cube layer, of which `band` is displayed."""
        self._layer = layer
        cube = layer_cube(layer) if layer is not None else None
        if cube is None or layer is None:
            return
        names = [_band_name(cube, number) for number in range(cube.bands)]
        if cube is not self._filled_for:
            self._filled_for = cube
            chosen = self._bands.get(layer)
            if chosen is None or max(chosen) >= cube.bands:
                chosen = default_bands(cube)
            for box, number in zip(self.band_boxes, chosen, strict=True):
                with QSignalBlocker(box):
                    box.clear()
                    box.addItems(names)
                    box.setCurrentIndex(number)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, cube.bands - 1)
            self.slider.setValue(band)
        self.slider_text.setText(names[band])

    def _band_of_three_chosen(self, _index: int) -> None:
        if self._layer is not None:
            self._bands[self._layer] = self.three_bands
        self.changed.emit()

    def _illuminant_chosen(self, _index: int) -> None:
        settings.set_value(_ILLUMINANT, self.illuminant.currentData())
        self.changed.emit()

    def _view_chosen(self, name: str) -> None:
        settings.set_value(_VIEW, name)
        self._show_options()
        self.changed.emit()

    def _show_options(self) -> None:
        self.box.setToolTip(VIEW_TIPS[self.view])
        for name, widgets in self._options.items():
            for widget in widgets:
                self.form.setRowVisible(widget, name == self.view)


def _band_name(cube: Cube, band: int) -> str:
    if cube.axis_label == "band":
        return f"band {band}"
    return f"{cube.wavelengths_nm[band]:.4g} nm"
