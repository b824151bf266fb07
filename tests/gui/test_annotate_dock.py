"""The Annotate dock in a real viewer: real mouse and key events on the canvas, real files behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth import Cube, Study
from napari_hsisynth.segment import Proposals
from napari_hsisynth.study import Diagnosis
from napari_hsisynth.widgets.annotate_dock import AnnotateDock, age_text
from napari_hsisynth.widgets.layers import add_cube
from napari_hsisynth.widgets.session import session_for

SHAPE = (60, 80)
NM = [465.0, 520.0, 580.0, 630.0]
CENTRES = {"A": (30, 40), "B": (25, 30), "C": (35, 50)}
WAIT_MS = 10_000
Modifier, Key = Qt.KeyboardModifier, Qt.Key
NONE, CONTROL, SHIFT = Modifier.NoModifier, Modifier.ControlModifier, Modifier.ShiftModifier


def lesion(centre: tuple[int, int], radius: int = 12) -> np.ndarray:
    y, x = np.indices(SHAPE)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2


def cube_of(centre: tuple[int, int], name: str = "") -> Cube:
    dark = np.array([0.08, 0.12, 0.18, 0.25])[:, None, None]
    noise = np.random.default_rng(0).normal(1, 0.01, (4, *SHAPE))
    return Cube(np.where(lesion(centre), dark, 0.5) * noise, NM, name=name)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = Study.create(tmp_path / "mine", wavelengths_nm=NM)
    for cube_id, centre in CENTRES.items():
        study.add_cube(cube_of(centre), cube_id, "melanoma")
    return study


class Bench:
    """A viewer with the dock, and hands: mouse and keys on its canvas."""

    def __init__(self, viewer: Any, qtbot: Any, mouse: Any) -> None:
        self.viewer, self.qtbot, self.mouse = viewer, qtbot, mouse(viewer)
        self.dock = AnnotateDock(viewer)
        viewer.window.add_dock_widget(self.dock, name="Annotate")
        self.annotator = self.dock.annotator
        self.drafts, self.lesions = self.annotator.drafts, self.annotator.lesions
        qtbot.waitUntil(lambda: self.annotator.following, timeout=WAIT_MS)

    def open(self, study: Study, cube_id: str) -> None:
        session = session_for(self.viewer)
        if session.study is None:
            session.open_study(study.root)
        session.show_cube(cube_id)
        self.settle()
        self.viewer.reset_view()

    def press(self, key: Any) -> None:
        QTest.keyClick(self.mouse.canvas.native, key)

    def settle(self) -> None:
        """Wait until the segmenter has answered and all is on disk."""

        def quiet() -> bool:
            busy = self.drafts.waiting or self.drafts.segmenter.state == "preparing"
            return not busy and not self.lesions._unsaved and not self.lesions._save_later.isActive()

        self.qtbot.waitUntil(quiet, timeout=WAIT_MS)

    def ask(self, y: float, x: float, modifier: Any = NONE) -> np.ndarray:
        self.mouse.click(y, x, modifier)
        self.settle()
        return self.drafts.draft.mask

    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def bench(make_napari_viewer_proxy: Any, qtbot: Any, mouse: Any) -> Bench:
    viewer = make_napari_viewer_proxy(show=True)
    bench = Bench(viewer, qtbot, mouse)
    yield bench
    bench.annotator.flush()


def test_without_a_cube_the_next_step_is_offered(bench, study):
    assert bench.dock.empty_button.isVisible()
    session_for(bench.viewer).open_study(study.root)
    bench.dock.empty_button.click()
    assert session_for(bench.viewer).cube_id == "A"
    assert bench.dock.content.isVisible()
    assert bench.dock.minimumSizeHint().width() <= 400  # with the bar; fonts differ between machines
    bench.settle()


def test_a_click_shows_the_mask_and_accept_stores_it(bench, study):
    bench.open(study, "A")
    assert iou(bench.ask(*CENTRES["A"]), lesion(CENTRES["A"])) > 0.85
    assert (bench.lesions.masks.draft.data > 0).any()
    bench.press(Key.Key_G)
    bench.settle()
    stored = Study.open(study.root).annotation("A")
    (instance,) = stored.instances
    assert iou(stored.mask_of(1), lesion(CENTRES["A"])) > 0.85
    assert (instance.diagnosis, instance.status, instance.backend) == (Diagnosis.MELANOMA, "accepted", "spectral")
    assert instance.prompts["points"] == [list(CENTRES["A"])]
    assert stored.status == "done"
    assert bench.drafts.draft is None
    assert not bench.drafts.prompts.prompts
    assert bench.dock.summary() == "1 of 3 done"


def test_accept_right_after_the_click_waits_for_the_answer(bench, study):
    bench.open(study, "A")
    bench.mouse.click(*CENTRES["A"])
    bench.press(Key.Key_G)
    bench.qtbot.waitUntil(lambda: bool(bench.lesions.rows()), timeout=WAIT_MS)
    assert iou(bench.lesions.labels == 1, lesion(CENTRES["A"])) > 0.85
    bench.settle()


def test_control_click_is_outside_and_obeyed(bench, study):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    mask = bench.ask(30, 46, CONTROL)
    assert bench.drafts.prompts.prompts.labels == (1, 0)
    assert mask[30, 40]
    assert not mask[bench.drafts.prompts.prompts.points[1]]


@pytest.mark.parametrize("flip", [False, True])
def test_a_box_may_be_dragged_in_any_direction_and_the_view_stays(bench, study, flip):
    bench.open(study, "A")
    corners = [(19, 51), (41, 29)] if flip else [(19, 29), (41, 51)]
    centre = bench.viewer.scene.camera.center
    bench.mouse.drag(*corners)
    bench.settle()
    assert np.abs(np.array(bench.drafts.prompts.prompts.box) - (19, 29, 42, 52)).max() <= 1
    assert iou(bench.drafts.draft.mask, lesion(CENTRES["A"])) > 0.8
    assert bench.viewer.scene.camera.center == centre


def test_shift_and_drag_moves_the_view_only(bench, study):
    bench.open(study, "A")
    centre = np.array(bench.viewer.scene.camera.center)
    bench.mouse.drag((30, 40), (40, 45), SHIFT)
    moved = np.array(bench.viewer.scene.camera.center) - centre
    assert moved[-2:] == pytest.approx([-10, -5], abs=0.5)
    assert not bench.drafts.prompts.prompts


def test_prompts_can_be_moved_and_deleted(bench, study):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    bench.ask(5, 5, CONTROL)
    bench.mouse.drag(CENTRES["A"], (33, 44))
    bench.settle()
    assert bench.drafts.prompts.prompts.points == ((33, 44), (5, 5))
    bench.press(Key.Key_Delete)
    bench.settle()
    assert bench.drafts.prompts.prompts.points == ((33, 44),)
    bench.press(Key.Key_Delete)
    bench.settle()
    assert bench.drafts.draft is None
    bench.drafts.prompts.points.add([list(CENTRES["A"])])  # napari's own tool makes prompts as well
    bench.settle()
    assert bench.drafts.prompts.prompts.points == (CENTRES["A"],)


def test_keys_work_with_any_layer_active(bench, study):
    bench.open(study, "B")
    active = [bench.lesions.masks.lesions, bench.drafts.prompts.box, session_for(bench.viewer).cube_layer]
    for layer in active:
        bench.viewer.layers.selection.active = layer
        bench.press(Key.Key_U)
        bench.settle()
        assert bench.lesions.book.status == "unsure"
        bench.press(Key.Key_U)
        bench.settle()
        assert bench.lesions.book.status == "todo"
        bench.press(Key.Key_Q)
        assert not bench.lesions.masks.lesions.visible
        bench.press(Key.Key_Q)
        assert bench.lesions.masks.lesions.visible
    bench.press(Key.Key_N)
    assert bench.drafts.prompts.active
    bench.press(Key.Key_Escape)
    assert not bench.drafts.prompts.active
    bench.mouse.click(*CENTRES["B"])
    assert not bench.drafts.prompts.prompts


def test_going_to_another_cube_and_back_loses_nothing(bench, study):
    bench.viewer.add_points(np.zeros((1, 2)), name="mine")
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    bench.ask(3, 3, CONTROL)
    bench.dock.draft_panel.diagnosis.setCurrentIndex(bench.dock.draft_panel.diagnosis.findData(Diagnosis.NEVUS))
    bench.dock.draft_panel.diagnosis.activated.emit(bench.dock.draft_panel.diagnosis.currentIndex())
    before = bench.drafts.draft.mask
    bench.press(Key.Key_K)
    bench.settle()
    assert session_for(bench.viewer).cube_id == "B"
    assert bench.drafts.draft is None
    assert "mine" in bench.names()
    assert not [name for name in bench.names() if name.startswith("A ")]
    bench.ask(*CENTRES["B"])
    bench.press(Key.Key_G)  # and away before it can be on disk
    bench.press(Key.Key_J)
    bench.settle()
    assert bench.drafts.prompts.prompts.labels == (1, 0)
    assert bench.drafts.draft.diagnosis == Diagnosis.NEVUS
    assert np.array_equal(bench.drafts.draft.mask, before)
    bench.press(Key.Key_K)
    bench.settle()
    assert [row.instance.id for row in bench.lesions.rows()] == [1]
    assert iou(study.annotation("B").mask == 1, lesion(CENTRES["B"])) > 0.85


def test_a_draft_survives_the_end_of_the_program(bench, study, qtbot, mouse):
    bench.open(study, "A")
    mask = bench.ask(*CENTRES["A"])
    bench.viewer.window.remove_dock_widget(bench.dock)
    qtbot.waitUntil(lambda: bench.names() == ["A · cube"], timeout=WAIT_MS)  # the dock has taken its layers with it
    other = Bench(bench.viewer, qtbot, mouse)
    qtbot.waitUntil(lambda: other.annotator.target is not None, timeout=WAIT_MS)
    other.settle()
    assert np.array_equal(other.drafts.draft.mask, mask)
    bench.annotator, bench.drafts, bench.lesions = other.annotator, other.drafts, other.lesions


def test_undo_takes_back_accept_and_delete_on_disk_as_well(bench, study):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    bench.press(Key.Key_G)
    bench.settle()
    with_lesion = bench.lesions.labels
    bench.dock.lesion_list.delete_button.click()
    bench.settle()
    assert not study.annotation("A").instances
    bench.dock.draft_panel.undo_button.click()
    bench.settle()
    assert np.array_equal(study.annotation("A").mask, with_lesion)
    assert study.annotation("A").instance(1).backend == "spectral"
    bench.dock.draft_panel.undo_button.click()
    bench.settle()
    assert not study.annotation("A").mask.any()
    bench.dock.draft_panel.redo_button.click()
    bench.settle()
    assert np.array_equal(study.annotation("A").mask, with_lesion)


def test_a_lesion_is_taken_up_again_with_its_prompts(bench, study):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    bench.press(Key.Key_G)
    bench.settle()
    bench.dock.lesion_list.table.itemDoubleClicked.emit(bench.dock.lesion_list.table.topLevelItem(0), 0)
    bench.settle()
    assert bench.drafts.prompts.prompts.points == (CENTRES["A"],)
    mask = bench.ask(30, 49, CONTROL)
    bench.press(Key.Key_G)
    bench.settle()
    assert [row.instance.id for row in bench.lesions.rows()] == [1]
    assert np.array_equal(study.annotation("A").mask == 1, mask)


def test_brush_strokes_are_saved_and_corrected_from_where_they_are(bench, study):
    bench.open(study, "A")
    painted = lesion((15, 65), 6)
    bench.lesions.masks.lesions.paint((15, 65), 7)
    layer = bench.lesions.masks.lesions
    layer.data_setitem(np.nonzero(painted), 7)
    bench.settle()
    stored = study.annotation("A")
    assert (stored.mask == 7)[painted].all()
    assert stored.instance(7).prompts is None
    bench.annotator.reopen(7)
    bench.settle()
    assert iou(bench.drafts.draft.mask, painted) > 0.7
    bench.lesions.masks.put(lesion((15, 66), 7), 8)  # covers all but a scrap of lesion 7
    assert set(np.unique(bench.lesions.labels)) == {0, 8}
    bench.settle()


def test_deleted_and_renamed_layers_are_coped_with(bench, study):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    bench.press(Key.Key_G)
    bench.settle()
    for layer in (bench.lesions.masks.lesions, bench.drafts.prompts.points):
        layer.name = "mine"
    for layer in (bench.lesions.masks.lesions, bench.lesions.masks.draft, bench.drafts.prompts.points):
        bench.viewer.layers.remove(layer)
    bench.settle()
    assert study.annotation("A").instances, "removing a layer is not deleting lesions"
    bench.press(Key.Key_N)
    bench.ask(5, 70)
    bench.press(Key.Key_G)
    bench.settle()
    assert {1, 2} <= {instance.id for instance in study.annotation("A").instances}


def test_proposals_are_accepted_one_by_one_and_drafts_of_others_as_they_are(bench, study):
    bench.open(study, "A")
    bench.dock.segmenter_row.propose_button.click()
    bench.settle()
    assert iou(bench.drafts.draft.mask, lesion(CENTRES["A"])) > 0.85
    bench.press(Key.Key_G)
    bench.settle()
    bench.lesions.change(1, status="draft")
    bench.settle()
    assert study.annotation("A").instance(1).status == "draft"
    bench.press(Key.Key_G)
    bench.settle()
    assert study.annotation("A").instance(1).status == "accepted"
    bench.annotator.set_diagnosis(Diagnosis.SOLAR_LENTIGO)  # of the lesion that is chosen
    bench.settle()
    assert study.annotation("A").instance(1).diagnosis == Diagnosis.SOLAR_LENTIGO


def test_candidates_take_turns_and_stale_answers_are_dropped(bench, study):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    count = len(bench.drafts.draft.answer)
    seen = []
    for _ in range(count):
        seen.append(bench.drafts.draft.choice)
        bench.press(Key.Key_W)
    assert seen == list(range(count))
    assert bench.drafts.draft.choice == 0
    shown = bench.drafts.draft
    nothing = Proposals.none(SHAPE)
    client = bench.drafts.segmenter
    client._take(client._awaited - 1, nothing)
    assert bench.drafts.draft is shown


def test_a_loose_cube_is_masked_and_saved_as_png_beside_it(bench, tmp_path, monkeypatch):
    path = tmp_path / "loose.png"
    add_cube(bench.viewer, cube_of((30, 40), "loose"))
    bench.qtbot.waitUntil(lambda: bench.annotator.target is not None, timeout=WAIT_MS)
    bench.settle()
    bench.viewer.reset_view()
    bench.ask(30, 40)
    bench.press(Key.Key_G)
    assert bench.dock.lesion_list.save_button.isVisible()
    monkeypatch.setattr("napari_hsisynth.widgets.mask_file.QFileDialog.getSaveFileName", lambda *_: (str(path), ""))
    bench.dock.lesion_list.save_button.click()
    assert iou(np.array(Image.open(path)) == 1, lesion((30, 40))) > 0.85


def test_what_cannot_be_saved_is_said(bench, study, monkeypatch):
    bench.open(study, "A")

    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(type(bench.annotator.target.study), "save_annotation", full)
    before = len(notification_manager.records)
    bench.ask(*CENTRES["A"])
    bench.press(Key.Key_G)
    bench.settle()
    assert "No space left" in bench.dock.saved_line.text()
    assert len(notification_manager.records) == before + 1
    assert bench.lesions.rows(), "the lesion is still there to be saved"


def test_a_removed_cube_leaves_an_empty_dock(bench, study):
    bench.open(study, "A")
    bench.viewer.layers.remove(session_for(bench.viewer).cube_layer)
    bench.qtbot.waitUntil(lambda: bench.dock.empty.isVisible(), timeout=WAIT_MS)
    assert bench.annotator.target is None


def test_ages():
    assert [age_text(seconds) for seconds in (0, 3.7, 150)] == ["just now", "3 s ago", "2 min ago"]
