"""Undo and redo in the Annotate dock: over everything, on the canvas and on disk, by real keys."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from annotate_bench import CENTRES, CONTROL, SHIFT, Bench, Key, iou, lesion
from qtpy.QtTest import QTest

from napari_hsisynth.study import Diagnosis


def snapshot(bench: Bench) -> dict[str, Any]:
    """All that undo must bring back."""
    draft, lesions = bench.drafts.draft, bench.lesions
    return {
        "labels": lesions.labels.tolist(),
        "lesions": [row.instance.to_json() for row in lesions.rows()],
        "status": lesions.book.status,
        "draft": None if draft is None else draft.to_json(),
        "prompts": bench.drafts.prompts.prompts.to_json(),
        "points": np.array(bench.drafts.prompts.points.data).tolist(),
        "shown": (np.asarray(bench.lesions.masks.lesions.data)).tolist(),
        "outline": (np.asarray(bench.lesions.masks.draft.data) == 1).tolist(),
    }


def stroke(bench: Bench, layer: Any, start: tuple[int, int], end: tuple[int, int], label: int) -> None:
    """Paint with napari's brush."""
    bench.viewer.layers.selection.active = layer
    layer.selected_label, layer.brush_size, layer.mode = label, 5, "paint"
    bench.mouse.drag(start, end)


def test_every_step_can_be_taken_back_and_made_again(bench, study):
    bench.open(study, "A")
    masks, buttons = bench.lesions.masks, bench.dock.draft_panel
    bench.qtbot.waitUntil(lambda: masks.draft is not None)
    refine = buttons.refine_row
    steps = [
        ("click inside", lambda: bench.mouse.click(*CENTRES["A"])),
        ("click outside", lambda: bench.mouse.click(5, 5, CONTROL)),
        ("move a point", lambda: bench.mouse.drag((5, 5), (8, 8))),
        ("box", lambda: bench.mouse.drag((15, 25), (45, 55))),
        ("delete the box", lambda: bench.press(Key.Key_Delete)),
        ("next candidate", lambda: bench.press(Key.Key_W)),
        ("diagnosis", lambda: bench.annotator.set_diagnosis(Diagnosis.NEVUS)),
        ("grow 1 px", refine.grow_button.click),
        ("brush", lambda: stroke(bench, masks.draft, (30, 56), (30, 60), 1)),
        ("accept lesion 1", lambda: bench.press(Key.Key_G)),
        ("brush", lambda: stroke(bench, masks.lesions, (50, 10), (50, 20), 4)),
        ("status of lesion 1", lambda: bench.press(Key.Key_U, SHIFT)),
        ("cube unsure", lambda: bench.press(Key.Key_U)),
        ("smooth 1 px of lesion 1", refine.smooth_button.click),
        ("re-open lesion 1", lambda: bench.annotator.reopen(1)),
        ("clear", lambda: bench.press(Key.Key_H)),
        ("propose", bench.dock.segmenter_row.propose_button.click),
        ("delete lesion 4", lambda: (bench.annotator.select(4), bench.dock.lesion_list.delete_button.click())),
    ]
    seen = [snapshot(bench)]
    for name, step in steps:
        step()
        bench.settle()
        assert buttons.undo_button.toolTip() == f"Undo: {name} (Ctrl+Z)"
        seen.append(snapshot(bench))
        assert seen[-1] != seen[-2], name
    assert not buttons.redo_button.isEnabled()

    # keys go to whatever layer is active, napari's own undo of strokes included
    layers = [masks.lesions, masks.draft, bench.drafts.prompts.points, bench.annotator.target.layer]
    for number, expected in enumerate(reversed(seen[:-1])):
        bench.viewer.layers.selection.active = layers[number % len(layers)]
        bench.press(Key.Key_Z, CONTROL)
        assert snapshot(bench) == expected, steps[len(seen) - 2 - number][0]
    bench.press(Key.Key_Z, CONTROL)  # beyond the start nothing happens
    assert snapshot(bench) == seen[0]
    assert not buttons.undo_button.isEnabled()
    bench.settle()
    assert not study.annotation("A").instances, "the disk goes back as well"
    for expected in seen[1:]:
        buttons.redo_button.click()
        assert snapshot(bench) == expected
    bench.settle()
    stored = study.annotation("A")
    assert stored.mask.tolist() == seen[-1]["labels"]
    assert [instance.to_json() for instance in stored.instances] == seen[-1]["lesions"]


def test_the_history_of_a_cube_waits_for_its_return(bench, study):
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    draft = json.dumps(bench.drafts.draft.to_json())
    bench.press(Key.Key_G)
    bench.press(Key.Key_K)
    assert not bench.dock.draft_panel.undo_button.isEnabled(), "the other cube has a history of its own"
    bench.ask(*CENTRES["B"])
    bench.press(Key.Key_J)
    bench.settle()
    assert iou(bench.lesions.labels == 1, lesion(CENTRES["A"])) > 0.85
    QTest.keyClick(bench.dock.lesion_list.table, Key.Key_Z, CONTROL)  # the keyboard may be in the dock
    assert not bench.lesions.rows()
    assert json.dumps(bench.drafts.draft.to_json()) == draft
    assert bench.drafts.prompts.prompts.points == (CENTRES["A"],)
    bench.settle()
    assert not study.annotation("A").instances
    assert study.annotation("A").status == "todo"

    # a step that was taken back before it was answered is answered when it is made again
    bench.drafts.prompts._change(bench.drafts.prompts.prompts)
    bench.press(Key.Key_H)
    bench.mouse.click(*CENTRES["A"])
    bench.press(Key.Key_Z, CONTROL)
    assert bench.drafts.draft is None
    bench.press(Key.Key_Z, CONTROL | SHIFT)
    bench.settle()
    assert iou(bench.drafts.draft.mask, lesion(CENTRES["A"])) > 0.85
