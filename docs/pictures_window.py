"""The window that the pictures are taken of, and a hand that works in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

#: Bytes; a picture of more gets 256 colours.
_LARGEST = 300_000
#: Moves of the mouse between two places of a drag.
_STEPS = 8


class PictureWindow:
    """napari with the docks of a study, and what a user does with mouse and keys.

    Parameters
    ----------
    folder : Path
        Of the study.
    out : Path
        Where pictures go.
    size : list of int
        ``[width, height]``, px.
    theme : str
        "dark" or "light".
    """

    def __init__(self, folder: Path, out: Path, size: list[int], theme: str) -> None:
        import napari

        from napari_hsisynth.study import Study
        from napari_hsisynth.widgets.app import fill

        self.study, self.out = Study.open(folder), out
        self.viewer = napari.Viewer(title="HSI Synth")
        self.viewer.theme = theme
        self.window = self.viewer.window._qt_window
        fill(self.viewer, self.study, [])
        self.window.setGeometry(0, 0, *size)
        self.workflow = next(iter(self.window.findChildren(dock_class("workflow", "WorkflowDock"))))
        self.spectra = next(iter(self.window.findChildren(dock_class("spectra_dock", "SpectraDock"))))
        self.wait(lambda: len(self.viewer.layers) > 0)
        self.rest(1.0)

    @property
    def session(self):
        from napari_hsisynth.widgets.session import session_for

        return session_for(self.viewer)

    def step(self, name: str):
        """Open a step of the workflow and return its dock."""
        self.workflow.open(name)
        self.rest(0.5)
        return self.workflow.docks[name]

    def place(self, y: float, x: float):
        """Canvas pixel of a point of the image."""
        from qtpy.QtCore import QPoint

        canvas = self.viewer.window._qt_viewer.canvas
        view = canvas.grid_views[0] if self.viewer.canvas.grid.enabled else canvas.view
        first, second = (np.array(canvas._map_canvas2world(p, view)[-2:]) for p in ((0, 0), (100, 100)))
        rows, columns = 100 * (np.array([y, x]) - first) / (second - first)
        return canvas.native, QPoint(round(columns), round(rows))

    def move(self, y: float, x: float) -> None:
        from qtpy.QtCore import QPoint
        from qtpy.QtTest import QTest

        native, place = self.place(y, x)
        QTest.mouseMove(native, place + QPoint(3, 3))
        QTest.mouseMove(native, place)
        self.rest(0.5)

    def click(self, y: float, x: float) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        self.move(y, x)
        native, place = self.place(y, x)
        QTest.mouseClick(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def drag(self, *places) -> None:
        """Press the button at the first (y, x), go through the others and let go at the last."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        self.move(*places[0])
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        native, point = self.place(*places[0])
        QTest.mousePress(native, left, none, point)
        for first, second in pairwise(np.array(places)):
            for part in np.linspace(0, 1, _STEPS):
                _, point = self.place(*(first + part * (second - first)))
                QTest.mouseMove(native, point)
                self.rest(0.02)
        QTest.mouseRelease(native, left, none, point)
        self.rest(0.5)

    def press_key(self, key: str) -> None:
        from qtpy.QtTest import QTest

        QTest.keyClick(self.viewer.window._qt_viewer.canvas.native, key)
        self.rest(0.5)

    def rest(self, seconds: float) -> None:
        """Let the window live for a while: pictures are for people, who look at settled windows."""
        from qtpy.QtTest import QTest

        QTest.qWait(round(1000 * seconds))

    def wait(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Let the window live until something holds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("the window did not get there")
            self.rest(0.1)

    def picture(self, name: str, widget=None) -> None:
        """Take a picture of the window or of one widget in it."""
        from napari._qt.dialogs.qt_notification import NapariQtNotification
        from qtpy.QtGui import QImage

        self.rest(0.7)
        for notice in self.window.findChildren(NapariQtNotification):
            notice.close()  # of an earlier step
        path = self.out / f"{name}.png"
        shot: QImage = self.window.screen().grabWindow(0).toImage()
        corner = (widget or self.window).mapToGlobal((widget or self.window).rect().topLeft())
        size = (widget or self.window).size()
        shot.copy(corner.x(), corner.y(), size.width(), size.height()).save(str(path), "PNG", 0)
        if path.stat().st_size > _LARGEST:
            with Image.open(path) as full:
                fewer = full.convert("RGB").quantize(256, dither=Image.Dither.NONE)
            fewer.save(path, optimize=True)
        print(path)


def dock_class(module: str, name: str) -> type:
    """Import a dock late: Qt must not be loaded before the settings are elsewhere."""
    return getattr(import_module(f"napari_hsisynth.widgets.{module}"), name)
