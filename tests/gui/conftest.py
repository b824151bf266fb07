"""What every GUI test needs: a safe order of imports, settings of its own, and real mouse events on the canvas."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_hsisynth.cube import Cube

# Mesa's software OpenGL and triton (which torch imports) each bring an LLVM. Triton's library crashes the process when
# it is loaded after OpenGL was, not the other way round; tests that import torch later on need it to be here first.
# napari's own process never imports torch: what needs it runs in child processes.
with contextlib.suppress(ImportError):
    import triton._C.libtriton  # noqa: F401


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory, monkeypatch):
    """Nothing of the user's settings is read or changed."""
    monkeypatch.setenv("HSISYNTH_SETTINGS", str(tmp_path_factory.mktemp("settings") / "settings.ini"))


@pytest.fixture
def messages():
    """Give the texts of napari's notifications as they come."""
    got: list[str] = []
    listener = notification_manager.notification_ready.connect(lambda event: got.append(event.message))
    yield got
    notification_manager.notification_ready.disconnect(listener)


@pytest.fixture
def make_cube() -> Callable[..., Cube]:
    """Make a cube in which every value says where it is: 1000 * band + 10 * y + x."""

    def make(bands: int = 16, height: int = 40, width: int = 60, name: str = "numbers", **fields) -> Cube:
        band, y, x = np.meshgrid(np.arange(bands), np.arange(height), np.arange(width), indexing="ij")
        fields.setdefault("wavelengths_nm", 465.0 + 11.0 * np.arange(bands))
        return Cube(1000.0 * band + 10.0 * y + x, name=name, **fields)

    return make


class SpectraScene:
    """A window with the Spectra dock; `show` adds a cube, `of` picks what the dock draws."""

    def __init__(self, viewer, qtbot) -> None:
        from napari_hsisynth.widgets.spectra_dock import SpectraDock

        self.viewer, self._qtbot = viewer, qtbot
        viewer.window._qt_window.resize(1200, 900)
        self.dock = SpectraDock(viewer)
        viewer.window.add_dock_widget(self.dock, name="Spectra", area="bottom")
        qtbot.waitExposed(self.dock)

    def show(self, cube):
        from napari_hsisynth.widgets.layers import add_cube

        layer = add_cube(self.viewer, cube)
        self._qtbot.waitUntil(lambda: layer in self.dock._layers)
        return layer

    def of(self, kind: str):
        return [curve for curve in self.dock.curves if curve.kind == kind]

    def wait_for(self, kind: str, count: int = 1):
        self._qtbot.waitUntil(lambda: len(self.of(kind)) == count)
        return self.of(kind)

    def row(self, name: str):
        listed = self.dock.list
        self._qtbot.waitUntil(lambda: name in [curve.name for curve in listed.curves])
        return listed.topLevelItem([curve.name for curve in listed.curves].index(name))

    def select(self, *names: str) -> None:
        self.dock.list.clearSelection()
        for name in names:
            self.row(name).setSelected(True)


@pytest.fixture
def spectra(make_napari_viewer, qtbot) -> SpectraScene:
    """A window with the Spectra dock at the bottom."""
    return SpectraScene(make_napari_viewer(show=True), qtbot)


#: vispy drops moves of the mouse that come sooner than 10 ms after the one before.
VISPY_PACE_MS = 11


class Mouse:
    """Moves and clicks as Qt delivers them to the canvas of a visible viewer."""

    def __init__(self, viewer) -> None:
        self.canvas = viewer.window._qt_viewer.canvas

    def place(self, y: float, x: float) -> QPoint:
        """Canvas pixel of a point of the image, from napari's own map of two pixels to the world."""
        view = self.canvas.grid_views[0] if self.canvas.viewer.canvas.grid.enabled else self.canvas.view
        first, second = (np.array(self.canvas._map_canvas2world(p, view)[-2:]) for p in ((0, 0), (100, 100)))
        rows, columns = 100 * (np.array([y, x]) - first) / (second - first)
        return QPoint(round(columns), round(rows))

    def move(self, y: float, x: float) -> None:
        native, place = self.canvas.native, self.place(y, x)
        for step in (place + QPoint(3, 3), place + QPoint(1, 0), place):
            QTest.qWait(VISPY_PACE_MS)
            QTest.mouseMove(native, step)

    def click(self, y: float, x: float, modifier=Qt.KeyboardModifier.NoModifier) -> None:
        self.move(y, x)
        QTest.mouseClick(self.canvas.native, Qt.MouseButton.LeftButton, modifier, self.place(y, x))

    def drag(self, start: tuple[float, float], end: tuple[float, float], modifier=Qt.KeyboardModifier.NoModifier):
        native, button = self.canvas.native, Qt.MouseButton.LeftButton
        self.move(*start)
        places = [self.place(*(np.array(start) * (1 - part) + np.array(end) * part)) for part in np.linspace(0, 1, 6)]
        QTest.mousePress(native, button, modifier, places[0])
        for place in (*places[1:], places[-1] + QPoint(1, 0), places[-1]):  # vispy may drop one of them
            QTest.qWait(VISPY_PACE_MS)
            QTest.mouseMove(native, place)
        QTest.mouseRelease(native, button, modifier, places[-1])


@pytest.fixture
def mouse() -> type[Mouse]:
    """Give the hand that moves and clicks; ``mouse(viewer)``."""
    return Mouse


@pytest.fixture
def study(tmp_path):
    """Make a study of the cubes A, B and C, each with one dark disc (see `annotate_bench`)."""
    from annotate_bench import study_of_discs

    return study_of_discs(tmp_path / "mine")


@pytest.fixture
def bench(make_napari_viewer_proxy, qtbot, mouse):
    """Give a window with the Annotate dock, and hands."""
    from annotate_bench import Bench

    bench = Bench(make_napari_viewer_proxy(show=True), qtbot, mouse)
    yield bench
    bench.annotator.flush()
