"""From a move of the mouse to the painted curve: what is painted, and what is not painted again."""

from __future__ import annotations

import numpy as np
import pytest
from pyqtgraph.functions import ndarray_from_qimage
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_hsisynth.widgets.curve_plot import CurvePlot
from napari_hsisynth.widgets.curves import Curve
from napari_hsisynth.widgets.layers import add_cube
from napari_hsisynth.widgets.spectra_dock import SpectraDock

NM = np.linspace(465.0, 630.0, 16)
ORANGE, BLUE = "#e69f00", "#0072b2"


@pytest.fixture
def plot(qtbot):
    plot = CurvePlot()
    qtbot.addWidget(plot)
    plot.resize(500, 300)
    plot.set_axes("wavelength (nm)", "value", (465.0, 630.0), (0.0, 1.0))
    plot.show()
    qtbot.waitExposed(plot)
    return plot


def flat(value: float, colour: str, **fields) -> Curve:
    return Curve("pin", f"at {value}", "cube", "real", colour, NM, np.full(16, value), **fields)


def seen_at(plot: CurvePlot, nm: float, value: float) -> str:
    """The colour on the plot's pixel at a point of its axes."""
    place = plot.mapFromScene(plot.getPlotItem().getViewBox().mapViewToScene(QPointF(nm, value)))
    return plot.viewport().grab().toImage().pixelColor(place).name()


def like(colour: str, wanted: str) -> bool:
    a, b = (QColor(one).getRgb()[:3] for one in (colour, wanted))
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) < 60  # a line is smoothed


def paints_of(plot: CurvePlot, monkeypatch) -> list:
    """Every time that one of the curves that do not move is drawn."""
    drawn = []
    for item in plot._still.items:
        paint = item.paint
        monkeypatch.setattr(item, "paint", lambda *args, paint=paint, item=item: (drawn.append(item), paint(*args)))
    return drawn


def send(canvas, place, kind=QEvent.Type.MouseMove, button=Qt.MouseButton.NoButton, buttons=Qt.MouseButton.NoButton):
    there = QPointF(canvas.mapToGlobal(place))
    event = QMouseEvent(kind, QPointF(place), there, button, buttons, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(canvas, event)


def count_paintings(plot: CurvePlot, monkeypatch) -> list[np.ndarray]:
    """What the curve under the cursor was at each painting of the plot; fails if one begins inside another."""
    painted, paint, depth = [], plot.paintEvent, [0]

    def watched(event):
        depth[0] += 1
        assert depth[0] == 1, "painting has begun while painting"
        paint(event)
        depth[0] -= 1
        painted.append(plot._cursor[0].yData.copy())

    monkeypatch.setattr(plot, "paintEvent", watched)
    return painted


# --- on the canvas


@pytest.fixture
def dock(make_napari_viewer, qtbot, make_cube):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1000, 800)
    dock = SpectraDock(viewer)
    viewer.window.add_dock_widget(dock, name="Spectra", area="bottom")
    layer = add_cube(viewer, make_cube())
    qtbot.waitUntil(lambda: layer in dock._layers)
    qtbot.waitExposed(dock.plot)
    return dock


def test_what_is_painted_first_after_a_move_is_the_curve_of_that_pixel(dock, qtbot, mouse, make_cube, monkeypatch):
    cube, hand = make_cube(), mouse(dock.viewer)
    hand.move(20, 20)
    painted = count_paintings(dock.plot, monkeypatch)
    for y, x in ((10, 20), (30, 45), (11, 21), (5, 50)):
        QTest.qWait(50)
        painted.clear()
        send(hand.canvas.native, hand.place(y, x))
        qtbot.waitUntil(lambda: bool(painted))
        np.testing.assert_array_equal(painted[0], cube.data[:, y, x])


def test_the_curve_is_painted_before_anything_else_that_waits(dock, mouse, make_cube, monkeypatch):
    # a window with a canvas is composed as a whole: doing so without the curve takes longer than all the rest
    cube, hand = make_cube(), mouse(dock.viewer)
    hand.move(10, 20)
    QTest.qWait(300)
    painted = count_paintings(dock.plot, monkeypatch)
    dock.list.viewport().update()  # something else in the window is to be painted, and has asked first
    send(hand.canvas.native, hand.place(30, 45))
    assert len(painted) == 1
    np.testing.assert_array_equal(painted[0], cube.data[:, 30, 45])
    QApplication.processEvents()
    assert len(painted) == 1, "painted again, though nothing has changed"


def test_the_curve_follows_a_drag_with_the_button_down(dock, qtbot, mouse, make_cube, monkeypatch):
    dock.viewer.scene.camera.mouse_pan = False
    cube, hand, left = make_cube(), mouse(dock.viewer), Qt.MouseButton.LeftButton
    canvas = hand.canvas.native
    hand.move(10, 20)
    send(canvas, hand.place(10, 20), QEvent.Type.MouseButtonPress, left, left)

    def follows(y: int, x: int) -> bool:
        send(canvas, hand.place(y, x), buttons=left)  # again and again: vispy drops moves in quick succession
        return np.array_equal(dock.plot._cursor[0].yData, cube.data[:, y, x])

    QTest.qWait(300)
    painted = count_paintings(dock.plot, monkeypatch)
    send(canvas, hand.place(20, 22), buttons=left)
    assert not painted, "together with what the drag changes on the canvas, not before"
    for y, x in ((12, 25), (30, 45)):
        qtbot.waitUntil(lambda y=y, x=x: follows(y, x))
    qtbot.waitUntil(lambda: np.array_equal(painted[-1], cube.data[:, 30, 45]))
    send(canvas, hand.place(30, 45), QEvent.Type.MouseButtonRelease, left)


def test_of_a_burst_of_moves_the_last_one_stays(dock, qtbot, make_cube):
    cube = make_cube()

    class Event:
        is_dragging = False

    for x in range(30):
        event = Event()
        event.position = (465.0, 7.0, float(x))
        for slot in list(dock.viewer.mouse_move_callbacks):
            if getattr(slot, "__self__", None) is dock.hover:
                slot(dock.viewer, event)
    qtbot.waitUntil(lambda: np.array_equal(dock.plot._cursor[0].yData, cube.data[:, 7, 29]))
    qtbot.waitUntil(lambda: [curve.place for curve in dock.list.curves] == [(7, 29)])


# --- curves that do not move


def test_a_moving_curve_does_not_draw_the_others_again(plot, monkeypatch):
    plot.set_curves([flat(0.2, ORANGE, std=np.full(16, 0.05)), flat(0.8, BLUE)])
    plot.viewport().repaint()
    assert like(seen_at(plot, 550, 0.2), ORANGE)
    drawn = paints_of(plot, monkeypatch)
    for value in (0.1, 0.5, 0.9):
        plot.set_cursor([flat(value, "#ffffff")])
        plot.viewport().repaint()
        assert like(seen_at(plot, 550, value), "#ffffff")
        assert like(seen_at(plot, 550, 0.2), ORANGE)
        assert like(seen_at(plot, 550, 0.8), BLUE)
    assert not drawn


def test_still_curves_are_drawn_anew_when_they_or_the_range_change(plot, qtbot):
    plot.set_curves([flat(0.2, ORANGE)])
    assert like(seen_at(plot, 550, 0.2), ORANGE)
    plot.set_curves([flat(0.2, BLUE), flat(0.6, ORANGE)])
    assert like(seen_at(plot, 550, 0.2), BLUE)
    assert like(seen_at(plot, 550, 0.6), ORANGE)
    plot.setYRange(0.0, 4.0)
    assert like(seen_at(plot, 550, 0.6), ORANGE)
    assert not like(seen_at(plot, 550, 2.0), ORANGE)
    plot.resize(400, 200)
    qtbot.waitUntil(lambda: plot.viewport().height() <= 200)
    assert like(seen_at(plot, 550, 0.6), ORANGE)
    plot.set_curves([])
    assert not like(seen_at(plot, 550, 0.6), ORANGE)


def test_the_kept_picture_is_what_drawing_directly_gives(plot):
    rng = np.random.default_rng(0)
    curves = [
        Curve("label", f"label {number}", "cube", origin, colour, NM, rng.random(16), std=np.full(16, 0.1))
        for number, (origin, colour) in enumerate((("real", ORANGE), ("synthetic", BLUE), ("reference", "#cc79a7")))
    ]
    plot.set_curves(curves)
    shown = plot.viewport().grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    direct = QImage(shown.size(), QImage.Format.Format_RGB32)
    direct.fill(plot.backgroundBrush().color())
    painter = QPainter(direct)
    plot.scene().render(painter, plot.sceneRect(), plot.sceneRect())
    painter.end()

    apart = np.abs(ndarray_from_qimage(shown).astype(int) - ndarray_from_qimage(direct))
    assert apart.max() <= 3  # rounding where something see-through lies over something else
