"""Several kinds of generators in one dock: each keeps its settings, its presets and its command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QWidget

from napari_hsisynth.training.config import MODELS, PRESETS, ModelConfig
from napari_hsisynth.training.config.shared import setting
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.job_row import about_text
from napari_hsisynth.widgets.model_settings import ModelSettings
from napari_hsisynth.widgets.path_field import PathField


class OtherConfig(ModelConfig):
    """Made up: has every kind of field that a family may bring.

    More lines are not for the tooltip.
    """

    model: Literal["other"] = "other"
    image_size: int = setting(32, "Side", "px", ge=8, le=64)
    loss: Literal["hinge", "wgan-gp"] = setting("hinge", "What the critic learns")
    spectral_norm: bool = setting(True, "Bound the critic's gain")
    photos: str = setting("", "Folder of photographs", path="folder")
    n_critic: int = setting(1, "Steps of the critic to one of the generator", "steps", ge=1, le=9, advanced=True)


@pytest.fixture
def parent(qtbot, monkeypatch: pytest.MonkeyPatch) -> QWidget:
    monkeypatch.setitem(MODELS, "other", OtherConfig)
    monkeypatch.setitem(PRESETS, "other", {"try": {"max_images": 2_000, "loss": "wgan-gp"}, "published": {"lr": 1e-5}})
    parent = QWidget()
    qtbot.addWidget(parent)
    return parent


@pytest.fixture
def chosen(parent: QWidget) -> ModelSettings:
    return ModelSettings(parent)


def choose(box: QComboBox, data: str) -> None:
    """Choose as a user does."""
    box.setCurrentIndex(box.findData(data))
    box.activated.emit(box.currentIndex())


def data(box: QComboBox) -> list[Any]:
    return [box.itemData(row) for row in range(box.count())]


def test_each_model_has_its_own_form_presets_and_values(chosen: ModelSettings) -> None:
    assert {"vae", "other"} <= set(data(chosen.model))
    assert data(chosen.preset) == ["", *PRESETS["vae"]]
    choose(chosen.preset, "try")
    chosen.form.set_values({"seed": 5})
    choose(chosen.model, "other")
    assert data(chosen.preset) == ["", "try", "published"]
    assert chosen.preset.currentData() == ""  # the other model's choice of the same name is not this one's
    assert chosen.words() == []
    assert isinstance(chosen.config(), OtherConfig)
    choose(chosen.preset, "try")
    assert (chosen.config().max_images, chosen.config().loss) == (2_000, "wgan-gp")
    chosen.form.editors["spectral_norm"].widget.native.setChecked(False)
    assert chosen.words() == ["--preset", "try", "--set", "spectral_norm=false"]
    choose(chosen.preset, "published")
    assert chosen.words() == ["--preset", "published"]
    assert chosen.config() == OtherConfig(lr=1e-5)
    choose(chosen.model, "vae")
    assert chosen.words() == ["--preset", "try", "--set", "seed=5"]


def test_the_forms_of_other_models_are_out_of_sight(chosen: ModelSettings, parent: QWidget) -> None:
    choose(chosen.model, "other")
    parent.show()
    visible = {name: form.isVisibleTo(parent) for name, form in chosen.forms.items()}
    assert visible == {"vae": False, "other": True}


def test_choices_are_offered_not_typed(chosen: ModelSettings) -> None:
    choose(chosen.model, "other")
    natives = {name: editor.widget.native for name, editor in chosen.form.editors.items()}
    assert isinstance(natives["loss"], QComboBox)
    assert isinstance(natives["precision"], QComboBox)
    assert isinstance(natives["conditional"], QCheckBox)
    assert [natives["loss"].itemText(row) for row in range(2)] == ["hinge", "wgan-gp"]
    natives["loss"].setCurrentText("wgan-gp")
    assert chosen.config().loss == "wgan-gp"
    assert "What the critic learns" in natives["loss"].toolTip()
    advanced = [name for name, editor in chosen.form.editors.items() if editor.advanced]
    assert {"devices", "num_nodes", "n_critic"} <= set(advanced)
    assert "conditional" not in advanced
    tip = Qt.ItemDataRole.ToolTipRole
    assert chosen.model.itemData(chosen.model.findData("other"), tip).endswith("a family may bring.")
    assert chosen.preset.itemData(1, tip) == "training length: 2,000 images\nloss: wgan-gp"


def test_a_path_is_chosen_in_a_dialog_or_typed(
    chosen: ModelSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qtbot
) -> None:
    choose(chosen.model, "other")
    field = chosen.form.editors["photos"].widget.native
    assert isinstance(field, PathField)
    assert field.line.accessibleName() == "photographs"
    assert "Folder of photographs" in field.line.toolTip()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    with qtbot.waitSignal(chosen.changed):
        qtbot.mouseClick(field.button, Qt.MouseButton.LeftButton)
    assert chosen.config().photos == str(tmp_path)
    assert chosen.words() == ["--set", f"photos={tmp_path}"]
    field.line.clear()
    assert chosen.words() == []


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_chosen_with_its_presets_and_comes_back(
    chosen: ModelSettings, parent: QWidget, name: str
) -> None:
    tip = chosen.model.itemData(chosen.model.findData(name), Qt.ItemDataRole.ToolTipRole)
    assert 10 < len(tip) <= 140
    choose(chosen.model, name)
    for preset in PRESETS[name]:
        choose(chosen.preset, preset)
        assert chosen.words() == ["--preset", preset]
        assert chosen.config() == MODELS[name](**PRESETS[name][preset])
    chosen.form.set_values({"seed": 7})
    chosen.remember()
    again = ModelSettings(parent)
    assert (again.name, again.words()) == (name, ["--preset", preset, "--set", "seed=7"])


def test_a_model_without_presets_has_its_defaults(parent: QWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(PRESETS, "other")
    chosen = ModelSettings(parent)
    choose(chosen.model, "other")
    chosen.form.set_values({"seed": 1})
    choose(chosen.preset, "")
    assert chosen.config() == OtherConfig()


def test_the_device_is_the_same_for_every_model(chosen: ModelSettings) -> None:
    chosen.set_device("cpu")
    choose(chosen.model, "other")
    assert chosen.config().device == "cpu"
    assert chosen.words() == ["--set", "device=cpu"]


def test_the_settings_of_every_model_come_back(chosen: ModelSettings, parent: QWidget) -> None:
    chosen.form.set_values({"lr": 3e-4})
    chosen.remember()
    choose(chosen.model, "other")
    choose(chosen.preset, "try")
    chosen.form.set_values({"n_critic": 4})
    chosen.remember()
    again = ModelSettings(parent)
    assert again.name == "other"
    assert again.words() == ["--preset", "try", "--set", "n_critic=4"]
    choose(again.model, "vae")
    assert again.words() == ["--set", "lr=0.0003"]
    settings.set_value("train/other", json.dumps({"values": {"no_longer_there": 1, "lr": 1}}))
    assert ModelSettings(parent).config() == OtherConfig()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (74, "74 s"), (100, "2 min"), (41 * 60 + 10, "41 min"), (3600, "1 h"), (12_000, "3 h 20 min")],
)
def test_an_estimate_is_rounded(seconds: float, text: str) -> None:
    assert about_text(seconds) == text
