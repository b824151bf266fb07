"""`CropList`: the crops of a study as small pictures; a click asks to see one in its cube."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QImage, QKeyEvent, QPainter, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_hsisynth.study import CropRecord
from napari_hsisynth.study.crop_plan import size_text
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.crop_thumbnail import crop_thumbnail
from napari_hsisynth.widgets.scroll_column import wrapping_label
from napari_hsisynth.widgets.when_destroyed import when_destroyed

_LINES = 4  # of text, the side of a picture
_ROOM_PX = 6  # about a picture


class CropList(QWidget):
    """Pictures in rows that wrap, framed in the colour of the diagnosis. Arrow keys move, Enter or a click chooses.

    One picture at a time is rendered in a thread; the list can be used meanwhile.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    chosen : Signal
        `CropRecord`.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.records: list[CropRecord] = []
        self._folder, self._stamp = Path(), 0.0
        self._waiting: deque[int] = deque()
        self._rendering: tuple[int, CropRecord] | None = None
        self._renderer = Background(parent=self)
        self._renderer.done.connect(self._rendered)
        self._renderer.failed.connect(self._not_rendered)
        self.list = QListWidget(self)
        self.list.setViewMode(QListWidget.ViewMode.IconMode)
        self.list.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.list.setMovement(QListWidget.Movement.Static)
        self.list.setUniformItemSizes(True)
        side = _LINES * self.fontMetrics().lineSpacing()
        self.list.setIconSize(QSize(side, side))
        self.list.setMinimumSize(1, 3 * side)
        self.list.setAccessibleName("crops")
        self.list.setToolTip("Click (or press Enter) to see a crop in its place over its cube")
        self.list.installEventFilter(self)
        self.list.itemClicked.connect(self._clicked)
        self.list.currentItemChanged.connect(self._describe)
        self.about = wrapping_label(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.about)
        when_destroyed(self, self._renderer.close, 0)

    def show_crops(self, folder: Path, records: Sequence[CropRecord]) -> None:
        """List the crops of a folder; nothing happens if these are listed already.

        Parameters
        ----------
        folder : pathlib.Path
            With the crops' files.
        records : sequence of CropRecord
            In the order of the list.
        """
        stamp = _changed_at(folder)
        if (folder, stamp, list(records)) == (self._folder, self._stamp, self.records):
            return
        current = self.current
        self._folder, self._stamp, self.records = folder, stamp, list(records)
        self.list.clear()
        blank = QPixmap(self.list.iconSize())
        blank.fill(Qt.GlobalColor.transparent)
        for record in records:
            item = QListWidgetItem(_framed(blank.copy(), record.diagnosis.colour), "")
            item.setSizeHint(self.list.iconSize() + QSize(_ROOM_PX, _ROOM_PX))
            item.setToolTip(f"{describe(record)}\nclick: show it in its cube")
            item.setData(Qt.ItemDataRole.AccessibleTextRole, record.crop_id)
            self.list.addItem(item)
            if current is not None and record.crop_id == current.crop_id:
                self.list.setCurrentItem(item)
        self._describe()
        self._waiting = deque(range(len(self.records)))
        self._render_next()

    @property
    def current(self) -> CropRecord | None:
        """The crop that the keyboard is at."""
        row = self.list.currentRow()
        return self.records[row] if 0 <= row < len(self.records) else None

    @property
    def rendered(self) -> bool:
        """Whether all pictures are there."""
        return not self._waiting and self._rendering is None

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Choose the current crop with Enter."""
        pressed = isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress
        if pressed and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current is not None:
            self.chosen.emit(self.current)
            return True
        return False

    def _clicked(self, item: QListWidgetItem) -> None:
        self.chosen.emit(self.records[self.list.row(item)])

    def _describe(self, *_: object) -> None:
        self.about.setText("" if self.current is None else describe(self.current))
        self.about.setVisible(self.current is not None)

    # -- pictures -----------------------------------------------------------------------------------------------------

    def _render_next(self) -> None:
        if self._rendering is None and self._waiting:
            row = self._waiting.popleft()
            record = self.records[row]
            self._rendering = row, record
            side_px = round(self.list.iconSize().width() * self.devicePixelRatioF())
            self._renderer.submit(partial(crop_thumbnail, self._folder, record, side_px))

    def _rendered(self, _number: int, pixels: NDArray[np.uint8]) -> None:
        self._take(pixels)

    def _not_rendered(self, _number: int, error: Exception) -> None:
        if self._rendering is not None and self._still_there(*self._rendering):
            self.list.item(self._rendering[0]).setToolTip(str(error))
        self._take(None)

    def _take(self, pixels: NDArray[np.uint8] | None) -> None:
        rendering, self._rendering = self._rendering, None
        if pixels is not None and rendering is not None and self._still_there(*rendering):
            height, width = pixels.shape[:2]
            image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
            picture = QPixmap.fromImage(image).scaled(
                self.list.iconSize(),
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            self.list.item(rendering[0]).setIcon(_framed(picture, rendering[1].diagnosis.colour))
        self._render_next()

    def _still_there(self, row: int, record: CropRecord) -> bool:
        return row < len(self.records) and self.records[row] is record


def describe(record: CropRecord) -> str:
    """Say what a crop is: ``DN_012_2 · dysplastic nevus · 143 x 120 px -> 267 x 224 px at y 40, x 101``."""
    what = f"{record.diagnosis.label}, whole cube" if record.whole else record.diagnosis.label
    place = "" if record.whole else f" at y {record.y0}, x {record.x0}"
    return f"{record.crop_id} · {what} · {size_text(record.box_shape_yx, record.shape_yx)}{place}"


def _framed(picture: QPixmap, colour: str) -> QIcon:
    width, height = picture.width(), picture.height()
    thick = max(2, width // 20)
    painter = QPainter(picture)
    for x, y, across, down in (
        (0, 0, width, thick),
        (0, height - thick, width, thick),
        (0, 0, thick, height),
        (width - thick, 0, thick, height),
    ):
        painter.fillRect(x, y, across, down, QColor(colour))
    painter.end()
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)  # which Qt would tint
    return icon


def _changed_at(folder: Path) -> float:
    try:
        return (folder / "crops.csv").stat().st_mtime
    except OSError:
        return 0.0
