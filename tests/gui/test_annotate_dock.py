"""The Annotate dock in a real viewer: real mouse and key events on the canvas, real files behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from annotate_bench import CENTRES, CONTROL, NONE, SHAPE, SHIFT, WAIT_MS, Key, cube_of, iou, lesion
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth import Study
from napari_hsisynth.segment import Proposals
from napari_hsisynth.study import Diagnosis
from napari_hsisynth.widgets.annotate_dock import age_text
from napari_hsisynth.widgets.layers import add_cube
from napari_hsisynth.widgets.session import session_for


def test_without_a_cube_the_next_step_is_offered(bench, study):
    assert bench.dock.empty_button.isVisible()
    session_for(bench.viewer).open_study(study.root)
    bench.dock.empty_button.click()
    assert session_for(bench.viewer).cube_id == "A"
    assert bench.dock.content.isVisible()
    assert bench.dock.minimumSizeHint().width() <= 400  # with the bar; fonts differ between machines
    bench.settle()
    bench.viewer.layers.remove(session_for(bench.viewer).cube_layer)
    bench.qtbot.waitUntil(lambda: bench.dock.empty.isVisible(), timeout=WAIT_MS)
    assert bench.annotator.target is None
    bench.qtbot.waitUntil(lambda: not bench.names(), timeout=WAIT_MS)  # a cube that has gone leaves nothing behind


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

    # taken up again it is what it was, with its prompts, and what comes of further ones replaces it
    row = bench.dock.lesion_list.table.topLevelItem(0)
    bench.dock.lesion_list.table.itemDoubleClicked.emit(row, 0)
    assert bench.drafts.prompts.prompts.points == (CENTRES["A"],)
    assert np.array_equal(bench.drafts.draft.mask, stored.mask_of(1))
    mask = bench.ask(30, 49, CONTROL)
    bench.press(Key.Key_G)
    bench.settle()
    assert [row.instance.id for row in bench.lesions.rows()] == [1]
    assert np.array_equal(study.annotation("A").mask == 1, mask)

    # accept right after a click waits for its answer
    bench.press(Key.Key_K)
    bench.settle()
    bench.viewer.reset_view()
    bench.mouse.click(*CENTRES["B"])
    bench.press(Key.Key_G)
    bench.qtbot.waitUntil(lambda: bool(bench.lesions.rows()), timeout=WAIT_MS)
    assert iou(bench.lesions.labels == 1, lesion(CENTRES["B"])) > 0.85
    bench.settle()


def test_clicks_and_boxes_are_set_moved_and_deleted(bench, study):
    bench.open(study, "A")
    prompts = bench.drafts.prompts
    bench.ask(*CENTRES["A"])
    mask = bench.ask(30, 46, CONTROL)
    assert prompts.prompts.labels == (1, 0)
    assert mask[30, 40]
    assert not mask[prompts.prompts.points[1]]

    bench.mouse.drag(CENTRES["A"], (33, 44))
    bench.settle()
    assert prompts.prompts.points == ((33, 44), (30, 46))
    bench.press(Key.Key_Delete)
    bench.settle()
    assert prompts.prompts.points == ((33, 44),)
    bench.press(Key.Key_Delete)
    bench.settle()
    assert bench.drafts.draft is None
    prompts.points.add([list(CENTRES["A"])])  # napari's own tool makes prompts as well
    bench.settle()
    assert prompts.prompts.points == (CENTRES["A"],)
    bench.press(Key.Key_H)
    assert not prompts.prompts

    centre = np.array(bench.viewer.scene.camera.center)
    for corners in ([(19, 29), (41, 51)], [(19, 51), (41, 29)], [(41, 51), (19, 29)]):
        bench.mouse.drag(*corners)
        bench.settle()
        assert prompts.prompts.box == (19, 29, 42, 52)
        assert iou(bench.drafts.draft.mask, lesion(CENTRES["A"])) > 0.8
        bench.press(Key.Key_Delete)
        bench.settle()
        assert prompts.prompts.box is None
    assert np.array_equal(bench.viewer.scene.camera.center, centre), "the view stays"

    bench.mouse.drag((20, 30), (40, 50))
    bench.mouse.drag((30, 40), (33, 46))  # by its inside
    bench.settle()
    assert prompts.prompts.box == (23, 36, 44, 57)
    bench.mouse.drag((33, 56.5), (33, 60.5))  # by an edge
    bench.mouse.drag((22.5, 35.5), (18.5, 27.5))  # by a corner
    bench.settle()
    assert prompts.prompts.box == (19, 28, 44, 61)
    assert bench.drafts.draft.prompts.box == (19, 28, 44, 61)
    bench.press(Key.Key_H)

    bench.mouse.drag((-1.5, -2), (61, 30))  # from beyond the image to beyond it
    bench.settle()
    assert prompts.prompts.box == (0, 0, SHAPE[0], 31)
    bench.press(Key.Key_H)

    bench.mouse.drag((30, 40), (40, 45), SHIFT)
    moved = np.array(bench.viewer.scene.camera.center) - centre
    assert moved[-2:] == pytest.approx([-10, -5], abs=0.5)
    assert not prompts.prompts


def test_a_click_on_a_prompt_chooses_it_or_makes_it_the_other_kind(bench, study):
    bench.open(study, "A")
    prompts, at = bench.drafts.prompts, CENTRES["A"]
    bench.ask(*at)
    bench.ask(30, 60, CONTROL)
    bench.ask(*at)
    assert prompts.prompts.labels == (1, 0)
    assert prompts.points.selected_data == {0}
    bench.ask(at[0], at[1] + 1, CONTROL)
    assert prompts.prompts.points == (at, (30, 60))
    assert prompts.prompts.labels == (0, 0)
    bench.ask(30, 60)
    assert prompts.prompts.labels == (0, 1)
    bench.press(Key.Key_Z, CONTROL)
    bench.settle()
    assert prompts.prompts.labels == (0, 0)

    # where the whole cube is small on the screen, a second point finds room beside the first
    bench.press(Key.Key_H)
    bench.viewer.scene.camera.zoom /= 4
    bench.ask(*at)
    bench.ask(at[0], at[1] + 4)
    assert prompts.prompts.labels == (1, 1)


def test_esc_in_the_middle_of_a_drag_puts_the_prompt_back(bench, study):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    canvas, places = bench.mouse.canvas.native, [bench.mouse.place(30, x) for x in (40, 46, 50, 54)]
    QTest.mouseMove(canvas, places[0])
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, NONE, places[0])
    for place in places[:3]:
        QTest.qWait(20)
        QTest.mouseMove(canvas, place)
    assert bench.drafts.prompts.dragging
    bench.press(Key.Key_Escape)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, NONE, places[2])
    bench.settle()
    assert bench.drafts.prompts.prompts.points == (CENTRES["A"],)
    bench.annotator.set_prompting(True)
    QTest.mouseMove(canvas, places[3])
    assert bench.drafts.prompts.prompts.points == (CENTRES["A"],), "no button is down"
    bench.press(Key.Key_Z, CONTROL)
    assert bench.drafts.draft is None, "undo is not still waiting for the end of the drag"


def test_accept_means_what_was_asked_when_it_was_pressed(bench, study):
    bench.open(study, "A")
    for change in ("clear", "new lesion", "click"):
        bench.mouse.click(*CENTRES["A"])
        bench.press(Key.Key_G)
        assert bench.drafts.waiting
        if change == "clear":
            bench.press(Key.Key_H)
        elif change == "new lesion":
            bench.press(Key.Key_N)
        bench.drafts.prompts.points.add([[5, 5]])
        bench.settle()
        assert not bench.lesions.rows(), change
        bench.press(Key.Key_H)


def test_another_segmenter_takes_over_what_was_to_be_proposed(bench, study):
    bench.open(study, "A")
    bench.drafts.propose()
    bench.drafts.choose_segmenter("spectral", {"view": "mean"})  # of which it knows nothing
    bench.drafts.choose_segmenter("spectral")
    bench.settle()
    assert not bench.drafts.draft.waiting
    assert bench.drafts.draft.candidates


def test_why_there_is_no_mask_is_said_once(bench, study, messages):
    bench.open(study, "A")
    segmenter = bench.drafts.segmenter
    for reason in ("no weights", "no weights", "no memory"):
        segmenter.failed.emit(reason)
    assert messages == ["no weights", "no memory"]
    bench.ask(*CENTRES["A"])
    segmenter.failed.emit("no memory")
    assert messages[2:] == ["no memory"], "it was well in between"


def test_keys_work_with_any_layer_active(bench, study):
    bench.open(study, "B")
    bench.mouse.click(5, 5)
    bench.press(Key.Key_H)
    masks, prompts = bench.lesions.masks, bench.drafts.prompts
    bench.qtbot.waitUntil(lambda: masks.draft is not None, timeout=WAIT_MS)
    for layer in [masks.lesions, masks.draft, prompts.points, prompts.box, session_for(bench.viewer).cube_layer]:
        bench.viewer.layers.selection.active = layer
        bench.press(Key.Key_U)
        assert bench.lesions.book.status == "unsure"
        bench.press(Key.Key_Z, CONTROL)
        assert bench.lesions.book.status == "todo"
        bench.press(Key.Key_Z, CONTROL | SHIFT)
        assert bench.lesions.book.status == "unsure"
        bench.press(Key.Key_U)
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
    bench.settle()


def test_proposals_and_candidates_take_turns(bench, study):
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

    # H drops the shown proposal only
    left, right = lesion((20, 20), 5), lesion((20, 60), 5)
    bench.drafts.propose()
    bench.settle()
    bench.drafts._become(bench.drafts.draft.answered(Proposals(np.array([left, right]), np.array([0.9, 0.8])), {}))
    bench.press(Key.Key_H)
    assert np.array_equal(bench.drafts.draft.mask, right)
    bench.press(Key.Key_H)
    assert bench.drafts.draft is None

    bench.press(Key.Key_N)
    bench.ask(*CENTRES["A"])
    count = len(bench.drafts.draft.candidates)
    seen = []
    for _ in range(count):
        seen.append(bench.drafts.draft.choice)
        bench.press(Key.Key_W)
    assert seen == list(range(count))
    assert bench.drafts.draft.choice == 0
    shown, client = bench.drafts.draft, bench.drafts.segmenter
    client._take(client._awaited - 1, Proposals.none(SHAPE))
    assert bench.drafts.draft is shown, "a stale answer is dropped"


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


def test_what_cannot_be_saved_is_said_and_kept_until_it_can(bench, study, monkeypatch):
    bench.open(study, "A")

    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("napari_hsisynth.widgets.lesion_editor.save_as", full)
        before = len(notification_manager.records)
        bench.ask(*CENTRES["A"])
        bench.press(Key.Key_G)
        bench.settle()
        assert "No space left" in bench.dock.saved_line.text()
        assert len(notification_manager.records) == before + 1
        assert bench.lesions.rows(), "the lesion is still there to be saved"
        bench.press(Key.Key_K)
        bench.settle()
    assert not study.annotation("A").instances
    bench.press(Key.Key_J)
    assert bench.lesions.rows()
    bench.settle()
    assert study.annotation("A").instances


def test_ages():
    assert [age_text(seconds) for seconds in (0, 3.7, 150)] == ["just now", "3 s ago", "2 min ago"]
