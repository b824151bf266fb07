"""The Study dock in a real viewer, on real folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtCore import Qt, QThreadPool
from qtpy.QtWidgets import QLineEdit

from napari_hsisynth import Cube, Study
from napari_hsisynth.study import Diagnosis
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.study_dock import StudyDock

SHAPE = (20, 30)
WAIT_MS = 20_000


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HSISYNTH_SETTINGS", str(tmp_path / "settings.ini"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = Study.create(tmp_path / "mine", wavelengths_nm=np.linspace(465, 630, 16))
    mask = np.zeros(SHAPE, bool)
    mask[5:12, 8:20] = True
    draw = np.random.default_rng(0)
    for cube_id, diagnosis, patient in [
        ("MM_1", "melanoma", "p1"),
        ("DN_1", "dysplastic_nevus", ""),
        ("Nv_1", "nevus", "p2"),
    ]:
        cube = Cube(draw.random((16, *SHAPE)), study.wavelengths_nm)
        study.add_cube(cube, cube_id, diagnosis, patient, mask=None if cube_id == "Nv_1" else mask)
    return study


@pytest.fixture
def source(tmp_path: Path) -> Path:
    src = tmp_path / "source"
    for number in range(3):
        path = src / "images" / "MMCube" / f"MM_{number}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(path, {"cube": np.random.default_rng(number).random((*SHAPE, 16), np.float32)})
    mask = src / "masks" / "MMCube" / "MM_0_mask.png"
    mask.parent.mkdir(parents=True)
    Image.fromarray(np.pad(np.full((4, 6), 255, np.uint8), ((3, 13), (10, 14)))).save(mask)
    return src


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any):
    yield make_napari_viewer_proxy()
    QThreadPool.globalInstance().waitForDone(10_000)


@pytest.fixture
def dock(viewer: Any, qtbot: Any) -> StudyDock:
    dock = StudyDock(viewer)
    viewer.window.add_dock_widget(dock, name="Study")
    return dock


def shown_ids(dock: StudyDock) -> list[str]:
    model = dock.table.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def open_study(dock: StudyDock, study: Study, qtbot: Any) -> None:
    with qtbot.waitSignal(dock.table.rows.states_loaded, timeout=WAIT_MS):
        assert dock.open_study(study.root)


def test_without_a_study_the_next_steps_are_offered(dock: StudyDock) -> None:
    assert dock.summary() == "no study open"
    assert dock.empty.isVisibleTo(dock)
    assert dock.open_button.isVisibleTo(dock)
    assert not dock.table.isVisibleTo(dock)
    assert not dock.buttons["Add"].isEnabled()
    dock.demo_button.click()
    assert dock.forms["Demo"].isVisibleTo(dock)


def test_a_study_is_listed_with_the_state_of_its_annotations(dock: StudyDock, study: Study, qtbot: Any) -> None:
    said = []
    dock.summary_changed.connect(lambda: said.append(dock.summary()))
    open_study(dock, study, qtbot)
    assert said[-1].replace("\u00a0", " ") == "mine · 3 cubes · 16 bands 465-630 nm"
    model = dock.table.model()
    rows = [[model.index(row, column).data() for column in range(5)] for row in range(3)]
    assert rows == [
        ["DN_1", "dysplastic nevus", "", "done", "1"],
        ["MM_1", "melanoma", "p1", "done", "1"],
        ["Nv_1", "nevus", "p2", "todo", ""],
    ]
    assert "2 done, 1 todo · 2 accepted lesions" in dock.facts.text()
    disc = model.index(1, 1).data(Qt.ItemDataRole.DecorationRole).pixmap(24, 24).toImage()
    assert disc.pixelColor(12, 12).name().upper() == "#D55E00"


def test_words_filter_all_columns(dock: StudyDock, study: Study, qtbot: Any) -> None:
    open_study(dock, study, qtbot)
    dock.filter.setText("nevus todo")
    assert shown_ids(dock) == ["Nv_1"]
    assert dock.count.text() == "1 of 3"
    dock.filter.setText("P1")
    assert shown_ids(dock) == ["MM_1"]
    dock.filter.clear()
    assert len(shown_ids(dock)) == 3
    assert dock.count.text() == ""


@pytest.mark.parametrize("by", ["enter", "double click", "button"])
def test_a_cube_is_opened_from_its_row(dock: StudyDock, study: Study, viewer: Any, qtbot: Any, by: str) -> None:
    open_study(dock, study, qtbot)
    index = dock.table.model().index(1, 0)
    dock.table.setCurrentIndex(index)
    if by == "enter":
        qtbot.keyClick(dock.table, Qt.Key.Key_Return)
    elif by == "button":
        dock.show_button.click()
    else:
        dock.table.doubleClicked.emit(index)
    assert session_for(viewer).cube_id == "MM_1"
    assert viewer.layers[0].name == "MM_1 · cube"


def test_the_row_of_the_shown_cube_is_selected(dock: StudyDock, study: Study, viewer: Any, qtbot: Any) -> None:
    open_study(dock, study, qtbot)
    session_for(viewer).show_cube("Nv_1")
    assert dock.table.selected() == ["Nv_1"]


def test_a_cube_whose_file_is_gone_is_told_once_and_nothing_changes(
    dock: StudyDock, study: Study, viewer: Any, qtbot: Any
) -> None:
    open_study(dock, study, qtbot)
    study.cube_path("MM_1").unlink()
    before = len(notification_manager.records)
    dock.show_cube("MM_1")
    (told,) = list(notification_manager.records)[before:]
    assert "the cube's file is missing" in told.message
    assert len(viewer.layers) == 0


def test_diagnosis_and_patient_are_corrected_in_the_table(dock: StudyDock, study: Study, qtbot: Any) -> None:
    open_study(dock, study, qtbot)
    model = dock.table.model()
    assert model.setData(model.index(0, 2), "p9", Qt.ItemDataRole.EditRole)
    dock.table.selectRow(2)
    submenu = next(action.menu() for action in dock.table.menu().actions() if action.menu() is not None)
    next(action for action in submenu.actions() if action.text() == "solar lentigo").trigger()
    stored = Study.open(study.root)
    assert stored.entry("DN_1").patient == "p9"
    assert stored.entry("Nv_1").diagnosis is Diagnosis.SOLAR_LENTIGO
    assert "solar&nbsp;lentigo" in dock.facts.text()


def test_patients_have_a_column_once_there_is_one(dock: StudyDock, tmp_path: Path, qtbot: Any) -> None:
    study = Study.create(tmp_path / "nobodys", wavelengths_nm=np.linspace(465, 630, 16))
    study.add_cube(Cube(np.ones((16, *SHAPE)), study.wavelengths_nm), "A", "nevus")
    open_study(dock, study, qtbot)
    table = dock.table
    assert table.isColumnHidden(2)
    table.setCurrentIndex(table.model().index(0, 0))
    qtbot.keyClick(table, Qt.Key.Key_F2)
    assert not table.isColumnHidden(2)
    editor = table.viewport().findChild(QLineEdit)
    qtbot.keyClicks(editor, "p7")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: Study.open(study.root).entry("A").patient == "p7")


def test_a_saved_annotation_shows_in_the_table(dock: StudyDock, study: Study, viewer: Any, qtbot: Any) -> None:
    open_study(dock, study, qtbot)
    mask = np.zeros(SHAPE, bool)
    mask[2:5, 2:5] = True
    study.save_annotation(study.annotation("Nv_1").with_instance(mask, "nevus").replace(status="done"))
    session_for(viewer).annotation_changed.emit("Nv_1")
    model = dock.table.model()
    assert [model.index(2, column).data() for column in (3, 4)] == ["done", "1"]
    assert "3 done · 3 accepted lesions" in dock.facts.text()


def test_a_folder_is_imported_opened_and_the_command_shown(
    dock: StudyDock, source: Path, tmp_path: Path, viewer: Any, qtbot: Any
) -> None:
    dock.show_form("Import")
    form = dock.forms["Import"]
    assert not form.button.isEnabled()
    form.source.set_path(tmp_path)
    assert "has no folder images" in form.reason.text()
    form.source.set_path(source)
    form.folder.set_path(tmp_path / "new")
    form.wavelengths.setText("400:")
    assert not form.button.isEnabled()
    form.wavelengths.setText("400:700:16")
    assert form.command.command.endswith(f"import hsidermoscopy {source} {tmp_path / 'new'} --wavelengths 400:700:16")
    with qtbot.waitSignal(dock.task.finished, timeout=WAIT_MS):
        form.button.click()
        assert dock.task.bar.isVisibleTo(dock)
        assert not form.isEnabled()
    assert dock.task.status.text().startswith("✔ 3 cubes imported · wavelengths: as given, 16 bands 400-700 nm")
    assert session_for(viewer).study.root == tmp_path / "new"
    assert not form.isVisibleTo(dock)
    assert shown_ids(dock) == ["MM_0", "MM_1", "MM_2"]


def test_an_import_that_fails_says_why_and_leaves_nothing(
    dock: StudyDock, source: Path, tmp_path: Path, viewer: Any, qtbot: Any
) -> None:
    (source / "images" / "MMCube" / "MM_3.mat").write_bytes(b"no cube")
    dock.show_form("Import")
    form = dock.forms["Import"]
    form.source.set_path(source)
    form.folder.set_path(tmp_path / "new")
    with qtbot.waitSignal(dock.task.finished, timeout=WAIT_MS):
        form.button.click()
    assert dock.task.status.text().startswith("✖ ")
    assert "MM_3.mat" in dock.task.status.text()
    assert not (tmp_path / "new").exists()
    assert session_for(viewer).study is None
    assert form.isEnabled()


def test_a_cancelled_import_is_acknowledged_at_once_and_leaves_nothing(
    dock: StudyDock, source: Path, tmp_path: Path, viewer: Any, qtbot: Any
) -> None:
    dock.show_form("Import")
    form = dock.forms["Import"]
    form.source.set_path(source)
    form.folder.set_path(tmp_path / "new")
    with qtbot.waitSignal(dock.task.finished, timeout=WAIT_MS):
        form.button.click()
        dock.task.cancel_button.click()
        assert dock.task.status.text() == "cancelling …"
        assert not dock.task.cancel_button.isEnabled()
    assert dock.task.status.text() == "cancelled; everything is as it was before"
    assert not (tmp_path / "new").exists()
    assert session_for(viewer).study is None


def test_a_demo_study_is_made_and_its_first_cube_shown(
    dock: StudyDock, tmp_path: Path, viewer: Any, qtbot: Any
) -> None:
    dock.demo_button.click()
    form = dock.forms["Demo"]
    form.folder.set_path(tmp_path / "demo")
    form.per_class.setValue(1)
    assert form.command.command.endswith(f"phantom {tmp_path / 'demo'} --per-class 1")
    with qtbot.waitSignal(dock.task.finished, timeout=3 * WAIT_MS):
        form.button.click()
    study = session_for(viewer).study
    assert len(study.entries) == 3
    assert all(entry.id.startswith("PHANTOM") for entry in study.entries)
    assert all(study.annotation_summary(entry.id).accepted >= 1 for entry in study.entries)
    assert viewer.layers[0].name.startswith("PHANTOM")


def test_a_new_study_is_made_and_filled_from_files(
    dock: StudyDock, source: Path, tmp_path: Path, viewer: Any, qtbot: Any
) -> None:
    dock.show_form("New")
    dock.forms["New"].folder.set_path(tmp_path / "made")
    dock.forms["New"].button.click()
    study = session_for(viewer).study
    assert study.root == tmp_path / "made"
    form = dock.forms["Add"]
    assert form.isVisibleTo(dock)  # the next step
    assert not form.button.isEnabled()
    form.set_files(sorted((source / "images" / "MMCube").iterdir())[:2])
    form.diagnosis.setCurrentIndex(form.diagnosis.findData(Diagnosis.NEVUS))
    with qtbot.waitSignal(dock.task.finished, timeout=WAIT_MS):
        form.button.click()
    assert [(entry.id, entry.diagnosis.value) for entry in Study.open(study.root).entries] == [
        ("MM_0", "nevus"),
        ("MM_1", "nevus"),
    ]
    assert shown_ids(dock) == ["MM_0", "MM_1"]
    form.set_files(sorted((source / "images" / "MMCube").iterdir()))  # MM_0 again: nothing is added, not even MM_2
    with qtbot.waitSignal(dock.task.finished, timeout=WAIT_MS):
        form.button.click()
    assert "✖" in dock.task.status.text()
    assert len(Study.open(study.root).entries) == 2


def test_what_is_no_study_is_told_and_the_open_one_stays(
    dock: StudyDock, study: Study, tmp_path: Path, viewer: Any, qtbot: Any
) -> None:
    open_study(dock, study, qtbot)
    (tmp_path / "other").mkdir()
    assert not dock.open_study(tmp_path / "other")
    assert "no study here" in notification_manager.records[-1].message
    assert session_for(viewer).study.root == study.root


def test_the_dock_fits_into_360_px_in_every_state(dock: StudyDock, study: Study, qtbot: Any) -> None:
    open_study(dock, study, qtbot)
    average = dock.fontMetrics().averageCharWidth()
    for name in dock.buttons:
        dock.show_form(name)
        assert dock.minimumSizeHint().width() <= 60 * average  # 360 px with the font of the tests
