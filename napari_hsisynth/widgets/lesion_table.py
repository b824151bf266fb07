"""`LesionTable`: the lesions of the shown cube."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QContextMenuEvent, QIcon, QKeyEvent, QPixmap
from qtpy.QtWidgets import QHeaderView, QMenu, QTreeWidget, QTreeWidgetItem, QWidget

from napari_hsisynth.study import DIAGNOSIS_COLOURS
from napari_hsisynth.widgets.lesion_book import LesionRow

_COLUMNS = ("#", "diagnosis", "area px", "score", "status")
_LEAST_LINES = 6


class LesionTable(QTreeWidget):
    """One row per lesion, with the colour of its diagnosis.

    Attributes
    ----------
    chosen : Signal
        Number of the selected lesion, or None.
    opened : Signal
        Number of a lesion that was double-clicked, or on which Enter was pressed.
    delete_asked : Signal
        Number of the lesion on which Delete was pressed.
    status_asked : Signal
        Number of a lesion, and the status it is to get: "accepted", "unsure" or "draft".
    """

    chosen = Signal(object)
    opened = Signal(int)
    delete_asked = Signal(int)
    status_asked = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setHeaderLabels(list(_COLUMNS))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setMinimumSize(1, _LEAST_LINES * self.fontMetrics().lineSpacing())
        self.setAccessibleName("lesions")
        self.setToolTip(
            "Click: choose. Double click or Enter: change the mask with its prompts. Delete: delete (undo with Undo).\n"
            "Shift+U: unsure, or accepted again. Right click: all of this."
        )
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self._shown: tuple[tuple[LesionRow, ...], int | None] | None = None
        self.itemSelectionChanged.connect(self._tell_chosen)
        self.itemClicked.connect(self._tell_chosen)  # again: it may be out of view by now
        self.itemDoubleClicked.connect(self._tell_opened)

    def sizeHint(self) -> QSize:
        """No higher than need be: the dock gives it the room that is left."""
        return QSize(super().sizeHint().width(), self.minimumHeight())

    def _tell_chosen(self, *_: Any) -> None:
        self.chosen.emit(self.number)

    def _tell_opened(self, item: QTreeWidgetItem, _column: int) -> None:
        self.opened.emit(item.data(0, Qt.ItemDataRole.UserRole))

    @property
    def number(self) -> int | None:
        """Number of the selected lesion."""
        items = self.selectedItems()
        return items[0].data(0, Qt.ItemDataRole.UserRole) if items else None

    def show_rows(self, rows: Sequence[LesionRow], selected: int | None) -> None:
        """Show these lesions; nothing is emitted."""
        wanted = (tuple(rows), selected)
        if wanted == self._shown and self.number == selected:
            return
        self._shown = wanted
        blocked = self.blockSignals(True)
        self.clear()
        for row in rows:
            instance = row.instance
            score = "" if instance.score is None else f"{instance.score:.2f}"
            item = QTreeWidgetItem(
                [str(instance.id), instance.diagnosis.label, f"{row.area:,}", score, instance.status]
            )
            item.setData(0, Qt.ItemDataRole.UserRole, instance.id)
            item.setIcon(0, self._swatch(DIAGNOSIS_COLOURS[instance.diagnosis]))
            item.setToolTip(1, instance.diagnosis.label)
            for column in (2, 3):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.addTopLevelItem(item)
            item.setSelected(instance.id == selected)
            if instance.id == selected:
                self.setCurrentItem(item)
        self.blockSignals(blocked)

    def _swatch(self, colour: str) -> QIcon:
        side = self.fontMetrics().ascent()
        pixmap = QPixmap(side, side)
        pixmap.fill(QColor(colour))
        icon = QIcon(pixmap)
        icon.addPixmap(pixmap, QIcon.Mode.Selected)  # which Qt would tint: the colour is the diagnosis
        return icon

    def keyPressEvent(self, event: QKeyEvent) -> None:
        number: Any = self.number
        if number is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_asked.emit(number)
        elif number is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit(number)
        elif event.text().isalpha() or event.key() == Qt.Key.Key_Escape:
            event.ignore()  # a list would search for the letter; here letters are the keys of the dock
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        number = self.number
        if number is not None:
            self.menu_of(number).popup(event.globalPos())

    def menu_of(self, number: int) -> QMenu:
        """Return the menu of a lesion; it deletes itself when it is closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Re-open with its prompts", partial(self.opened.emit, number))
        menu.addSeparator()
        for status in ("accepted", "unsure", "draft"):
            menu.addAction(f"Mark as {status}", partial(self.status_asked.emit, number, status))
        menu.addSeparator()
        menu.addAction("Delete", partial(self.delete_asked.emit, number))
        return menu
