"""The Workflow dock and the Compare dock on a small study, in a real viewer."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth import Cube, Study
from napari_hsisynth.study import Crop, CropRecord, make_crops, write_crop, write_crops_index
from napari_hsisynth.widgets.app import fill
from napari_hsisynth.widgets.class_means import class_means
from napari_hsisynth.widgets.compare_dock import CompareDock, short_names
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.workflow import STEPS, WorkflowDock, open_workflow

NM = np.array([500.0, 550.0, 600.0])
RUN = "20261123-101500-vae-melanoma-3fa2"
#: Spectra of all real and of all synthetic pixels; 45 degrees apart.
REAL, MADE = np.array([1.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0])


def flat(spectrum: np.ndarray, shape: tuple[int, int], **fields) -> Cube:
    return Cube(np.broadcast_to(spectrum[:, None, None], (3, *shape)).copy(), NM, **fields)


@pytest.fixture
def study(tmp_path):
    made = Study.create(tmp_path / "study", wavelengths_nm=NM)
    mask = np.zeros((30, 40), bool)
    mask[10:20, 10:25] = True
    for number, diagnosis in enumerate(("melanoma", "melanoma", "nevus")):
        made.add_cube(flat(REAL, (30, 40)), f"C{number}", diagnosis, mask=mask)
    make_crops(made)
    folder, records = made.synthetic_dir(RUN), []
    for seed in range(3):
        name = f"{RUN}_{seed:04d}"
        record = CropRecord(
            name, name, 0, "melanoma", "", 0, 0, 8, 8, "", f"{name}.npz", RUN, "last", seed, mask_source="none"
        )
        write_crop(folder, Crop(flat(MADE, (8, 8), provenance={"synthetic": True}), np.zeros((8, 8)), record))
        records.append(record)
    write_crops_index(folder, records)
    return made


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1200, 900)
    return viewer


@pytest.fixture
def dock(viewer, study, qtbot):
    session_for(viewer).open_study(study.root)
    dock = CompareDock(viewer)
    viewer.window.add_dock_widget(dock, name="Compare", area="right")
    qtbot.waitExposed(dock)
    qtbot.waitUntil(lambda: dock.means is not None)
    return dock


def press(button) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_lists_follow_the_synthetic_set_and_means_are_measured(dock):
    assert dock.diagnosis.currentText() == "melanoma"
    assert [dock.real.box.itemText(row) for row in range(dock.real.box.count())] == ["C0_1", "C1_1"]
    assert dock.sample.box.count() == 3
    assert dock.means.angle_deg == pytest.approx(45.0, abs=1e-4)
    assert "45.00°" in dock.class_means.text()
    assert dock.summary() == "class means 45.0° apart"


def test_a_pair_stands_side_by_side_under_one_cursor(viewer, dock, mouse, qtbot):
    mine = viewer.add_image(np.zeros((3, 5, 5)), name="mine")
    also = viewer.add_points(np.zeros((1, 2)), visible=False)
    viewer.canvas.grid.stride = 3
    press(dock.show_button)
    assert dock.comparison.active
    real, made = dock.comparison.layers
    assert [real.name, made.name] == ["C0_1 · real", f"{RUN}_0000 · synthetic"]
    grid, layers = viewer.canvas.grid, viewer.layers
    assert grid.position(layers.index(real), layers) == (0, 0)
    assert grid.position(layers.index(made), layers) == (0, 1)
    assert not mine.visible
    real.contrast_limits = (0.1, 0.7)
    assert tuple(made.contrast_limits) == (0.1, 0.7)
    middle = [(size - 1) / 2 for size in real.data.shape[1:]]
    qtbot.waitUntil(lambda: len(viewer.window._qt_viewer.canvas.grid_views) == 2)
    mouse(viewer).move(*middle)
    qtbot.waitUntil(lambda: "45.00°" in dock.under_cursor.text())
    press(dock.show_button)
    assert [layer.name for layer in layers] == ["mine", "Points"]
    assert (mine.visible, also.visible) == (True, False)
    assert (grid.enabled, grid.stride, grid.shape) == (False, 3, (-1, -1))


def test_next_and_previous_keep_the_place(viewer, dock):
    press(dock.show_button)
    layers = dock.comparison.layers
    layers[0].gamma = 0.5
    press(dock.sample.next)
    assert layers[1].name == f"{RUN}_0001 · synthetic"
    press(dock.sample.previous)
    press(dock.sample.previous)
    assert layers[1].name == f"{RUN}_0002 · synthetic"  # around the end
    press(dock.real.next)
    assert layers[0].name == "C1_1 · real"
    assert dock.comparison.layers is layers
    assert layers[0].gamma == 0.5
    assert len(viewer.layers) == 2


def test_removing_one_of_the_pair_or_hiding_the_dock_ends_it(viewer, dock):
    grid = viewer.canvas.grid
    press(dock.show_button)
    viewer.layers.remove(dock.comparison.layers[1])
    assert (dock.comparison.active, len(viewer.layers), grid.enabled) == (False, 0, False)
    assert not dock.show_button.isChecked()
    press(dock.show_button)
    assert dock.comparison.active
    dock.hide()
    assert (dock.comparison.active, len(viewer.layers), grid.enabled) == (False, 0, False)


def test_what_is_missing_is_said_with_the_next_step(make_napari_viewer, study, tmp_path):
    viewer = make_napari_viewer()
    dock = CompareDock(viewer)
    steps = []
    session = session_for(viewer)
    session.step_openers.append(steps.append)
    dock.next_step.click()
    empty = Study.create(tmp_path / "empty", wavelengths_nm=NM)
    session.open_study(empty.root)
    assert "no crops" in dock.empty.text.text()
    dock.next_step.click()
    for file in study.synthetic_dir(RUN).iterdir():
        file.unlink()
    session.open_study(study.root)
    assert "no synthetic" in dock.empty.text.text()
    dock.next_step.click()
    assert steps == ["Study", "Crop", "Sample"]
    dock.deleteLater()


def test_class_means_of_nothing_are_nothing(study):
    assert class_means((study.crops_dir, []), (study.crops_dir, study.crops())) is None


# --- workflow


def test_steps_are_made_when_opened_and_one_is_open(viewer, study, qtbot):
    fill(viewer, study, [])
    dock = open_workflow(viewer)
    qtbot.waitUntil(dock.isVisible)
    assert list(dock.docks) == ["Study"]
    assert dock.current == "Study"
    assert dock.headers["Crop"].state.startswith("3 crops")
    assert [layer.name for layer in viewer.layers] == ["C0 · cube"]
    press(dock.headers["Compare"])
    assert dock.current == "Compare"
    assert list(dock.docks) == ["Study", "Compare"]
    assert dock.docks["Compare"].isVisible()
    assert not dock.docks["Study"].isVisible()
    compare = dock.docks["Compare"]
    qtbot.waitUntil(lambda: dock.headers["Compare"].state == "class means 45.0° apart")
    press(compare.show_button)
    assert viewer.canvas.grid.enabled
    press(dock.headers["Study"])
    assert not viewer.canvas.grid.enabled
    press(dock.headers["Study"])
    assert dock.current is None
    session_for(viewer).open_step("Compare")
    assert dock.docks["Compare"] is compare
    assert compare.isVisible()


def test_states_follow_the_session(make_napari_viewer, study, qtbot, monkeypatch):
    viewer = make_napari_viewer()
    dock = WorkflowDock(viewer)
    session = session_for(viewer)
    assert dock.headers["Crop"].state == ""
    session.open_study(study.root)
    assert dock.headers["Sample"].state == "samples from 1 run"
    qtbot.waitUntil(lambda: dock.headers["Annotate"].state == "3 of 3 done")
    ticked = {name for name, header in dock.headers.items() if header.has_results}
    assert ticked == {"Study", "Annotate", "Crop", "Sample"}
    cube_id, read = study.entries[0].id, []
    annotation = study.annotation(cube_id)
    real = Study.annotation_summary

    def counted(study: Study, cube_id: str):
        read.append(cube_id)
        return real(study, cube_id)

    monkeypatch.setattr(Study, "annotation_summary", counted)
    study.save_annotation(annotation.replace(status="unsure"))
    session.annotation_changed.emit(cube_id)
    assert dock.headers["Annotate"].state == "2 of 3 done · 1 unsure"
    assert set(read) <= {cube_id}, "not all of a study is read for one line"
    for file in study.crops_dir.iterdir():
        file.unlink()
    session.crops_changed.emit()
    assert dock.headers["Crop"].state == "no crops yet"
    assert not dock.headers["Crop"].has_results
    session.close_study()
    assert dock.headers["Crop"].state == ""
    dock.deleteLater()


def test_every_step_can_be_opened(viewer, study, qtbot):
    fill(viewer, study, [])
    dock = open_workflow(viewer)
    qtbot.waitUntil(dock.isVisible)
    for step in STEPS:
        dock.open(step.name)
        assert dock.current == step.name
        assert dock.docks[step.name].isVisible()
    assert dock.width() <= 1200 // 2


def test_the_next_step_opens_inside_the_workflow(viewer, study, qtbot):
    for file in study.crops_dir.iterdir():
        file.unlink()
    fill(viewer, study, [])
    dock = open_workflow(viewer)
    qtbot.waitUntil(dock.isVisible)
    before = set(viewer.window.dock_widgets)
    press(dock.headers["Train"])
    press(dock.docks["Train"].empty_button)
    assert dock.current == "Crop"
    qtbot.waitUntil(lambda: dock.docks["Crop"].crop_button.isVisible())
    assert set(viewer.window.dock_widgets) == before  # not beside it, a second time
    press(dock.headers["Sample"])
    qtbot.waitUntil(lambda: dock.docks["Sample"].empty_button.isVisible())
    press(dock.docks["Sample"].empty_button)
    assert dock.current == "Train"


def test_what_the_study_holds_is_said_before_it_has_been_read(make_napari_viewer, study, qtbot):
    viewer = make_napari_viewer()
    dock = WorkflowDock(viewer)
    session_for(viewer).open_study(study.root)
    dock.open("Sample")
    assert dock.headers["Sample"].state == "samples from 1 run"
    qtbot.waitUntil(lambda: dock.headers["Sample"].state == "3 samples from 1 run")
    session_for(viewer).close_study()
    assert dock.headers["Sample"].state == ""
    assert not any(header.has_results for header in dock.headers.values())
    dock.deleteLater()


def test_steps_see_what_a_shell_did_to_the_folder_meanwhile(viewer, study, qtbot):
    fill(viewer, study, [])
    dock = open_workflow(viewer)
    qtbot.waitUntil(dock.isVisible)
    press(dock.headers["Compare"])
    compare = dock.docks["Compare"]
    qtbot.waitUntil(lambda: compare.means is not None)
    shutil.rmtree(study.synthetic_dir(RUN))
    before = len(notification_manager.records)
    press(compare.show_button)
    assert [record.severity.value for record in notification_manager.records[before:]] == ["warning"]
    assert not compare.comparison.active
    assert compare.empty.isVisible()
    shutil.rmtree(study.crops_dir)
    press(dock.headers["Crop"])
    assert dock.headers["Crop"].state == "no crops yet"
    assert not dock.headers["Sample"].has_results


def test_the_selected_layer_is_selected_again_after_a_comparison(viewer, dock):
    mine = viewer.add_image(np.zeros((3, 5, 5)), name="mine")
    viewer.add_image(np.zeros((3, 5, 5)), name="other")
    viewer.layers.selection.active = mine
    press(dock.show_button)
    assert viewer.layers.selection.active is dock.comparison.layers[0]
    press(dock.show_button)
    assert viewer.layers.selection.active is mine


def test_names_in_narrow_lists_are_short_but_never_ambiguous():
    assert short_names(["a-b-vae-1", "a-c-vae-2"], lambda name: name.split("-", 2)[-1]) == ["vae-1", "vae-2"]
    assert short_names(["a-b-vae", "a-c-vae"], lambda name: name.split("-", 2)[-1]) == ["a-b-vae", "a-c-vae"]
