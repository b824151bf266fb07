"""The Crop dock beside other docks: boxes that follow the painting, and crops shown over their cubes."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt, QThreadPool

from napari_hsisynth import Cube, Study
from napari_hsisynth.study import DIAGNOSIS_COLOURS, Diagnosis, make_crops
from napari_hsisynth.widgets import crop_dock, task_row
from napari_hsisynth.widgets.annotator_identity import set_annotator_name
from napari_hsisynth.widgets.crop_dock import CropDock
from napari_hsisynth.widgets.mask_layers import MaskLayers
from napari_hsisynth.widgets.session import session_for

SHAPE = (40, 60)
WAIT_MS = 20_000


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
def dock(viewer: Any, study: Study, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CropDock:
    monkeypatch.setenv("HSISYNTH_SETTINGS", str(tmp_path / "settings.ini"))
    dock = CropDock(viewer)
    viewer.window.add_dock_widget(dock, name="Crop")
    session_for(viewer).open_study(study.root)
    qtbot.waitUntil(dock.crop_button.isEnabled, timeout=WAIT_MS)
    dock.form.margin.setValue(0)
    return dock


def boxes(dock: CropDock) -> dict[str, tuple[float, ...]]:
    """What is drawn, by its text: (y0, x0, y1, x1) of rectangles, nothing of dashed ones."""
    layer = dock.boxes.layer
    shapes = zip(layer.features["text"], layer.shape_type, layer.data, strict=True)
    return {
        text: (*shape.min(axis=0) + 0.5, *shape.max(axis=0) + 0.5) if kind == "rectangle" else ()
        for text, kind, shape in shapes
        if text
    }


def test_boxes_follow_the_painting_before_anything_is_saved(
    dock: CropDock, study: Study, viewer: Any, qtbot: Any
) -> None:
    session = session_for(viewer)
    session.show_cube("A")
    masks = MaskLayers(session.viewer)
    masks.attach(session.cube_layer, study.annotation("A").mask)
    dock.preview.setChecked(True)
    masks.lesions.mode = "paint"
    session.viewer.layers.selection.active = masks.lesions
    assert boxes(dock) == {"lesion 1 · 10 x 20 px": (10, 20, 20, 40), "lesion 2 · 4 x 4 px": (30, 2, 34, 6)}

    masks.lesions.name = "renamed by the user"
    masks.lesions.brush_size = 1
    masks.lesions.paint((25, 3), 2)
    qtbot.waitUntil(lambda: boxes(dock).get("lesion 2 · 9 x 4 px") == (25, 2, 34, 6), timeout=WAIT_MS)
    masks.write(study.annotation("A").mask)  # as undo does
    qtbot.waitUntil(lambda: "lesion 2 · 4 x 4 px" in boxes(dock), timeout=WAIT_MS)
    masks.lesions.paint((5, 50), 3)  # a new lesion, by hand
    qtbot.waitUntil(lambda: boxes(dock).get("lesion 3 · 1 x 1 px") == (5, 50, 6, 51), timeout=WAIT_MS)

    draft = np.zeros(SHAPE, bool)
    draft[2:8, 3:9] = True
    masks.show_draft(draft)
    qtbot.waitUntil(lambda: boxes(dock).get("draft · not cropped until accepted") == (), timeout=WAIT_MS)
    assert dock.told.text() == "dashed: 1 not cropped until accepted"
    pieces = zip(dock.boxes.layer.data, dock.boxes.layer.shape_type, strict=True)
    drawn = np.concatenate([piece for piece, kind in pieces if kind != "rectangle"])
    assert (drawn.min(axis=0) + 0.5).tolist() == [2, 3]
    assert (drawn.max(axis=0) + 0.5).tolist() == [8, 9]
    masks.show_draft(None)
    qtbot.waitUntil(lambda: not dock.told.text(), timeout=WAIT_MS)
    masks.choose(1)
    dock.boxes.update()
    assert not dock.told.text(), "the outline of the chosen lesion is no draft"
    masks.choose(None)
    assert session.viewer.layers.selection.active is masks.lesions
    assert masks.lesions.mode == "paint"

    masks.remove()  # the layers go; what was saved is shown
    qtbot.waitUntil(lambda: len(boxes(dock)) == 2, timeout=WAIT_MS)
    masks.disconnect()


def test_size_and_square_redraw_at_once_and_what_is_not_cut_is_dashed_and_told(
    dock: CropDock, study: Study, viewer: Any
) -> None:
    session = session_for(viewer)
    annotation = study.annotation("A")
    first, second = annotation.instances
    study.save_annotation(
        annotation.replace(instances=(replace(first, diagnosis=Diagnosis.NEVUS), replace(second, status="unsure")))
    )
    session.show_cube("A")
    dock.preview.setChecked(True)
    assert boxes(dock) == {"lesion 1 · 10 x 20 px": (10, 20, 20, 40), "lesion 2 · unsure: not cropped": ()}
    assert dock.told.text() == "dashed: 1 unsure: not cropped"
    assert dock.boxes.layer.features["colour"][0] == DIAGNOSIS_COLOURS[Diagnosis.NEVUS]
    dock.form.square.setChecked(True)
    dock.form.size.setCurrentText("224 px")
    assert boxes(dock)["lesion 1 · 20 x 20 px -> 224 px"] == (5, 20, 25, 40)
    dock.form.diagnosis.setCurrentIndex(dock.form.diagnosis.findData(Diagnosis.MELANOMA))
    assert boxes(dock)["lesion 1 · nevus: not cropped"] == ()
    assert not dock.boxes.layer.editable
    dock.boxes.layer.name = "mine"
    dock.form.margin.setValue(0.1)
    assert dock.boxes.layer.name == "mine"
    session.show_cube("C")
    assert boxes(dock) == {}
    assert dock.told.text() == "no lesion is marked in this cube"
    dock.form.whole.setChecked(True)
    assert boxes(dock) == {"whole cube · 40 x 60 px -> 224 x 336 px": (0, 0, 40, 60)}


def test_boxes_do_not_follow_the_work_of_a_second_annotator(
    dock: CropDock, study: Study, viewer: Any, qtbot: Any
) -> None:
    """Crops are cut by the first annotator's masks."""
    annotation = study.annotation("A")
    named = tuple(replace(one, annotator="first") for one in annotation.instances)
    study.save_annotation(annotation.replace(instances=named))
    set_annotator_name("second")
    session = session_for(viewer)
    session.show_cube("A")
    masks = MaskLayers(session.viewer)
    masks.attach(session.cube_layer, np.zeros(SHAPE, np.uint16))
    dock.preview.setChecked(True)
    masks.write(np.ones(SHAPE, np.uint16))
    dock.boxes.update()
    assert boxes(dock) == {"lesion 1 · 10 x 20 px": (10, 20, 20, 40), "lesion 2 · 4 x 4 px": (30, 2, 34, 6)}
    masks.disconnect()


def test_options_reach_the_crops_and_the_command(dock: CropDock, study: Study, qtbot: Any) -> None:
    dock.form.size.setCurrentText("other")
    dock.form.other_size.setValue(16)
    dock.form.whole.setChecked(True)
    dock.form.square.setChecked(True)
    assert dock.words()[2:] == ["--margin", "0", "--square", "--size", "16", "--whole"]
    with qtbot.waitSignal(dock.task.finished, timeout=WAIT_MS):
        dock.crop_button.click()
    assert {record.crop_id: record.shape_yx for record in study.crops()} == {
        "A_1": (16, 16), "A_2": (16, 16), "B_1": (16, 16), "C_0": (16, 24),
    }  # fmt: skip
    assert dock.summary() == "4 crops · 16-24 px"
    dock.form.diagnosis.setCurrentIndex(dock.form.diagnosis.findData(Diagnosis.NEVUS))
    assert not dock.crop_button.isEnabled()
    assert dock.crop_button.toolTip() == "There is no accepted lesion of nevus to crop"
    assert dock.words()[-2:] == ["--diagnosis", "nevus"]


def assert_same_place(dock: CropDock, study: Study) -> None:
    """The crop that is shown covers its box of the cube."""
    record = next(one for one in study.crops() if one.crop_id == dock.in_place.record.crop_id)
    cube, crop = dock.session.cube_layer, dock.in_place.layer
    y0, x0, y1, x1 = record.box
    corners = crop.data_to_world((3, -0.5, -0.5)), crop.data_to_world((3, *(np.array(record.shape_yx) - 0.5)))
    wanted = cube.data_to_world((3, y0 - 0.5, x0 - 0.5)), cube.data_to_world((3, y1 - 0.5, x1 - 0.5))
    np.testing.assert_allclose(corners, wanted)


def test_a_crop_opens_over_its_cube_where_it_was_cut(dock: CropDock, study: Study, viewer: Any, qtbot: Any) -> None:
    make_crops(study, size=30)
    session = session_for(viewer)
    session.crops_changed.emit()
    qtbot.waitUntil(lambda: dock.list.list.count() == 3 and dock.list.rendered, timeout=WAIT_MS)
    listed = dock.list.list
    picture = listed.item(0).icon().pixmap(listed.iconSize()).toImage()
    assert picture.pixelColor(0, 5).name().upper() == DIAGNOSIS_COLOURS[Diagnosis.MELANOMA]
    assert picture.pixelColor(picture.width() // 2, picture.height() // 2).alpha() == 255
    listed.setCurrentRow(0)
    qtbot.keyClick(listed, Qt.Key.Key_Return)
    assert session.cube_id == "A"
    assert [layer.name for layer in viewer.layers] == ["A · cube", "A_1 · crop"]
    assert viewer.layers.selection.active.name == "A · cube"
    assert_same_place(dock, study)
    assert "A_1 · melanoma · 15 x 30 px -> 30 x 60 px at y 7, x 15" in dock.list.about.text()

    row = listed.visualItemRect(listed.item(1)).center()
    qtbot.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=row)
    assert [layer.name for layer in viewer.layers] == ["A · cube", "A_2 · crop"]
    dock.back_button.click()
    assert [layer.name for layer in viewer.layers] == ["A · cube"]
    assert not dock.back_button.isEnabled()

    make_crops(study)
    session.crops_changed.emit()
    dock.list.chosen.emit(study.crops()[0])
    assert_same_place(dock, study)
    at = dock.in_place.layer.data_to_world((3, 2, 4))
    assert dock.in_place.layer.get_value(at, world=True) == session.cube_layer.get_value(at, world=True)
    session.show_cube("B")  # a crop never lies over another cube
    assert [layer.name for layer in viewer.layers] == ["B · cube"]
    dock.list.chosen.emit(study.crops()[2])
    session.viewer.layers.remove(dock.in_place.layer)
    assert not dock.back_button.isEnabled()
    qtbot.waitUntil(lambda: dock.list.rendered, timeout=WAIT_MS)


def test_a_crop_that_cannot_be_read_is_told_in_the_list(
    dock: CropDock, study: Study, viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_crops(study)
    (study.crops_dir / "A_1.npz").write_bytes(b"PK no")
    session_for(viewer).crops_changed.emit()
    qtbot.waitUntil(lambda: dock.list.list.count() == 3 and dock.list.rendered, timeout=WAIT_MS)
    assert "not a crop" in dock.list.list.item(0).toolTip()
    said: list[str] = []
    monkeypatch.setattr(crop_dock, "show_warning", said.append)
    dock.list.chosen.emit(study.crops()[0])
    assert "not a crop" in said[0]
    assert len(viewer.layers) == 0


def test_long_work_says_when_it_will_be_over(dock: CropDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_row, "_ETA_AFTER_S", 0)
    go_on = threading.Event()

    def work(wait: threading.Event, progress: Any, cancelled: Any) -> str:
        progress(1, 4)
        wait.wait(20)
        return "done"

    dock.task.start(partial(work, go_on), str, title="cropping")
    qtbot.waitUntil(lambda: "cropping: 1 of 4 cubes · ETA 0:0" in dock.task.status.text(), timeout=WAIT_MS)
    with qtbot.waitSignal(dock.task.finished, timeout=WAIT_MS):
        go_on.set()
