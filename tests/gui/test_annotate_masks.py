"""Brush, refining, overlaps and the table of lesions in the Annotate dock."""

from __future__ import annotations

import numpy as np
from annotate_bench import CENTRES, CONTROL, SHIFT, Key, iou, lesion
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth.segment import refine
from napari_hsisynth.study import Diagnosis, Instance
from napari_hsisynth.widgets.regions import label_regions


def put(bench, number: int, mask: np.ndarray, **fields) -> None:
    bench.lesions.put(Instance(number, Diagnosis.NEVUS, **fields), mask)


def test_strokes_on_lesions_and_on_the_draft(bench, study):
    bench.open(study, "A")
    masks = bench.lesions.masks
    painted = lesion((15, 65), 6)
    masks.lesions.data_setitem(np.nonzero(painted), 7)
    bench.settle()
    stored = study.annotation("A")
    assert np.array_equal(stored.mask == 7, painted)
    assert stored.instance(7).prompts is None
    bench.annotator.reopen(7)
    assert np.array_equal(bench.drafts.draft.mask, painted), "a lesion drawn by hand starts from its mask"
    bench.press(Key.Key_H)

    # a stroke across the outline of the draft, with napari's brush and the mouse
    bench.press(Key.Key_N)
    before = bench.ask(*CENTRES["A"])
    asked = bench.drafts.segmenter._awaited
    bench.viewer.layers.selection.active = masks.draft
    masks.draft.brush_size, masks.draft.mode = 5, "paint"
    bench.mouse.drag((30, 54), (30, 62))
    after = bench.drafts.draft.mask
    assert (after >= before).all()
    assert after[30, 60]
    assert bench.drafts.segmenter._awaited in (0, asked), "painted is painted: nobody is asked"
    # clicks go on from there
    masks.draft.mode = "pan_zoom"
    bench.drafts.prompts.start()
    further = bench.ask(45, 20)
    assert further[30, 60]
    bench.press(Key.Key_G)
    bench.settle()
    instance = study.annotation("A").instance(8)
    assert instance.prompts is None, "they do not give this mask"
    # erasing all of a draft takes it away
    bench.ask(10, 10)
    masks.draft.data[:] = 0
    masks.draft.refresh()
    assert bench.drafts.draft is None
    bench.settle()


def test_esc_in_the_middle_of_a_stroke_ends_it_and_keeps_what_is_painted(bench, study):
    bench.open(study, "A")
    masks, canvas = bench.lesions.masks, bench.mouse.canvas.native
    bench.viewer.layers.selection.active = masks.lesions
    masks.lesions.brush_size, masks.lesions.selected_label, masks.lesions.mode = 5, 3, "paint"
    places = [bench.mouse.place(30, x) for x in (20, 26, 32)]
    QTest.mouseMove(canvas, places[0])
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[0])
    for place in places[1:]:
        QTest.qWait(20)
        QTest.mouseMove(canvas, place)
    assert masks.painting
    bench.viewer.layers.selection.active = bench.annotator.target.layer  # as by a key
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[-1])
    bench.settle()
    assert study.annotation("A").mask[30, 26] == 3
    bench.press(Key.Key_Z, CONTROL)
    assert not bench.lesions.rows(), "undo is not still waiting for the end of the stroke"
    bench.settle()


def test_refining_the_draft_and_lesions(bench, study):
    bench.open(study, "A")
    row = bench.dock.draft_panel.refine_row
    assert not row.grow_button.isEnabled()
    mask = bench.ask(*CENTRES["A"])
    row.by.setValue(3)
    row.grow_button.click()
    assert np.array_equal(bench.drafts.draft.mask, refine.grown(mask, 3))
    row.shrink_button.click()
    assert iou(bench.drafts.draft.mask, mask) > 0.95
    row.by.setValue(40)
    row.shrink_button.click()
    assert bench.drafts.draft.mask.any()
    assert "nothing would be left" in bench.dock.draft_panel.note.text()
    bench.press(Key.Key_G)
    ring = lesion((45, 15), 9) & ~lesion((45, 15), 3)
    put(bench, 2, ring | lesion((5, 5), 2))
    bench.annotator.select(2)
    row.fill_button.click()
    row.largest_button.click()
    assert np.array_equal(bench.lesions.labels == 2, lesion((45, 15), 9))
    row.fill_button.click()
    assert bench.dock.draft_panel.note.text() == "fill: nothing to change"
    bench.settle()
    assert np.array_equal(study.annotation("A").mask == 2, lesion((45, 15), 9))


def test_who_has_the_pixels_of_two_lesions_is_chosen_and_said(bench, study):
    bench.open(study, "A")
    panel = bench.dock.draft_panel
    put(bench, 1, lesion((30, 30), 10))
    put(bench, 2, lesion((30, 45), 10))
    taken = int((lesion((30, 30), 10) & lesion((30, 45), 10)).sum())
    assert panel.note.text() == f"took {taken} px from lesion 1"
    panel.overlaps.setCurrentIndex(panel.overlaps.findData(False))
    panel.overlaps.activated.emit(panel.overlaps.currentIndex())
    before = bench.lesions.labels == 2
    bench.annotator.select(1)
    panel.refine_row.by.setValue(2)
    panel.refine_row.grow_button.click()
    assert np.array_equal(bench.lesions.labels == 2, before), "grow does not eat others"
    assert "left " in panel.note.text()
    assert " to lesion 2" in panel.note.text()
    # a draft of which others keep everything stays a draft
    bench.drafts.refine(lesion((30, 30), 4), "brush")
    bench.press(Key.Key_G)
    assert "nothing would be left" in panel.note.text()
    assert bench.drafts.draft is not None
    panel.overlaps.setCurrentIndex(panel.overlaps.findData(True))
    panel.overlaps.activated.emit(panel.overlaps.currentIndex())
    bench.press(Key.Key_G)
    assert [row.instance.id for row in bench.lesions.rows()] == [1, 2, 3]
    put(bench, 4, lesion((30, 45), 12))  # over all of lesion 2
    assert "lesion 2 is gone" in panel.note.text()
    bench.press(Key.Key_Z, CONTROL)
    assert [row.instance.id for row in bench.lesions.rows()] == [1, 2, 3]
    bench.settle()


def test_the_table_and_the_canvas_choose_the_same_lesion(bench, study):
    bench.open(study, "A")
    put(bench, 1, lesion((15, 15), 8), status="unsure", score=0.5)
    put(bench, 2, lesion((45, 65), 8))
    table, masks = bench.dock.lesion_list.table, bench.lesions.masks
    texts = [[table.topLevelItem(row).text(column) for column in range(5)] for row in range(2)]
    assert texts == [
        ["1", "nevus", str(int(lesion((15, 15), 8).sum())), "0.50", "unsure"],
        ["2", "nevus", str(int(lesion((45, 65), 8).sum())), "", "accepted"],
    ]

    def choose(row: int) -> None:
        place = table.visualItemRect(table.topLevelItem(row)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    choose(1)
    assert bench.annotator.selected == 2
    assert np.array_equal(masks.draft.data == 2, lesion((45, 65), 8)), "outlined"
    # not seen: brought into view
    camera = bench.viewer.scene.camera
    camera.zoom *= 8
    choose(0)
    assert np.abs(np.array(camera.center[-2:]) - (15, 15)).max() < 1
    centre = camera.center
    choose(0)
    assert camera.center == centre, "seen: the view stays"
    camera.center = (*centre[:-2], 55, 75)
    choose(0)
    assert camera.center == centre, "a second click finds it again"
    bench.viewer.reset_view()

    # the mouse chooses when it does not prompt
    bench.press(Key.Key_Escape)
    bench.mouse.click(45, 65)
    assert bench.annotator.selected == table.number == 2
    bench.mouse.click(30, 40)
    assert bench.annotator.selected == 2, "skin is no lesion"
    bench.mouse.drag((15, 15), (20, 22))
    bench.viewer.reset_view()
    bench.press(Key.Key_Q)
    bench.mouse.click(15, 15)
    bench.press(Key.Key_Q)
    assert bench.annotator.selected == 2, "neither a drag nor a click on hidden lesions chooses"
    bench.drafts.prompts.start()
    bench.mouse.click(15, 15)
    assert bench.annotator.selected == 2, "now a click is a prompt"
    bench.press(Key.Key_H)

    QTest.keyClick(table, Key.Key_U, SHIFT)
    assert bench.lesions.instance(2).status == "unsure"
    bench.press(Key.Key_U, SHIFT)
    assert bench.lesions.instance(2).status == "accepted"
    menu = table.menu_of(2)
    next(action for action in menu.actions() if action.text() == "Mark as draft").trigger()
    assert bench.lesions.instance(2).status == "draft"
    menu.close()
    choose(1)
    QTest.keyClick(table, Key.Key_Return)
    assert bench.drafts.draft.editing == 2
    bench.press(Key.Key_H)
    QTest.keyClick(table, Key.Key_Delete)
    assert [row.instance.id for row in bench.lesions.rows()] == [1]
    bench.settle()
    assert [one.id for one in study.annotation("A").instances] == [1]


def test_the_white_outline_of_the_chosen_lesion_is_no_region_of_its_own(bench, study):
    bench.open(study, "A")
    put(bench, 7, lesion((15, 65), 6))
    masks = bench.lesions.masks
    masks.choose(7)
    draft = lesion((40, 30), 5)
    masks.show_draft(draft)
    cube = next(layer for layer in bench.viewer.layers if layer.ndim == 3)
    [region], left_out = label_regions(masks.draft, cube, "draft")
    assert np.array_equal(region.on(draft.shape), draft)
    assert left_out == 0
