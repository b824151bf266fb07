"""`Hand`: moves of the mouse over a canvas, as Qt delivers them, and the time until what they change is painted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QObject, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget, QWidget

from napari_hsisynth.bench.measure import no_collection

#: Moves of a hand that does not stop; vispy drops those that come sooner than 10 ms after the one before.
PACE_MS = 15
#: A window in which nothing has been painted for so long has nothing left to do: lists that follow, and the status bar,
#: do so within 33 ms.
_CALM_S = 0.05
#: Nothing that is drawn at all takes so long, s.
_PATIENCE_S = 10.0


@dataclass
class Way:
    """One way to draw the spectrum under the cursor.

    Parameters
    ----------
    name : str
    widget : QWidget, optional
        What paints it; None where nothing does.
    frame : QDockWidget, optional
        The dock to show meanwhile.
    slots : list of callable
        What hears of the moves.
    """

    name: str
    widget: Any
    frame: QDockWidget | None
    slots: list[Callable[..., Any]]
    begin: Callable[[], None] = lambda: None
    painted: list[float] = field(default_factory=list)


@dataclass
class Taken:
    """Times of moves, s: until the curve was painted, until the window was on the screen; and what was told of each."""

    drawn: list[float] = field(default_factory=list)
    turn: list[float] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)


class _Flushes(QObject):
    """Counts how often a window is painted and sent to the screen, and remembers when it last was."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.count, self.last = 0, 0.0
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.UpdateRequest:
            self.count, self.last = self.count + 1, time.perf_counter()
        return False


class Hand:
    """The mouse over the canvas of a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._canvas = viewer.window._qt_viewer.canvas.native
        self._flushes = _Flushes(viewer.window._qt_window)
        self._chance = np.random.default_rng(0)
        self._buttons = Qt.MouseButton.NoButton

    @staticmethod
    def wait(ms: int) -> None:
        """Let Qt work."""
        QTest.qWait(ms)

    @staticmethod
    def frame_of(widget: QWidget) -> QDockWidget:
        """Return the dock around a widget."""
        while not isinstance(widget, QDockWidget):
            widget = widget.parentWidget()
        return widget

    def slots_of(self, listener: object) -> list[Callable[..., Any]]:
        """Return what an object has the viewer call when the mouse moves."""
        return [slot for slot in self._viewer.mouse_move_callbacks if getattr(slot, "__self__", None) is listener]

    def know(self, ways: Sequence[Way]) -> None:
        """Make `begin` of each way show its dock alone, and let it alone hear of the moves."""
        for way in ways:
            way.begin = partial(self._change_to, way, ways)
            if way.widget is not None:
                _watch(way.widget, way.painted)

    def _change_to(self, chosen: Way, ways: Sequence[Way]) -> None:
        heard = self._viewer.mouse_move_callbacks
        for way in ways:
            for slot in way.slots:
                if slot in heard:
                    heard.remove(slot)
            if way.frame is not None:
                way.frame.setVisible(way is chosen)
        heard.extend(chosen.slots)

    def press(self) -> None:
        """Hold the left button down from here on."""
        self._buttons = Qt.MouseButton.LeftButton
        self._send(QEvent.Type.MouseButtonPress, self._place(), self._buttons)

    def release(self) -> None:
        """Let the button go."""
        self._buttons = Qt.MouseButton.NoButton
        self._send(QEvent.Type.MouseButtonRelease, self._place(), Qt.MouseButton.LeftButton)

    def hover(
        self, way: Way, moves: int, *, pace_ms: int | None = None, after_each: Callable[[], Any] = lambda: None
    ) -> Taken:
        """Move over the middle of the canvas, to another place each time, and wait until the curve is painted.

        Parameters
        ----------
        way : Way
        moves : int
        pace_ms : int, optional
            Time between moves, ms. By default each waits until the one before has left nothing to do.
        after_each : callable
            What it returns is kept.

        Raises
        ------
        RuntimeError
            If it is not.
        """
        found = Taken()
        for _ in range(moves):
            self._wait_until_calm() if pace_ms is None else self.wait(pace_ms)
            drawn, turn = self._move(way)
            found.drawn.append(drawn)
            found.turn.append(turn)
            found.told.append(after_each())
        return found

    def _move(self, way: Way) -> tuple[float, float]:
        """Move once; return the time until the curve is painted, and until the window is on the screen, s."""
        place, flushes = self._place(), self._flushes.count
        way.painted.clear()
        self._viewer.mouse_over_canvas = True  # the pointer of the screen may lie elsewhere: napari's status bar asks
        with no_collection():
            began = time.perf_counter()
            self._send(QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton)
            at_once = bool(way.painted)
            while not (way.painted if way.widget is not None else self._flushes.count > flushes):
                QApplication.processEvents()
                if time.perf_counter() - began > _PATIENCE_S:
                    raise RuntimeError(f"a move of the mouse was not drawn ({way.name})")
            if at_once:  # what else the move has left to do
                QApplication.processEvents()
            turn = time.perf_counter() - began
        return (way.painted[0] - began if way.painted else turn), turn

    def _wait_until_calm(self) -> None:
        patience = time.perf_counter() + _PATIENCE_S
        self.wait(PACE_MS)
        while time.perf_counter() < min(self._flushes.last + _CALM_S, patience):
            self.wait(PACE_MS)

    def _place(self) -> QPointF:
        """A point in the middle of the canvas, where an image up to twice as wide as high, or as high as wide, is."""
        width, height = self._canvas.width(), self._canvas.height()
        x, y = self._chance.uniform(-0.2, 0.2, 2) * min(width, height)
        return QPointF(round(width / 2 + x), round(height / 2 + y))

    def _send(self, kind: QEvent.Type, place: QPointF, button: Qt.MouseButton) -> None:
        there = QPointF(self._canvas.mapToGlobal(place.toPoint()))
        event = QMouseEvent(kind, place, there, button, self._buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(self._canvas, event)


def _watch(widget: Any, painted: list[float]) -> None:
    """Write down when a widget has painted itself."""
    paint = widget.paintEvent

    def watched(event: Any) -> None:
        paint(event)
        painted.append(time.perf_counter())

    widget.paintEvent = watched
