"""The draft of a cube waits in the study: for its cube, for the next start, for its annotator."""

from __future__ import annotations

import json
import threading

import numpy as np
from annotate_bench import CENTRES, CONTROL, SHIFT, WAIT_MS, Bench, Key, iou, lesion
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth import Study
from napari_hsisynth.study import Annotation, Diagnosis, Instance
from napari_hsisynth.study.annotators import annotator_id
from napari_hsisynth.study.drafts import draft_path, read_draft
from napari_hsisynth.widgets import draft_keeper
from napari_hsisynth.widgets.annotator_identity import annotator_name, set_annotator_name
from napari_hsisynth.widgets.session import session_for


def on_disk(bench: Bench, study: Study, cube_id: str, annotator: str | None = None) -> str:
    bench.settle()
    return json.dumps(read_draft(study, cube_id, annotator or bench.annotator.target.draft_owner))


def now(bench: Bench) -> str:
    return json.dumps(bench.drafts.draft.to_json())


def test_going_to_another_cube_and_back_loses_nothing(bench, study):
    bench.viewer.add_points(np.zeros((1, 2)), name="mine")
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    bench.ask(3, 3, CONTROL)
    bench.dock.draft_panel.diagnosis.setCurrentIndex(bench.dock.draft_panel.diagnosis.findData(Diagnosis.NEVUS))
    bench.dock.draft_panel.diagnosis.activated.emit(bench.dock.draft_panel.diagnosis.currentIndex())
    before = now(bench)
    assert on_disk(bench, study, "A") == before
    layers = {bench.lesions.masks.lesions, bench.drafts.prompts.points}
    bench.press(Key.Key_K)
    bench.settle()
    assert session_for(bench.viewer).cube_id == "B"
    assert bench.drafts.draft is None
    assert "mine" in bench.names()
    assert not [name for name in bench.names() if name.startswith("A ")]
    assert {bench.lesions.masks.lesions, bench.drafts.prompts.points} == layers, "making layers anew takes napari long"
    order = [layer.name for layer in bench.viewer.layers]
    assert order.index("B · cube") + 1 == order.index("B · lesions")
    bench.ask(*CENTRES["B"])
    bench.press(Key.Key_G)  # and away before it can be on disk
    bench.press(Key.Key_J)
    assert now(bench) == before
    assert bench.drafts.prompts.prompts.labels == (1, 0)
    bench.settle()
    bench.press(Key.Key_K)
    bench.settle()
    assert [row.instance.id for row in bench.lesions.rows()] == [1]
    assert iou(study.annotation("B").mask == 1, lesion(CENTRES["B"])) > 0.85
    bench.press(Key.Key_J)
    bench.press(Key.Key_H)
    bench.settle()
    assert not draft_path(study, "A", annotator_id(annotator_name())).exists(), "no draft, no file"

    # the next cube in the middle of a drag: what was dragged stays behind
    bench.viewer.reset_view()
    bench.ask(*CENTRES["A"])
    canvas, places = bench.mouse.canvas.native, [bench.mouse.place(30, x) for x in (40, 50, 60, 65)]
    QTest.mouseMove(canvas, places[0])
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[0])
    for number, place in enumerate(places):
        QTest.qWait(20)
        QTest.mouseMove(canvas, place)
        if number == 1:
            bench.press(Key.Key_Z, CONTROL)
            assert bench.drafts.prompts.prompts.points == ((30, 50),), "undo waits for the end of the drag"
            bench.press(Key.Key_K)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[-1])
    bench.settle()
    assert not bench.drafts.prompts.prompts
    bench.press(Key.Key_J)
    bench.settle()
    assert bench.drafts.prompts.prompts.points == (CENTRES["A"],), "as it was before the drag"


def test_a_draft_survives_the_end_of_the_program(bench, study, qtbot, mouse):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    bench.drafts.refine(lesion((30, 44), 9), "brush")  # from here on prompts alone would not give it
    bench.ask(5, 5, CONTROL)
    bench.press(Key.Key_W)
    before = now(bench)
    bench.viewer.window.remove_dock_widget(bench.dock)
    qtbot.waitUntil(lambda: bench.names() == ["A · cube"], timeout=WAIT_MS)  # the dock has taken its layers with it
    other = Bench(bench.viewer, qtbot, mouse)
    bench.annotator, bench.drafts, bench.lesions = other.annotator, other.drafts, other.lesions
    qtbot.waitUntil(lambda: other.annotator.target is not None, timeout=WAIT_MS)
    other.settle()
    assert now(other) == before
    assert (other.lesions.masks.draft.data == 1).any()
    assert len(other.drafts.prompts.points.data) == 2

    # what was asked and never answered is asked again
    other.drafts.keeper.keep(other.annotator.target, None)
    other.press(Key.Key_H)
    other.mouse.click(*CENTRES["A"])
    waiting = other.drafts.draft
    assert waiting.waiting
    assert not waiting.candidates
    other.drafts.segmenter.forget()
    other.drafts._ask_soon.stop()
    session_for(other.viewer).show_cube("B")
    other.settle()
    other.annotator.steps._known.clear()  # as after a new start
    session_for(other.viewer).show_cube("A")
    other.settle()
    assert iou(other.drafts.draft.mask, lesion(CENTRES["A"])) > 0.85

    # a damaged draft, or one of another cube's size, is no obstacle
    for text in ("{", '{"candidates": [{"shape": [2, 2], "lengths": [4], "labels": [1]}], "scores": [1]}'):
        session_for(other.viewer).show_cube("B")
        other.settle()
        other.annotator.steps._known.clear()
        draft_path(study, "A", annotator_id(annotator_name())).write_text(text)
        session_for(other.viewer).show_cube("A")
        other.settle()
        assert other.drafts.draft is None


def test_two_annotators_do_not_meet(bench, study):
    mask = lesion((10, 10), 5).astype(np.uint16)
    study.save_annotation(Annotation("A", mask, (Instance(1, Diagnosis.NEVUS, annotator="Jane", time="2026"),), "done"))
    set_annotator_name("Jane")
    bench.open(study, "A")
    assert [row.instance.annotator for row in bench.lesions.rows()] == ["Jane"]
    bench.ask(*CENTRES["A"])
    janes = on_disk(bench, study, "A")

    set_annotator_name("Joe")
    bench.annotator.retarget(force=True)
    assert bench.annotator.target.annotator == "Joe"
    assert not bench.lesions.rows()
    assert bench.drafts.draft is None
    bench.ask(30, 44)
    assert on_disk(bench, study, "A", "Joe") == now(bench)
    assert on_disk(bench, study, "A", "Jane") == janes
    bench.press(Key.Key_G)
    bench.settle()
    assert study.annotation("A", "Joe").instances[0].annotator == annotator_name() == "Joe"
    assert np.array_equal(study.annotation("A").mask, mask)

    set_annotator_name("Jane")
    bench.annotator.retarget(force=True)
    assert [row.instance.annotator for row in bench.lesions.rows()] == ["Jane"]
    assert now(bench) == janes
    bench.press(Key.Key_Z, CONTROL)
    assert bench.drafts.draft is None, "each has a history of their own"
    bench.settle()


def test_nothing_of_one_annotator_is_taken_for_the_next_ones(bench, study, monkeypatch):
    """As long as nobody owns the cube's first file, both would work on it."""

    def refusing(*_):
        raise OSError("No space left on device")

    set_annotator_name("Jane")
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    set_annotator_name("Joe")
    bench.annotator.annotator_changed()
    assert bench.drafts.draft is None, "Jane's click is hers"
    set_annotator_name("Jane")
    bench.annotator.annotator_changed()
    assert bench.drafts.draft is not None
    with monkeypatch.context() as patch:
        patch.setattr("napari_hsisynth.widgets.lesion_editor.save_as", refusing)
        bench.press(Key.Key_G)
        bench.settle()
    set_annotator_name("Joe")
    bench.annotator.annotator_changed()
    assert not bench.lesions.rows(), "nor is what the disk refused"
    bench.annotator.flush()  # it is offered again
    bench.settle()
    assert study.annotation("A").instances[0].annotator == study.annotation("A").extra["annotator"] == "Jane"
    assert not bench.annotator.trouble


def test_an_accepted_draft_is_not_back_when_its_end_is_still_on_its_way_to_the_disk(bench, study, monkeypatch):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    held = threading.Event()
    real = draft_keeper.save_draft

    def slow(*arguments):
        held.wait(10)
        real(*arguments)

    monkeypatch.setattr(draft_keeper, "save_draft", slow)
    bench.press(Key.Key_G)
    for _ in range(2):  # first while it waits to be written, then while it is being written
        bench.press(Key.Key_K)
        bench.press(Key.Key_J)
        assert bench.annotator.target.cube_id == "A"
        assert bench.drafts.draft is None
        bench.drafts.keeper._write()
    held.set()
    bench.settle()
    assert not draft_path(study, "A", bench.annotator.target.draft_owner).exists()


def test_what_others_write_is_shown_and_can_be_taken_back(bench, study):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    mask = lesion((10, 10), 5).astype(np.uint16)
    study.save_annotation(Annotation("A", mask, (Instance(1, Diagnosis.NEVUS),), "done"))
    session_for(bench.viewer).annotation_changed.emit("A")
    assert [row.instance.id for row in bench.lesions.rows()] == [1]
    assert bench.drafts.draft is not None
    assert (bench.lesions.masks.draft.data == 1).any()
    bench.press(Key.Key_Z, CONTROL)
    assert not bench.lesions.rows()
    bench.press(Key.Key_Z, CONTROL | SHIFT)
    assert [row.instance.id for row in bench.lesions.rows()] == [1]
    bench.settle()
