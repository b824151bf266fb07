"""`Hover`: where the mouse is on the canvas, no more often than can be seen."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QElapsedTimer, QObject, QTimer, Signal

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
    """

    moved = Signal(object)

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._position: tuple[float, ...] = ()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PACE_MS)
        self._timer.timeout.connect(self._emit)
        self._since = QElapsedTimer()
        self._since.start()
        self._seen = False
        viewer.cursor.events.position.connect(self._take)
        viewer.mouse_move_callbacks.append(self._first)
        cursor, callbacks, slot, first = viewer.cursor, viewer.mouse_move_callbacks, self._take, self._first

        def let_go(*_: object) -> None:
            cursor.events.position.disconnect(slot)
            if first in callbacks:
                callbacks.remove(first)

        parent.destroyed.connect(let_go)

    @property
    def position(self) -> tuple[float, ...]:
        """The last position; empty before the first move."""
        return self._position

    def _first(self, viewer: Any, event: Any) -> None:
        """Before the mouse was seen, positions come from napari's own setting up and mean nothing."""
        if not self._seen:
            self._seen = True
            self._position = tuple(event.position)
            self._emit()

    def _take(self, event: Any) -> None:
        if not self._seen:
            return
        self._position = tuple(event.value)
        if self._since.hasExpired(_PACE_MS):
            self._emit()
        elif not self._timer.isActive():
            self._timer.start()

    def _emit(self) -> None:
        self._timer.stop()
        self.moved.emit(self._position)
        self._since.restart()
