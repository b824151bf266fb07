"""What napari finishes when a layer goes is done in the canvas's own OpenGL context."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtGui import QOpenGLContext
from vispy.gloo import gl

from napari_hsisynth.widgets.canvas_context import finish_in_own_context
from napari_hsisynth.widgets.session import session_for


@pytest.mark.parametrize("how", ["one", "all at once"])
def test_outstanding_commands_are_done_in_the_context_of_the_canvas(make_napari_viewer, qtbot, monkeypatch, how):
    viewer = make_napari_viewer(show=True)
    session_for(viewer)
    viewer.add_points(np.zeros((1, 2)))
    cube = viewer.add_image(np.random.default_rng(0).random((4, 60, 80)))
    canvas = viewer.window._qt_viewer.canvas.native
    qtbot.waitUntil(canvas.isValid)
    viewer.screenshot(canvas_only=False, flash=False)  # draws all, and leaves another context current
    finished_in = []
    monkeypatch.setattr(gl, "glFinish", lambda: finished_in.append(QOpenGLContext.currentContext()))
    canvas.doneCurrent()
    if how == "one":
        viewer.layers.remove(cube)
    else:
        viewer.layers.clear()
    assert finished_in
    assert all(context == canvas.context() for context in finished_in)


def test_a_viewer_without_a_window_is_left_alone():
    finish_in_own_context(ViewerModel())
