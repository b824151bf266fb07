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
        dock = self._widget.parentWidget()
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parentWidget()
        if dock is None or dock.isFloating():
            return
        window = dock.parentWidget()
        if not isinstance(window, QMainWindow):
            return
        area = Qt.DockWidgetArea.BottomDockWidgetArea
        if window.dockWidgetArea(dock) != area and not window.tabifiedDockWidgets(dock):
            window.addDockWidget(area, dock)
        height = self._height * self._widget.fontMetrics().lineSpacing()
        window.resizeDocks([dock], [height], Qt.Orientation.Vertical)
