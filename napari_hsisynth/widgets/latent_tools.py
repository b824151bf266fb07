"""`LatentTools`: how the latents are drawn that samples are made of, and how a flow follows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QLabel, QSpinBox, QWidget

_MOST_STEPS = 64
#: Value of a seed that stands for none.
_OFF = -1
#: Value of a guidance that stands for the run's own, a step below the least there is.
_AS_TRAINED = -0.5


class LatentTools(QWidget):
    """Truncation, interpolation, mixing of styles, guidance and steps of a flow; all off at first.

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
        self.guidance = QDoubleSpinBox(self)
        self.guidance.setDecimals(1)
        self.guidance.setRange(_AS_TRAINED, 20.0)
        self.guidance.setSingleStep(0.5)
        self.guidance.setValue(_AS_TRAINED)
        self.sampler_steps = QSpinBox(self)
        self.sampler_steps.setRange(0, 1000)
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows: list[tuple[str, QWidget, str]] = [
            ("truncation", self.truncation, "Length of the noise: below 1 more typical and less varied; 1 is off"),
            ("interpolate (cubes)", self.steps, "So many cubes on the way from each sample to the next"),
            ("mix with seed", self.mix, "Layout as without it, fine detail of the samples of this seed"),
            ("guidance", self.guidance, "Push towards diagnosis and mask: 1 not at all, 2 or 3 at the cost of variety"),
            ("sampler steps", self.sampler_steps, "From noise to a sample: more are slower, with a smaller error"),
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
        self.guidance.valueChanged.connect(self._changed)
        self.sampler_steps.valueChanged.connect(self._changed)
        self.offer(mixes_styles=False, drawing={})

    def offer(self, *, mixes_styles: bool, drawing: Mapping[str, Any]) -> None:
        """Leave out what the chosen model cannot do, and say with which settings it was trained."""
        self.form.setRowVisible(self.mix, mixes_styles)
        for name, box in self._drawing.items():
            self.form.setRowVisible(box, name in drawing)
            box.setSpecialValueText(f"as trained ({drawing[name]:g})" if name in drawing else "as trained")
        self._changed()

    @property
    def _drawing(self) -> dict[str, QSpinBox | QDoubleSpinBox]:
        """Boxes of settings of the training that samples can be drawn without."""
        return {"guidance": self.guidance, "sampler_steps": self.sampler_steps}

    @property
    def _mixes(self) -> bool:
        return self.mix.value() != _OFF and self.form.isRowVisible(self.mix)

    def words(self) -> list[str]:
        """``--truncation T --interpolate CUBES`` or ``--mix SEED``, ``--set guidance=G``, of those that are on."""
        words = []
        if self.truncation.value() < self.truncation.maximum():
            words += ["--truncation", f"{self.truncation.value():g}"]
        if self.steps.value() > 1:
            words += ["--interpolate", str(self.steps.value())]
        words += ["--mix", str(self.mix.value())] if self._mixes else []
        for name, box in self._drawing.items():
            if box.value() > box.minimum() and self.form.isRowVisible(box):
                words += ["--set", f"{name}={box.value():g}"]
        return words

    def state(self) -> dict[str, Any]:
        """What is chosen, as JSON types."""
        tools = {"truncation": self.truncation.value(), "steps": self.steps.value(), "mix": self.mix.value()}
        return tools | {name: box.value() for name, box in self._drawing.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Choose what `state` returned; what is missing or of another type is turned off."""
        truncation, steps, mix = (state.get(name) for name in ("truncation", "steps", "mix"))
        self.truncation.setValue(truncation if isinstance(truncation, int | float) else 1.0)
        self.steps.setValue(steps if isinstance(steps, int) else 1)
        self.mix.setValue(mix if isinstance(mix, int) else _OFF)
        guidance, sampler_steps = (state.get(name) for name in self._drawing)
        self.guidance.setValue(guidance if isinstance(guidance, int | float) else _AS_TRAINED)
        self.sampler_steps.setValue(sampler_steps if isinstance(sampler_steps, int) else 0)

    def _changed(self, _value: object = None) -> None:
        if self._mixes and self.steps.value() > 1:  # the steps were chosen while the model could not mix
            self.mix.setValue(_OFF)  # which comes back here
            return
        self.mix.setEnabled(self.steps.value() == 1)  # noise is either walked along or mixed
        self.steps.setEnabled(not self._mixes)
        self.changed.emit()
