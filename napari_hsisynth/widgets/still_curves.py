"""`StillCurves`: curves that seldom change, as a picture that a moving curve can be drawn over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QPainter, QPixmap
from qtpy.QtWidgets import QGraphicsItem, QWidget


class StillCurves(pg.GraphicsObject):
    """Draws other items, which are not in the scene themselves, once for each look of the plot.

    A curve that moves uncovers everything in its bounds. Smooth lines are slow to draw: a dozen of pins and labels
    would take longer than the rest of the way from the mouse to the curve. Qt's own cache for an item keeps a picture
    for each, and shares its memory with the icons of the whole program.
    """

    def __init__(self) -> None:
        super().__init__()
        self._items: list[QGraphicsItem] = []
        self._picture = QPixmap()
        self._look: tuple[Any, ...] | None = None

    @property
    def items(self) -> list[QGraphicsItem]:
        """What is drawn, the lowest first."""
        return list(self._items)

    def set_items(self, items: Sequence[QGraphicsItem]) -> None:
        """Draw other items, in the coordinates of the plot, the lowest first."""
        self._items = list(items)
        self._look = None
        self.update()

    # Qt's names from here

    def boundingRect(self) -> QRectF:
        """All of the plot's inside."""
        return self.viewRect() or QRectF()

    def viewTransformChanged(self) -> None:
        """The plot shows another range."""
        self.prepareGeometryChange()
        super().viewTransformChanged()  # forgets the range that pyqtgraph keeps
        self.update()

    def paint(self, painter: QPainter, option: Any, widget: QWidget | None = None) -> None:
        """Put the picture back, drawn anew where size, range or resolution have changed; for a file, draw the items."""
        if not self._items:
            return
        if widget is None:
            self._draw(painter, option, widget)
            return
        transform, ratio = painter.worldTransform(), painter.device().devicePixelRatioF()
        look = (transform, widget.size(), ratio)
        if look != self._look:
            self._look = look
            self._picture = QPixmap(widget.size() * ratio)
            self._picture.setDevicePixelRatio(ratio)
            self._picture.fill(Qt.GlobalColor.transparent)
            own = QPainter(self._picture)
            own.setRenderHints(painter.renderHints())
            own.setWorldTransform(transform)
            self._draw(own, option, widget)
            own.end()
        painter.save()
        painter.resetTransform()
        painter.drawPixmap(0, 0, self._picture)
        painter.restore()

    def _draw(self, painter: QPainter, option: Any, widget: QWidget | None) -> None:
        for item in self._items:
            painter.save()
            item.paint(painter, option, widget)
            painter.restore()
