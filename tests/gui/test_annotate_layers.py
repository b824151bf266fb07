"""The user's canvas is the user's: the Annotate dock copes with whatever is done to layers and view."""

from __future__ import annotations

import numpy as np
from annotate_bench import CENTRES, SHAPE, WAIT_MS, Bench, Key, cube_of, iou, lesion, study_of_discs
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth import Study
from napari_hsisynth.study.annotators import annotator_id
from napari_hsisynth.study.drafts import read_draft
from napari_hsisynth.widgets.annotator_identity import annotator_name
from napari_hsisynth.widgets.layers import add_cube
from napari_hsisynth.widgets.session import session_for


def accepted(bench: Bench, study: Study, cube_id: str = "A") -> set[int]:
    bench.settle()
    return {instance.id for instance in study.annotation(cube_id).instances}


def test_deleted_renamed_reordered_and_hidden_layers(bench, study):
    bench.viewer.add_points(np.zeros((1, 2)), name="mine")
    bench.open(study, "A")
    bench.ask(*CENTRES["A"])
    bench.press(Key.Key_G)
    masks, prompts, layers = bench.lesions.masks, bench.drafts.prompts, bench.viewer.layers
    bench.ask(5, 70)
    for layer in (masks.lesions, masks.draft, prompts.points, prompts.box):
        layer.name = "theirs"
        layers.move(layers.index(layer), 0)
        layer.visible = False
    bench.press(Key.Key_G)
    assert accepted(bench, study) == {1, 2}
    assert not masks.lesions.visible, "hidden stays hidden"
    bench.press(Key.Key_Q)
    assert masks.lesions.visible

    prompts.start()
    draft = bench.ask(50, 10)
    for layer in (masks.lesions, masks.draft, prompts.points, prompts.box):
        layers.remove(layer)
    assert accepted(bench, study) == {1, 2}, "removing a layer is not deleting lesions"
    assert np.array_equal(bench.drafts.draft.mask, draft), "nor the draft"
    bench.press(Key.Key_G)
    assert accepted(bench, study) == {1, 2, 3}
    assert np.array_equal(masks.lesions.data, study.annotation("A").mask), "they come back when they are needed"
    layers.remove(masks.lesions)
    bench.annotator.undo()
    assert set(np.unique(masks.lesions.data)) == {0, 1, 2}
    assert len(prompts.points.data) == 1
    bench.press(Key.Key_N)
    bench.ask(*CENTRES["A"])

    # the cube itself: nothing is lost with it
    layers.remove(session_for(bench.viewer).cube_layer)
    bench.qtbot.waitUntil(lambda: bench.names() == ["mine"], timeout=WAIT_MS)
    assert not bench.dock.content.isVisible()
    session_for(bench.viewer).show_cube("A")
    bench.settle()
    assert prompts.prompts.points == (CENTRES["A"],)
    assert iou(bench.drafts.draft.mask, lesion(CENTRES["A"])) > 0.85
    assert accepted(bench, study) == {1, 2}
    layers.select_all()
    layers.remove_selected()
    bench.qtbot.waitUntil(lambda: bench.annotator.target is None, timeout=WAIT_MS)
    session_for(bench.viewer).show_cube("A")
    bench.settle()
    assert bench.drafts.draft is not None
    assert read_draft(study, "A", annotator_id(annotator_name())) is not None


def click_the_middle(bench: Bench) -> None:
    """Click where the middle of the image is, whichever axes are shown."""
    bench.viewer.reset_view()
    canvas = bench.mouse.canvas.native
    QTest.qWait(20)
    middle = canvas.rect().center()
    QTest.mouseMove(canvas, middle)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)


def test_3d_grid_and_rolled_axes(bench, study, messages):
    bench.open(study, "A")
    prompts, dims = bench.drafts.prompts, bench.viewer.dims
    order = dims.order
    dims.ndisplay = 3
    click_the_middle(bench)
    assert not prompts.prompts
    dims.ndisplay = 2
    dims.order = (1, 0, 2)  # bands against columns
    click_the_middle(bench)
    assert not prompts.prompts
    assert len([text for text in messages if "2-D view" in text]) == 2

    dims.order = (0, 2, 1)  # columns run downwards: still rows and columns
    click_the_middle(bench)
    bench.settle()
    assert np.abs(np.subtract(prompts.prompts.points[0], (30, 40))).max() <= 1
    assert iou(bench.drafts.draft.mask, lesion(CENTRES["A"])) > 0.85
    dims.order = order
    bench.press(Key.Key_H)

    bench.viewer.canvas.grid.enabled = True
    bench.viewer.reset_view()
    bench.ask(*CENTRES["A"])
    assert prompts.prompts.points == (CENTRES["A"],)
    bench.press(Key.Key_G)
    bench.viewer.canvas.grid.enabled = False
    assert accepted(bench, study) == {1}


def test_another_study_and_a_cube_that_changes_under_our_hands(bench, study, tmp_path):
    bench.open(study, "A")
    mask = bench.ask(*CENTRES["A"])
    other = study_of_discs(tmp_path / "other")
    session = session_for(bench.viewer)
    session.open_study(other.root)
    bench.settle()
    assert read_draft(study, "A", annotator_id(annotator_name()))["prompts"]["points"] == [list(CENTRES["A"])]
    session.show_cube("A")
    bench.settle()
    assert bench.drafts.draft is None, "the cube of this name in another study is another one"
    bench.viewer.reset_view()
    bench.ask(30, 44)
    bench.press(Key.Key_G)
    assert accepted(bench, other) == {1}
    session.open_study(study.root)
    session.show_cube("A")
    bench.settle()
    assert np.array_equal(bench.drafts.draft.mask, mask)
    assert not accepted(bench, study)

    # its rows and columns exchanged: it is not what was annotated, and says so
    layer, data = session.cube_layer, session.cube_layer.data
    before = len(notification_manager.records)
    layer.data = np.ascontiguousarray(data.transpose(0, 2, 1))
    bench.qtbot.waitUntil(lambda: len(notification_manager.records) > before, timeout=WAIT_MS)
    assert bench.annotator.target is None
    layer.data = data
    bench.viewer.layers.selection.active = None
    bench.viewer.layers.selection.active = layer
    bench.qtbot.waitUntil(lambda: bench.annotator.target is not None, timeout=WAIT_MS)
    assert np.array_equal(bench.drafts.draft.mask, mask)
    bench.settle()

    # a loose one just begins anew
    loose = add_cube(bench.viewer, cube_of((30, 40), "loose"))
    bench.qtbot.waitUntil(lambda: bench.annotator.target.layer is loose, timeout=WAIT_MS)
    bench.settle()
    bench.ask(30, 40)
    bench.press(Key.Key_G)
    loose.data = np.ascontiguousarray(loose.data.transpose(0, 2, 1))
    bench.qtbot.waitUntil(lambda: bench.lesions.labels.shape == SHAPE[::-1], timeout=WAIT_MS)
    bench.settle()
    assert not bench.lesions.rows()
    assert not bench.annotator.steps.done
