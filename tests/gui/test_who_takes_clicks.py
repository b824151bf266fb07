"""Clicks on the canvas belong to one dock at a time: to Annotate while its step is open, else to the pins."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth import Study
from napari_hsisynth.widgets.app import fill
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.spectra_dock import SpectraDock
from napari_hsisynth.widgets.workflow import WorkflowDock

WAIT_MS = 10_000
PLACE = (20, 30)


@pytest.fixture
def viewer(make_napari_viewer, make_cube, tmp_path):
    """A viewer with Workflow and Spectra docked, Annotate open, on a study of the cubes A and B."""
    study = Study.create(tmp_path / "study", wavelengths_nm=make_cube().wavelengths_nm)
    for cube_id in "AB":
        study.add_cube(make_cube(name=cube_id), cube_id, "nevus")
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1200, 900)
    fill(viewer, study, [])
    return viewer


@pytest.fixture
def workflow(viewer, qtbot):
    (workflow,) = viewer.window._qt_window.findChildren(WorkflowDock)
    workflow.open("Annotate")
    prompts = workflow.docks["Annotate"].annotator.drafts.prompts
    qtbot.waitUntil(lambda: prompts.active, timeout=WAIT_MS)
    viewer.reset_view()
    yield workflow
    workflow.docks["Annotate"].annotator.flush()


@pytest.fixture
def annotator(workflow, qtbot):
    annotator = workflow.docks["Annotate"].annotator
    yield annotator
    qtbot.waitUntil(lambda: not annotator.drafts.waiting, timeout=WAIT_MS)


def press(viewer, key) -> None:
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, key)


def test_a_click_makes_a_prompt_or_a_pin_never_both(viewer, annotator, qtbot, mouse):
    (spectra,) = viewer.window._qt_window.findChildren(SpectraDock)
    hand = mouse(viewer)
    hand.click(*PLACE)
    assert annotator.drafts.prompts.prompts.points == (PLACE,)
    assert not spectra.pins.pins
    assert "belong to Annotate" in spectra.arrangement.hint.full
    press(viewer, Qt.Key.Key_Escape)
    hand.click(10, 10)
    assert len(spectra.pins.pins) == 1
    assert annotator.drafts.prompts.prompts.points == (PLACE,)


def test_another_step_gets_mouse_and_keys_and_coming_back_restores_them(viewer, workflow, annotator, qtbot, mouse):
    session, prompts = session_for(viewer), annotator.drafts.prompts
    hand = mouse(viewer)
    hand.click(*PLACE)
    qtbot.waitUntil(lambda: not annotator.drafts.waiting and not annotator.draft.waiting, timeout=WAIT_MS)
    draft, layers = annotator.draft, list(viewer.layers)
    workflow.open("Study")
    qtbot.waitUntil(lambda: not prompts.active)
    assert session.clicks_taken_by == ""
    assert viewer.layers.selection.active is session.cube_layer
    press(viewer, Qt.Key.Key_N)
    press(viewer, Qt.Key.Key_U)
    hand.click(5, 5)
    assert prompts.prompts.points == (PLACE,)
    assert annotator.lesions.book.status == "todo"
    assert set(layers) <= set(viewer.layers)
    workflow.open("Annotate")
    assert prompts.active
    assert session.clicks_taken_by == "Annotate"
    assert annotator.draft is draft


def test_a_step_that_is_not_open_follows_no_cube(viewer, workflow, annotator, qtbot, mouse):
    session, prompts = session_for(viewer), annotator.drafts.prompts
    mouse(viewer).click(*PLACE)
    press(viewer, Qt.Key.Key_Escape)
    workflow.open(None)
    qtbot.waitUntil(lambda: not annotator.following)
    session.show_cube("B")
    qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers] == ["B · cube"])
    workflow.open("Annotate")
    qtbot.waitUntil(lambda: annotator.target is not None, timeout=WAIT_MS)
    assert annotator.target.cube_id == "B"
    assert not prompts.active, "Esc was meant for the next cubes as well"
    press(viewer, Qt.Key.Key_J)
    qtbot.waitUntil(lambda: annotator.target.cube_id == "A")
    assert np.array_equal(prompts.prompts.points, [PLACE])
