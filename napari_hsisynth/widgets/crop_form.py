"""`CropForm`: margin, shape and size of crops, and of what they are cut."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_hsisynth.study import CropRule, Diagnosis
from napari_hsisynth.study.boxes import LARGEST_MARGIN
from napari_hsisynth.study.crop_plan import LARGEST_SIZE_PX, SMALLEST_SIZE_PX
from napari_hsisynth.widgets import settings

_MARGIN, _SQUARE, _SIZE, _WHOLE = "crop/margin", "crop/square", "crop/size_px", "crop/whole"
_USUAL_SIZES_PX = (224, 256)
_OTHER = -1


class CropForm(QWidget):
    """What the verb `crop` takes, as widgets. Values come back at the next start, but for the diagnosis.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    changed : Signal
        Any value.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.margin = QDoubleSpinBox(self)
        self.margin.setRange(0, LARGEST_MARGIN)
        self.margin.setSingleStep(0.1)
        self.margin.setDecimals(2)
        self.margin.setValue(settings.value(_MARGIN, 0.5))
        self.margin_text = QLabel(self)
        # one line, and no reason for a wider dock
        self.margin_text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.square = QCheckBox("square boxes", self)
        self.square.setToolTip("Make both sides as long as the longer one; moved inwards at the border of the image")
        self.square.setChecked(settings.value(_SQUARE, False))
        self.size = QComboBox(self)
        self.size.addItem("as in the cube", 0)
        for size_px in _USUAL_SIZES_PX:
            self.size.addItem(f"{size_px} px", size_px)
        self.size.addItem("other", _OTHER)
        self.other_size = QSpinBox(self)
        self.other_size.setRange(SMALLEST_SIZE_PX, LARGEST_SIZE_PX)
        self.other_size.setSuffix(" px")
        self.other_size.setKeyboardTracking(False)
        self._show_size(settings.value(_SIZE, 0))
        self.whole = QCheckBox("whole cubes without a lesion", self)
        self.whole.setToolTip("Of a cube without an accepted lesion take all of it, with an empty mask")
        self.whole.setChecked(settings.value(_WHOLE, False))
        self.diagnosis = QComboBox(self)
        self.diagnosis.addItem("all", None)
        self._lay_out()
        self.margin.valueChanged.connect(self._edited)
        self.square.toggled.connect(self._edited)
        self.size.currentIndexChanged.connect(self._edited)
        self.other_size.valueChanged.connect(self._edited)
        self.whole.toggled.connect(self._edited)
        self.diagnosis.currentIndexChanged.connect(self._edited)
        self._say()

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        size = QWidget(self)
        row = QHBoxLayout(size)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.size, 1)
        row.addWidget(self.other_size, 1)
        for text, buddy, shown, tip in (
            (
                "margin",
                self.margin,
                self.margin,
                "Fraction of the lesion's box: 0.5 makes both sides 1.5 times as long about the centre,"
                " clipped at borders",
            ),
            (
                "size",
                self.size,
                size,
                "Shorter side of a crop on disk, px: areas are averaged when shrinking,"
                " values interpolated when growing",
            ),
            ("diagnosis", self.diagnosis, self.diagnosis, "Cut only lesions of this diagnosis"),
        ):
            label = QLabel(text, self)
            label.setBuddy(buddy)
            for widget in (label, buddy):
                widget.setToolTip(tip)
            buddy.setAccessibleName(text)
            form.addRow(label, shown)
            if buddy is self.margin:
                form.addRow("", self.margin_text)
                form.addRow("", self.square)
        self.other_size.setAccessibleName("size in px")
        self.other_size.setToolTip(self.size.toolTip())
        for box in (self.size, self.diagnosis):
            box.setMinimumContentsLength(6)
        form.addRow("", self.whole)

    @property
    def size_px(self) -> int | None:
        """Of the shorter side, px; None for the resolution of the cubes."""
        chosen = self.size.currentData()
        return self.other_size.value() if chosen == _OTHER else chosen or None

    @property
    def wanted(self) -> Diagnosis | None:
        """The diagnosis asked for; None for all."""
        return self.diagnosis.currentData()

    def rule(self) -> CropRule:
        """Return how a lesion becomes a crop."""
        return CropRule(self.margin.value(), self.square.isChecked(), self.size_px)

    def words(self) -> list[str]:
        """Return the options of the verb `crop` that mean the same."""
        words = ["--margin", f"{self.margin.value():g}"]
        words += ["--square"] if self.square.isChecked() else []
        words += ["--size", str(self.size_px)] if self.size_px else []
        words += ["--whole"] if self.whole.isChecked() else []
        return words + (["--diagnosis", self.wanted.value] if self.wanted else [])

    def set_diagnoses(self, diagnoses: Iterable[Diagnosis]) -> None:
        """Offer these, besides all; the chosen one stays if it is among them."""
        before = self.wanted
        with QSignalBlocker(self.diagnosis):
            self.diagnosis.clear()
            self.diagnosis.addItem("all", None)
            for one in diagnoses:
                self.diagnosis.addItem(one.label, one)
            self.diagnosis.setCurrentIndex(max(0, self.diagnosis.findData(before)))
        if self.wanted != before:
            self.changed.emit()

    def _show_size(self, size_px: int) -> None:
        at = self.size.findData(size_px)
        self.size.setCurrentIndex(at if at >= 0 else self.size.findData(_OTHER))
        self.other_size.setValue(size_px or _USUAL_SIZES_PX[0])

    def _edited(self, _value: object = None) -> None:
        settings.set_value(_MARGIN, self.margin.value())
        settings.set_value(_SQUARE, self.square.isChecked())
        settings.set_value(_SIZE, self.size_px or 0)
        settings.set_value(_WHOLE, self.whole.isChecked())
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        grown = 1 + self.margin.value()
        self.margin_text.setText(f"sides × {grown:.2f}, {50 * self.margin.value():.0f} % more on each side")
        self.other_size.setVisible(self.size.currentData() == _OTHER)
