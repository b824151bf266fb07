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
        viewer.cursor.events.position.connect(self._take)
        cursor, slot = viewer.cursor, self._take
        parent.destroyed.connect(lambda *_: cursor.events.position.disconnect(slot))

    @property
    def position(self) -> tuple[float, ...]:
        """The last position; empty before the first move."""
        return self._position

    def _take(self, event: Any) -> None:
        self._position = tuple(event.value)
        if self._since.hasExpired(_PACE_MS):
            self._emit()
        elif not self._timer.isActive():
            self._timer.start()

    def _emit(self) -> None:
        self._timer.stop()
        self.moved.emit(self._position)
        self._since.restart()
