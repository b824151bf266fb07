"""`finish_in_own_context`: a workaround for napari, which finishes drawing in whatever OpenGL context is current."""

from __future__ import annotations

from functools import partial
from typing import Any


def finish_in_own_context(viewer: Any) -> None:
    """Have the canvas of a viewer do outstanding OpenGL commands in its own context; none of it without a window.

    When a layer is removed, napari 0.9 lets vispy do all that is outstanding on the canvas (``context.finish()``)
    without making the canvas's context current. In the middle of an event it usually is that with which Qt puts the
    window together: vispy then believes that programs and buffers are bound which are not in its own, and the next
    drawing reads from memory that is not there. It crashed the process when a cube was removed while a layer of
    points stayed, and a cube was shown again. Doing it twice to one canvas does no harm.

    Parameters
    ----------
    viewer : napari.Viewer
        Not a plugin's proxy.
    """
    canvas = getattr(getattr(getattr(viewer, "window", None), "_qt_viewer", None), "canvas", None)
    scene = getattr(canvas, "_scene_canvas", None)
    if scene is not None and hasattr(scene.context, "finish"):
        scene.context.finish = partial(_finish, scene)


def _finish(scene: Any) -> None:
    if scene.native is None or not scene.native.isValid():
        return  # nothing has been drawn: what is outstanding is done when that begins
    scene.set_current()
    type(scene.context).finish(scene.context)
