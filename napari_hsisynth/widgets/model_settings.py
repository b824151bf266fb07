"""`ModelSettings`: which kind of generator is trained, and with what settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hsisynth.training.config import MODELS, PRESETS, ModelConfig
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.form import ConfigForm
from napari_hsisynth.widgets.form_fields import label_of, number_text, unit_of
from napari_hsisynth.widgets.job_dock import choice, refill

#: Fields of the configuration that are not in the form: the dock chooses them with widgets of its own.
_OUTSIDE = ("model", "device", "init")


class ModelSettings(QWidget):
    """The form of the chosen model; every model keeps its own settings while others are looked at.

    Parameters
    ----------
    parent : QWidget
        Also of `model` and `preset`, which the dock puts among its other choices.

    Attributes
    ----------
    model, preset : QComboBox
        Kind of generator, and a named starting point for its settings.
    changed : Signal
        Another model was chosen, or a setting changed.
    """

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.forms: dict[str, ConfigForm] = {}
        self._presets: dict[str, str] = {}
        self._device = "auto"
        self.model = choice(parent, "Kind of generator")
        for name, config in MODELS.items():
            self.model.addItem(name, name)
            about = (config.__doc__ or "").strip().splitlines()
            self.model.setItemData(self.model.count() - 1, about[0] if about else name, Qt.ItemDataRole.ToolTipRole)
        self.preset = choice(parent, "A named starting point; choose it again to go back to it")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.model.setCurrentIndex(max(0, self.model.findData(settings.value("train/model", ""))))
        self._choose_model()
        self.model.currentIndexChanged.connect(self._choose_model)
        self.preset.activated.connect(self._choose_preset)

    @property
    def name(self) -> str:
        """The chosen model."""
        return self.model.currentData()

    @property
    def form(self) -> ConfigForm:
        """The form of the chosen model."""
        return self.forms[self.name]

    def config(self) -> ModelConfig | None:
        """Return the settings; None while a field is invalid, which the form's `reason` names."""
        return self.form.config() if self.form.valid else None

    def set_device(self, name: str) -> None:
        """Train there, whatever the model."""
        self._device = name
        for form in self.forms.values():
            form.fix("device", name)

    def words(self) -> list[str]:
        """``--preset P --set K=V ...`` with what differs from the preset."""
        preset = self.preset.currentData()
        base = MODELS[self.name].model_construct().model_dump(mode="json")
        words = []
        if preset:
            words += ["--preset", preset]
            base |= PRESETS[self.name][preset]
        for name, value in self.form.config().model_dump(mode="json").items():
            if value != base.get(name):
                words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
        return words

    def remember(self) -> None:
        """Have these settings come back at the next start."""
        chosen = {"preset": self.preset.currentData(), "values": self.form.changed_values()}
        settings.set_value("train/model", self.name)
        settings.set_value(f"train/{self.name}", json.dumps(chosen))

    def _choose_model(self, _index: int = 0) -> None:
        for form in self.forms.values():
            form.hide()
        is_new = self.name not in self.forms
        if is_new:
            form = self.forms[self.name] = ConfigForm(
                MODELS[self.name], fixed={"model": self.name, "device": "auto", "init": ""}
            )
            self.layout().addWidget(form)
        self._offer_presets()
        if is_new:
            self._restore()
            self.form.fix("device", self._device)
            self.form.changed.connect(self.changed)
        self.form.show()
        self.changed.emit()

    def _offer_presets(self) -> None:
        presets = PRESETS.get(self.name, {})
        refill(self.preset, [("defaults", ""), *((preset, preset) for preset in presets)])
        for row in range(self.preset.count()):
            told = _told(MODELS[self.name], presets.get(self.preset.itemData(row), {}))
            self.preset.setItemData(row, told, Qt.ItemDataRole.ToolTipRole)
        self.preset.setCurrentIndex(max(0, self.preset.findData(self._presets.get(self.name, ""))))

    def _choose_preset(self, _index: int = 0) -> None:
        preset = self._presets[self.name] = self.preset.currentData()
        default = MODELS[self.name].model_construct().model_dump()
        self._set_values({**default, **PRESETS.get(self.name, {}).get(preset, {})})

    def _restore(self) -> None:
        """Show what the model was trained with last; settings that no longer fit it are left out."""
        try:
            chosen = json.loads(settings.value(f"train/{self.name}", "{}"))
            self.preset.setCurrentIndex(max(0, self.preset.findData(chosen.get("preset", ""))))
            self._presets[self.name] = self.preset.currentData()
            self._set_values(chosen.get("values", {}))
        except (ValueError, KeyError, AttributeError):
            self._choose_preset()

    def _set_values(self, values: Mapping[str, Any]) -> None:
        self.form.set_values({name: value for name, value in values.items() if name not in _OUTSIDE})


def _told(model: type[ModelConfig], changes: Mapping[str, Any]) -> str:
    """Say what a preset changes, one setting a line."""
    lines = []
    for name, value in changes.items():
        info = model.model_fields[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        shown = number_text(value, grouped=bool(unit_of(info))) if number else str(value)
        lines.append(f"{label_of(name, info)}: {shown} {unit_of(info)}".rstrip())
    return "\n".join(lines) or "Every setting as it is by default"
