"""Annotations imported and exported in the Study dock, in a real viewer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_runs import finished_run, synthetic_set
from qtpy.QtCore import Qt, QThreadPool

from napari_hsisynth import Cube, Study
from napari_hsisynth.study.dataset import export_dataset
from napari_hsisynth.study.exchange import export_annotations
from napari_hsisynth.widgets.sample_dock import SampleDock
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.study_dock import StudyDock

SHAPE = (20, 30)
WAIT_MS = 20_000


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = Study.create(tmp_path / "mine", wavelengths_nm=np.linspace(465, 630, 16))
    for number, cube_id in enumerate(("DN_1", "MM_1")):
        cube = Cube(np.random.default_rng(number).random((16, *SHAPE)), study.wavelengths_nm)
        study.add_cube(cube, cube_id, "melanoma")
    return study


@pytest.fixture
def coco(study: Study, tmp_path: Path) -> Path:
    """An export of one lesion in each cube, taken away again."""
    mask = np.zeros(SHAPE, bool)
    mask[5:12, 8:20] = True
    for entry in study.entries:
        study.save_annotation(study.annotation(entry.id).with_instance(mask, "melanoma").replace(status="done"))
    export_annotations("coco", study, tmp_path / "coco.json")
    for path in study.masks_dir.iterdir():
        path.unlink()
    return tmp_path / "coco.json"


@pytest.fixture
def dock(make_napari_viewer_proxy: Any, study: Study, qtbot: Any):
    viewer = make_napari_viewer_proxy()
    dock = StudyDock(viewer)
    viewer.window.add_dock_widget(dock, name="Study")
    with qtbot.waitSignal(dock.table.rows.states_loaded, timeout=WAIT_MS):
        assert dock.open_study(study.root)
    yield dock
    QThreadPool.globalInstance().waitForDone(10_000)


def press(dock: StudyDock, form: Any, qtbot: Any) -> str:
    """Press the form's button, wait for the end, and return what was said."""
    with qtbot.waitSignal(dock.task.finished, timeout=WAIT_MS):
        qtbot.mouseClick(form.button, Qt.MouseButton.LeftButton)
        assert not form.isEnabled()
    return dock.task.status.text()


def test_annotations_are_imported_into_the_open_study(dock: StudyDock, study: Study, coco: Path, qtbot: Any) -> None:
    session = session_for(dock.session.viewer)
    session.show_cube("DN_1")
    heard: list[str] = []
    session.annotation_changed.connect(heard.append)
    dock.show_form("Import")
    form = dock.forms["Import"]
    form.kind_box.setCurrentIndex(form.kind_box.findData("coco"))
    assert form.folder.path == study.root
    assert not form.wavelengths.isVisibleTo(form)
    assert "choose what to import" in form.reason.text()
    form.source.set_path(coco)
    assert form.command.command.endswith(f"import coco {coco} {study.root}")
    assert press(dock, form, qtbot).startswith("✔ 2 lesions in 2 cubes imported")
    assert heard == ["DN_1"]  # who shows this cube reads it again; the others are told once
    qtbot.waitUntil(lambda: [dock.table.model().index(row, 3).data() for row in range(2)] == ["done", "done"])
    assert not form.isVisibleTo(dock)
    dock.show_form("Import")
    assert "2 more" not in press(dock, form, qtbot)
    assert "its cube has lesions already" in dock.task.status.text()
    dock.show_form("Import")
    form.if_marked.setCurrentIndex(form.if_marked.findData("replace"))
    form.annotator.setText("Jane Doe")
    assert form.command.command.endswith("--replace --as 'Jane Doe'")
    assert press(dock, form, qtbot).startswith("✔ 2 lesions in 2 cubes imported")
    assert study.annotation("DN_1", "Jane_Doe").instances


def test_annotations_need_a_study_with_cubes(dock: StudyDock, coco: Path, tmp_path: Path) -> None:
    dock.show_form("Import")
    form = dock.forms["Import"]
    form.kind_box.setCurrentIndex(form.kind_box.findData("labelstudio"))
    form.source.set_path(coco)
    form.folder.set_path(tmp_path)
    assert not form.button.isEnabled()
    assert "is no study; import its cubes first" in form.reason.text()
    form.source.set_path(tmp_path / "gone.json")
    assert "gone.json: is not there" in form.reason.text()


def test_annotations_are_exported(dock: StudyDock, study: Study, tmp_path: Path, qtbot: Any) -> None:
    study.save_annotation(study.annotation("MM_1").with_instance(np.eye(*SHAPE, dtype=bool), "melanoma"))
    dock.show_form("Export")
    form = dock.forms["Export"]
    form.kind_box.setCurrentIndex(form.kind_box.findData("labelstudio"))
    assert "choose a folder to write" in form.reason.text()
    form.target.set_path(tmp_path)
    assert "not empty and no export" in form.reason.text()
    form.target.set_path(tmp_path / "out")
    form.which.setCurrentIndex(form.which.findData("all"))
    assert form.command.command.endswith(f"export labelstudio {study.root} {tmp_path / 'out'} --status all")
    assert press(dock, form, qtbot).startswith(f"✔ 1 lesions of 2 cubes exported to {tmp_path / 'out'}")
    assert len(json.loads((tmp_path / "out" / "tasks.json").read_text())) == 2
    assert (tmp_path / "out" / "images" / "MM_1.png").is_file()
    dock.show_form("Export")
    assert "it is there already; choose another name, or replace it" in form.reason.text()
    form.replace_export.setChecked(True)
    assert form.button.isEnabled()
    form.annotator.setText("nobody else")
    assert press(dock, form, qtbot).startswith("✖ ")
    assert (tmp_path / "out" / "tasks.json").is_file()


def test_the_forms_fit_into_360_px_for_every_kind(dock: StudyDock) -> None:
    average = dock.fontMetrics().averageCharWidth()
    for name in ("Import", "Export"):
        dock.show_form(name)
        for row in range(dock.forms[name].kind_box.count()):
            dock.forms[name].kind_box.setCurrentIndex(row)
            assert dock.minimumSizeHint().width() <= 60 * average  # 360 px with the font of the tests


def test_there_is_nothing_to_export_without_a_study(dock: StudyDock) -> None:
    dock.show_form("Export")
    dock.session.close_study()
    assert not dock.buttons["Export"].isEnabled()
    assert not dock.forms["Export"].isVisibleTo(dock)


@pytest.fixture
def data_set(study: Study, tmp_path: Path) -> Path:
    """Two synthetic cubes of a study, exported."""
    synthetic_set(study, finished_run(study, "vae"), np.eye(8, dtype=bool), "", count=2)
    return export_dataset(study, tmp_path / "ours").path


def test_a_synthetic_data_set_is_imported_and_seen_at_once(
    dock: StudyDock, study: Study, data_set: Path, qtbot: Any
) -> None:
    sample = SampleDock(dock.session.viewer)
    qtbot.addWidget(sample)
    qtbot.waitUntil(lambda: len(sample.sets.counts) == 1, timeout=WAIT_MS)
    dock.show_form("Import")
    form = dock.forms["Import"]
    form.kind_box.setCurrentIndex(form.kind_box.findData("dataset"))
    assert form.source.asks_for == "folder"
    assert form.folder.path == study.root
    form.source.set_path(study.root)
    assert "is no synthetic data set; choose the folder with datacard.json" in form.reason.text()
    form.source.set_path(data_set)
    assert form.command.command.endswith(f"import dataset {data_set} {study.root}")
    form.set_name.setText("theirs")
    assert form.command.command.endswith("--name theirs")
    assert press(dock, form, qtbot).startswith("✔ 2 synthetic cubes, set theirs, imported · SYNTHETIC")
    qtbot.waitUntil(lambda: sample.sets.counts.get("theirs") == 2, timeout=WAIT_MS)
    assert not form.isVisibleTo(dock)
    dock.show_form("Import")
    assert "the study has it already" in press(dock, form, qtbot)
    (study.root / "synthetic" / "theirs" / "datacard.json").unlink()
    dock.show_form("Import")
    assert press(dock, form, qtbot).endswith("another synthetic set of this name; give it another set name")
    QThreadPool.globalInstance().waitForDone(5_000)


def test_a_synthetic_data_set_makes_a_study_of_its_own(
    dock: StudyDock, data_set: Path, tmp_path: Path, qtbot: Any
) -> None:
    dock.show_form("Import")
    form = dock.forms["Import"]
    form.kind_box.setCurrentIndex(form.kind_box.findData("dataset"))
    form.source.set_path(data_set)
    form.folder.set_path(tmp_path / "new")
    damaged = next((data_set / "images").rglob("*.mat"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    assert press(dock, form, qtbot).startswith("✖ ")
    assert not (tmp_path / "new").exists()
    damaged.write_bytes(whole)
    assert press(dock, form, qtbot).startswith("✔ 2 synthetic cubes, set ours, imported")
    assert dock.session.study.root == tmp_path / "new"
