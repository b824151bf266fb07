"""Where a dock appears. napari opens every plugin's dock at the right, whatever the manifest asks for."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


class OpenAtBottom(QObject):
    """Moves the dock of a widget to the bottom when it is first shown; later moves are the user's.

    Parameters
    ----------
    widget : QWidget
        The inner widget of the dock.
    height : int
        In lines of text.
    """

    def __init__(self, widget: QWidget, height: int) -> None:
        super().__init__(widget)
        self._widget, self._height = widget, height
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._move)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show:
            self._widget.removeEventFilter(self)
            self._timer.start()  # napari is still busy placing it
        return False

    def _move(self) -> None:
        dock, window = _docked(self._widget)
        if dock is None or window is None or dock.isFloating():
            return
        area = Qt.DockWidgetArea.BottomDockWidgetArea
        if window.dockWidgetArea(dock) != area and not window.tabifiedDockWidgets(dock):
            window.addDockWidget(area, dock)
        height = self._height * self._widget.fontMetrics().lineSpacing()
        window.resizeDocks([dock], [height], Qt.Orientation.Vertical)


def give_corner_to_right(widget: QWidget) -> None:
    """Let the docks at the right reach down to the bottom of the window that a widget is docked in.

    The steps of a study need height; the spectra at the bottom have width enough.
    """
    _, window = _docked(widget)
    if window is not None:
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)


def _docked(widget: QWidget) -> tuple[QDockWidget | None, QMainWindow | None]:
    """Return the dock around a widget and its window."""
    dock = widget.parentWidget()
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    window = dock.parentWidget() if dock is not None else None
    return dock, window if isinstance(window, QMainWindow) else None
