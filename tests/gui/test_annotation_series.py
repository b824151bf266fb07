"""A study as a queue, and a second annotator, in a real viewer with real clicks and keys."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth import Cube, Study
from napari_hsisynth.study import Instance
from napari_hsisynth.study.annotation_queue import read_rows
from napari_hsisynth.study.annotators import save_as
from napari_hsisynth.study.drafts import save_draft
from napari_hsisynth.widgets.annotate_dock import AnnotateDock
from napari_hsisynth.widgets.annotator_identity import set_annotator_name
from napari_hsisynth.widgets.live_queue import live_queue
from napari_hsisynth.widgets.session import session_for

SHAPE = (40, 60)
NM = [500.0, 600.0]
WAIT_MS = 10_000


def square(left: int, side: int = 12) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[10 : 10 + side, left : left + side] = True
    return mask


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Six cubes; Jane has done DN_2, is unsure of DN_3, and has an unfinished lesion on MM_5."""
    study = Study.create(tmp_path / "mine", wavelengths_nm=NM)
    for number in range(6):
        kind = "melanoma" if number > 3 else "dysplastic_nevus"
        cube = Cube(np.random.default_rng(number).uniform(0.3, 0.5, (2, *SHAPE)), NM)
        study.add_cube(cube, f"{'MM' if number > 3 else 'DN'}_{number}", kind, patient=f"p{number // 2}")
    for cube_id, status in (("DN_2", "done"), ("DN_3", "unsure")):
        annotation = study.annotation(cube_id).with_instance(square(10), "nevus", annotator="Jane Doe")
        save_as(study, annotation.replace(status=status), "Jane Doe")
    save_draft(study, "MM_5", {}, "Jane_Doe")
    return study


class Desk:
    """A viewer with the dock, as Jane left it."""

    def __init__(self, viewer, qtbot, study) -> None:
        set_annotator_name("Jane Doe")
        self.viewer, self.qtbot = viewer, qtbot
        viewer.window._qt_window.resize(700, 700)  # small: what is drawn costs time
        self.session = session_for(viewer)
        self.session.open_study(study.root)
        self.session.show_cube("DN_0")
        self.dock = AnnotateDock(viewer)
        viewer.window.add_dock_widget(self.dock, name="Annotate")
        self.wait(lambda: self.dock.annotator.target is not None and self.dock.summary() != "")

    def wait(self, condition) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def wait_for_cube(self, cube_id: str) -> None:
        self.wait(lambda: self.dock.annotator.target is not None and self.dock.annotator.target.cube_id == cube_id)

    def press(self, key) -> None:
        QTest.keyClick(self.viewer.window._qt_viewer.canvas.native, key)

    def type(self, field, text: str) -> None:
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)

    def choose(self, box, text: str) -> None:
        box.setCurrentText(text)
        box.activated.emit(box.currentIndex())

    def click_row(self, table, row: int) -> None:
        table.scrollTo(table.model().index(row, 1))
        place = table.visualRect(table.model().index(row, 1)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def mark(self, left: int) -> None:
        self.dock.annotator.lesions.put(Instance(1, "nevus", annotator="x"), square(left))

    def shown(self) -> list[str]:
        return list(self.dock.cube_queue.table.cubes.cube_ids)


@pytest.fixture
def desk(make_napari_viewer_proxy, qtbot, study) -> Desk:
    desk = Desk(make_napari_viewer_proxy(show=True), qtbot, study)
    yield desk
    desk.dock.annotator.flush()


def test_a_reading_that_was_begun_before_a_save_does_not_undo_it(qtbot, study, monkeypatch):
    set_annotator_name("Jane Doe")
    viewer = ViewerModel()
    session = session_for(viewer)
    queue = live_queue(session)
    session.open_study(study.root)
    qtbot.waitUntil(lambda: queue.text() == "1 of 6 done · 1 unsure", timeout=WAIT_MS)
    read, go_on = threading.Event(), threading.Event()

    def slow(*args):
        rows = read_rows(*args)
        read.set()
        assert go_on.wait(10)
        return rows

    monkeypatch.setattr("napari_hsisynth.widgets.live_queue.read_rows", slow)
    save_draft(study, "DN_1", {}, "Jane_Doe")
    save_draft(study, "DN_2", {})
    queue.read()
    assert read.wait(10)
    save_as(study, study.annotation("DN_0").replace(status="done"), "Jane Doe")
    session.annotation_changed.emit("DN_0")
    assert queue.text() == "2 of 6 done · 1 unsure"
    go_on.set()
    qtbot.waitUntil(lambda: queue.queue.drafts == {"DN_1", "DN_2", "MM_5"}, timeout=WAIT_MS)
    assert queue.text() == "2 of 6 done · 1 unsure"


def test_the_queue_is_filtered_walked_and_jumped_in(desk, study):
    bar, queue = desk.dock.cube_bar, desk.dock.cube_queue
    assert bar.progress.format() == desk.dock.summary() == "1 of 6 done · 1 unsure"
    assert bar.progress.value() == 1
    desk.dock.queue_fold.set_open(True)
    desk.wait(queue.table.isVisible)
    assert desk.shown() == ["DN_0", "DN_1", "DN_2", "DN_3", "MM_4", "MM_5"]
    desk.click_row(queue.table, 4)
    desk.wait_for_cube("MM_4")
    # a filter: previous and next go through what it shows
    desk.choose(queue.state, "todo")
    assert desk.shown() == ["DN_0", "DN_1", "MM_4", "MM_5"]
    desk.press(Qt.Key.Key_J)
    desk.wait_for_cube("DN_1")
    desk.mark(10)  # and so it is done
    desk.wait(lambda: desk.dock.summary() == "2 of 6 done · 1 unsure")
    assert desk.shown() == ["DN_0", "MM_4", "MM_5"]
    desk.press(Qt.Key.Key_K)
    desk.wait_for_cube("MM_4")
    # other filters, of which Enter takes the first
    desk.choose(queue.state, "all")
    desk.choose(queue.diagnosis, "dysplastic nevus")
    assert desk.shown() == ["DN_0", "DN_1", "DN_2", "DN_3"]
    assert queue.table.currentIndex().row() <= 0, "the shown cube is not among them"
    desk.type(queue.text, "P1")
    desk.wait_for_cube("DN_2")
    assert desk.shown() == ["DN_2", "DN_3"]
    assert queue.count.text() == "2 of 6"
    queue.text.clear()
    desk.choose(queue.diagnosis, "any diagnosis")
    desk.choose(queue.state, "with a draft")
    assert desk.shown() == ["MM_5"]
    desk.choose(queue.state, "all")
    # an id is typed, or a part that only one has
    desk.type(bar.jump, "DN")  # several have it
    assert desk.session.cube_id == "DN_2"
    QTest.keyClick(bar.jump, Qt.Key.Key_Escape)
    desk.wait(lambda: bar.jump.text() == "DN_2")
    desk.type(bar.jump, "m_5")
    desk.wait_for_cube("MM_5")
    assert not bar.next_button.isEnabled()
    desk.press(Qt.Key.Key_K)  # the end: it does not wrap
    assert desk.session.cube_id == "MM_5"
    # nothing of the way was lost; and somebody else does the next cube meanwhile
    assert study.annotation("DN_1").status == "done"
    save_as(study, study.annotation("DN_0").replace(status="done"), "jane doe")
    bar.todo_button.click()
    desk.wait_for_cube("MM_4")


def test_a_second_annotator_works_beside_the_first_and_they_are_compared(desk, study):
    row, agreement = desk.dock.annotator_row, desk.dock.agreement
    desk.dock.people_fold.set_open(True)
    desk.mark(10)
    desk.wait(lambda: study.annotation("DN_0").status == "done")
    assert agreement.cube.line.text() == "Nobody else has annotated this cube."
    # Max takes over the desk
    desk.type(row.name, "Max")
    desk.wait(lambda: row.hint.text() == "Jane Doe annotated this cube first: yours is kept beside it.")
    desk.wait(lambda: desk.dock.summary() == "0 of 6 done")
    desk.wait_for_cube("DN_0")
    assert not desk.dock.annotator.lesions.labels.any(), "Max does not see what Jane did"
    assert "Max · beside Jane Doe" in desk.dock.people_fold.button.text()
    first = (study.masks_dir / "DN_0.json").read_bytes()
    desk.mark(14)
    desk.wait(lambda: (study.masks_dir / "DN_0.Max.json").exists())
    assert (study.masks_dir / "DN_0.json").read_bytes() == first
    desk.wait(lambda: agreement.cube.pair is not None)
    assert agreement.cube.line.text().startswith("Max and Jane Doe: Dice .67, IoU .50, boundary 2.")
    # the other's outline
    agreement.cube.outline_button.click()
    layer = desk.viewer.layers["DN_0 · Jane Doe"]
    assert np.array_equal(layer.data > 0, square(10))
    assert not layer.editable
    assert layer.contour
    agreement.cube.outline_button.click()
    assert "DN_0 · Jane Doe" not in desk.viewer.layers
    agreement.cube.outline_button.click()
    desk.viewer.layers.remove("DN_0 · Jane Doe")
    assert not agreement.cube.outline_button.isChecked()
    agreement.cube.outline_button.click()
    desk.press(Qt.Key.Key_K)
    desk.wait_for_cube("DN_1")
    assert "DN_0 · Jane Doe" not in desk.viewer.layers, "it belonged to the other cube"
    # over the study, and from there back to the cube
    desk.dock.queue_fold.set_open(True)
    desk.choose(desk.dock.cube_queue.state, "disagree")  # which has to be found out first
    desk.wait(lambda: desk.shown() == ["DN_0"])
    assert "Dice mean .67" in agreement.overall.text()
    assert agreement.command.command.startswith("napari-hsisynth agreement ")
    desk.wait(agreement.table.isVisible)
    desk.click_row(agreement.table, 0)
    desk.wait_for_cube("DN_0")
    desk.mark(10)  # he sees her point
    desk.wait(lambda: desk.shown() == [])
    assert agreement.table.cubes[0].dice == 1
    # Jane comes back
    desk.type(row.name, "jane  doe")
    desk.wait(lambda: desk.dock.summary() == "2 of 6 done · 1 unsure")
    desk.wait(lambda: row.hint.text() == "You annotated this cube first; Max beside you.")
    assert (study.masks_dir / "DN_0.json").read_bytes() == first
    # somebody else is faster on the next cube, which she has open already
    desk.choose(desk.dock.cube_queue.state, "all")
    desk.press(Qt.Key.Key_K)
    desk.wait_for_cube("DN_1")
    save_as(study, study.annotation("DN_1").with_instance(square(20), "nevus", annotator="Eva"), "Eva")
    desk.mark(30)
    desk.wait(lambda: row.hint.text() == "Eva annotated this cube first: yours is kept beside it.")
    assert np.array_equal(study.annotation("DN_1").mask > 0, square(20))
    assert np.array_equal(study.annotation("DN_1", "jane_doe").mask > 0, square(30))
    assert np.array_equal(desk.dock.annotator.lesions.labels > 0, square(30))
