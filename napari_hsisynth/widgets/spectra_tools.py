"""`SpectraTools`: what is shown in the Spectra dock, and how: a row of controls that wraps where there is no room."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import QSignalBlocker, QSize, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QPushButton, QSizePolicy, QWidget
from superqt.utils import QFlowLayout

from napari_hsisynth.spectra import TRANSFORMS
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.pins import Pin, followed
from napari_hsisynth.widgets.treatment import MODES, WINDOWS, Mode

#: Name -> what its button says, in this order.
SHOWN = {
    "cursor": "Show the spectrum under the mouse",
    "pins": "Show the spectra of pins",
    "regions": "Show the spectra of every label and every shape that is visible",
    "class means": "Show what the lesions of each diagnosis in the study look like: mean ± std",
}
_OFF_AT_FIRST = {"class means"}
STATISTICS = {"mean ± std": False, "median, quartiles": True}
_ROW_SPACING = 2


class SpectraTools(QWidget):
    """The controls. Their state is remembered from one start to the next, except what pins are compared with.

    Parameters
    ----------
    parent : QWidget

    Attributes
    ----------
    treatment_changed : Signal
        Other values are to be shown.
    shown_changed : Signal(str)
        A key of `SHOWN` was switched on or off.
    compared_lost : Signal(str)
        The pin of this name, which spectra were compared with, is gone; they are shown as they are again.
    """

    treatment_changed = Signal()
    shown_changed = Signal(str)
    compared_lost = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._pins: list[Pin] = []
        self.transform = QComboBox(self)
        self.transform.addItems(list(TRANSFORMS))
        self.transform.setToolTip("How spectra are shown; each pixel is transformed before a region is averaged")
        self.transform.setAccessibleName("transform")
        self.smooth = QComboBox(self)
        for window in WINDOWS:
            self.smooth.addItem(f"smooth {window}" if window else "not smoothed", window)
        self.smooth.setToolTip("Smoothing before the transform: Savitzky-Golay, over so many bands")
        self.smooth.setAccessibleName("smoothing")
        self.relative = QComboBox(self)
        self.relative.setToolTip("Show the difference or ratio of every spectrum to that of a pin in the front cube")
        self.relative.setAccessibleName("relative to")
        self.relative.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.relative.setMinimumContentsLength(11)
        self.list_pins([])
        self.statistic = QComboBox(self)
        for text, quartiles in STATISTICS.items():
            self.statistic.addItem(text, quartiles)
        self.statistic.setToolTip("What is shown of regions and of class means")
        self.statistic.setAccessibleName("statistic")
        self.shown = {name: self._toggle(name, tip) for name, tip in SHOWN.items()}
        self.remove_button = QPushButton("Remove", self)
        self.remove_button.setToolTip("Remove the selected pins (Delete)")
        self.put_back_button = QPushButton("Put back", self)
        self.put_back_button.setToolTip("Set the pins again that were removed last (Ctrl+Z in the list)")
        self.put_back_button.hide()
        self.fit_button = QPushButton("Fit", self)
        self.fit_button.setToolTip("Show all of the plot again after zooming")
        self._flow = QFlowLayout(self)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(self.fontMetrics().averageCharWidth())
        self._flow.setVerticalSpacing(_ROW_SPACING)
        self._restore()
        self.transform.currentTextChanged.connect(partial(self._treat, "transform"))
        self.smooth.currentIndexChanged.connect(lambda: self._treat("smooth", self.window))
        self.relative.currentIndexChanged.connect(lambda: self.treatment_changed.emit())
        self.statistic.currentIndexChanged.connect(lambda: self._treat("quartiles", self.quartiles))

    def add_group(self, *widgets: QWidget) -> None:
        """Add controls that stay beside each other."""
        group = QWidget(self)
        row = QHBoxLayout(group)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(_ROW_SPACING)
        for widget in widgets:
            row.addWidget(widget)
        group.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._flow.addWidget(group)

    def _toggle(self, name: str, tip: str) -> QCheckBox:
        box = QCheckBox(name, self)
        box.setToolTip(tip)
        box.setAccessibleName(f"show {name}")
        return box

    # -- what is chosen ---------------------------------------------------------------------------------------------

    @property
    def window(self) -> int:
        """Bands per window of the smoothing; 0 for none."""
        return self.smooth.currentData()

    @property
    def quartiles(self) -> bool:
        """Whether regions show median and quartiles instead of mean ± std."""
        return self.statistic.currentData()

    @property
    def compared(self) -> tuple[Mode, Pin] | None:
        """How spectra are compared with which pin; None for not at all."""
        chosen = self.relative.currentData()
        return None if chosen is None else (chosen[0], self._pins[chosen[1]])

    def shows(self, name: str) -> bool:
        """Whether a key of `SHOWN` is on."""
        return self.shown[name].isChecked()

    def choose_quartiles(self, on: bool) -> None:
        """Show median and quartiles of regions, or mean ± std."""
        self.statistic.setCurrentIndex(self.statistic.findData(on))

    def _restore(self) -> None:
        self.transform.setCurrentText(settings.value("spectra/transform", "raw"))
        self.smooth.setCurrentIndex(max(0, self.smooth.findData(settings.value("spectra/smooth", 0))))
        self.statistic.setCurrentIndex(self.statistic.findData(settings.value("spectra/quartiles", False)))
        for name, button in self.shown.items():
            button.setChecked(settings.value(f"spectra/show {name}", name not in _OFF_AT_FIRST))
            button.toggled.connect(partial(self._switch, name))

    def _treat(self, name: str, value: Any) -> None:
        settings.set_value(f"spectra/{name}", value)
        self.treatment_changed.emit()

    def _switch(self, name: str, on: bool) -> None:
        settings.set_value(f"spectra/show {name}", on)
        self.shown_changed.emit(name)

    # -- pins that spectra can be compared with ---------------------------------------------------------------------

    def list_pins(self, pins: Sequence[Pin]) -> None:
        """Offer other pins; the chosen one stays chosen when it was moved or renamed."""
        if list(pins) == self._pins and self.relative.count():
            return
        compared, before, self._pins = self.compared, self._pins, list(pins)
        now = None if compared is None else followed(compared[1], before, self._pins)
        entries: list[tuple[Mode, Pin]] = [(mode, pin) for mode in MODES for pin in self._pins]
        with QSignalBlocker(self.relative):
            self.relative.clear()
            self.relative.addItem("not relative", None)
            for mode, pin in entries:
                self.relative.addItem(f"{mode} to {pin.name}", (mode, self._pins.index(pin)))
            if compared is not None and now is not None:
                self.relative.setCurrentIndex(1 + entries.index((compared[0], now)))
        self.relative.setEnabled(bool(self._pins))
        if compared is not None and now is None:
            self.compared_lost.emit(compared[1].name)

    def sizeHint(self) -> QSize:
        """As high as it is at its width."""
        return QSize(super().sizeHint().width(), self._flow.heightForWidth(self.width()))
