"""`LatentTools`: how the latents are drawn that samples are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QLabel, QSpinBox, QWidget

_MOST_STEPS = 64
#: Value of a seed that stands for none.
_OFF = -1


class LatentTools(QWidget):
    """Truncation, interpolation and mixing of styles; all off at first.

    Parameters
    ----------
    parent : QWidget

    Attributes
    ----------
    changed : Signal
        Something else is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.truncation = QDoubleSpinBox(self)
        self.truncation.setRange(0.1, 1.0)
        self.truncation.setSingleStep(0.1)
        self.truncation.setValue(1.0)
        self.steps = QSpinBox(self)
        self.steps.setRange(1, _MOST_STEPS)
        self.steps.setSpecialValueText("off")
        self.mix = QSpinBox(self)
        self.mix.setRange(_OFF, 2**31 - 1)
        self.mix.setValue(_OFF)
        self.mix.setSpecialValueText("off")
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows: list[tuple[str, QWidget, str]] = [
            ("truncation", self.truncation, "Length of the noise: below 1 more typical and less varied; 1 is off"),
            ("interpolate (cubes)", self.steps, "So many cubes on the way from each sample to the next"),
            ("mix with seed", self.mix, "Layout as without it, fine detail of the samples of this seed"),
        ]
        for text, widget, tip in rows:
            label = QLabel(text, self)
            label.setBuddy(widget)
            for one in (label, widget):
                one.setToolTip(tip)
            widget.setAccessibleName(text)
            widget.setMinimumWidth(1)
            self.form.addRow(label, widget)
        self.truncation.valueChanged.connect(self._changed)
        self.steps.valueChanged.connect(self._changed)
        self.mix.valueChanged.connect(self._changed)

    def offer(self, mixes_styles: bool) -> None:
        """Leave out what the chosen model cannot do."""
        self.form.setRowVisible(self.mix, mixes_styles)
        self._changed()

    @property
    def _mixes(self) -> bool:
        return self.mix.value() != _OFF and self.form.isRowVisible(self.mix)

    def words(self) -> list[str]:
        """``--truncation T --interpolate CUBES`` or ``--mix SEED``, of those that are on."""
        words = []
        if self.truncation.value() < self.truncation.maximum():
            words += ["--truncation", f"{self.truncation.value():g}"]
        if self.steps.value() > 1:
            words += ["--interpolate", str(self.steps.value())]
        return words + (["--mix", str(self.mix.value())] if self._mixes else [])

    def state(self) -> dict[str, Any]:
        """What is chosen, as JSON types."""
        return {"truncation": self.truncation.value(), "steps": self.steps.value(), "mix": self.mix.value()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Choose what `state` returned; what is missing or of another type is turned off."""
        truncation, steps, mix = (state.get(name) for name in ("truncation", "steps", "mix"))
        self.truncation.setValue(truncation if isinstance(truncation, int | float) else 1.0)
        self.steps.setValue(steps if isinstance(steps, int) else 1)
        self.mix.setValue(mix if isinstance(mix, int) else _OFF)

    def _changed(self, _value: object = None) -> None:
        if self._mixes and self.steps.value() > 1:  # the steps were chosen while the model could not mix
            self.mix.setValue(_OFF)  # which comes back here
            return
        self.mix.setEnabled(self.steps.value() == 1)  # noise is either walked along or mixed
        self.steps.setEnabled(not self._mixes)
        self.changed.emit()
