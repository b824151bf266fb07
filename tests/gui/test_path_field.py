"""Typing a path never fails: what cannot be one is marked, with the reason, in every dock that has such a line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from napari_hsisynth.training.config import CycleGANConfig
from napari_hsisynth.widgets.dataset_form import DatasetForm
from napari_hsisynth.widgets.exchange_forms import ExportForm, ImportForm
from napari_hsisynth.widgets.first_weights import FirstWeights
from napari_hsisynth.widgets.form import ConfigForm
from napari_hsisynth.widgets.path_field import PathField
from napari_hsisynth.widgets.sample_conditions import PhotoSource
from napari_hsisynth.widgets.study_forms import DemoForm, NewForm

HOPELESS = {"~nobody-here": "no such home folder is known", "x" * 5_000: "cannot be looked at"}


@pytest.fixture(params=list(HOPELESS), ids=["home", "length"])
def hopeless(request: pytest.FixtureRequest) -> str:
    return request.param


def marked(field: PathField) -> bool:
    return field.line.property("invalid") is True


def test_a_line_says_why_its_text_is_no_path(qtbot, hopeless: str, tmp_path: Path) -> None:
    field = PathField("A folder", "a folder")
    qtbot.addWidget(field)
    for letter in hopeless[:20]:
        field.line.insert(letter)
    field.line.setText(hopeless)
    assert field.path is None
    assert marked(field)
    assert HOPELESS[hopeless] in field.line.toolTip()
    field.set_path(tmp_path)
    assert field.path == tmp_path
    assert not marked(field)
    assert field.line.toolTip() == ""


def test_a_folder_without_permission_is_marked(qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    field = PathField("A folder", "a folder")
    qtbot.addWidget(field)
    monkeypatch.setattr(os, "access", lambda *_: False)  # whoever runs the tests as an administrator may do everything
    field.set_path(tmp_path)
    assert marked(field)
    assert "no permission" in field.line.toolTip()


@pytest.mark.parametrize("form_class", [NewForm, DemoForm, ImportForm, ExportForm, DatasetForm])
def test_forms_say_it(qtbot, form_class: Any, hopeless: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    form = form_class()
    qtbot.addWidget(form)
    for field in form.findChildren(PathField):
        field.line.setText(hopeless)
        assert marked(field)
        assert HOPELESS[hopeless] in form.reason.text()
        assert not form.button.isEnabled()
        field.line.clear()

    def refuse(_form: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(form_class, "check", refuse)
    form.update_state()
    assert form.reason.text() == "cannot be looked at: Permission denied"


def test_what_samples_are_made_of_and_trainings_begin_with_says_it(qtbot, hopeless: str) -> None:
    photos, weights = PhotoSource(None), FirstWeights(None)
    for widget, line in ((photos, photos.path), (weights, weights.folder)):
        qtbot.addWidget(widget)
        widget.box.setCurrentIndex(widget.box.count() - 1)
        line.line.setText(hopeless)
        assert marked(line)
    assert HOPELESS[hopeless] in photos.obstacle()
    assert HOPELESS[hopeless] in weights.obstacle("vae")


def test_a_configuration_with_a_hopeless_path_is_not_valid(qtbot, hopeless: str, tmp_path: Path) -> None:
    form = ConfigForm(CycleGANConfig)
    qtbot.addWidget(form)
    form.set_values({"photos": hopeless})
    assert not form.valid
    assert HOPELESS[hopeless] in form.reason()
    assert marked(form.editors["photos"].widget.native)
    form.set_values({"photos": str(tmp_path)})
    assert form.valid
    assert not marked(form.editors["photos"].widget.native)
