"""`LesionTable`: the lesions of the shown cube."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_hsisynth.study import DIAGNOSIS_COLOURS
from napari_hsisynth.widgets.lesion_book import LesionRow

_COLUMNS = ("#", "diagnosis", "area px", "score", "status")


class LesionTable(QTreeWidget):
    """One row per lesion; its number has the colour of its diagnosis.

    Attributes
    ----------
    chosen : Signal
        Number of the selected lesion, or None.
    opened : Signal
        Number of a lesion that was double-clicked, or on which Enter was pressed.
    delete_asked : Signal
        Number of the lesion on which Delete was pressed.
    """

    chosen = Signal(object)
    opened = Signal(int)
    delete_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setHeaderLabels(list(_COLUMNS))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setMinimumSize(1, 6 * self.fontMetrics().lineSpacing())
        self.setAccessibleName("lesions")
        self.setToolTip(
            "Click: choose. Double click or Enter: change the mask with its prompts. Delete: delete (undo with Undo)."
        )
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.itemSelectionChanged.connect(lambda: self.chosen.emit(self.number))
        self.itemDoubleClicked.connect(lambda item, _: self.opened.emit(item.data(0, Qt.ItemDataRole.UserRole)))

    @property
    def number(self) -> int | None:
        """Number of the selected lesion."""
        items = self.selectedItems()
        return items[0].data(0, Qt.ItemDataRole.UserRole) if items else None

    def show_rows(self, rows: Sequence[LesionRow], selected: int | None) -> None:
        """Show these lesions; nothing is emitted."""
        blocked = self.blockSignals(True)
        self.clear()
        for row in rows:
            instance = row.instance
            score = "" if instance.score is None else f"{instance.score:.2f}"
            item = QTreeWidgetItem(
                [str(instance.id), instance.diagnosis.label, f"{row.area:,}", score, instance.status]
            )
            item.setData(0, Qt.ItemDataRole.UserRole, instance.id)
            item.setForeground(0, QColor(DIAGNOSIS_COLOURS[instance.diagnosis]))
            item.setToolTip(1, instance.diagnosis.label)
            for column in (2, 3):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.addTopLevelItem(item)
            item.setSelected(instance.id == selected)
            if instance.id == selected:
                self.setCurrentItem(item)
        self.blockSignals(blocked)

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
