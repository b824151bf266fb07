"""`TileList`: small pictures in rows that wrap: framed by origin, with what was asked for beside what was made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QLineF, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QImage, QKeyEvent, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_hsisynth.study import DIAGNOSIS_COLOURS, Diagnosis
from napari_hsisynth.widgets.preview import Tile

#: Of the border of a mask: light on dark can be seen on any picture.
_LIGHT, _DARK = QColor("#FFFFFF"), QColor("#000000")


class TileList(QListWidget):
    """Pictures in rows that wrap; arrow keys move, Enter picks.

    A sample that was made of an RGB image has that image above it.

    Parameters
    ----------
    parent : QWidget

    Attributes
    ----------
    picked : Signal
        A picture was clicked, or Enter pressed on it: `Tile`.
    """

    picked = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setViewMode(QListWidget.ViewMode.IconMode)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setMovement(QListWidget.Movement.Static)
        self.setUniformItemSizes(True)
        self.setMinimumSize(1, 12 * self.fontMetrics().lineSpacing())
        self.setAccessibleName("preview pictures")
        self._side = 6 * self.fontMetrics().lineSpacing()
        self.itemClicked.connect(self._pick)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Pick the current picture with Enter."""
        item = self.currentItem()
        if event is not None and item is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._pick(item)
            return
        super().keyPressEvent(event)

    def show_tiles(self, tiles: Sequence[Tile], colour: QColor, outlines: bool = True) -> None:
        """Replace the pictures; the scroll position stays.

        Parameters
        ----------
        tiles : sequence of Tile
        colour : QColor
            Of the frames of those without a diagnosis.
        outlines : bool
            Draw the border of the mask that a sample was asked for over it.
        """
        self.clear()
        asked = any(tile.asked is not None for tile in tiles)
        self.setIconSize(QSize(self._side, 2 * self._side if asked else self._side))
        for tile in tiles:
            known = tile.diagnosis in set(Diagnosis)
            label = Diagnosis(tile.diagnosis).label if known else tile.diagnosis
            frame = QColor(DIAGNOSIS_COLOURS[Diagnosis(tile.diagnosis)]) if known else colour
            item = QListWidgetItem(QIcon(self._picture(tile, frame, outlines)), label)
            title = f"{tile.title}, {label}" if label else tile.title
            if tile.asked is not None:
                title += ", below the RGB image it was made of"
            if tile.mask is not None and outlines:
                title += ", with the border of the lesion it was asked for"
            item.setToolTip(f"{title} ({tile.origin}); click to see the cube in the viewer")
            item.setData(Qt.ItemDataRole.UserRole, tile)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, title)
            self.addItem(item)

    def _pick(self, item: QListWidgetItem) -> None:
        self.picked.emit(item.data(Qt.ItemDataRole.UserRole))

    def _picture(self, tile: Tile, colour: QColor, outlines: bool) -> QPixmap:
        made = _scaled(tile.pixels, self._side)
        if tile.mask is not None and outlines:
            _outline(made, tile.mask)
        _frame(made, colour, solid=tile.origin == "real")
        if tile.asked is None:
            return made
        asked = _scaled(tile.asked, self._side)
        _frame(asked, colour, solid=True)
        both = QPixmap(max(asked.width(), made.width()), asked.height() + made.height())
        both.fill(Qt.GlobalColor.transparent)
        painter = QPainter(both)
        painter.drawPixmap(0, 0, asked)
        painter.drawPixmap(0, asked.height(), made)
        painter.end()
        return both


def _scaled(pixels: NDArray[np.uint8], side: int) -> QPixmap:
    """Scale a picture, shape (y, x, 3), to fit a square."""
    height, width = pixels.shape[:2]
    image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image).scaled(
        side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


def _frame(pixmap: QPixmap, colour: QColor, *, solid: bool) -> None:
    """Frame a picture: solid for real, dashed for synthetic."""
    painter = QPainter(pixmap)
    thickness = max(2, max(pixmap.width(), pixmap.height()) // 40)
    painter.setPen(QPen(colour, thickness, Qt.PenStyle.SolidLine if solid else Qt.PenStyle.DashLine))
    inset = thickness // 2
    rect: QRect = pixmap.rect()
    painter.drawRect(rect.adjusted(inset, inset, -inset - 1, -inset - 1))
    painter.end()


def _outline(pixmap: QPixmap, mask: NDArray[np.bool_]) -> None:
    """Draw the border between the pixels of a mask and all others."""
    lines = [QLineF(*ends) for ends in mask_border(mask)]
    painter = QPainter(pixmap)
    painter.scale(pixmap.width() / mask.shape[1], pixmap.height() / mask.shape[0])
    for colour, width_px in ((_DARK, 3), (_LIGHT, 1)):
        pen = QPen(colour, width_px)
        pen.setCosmetic(True)  # its width is that of the picture's pixels, whatever the scale
        painter.setPen(pen)
        painter.drawLines(lines)
    painter.end()


def mask_border(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the sides that pixels of a mask share with pixels outside it.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)

    Returns
    -------
    ndarray, shape (n, 4)
        Ends (x, y, x, y) in pixels, the image's corner at the origin; its own border counts as outside.
    """
    padded = np.pad(mask, 1)
    y, x = np.nonzero(padded[:-1, 1:-1] != padded[1:, 1:-1])  # between a row and the next
    across = np.column_stack([x, y, x + 1, y])
    y, x = np.nonzero(padded[1:-1, :-1] != padded[1:-1, 1:])
    return np.concatenate([across, np.column_stack([x, y, x, y + 1])])
