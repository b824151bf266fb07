"""The Crop dock in a real viewer, on a real study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool

from napari_hsisynth import Cube, Study
from napari_hsisynth.study import make_crops
from napari_hsisynth.widgets.crop_dock import CropDock
from napari_hsisynth.widgets.lesion_counts import LesionCounts
from napari_hsisynth.widgets.session import session_for

SHAPE = (40, 60)
WAIT_MS = 20_000


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HSISYNTH_SETTINGS", str(tmp_path / "settings.ini"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = Study.create(tmp_path / "mine", wavelengths_nm=np.linspace(465, 630, 16))
    labels = np.zeros(SHAPE, int)
    labels[10:20, 20:40], labels[30:34, 2:6] = 1, 2
    draw = np.random.default_rng(0)
    for cube_id, mask in (("A", labels), ("B", labels == 1), ("C", None)):
        study.add_cube(Cube(draw.random((16, *SHAPE)), study.wavelengths_nm), cube_id, "melanoma", mask=mask)
    return study


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any):
    yield make_napari_viewer_proxy()
    QThreadPool.globalInstance().waitForDone(10_000)


@pytest.fixture
def dock(viewer: Any, qtbot: Any) -> CropDock:
    dock = CropDock(viewer)
    viewer.window.add_dock_widget(dock, name="Crop")
    return dock


@pytest.fixture
def ready(dock: CropDock, study: Study, viewer: Any, qtbot: Any) -> CropDock:
    session_for(viewer).open_study(study.root)
    qtbot.waitUntil(dock.crop_button.isEnabled, timeout=WAIT_MS)
    return dock


def corners(dock: CropDock) -> list[tuple[float, ...]]:
    """Boxes drawn, as (y0, x0, y1, x1) between pixels."""
    assert dock.boxes.layer is not None
    return sorted((*rectangle.min(axis=0), *rectangle.max(axis=0)) for rectangle in dock.boxes.layer.data)


def test_a_series_of_saved_annotations_is_counted_once(ready: CropDock, viewer: Any, qtbot: Any, monkeypatch) -> None:
    counted: list[Study] = []
    monkeypatch.setattr(
        "napari_hsisynth.widgets.crop_dock.count_lesions", lambda study: counted.append(study) or LesionCounts()
    )
    for _ in range(5):
        session_for(viewer).annotation_changed.emit("A")
    qtbot.waitUntil(lambda: "No accepted lesion" in ready.facts.text(), timeout=WAIT_MS)
    assert len(counted) == 1
    ready.hide()
    session_for(viewer).annotation_changed.emit("A")
    assert not ready._count_soon.isActive(), "nobody is looking"


def test_without_a_study_or_a_lesion_the_next_step_is_offered(
    dock: CropDock, tmp_path: Path, viewer: Any, qtbot: Any
) -> None:
    assert dock.next_button.isVisibleTo(dock)
    assert dock.next_button.text() == "Open or make a study"
    assert not dock.crop_button.isVisibleTo(dock)
    empty = Study.create(tmp_path / "empty", wavelengths_nm=[500])
    session_for(viewer).open_study(empty.root)
    qtbot.waitUntil(lambda: dock.next_button.text() == "Annotate", timeout=WAIT_MS)
    assert "No accepted lesion" in dock.facts.text()
    assert dock.summary() == "no crops yet"


def test_lesions_are_counted_and_crops_are_cut(ready: CropDock, study: Study, viewer: Any, qtbot: Any) -> None:
    assert "3 accepted lesions in 2 of 3 cubes" in ready.facts.text()
    told = []
    session_for(viewer).crops_changed.connect(lambda: told.append(len(study.crops())))
    ready.form.margin.setValue(1)
    with qtbot.waitSignal(ready.task.finished, timeout=WAIT_MS):
        ready.crop_button.click()
        assert not ready.crop_button.isEnabled()
    assert told == [3]
    assert ready.task.status.text() == "✔ 3 crops cut · left out: C (no lesion marked)"
    assert ready.summary() == "3 crops · 8-40 px"
    assert {record.crop_id: record.box for record in study.crops()}["A_1"] == (5, 10, 25, 50)
    assert ready.crop_button.text() == "Crop again"
    assert ready.crop_button.isEnabled()


def test_the_command_does_the_same(ready: CropDock, study: Study) -> None:
    ready.form.margin.setValue(0.25)
    ready.form.square.setChecked(True)
    assert ready.command.command.endswith(f"crop {study.root} --margin 0.25 --square")
    assert "× 1.25" in ready.form.margin_text.text()


def test_boxes_are_drawn_on_request_where_the_crops_will_be(
    ready: CropDock, study: Study, viewer: Any, qtbot: Any
) -> None:
    session_for(viewer).show_cube("A")
    ready.preview.setChecked(True)
    assert [layer.name for layer in viewer.layers] == ["A · cube", "A · crop boxes"]
    assert viewer.layers.selection.active.name == "A · cube"
    for margin, square in ((0.5, False), (1.0, True), (0.0, False)):
        ready.form.margin.setValue(margin)
        ready.form.square.setChecked(square)
        cut = [record.box for record in make_crops(study, margin=margin, square=square).records[:2]]
        assert corners(ready) == sorted(tuple(np.array(box) - 0.5) for box in cut)
    assert ready.boxes.layer.edge_color[0][:3] == pytest.approx(np.array([0xD5, 0x5E, 0x00]) / 255, abs=1e-6)


def test_boxes_follow_the_cube_and_the_annotation(ready: CropDock, study: Study, viewer: Any, qtbot: Any) -> None:
    session = session_for(viewer)
    session.show_cube("A")
    ready.preview.setChecked(True)
    session.show_cube("B")
    assert len(corners(ready)) == 1
    assert ready.boxes.layer.name == "B · crop boxes"
    extra = np.zeros(SHAPE, bool)
    extra[30:35, 50:55] = True
    study.save_annotation(study.annotation("B").with_instance(extra, "nevus"))
    session.annotation_changed.emit("B")
    assert len(corners(ready)) == 2
    qtbot.waitUntil(lambda: "4 accepted lesions" in ready.facts.text(), timeout=WAIT_MS)
    session.show_cube("C")
    assert corners(ready) == []


def test_boxes_go_when_no_longer_asked_for_or_when_the_user_removes_them(ready: CropDock, viewer: Any) -> None:
    session_for(viewer).show_cube("A")
    ready.preview.setChecked(True)
    ready.preview.setChecked(False)
    assert [layer.name for layer in viewer.layers] == ["A · cube"]
    ready.preview.setChecked(True)
    viewer.layers.remove(ready.boxes.layer)
    assert not ready.preview.isChecked()
    ready.form.margin.setValue(0.7)  # does not bring it back
    assert [layer.name for layer in viewer.layers] == ["A · cube"]


def test_a_crop_that_fails_or_is_cancelled_leaves_the_old_crops(
    ready: CropDock, study: Study, viewer: Any, qtbot: Any
) -> None:
    make_crops(study)
    session_for(viewer).crops_changed.emit()
    before = ready.summary()
    with qtbot.waitSignal(ready.task.finished, timeout=WAIT_MS):
        ready.crop_button.click()
        ready.task.cancel_button.click()
    assert ready.task.status.text() == "cancelled; everything is as it was before"
    study.cube_path("B").unlink()
    with qtbot.waitSignal(ready.task.finished, timeout=WAIT_MS):
        ready.crop_button.click()
    assert "the cube's file is missing" in ready.task.status.text()
    assert ready.summary() == before
    assert ready.crop_button.isEnabled()


def test_margin_and_square_come_back_at_the_next_start(ready: CropDock, viewer: Any) -> None:
    ready.form.margin.setValue(0.8)
    ready.form.square.setChecked(True)
    again = CropDock(viewer)
    assert again.form.margin.value() == pytest.approx(0.8)
    assert again.form.square.isChecked()
    again.deleteLater()
