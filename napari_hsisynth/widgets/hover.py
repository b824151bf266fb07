"""`Hover`: where the mouse is on the canvas, no more often than can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import QElapsedTimer, QObject, QTimer, Signal

from napari_hsisynth.widgets.when_destroyed import when_destroyed

#: Two moves closer together than this are drawn once, ms.
_PACE_MS = 8


class Hover(QObject):
    """Turns the moves of the cursor into `moved`: at once, so that it is drawn together with napari's own reaction, but
    of a burst only the first and the last.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject

    Attributes
    ----------
    moved : Signal(object)
        The last position, world coordinates.
    moved_free : Signal
        After `moved`, if no button is down: nothing on the canvas changes with this move, so that what is shown beside
        it may be painted by itself. A drag changes the canvas, and both are painted together.
    """

    moved = Signal(object)
    moved_free = Signal()

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._position: tuple[float, ...] = ()
        self._is_free = True
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PACE_MS)
        self._timer.timeout.connect(self._emit)
        self._since = QElapsedTimer()
        self._since.start()
        # not the position of napari's cursor: that also changes, to zeros, when the number of axes does
        moves, drags, free, dragged = (
            viewer.mouse_move_callbacks,
            viewer.mouse_drag_callbacks,
            self._free,
            self._dragged,
        )
        moves.append(free)
        drags.append(dragged)

        def let_go() -> None:
            for callbacks, slot in ((moves, free), (drags, dragged)):
                if slot in callbacks:
                    callbacks.remove(slot)

        when_destroyed(parent, let_go)

    @property
    def position(self) -> tuple[float, ...]:
        """The last position; empty before the first move."""
        return self._position

    def _free(self, viewer: Any, event: Any) -> None:
        self._take(event.position, True)

    def _dragged(self, viewer: Any, event: Any) -> Iterator[None]:
        yield
        while event.type == "mouse_move":
            self._take(event.position, False)
            yield

    def _take(self, position: Any, is_free: bool) -> None:
        self._position, self._is_free = tuple(position), is_free
        if self._since.hasExpired(_PACE_MS):
            self._emit()
        elif not self._timer.isActive():
            self._timer.start()

    def _emit(self) -> None:
        self._timer.stop()
        self.moved.emit(self._position)
        if self._is_free:
            self.moved_free.emit()
        self._since.restart()
