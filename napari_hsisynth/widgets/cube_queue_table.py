"""The table of the queue: one line per cube that the filter shows, made only as far as it is seen."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_hsisynth.study import Diagnosis
from napari_hsisynth.study.annotation_queue import AnnotationQueue, QueueRow, QueueStatus
from napari_hsisynth.study.annotators import shown_name
from napari_hsisynth.widgets.study_table import ElideMiddle, diagnosis_icon
from napari_hsisynth.widgets.titled_table import TitledTable

#: Sign of a status; its name is in the tooltip and told to screen readers.
STATUS_SIGNS: dict[QueueStatus, str] = {"todo": "○", "done": "✓", "unsure": "?", "damaged": "✖", "unread": ""}
COLUMNS = ("", "cube", "lesions", "")
_STATUS, _CUBE, _LESIONS, _NOTES = range(len(COLUMNS))
_DRAFT_SIGN, _OTHERS_SIGN, _DISAGREE_SIGN = "✎", "+", "≠"


def notes(row: QueueRow, queue: AnnotationQueue) -> tuple[str, list[str]]:
    """Return the signs of what else there is to a cube, and the same in words."""
    signs, words = "", []
    if row.cube_id in queue.drafts:
        signs += _DRAFT_SIGN
        words.append("an unfinished lesion")
    if row.others:
        signs += f" {_OTHERS_SIGN}{len(row.others)}"
        words.append(f"also annotated by {', '.join(map(shown_name, row.others))}")
    if row.cube_id in queue.disagreeing:
        signs += f" {_DISAGREE_SIGN}"
        words.append("the annotators disagree")
    return signs.strip(), words


class CubeQueueModel(TitledTable):
    """The cubes that a queue shows."""

    columns = COLUMNS

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.queue = AnnotationQueue()
        self.cube_ids: tuple[str, ...] = ()
        self._icons = {diagnosis: diagnosis_icon(diagnosis) for diagnosis in Diagnosis}

    def show(self, queue: AnnotationQueue) -> bool:
        """Show what a queue shows now; return whether these are other cubes than before."""
        is_other = queue is not self.queue or queue.shown != self.cube_ids
        if is_other:
            self.beginResetModel()
            self.queue, self.cube_ids = queue, queue.shown
            self.endResetModel()
        elif self.cube_ids:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.cube_ids) - 1, len(COLUMNS) - 1))
        return is_other

    def count(self) -> int:
        """Return the number of cubes."""
        return len(self.cube_ids)

    # Qt's names from here

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, icon, tooltip and what a screen reader says of a cell."""
        row, column = self.queue.rows[self.cube_ids[index.row()]], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            signs, _ = notes(row, self.queue)
            return (STATUS_SIGNS[row.status], row.cube_id, row.lesions_text(), signs)[column]
        if role == Qt.ItemDataRole.DecorationRole and column == _CUBE:
            return self._icons[row.diagnosis]
        if role == Qt.ItemDataRole.TextAlignmentRole and column == _STATUS:
            return int(Qt.AlignmentFlag.AlignCenter)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            _, words = notes(row, self.queue)
            told = [row.cube_id, row.diagnosis.label, row.patient and f"patient {row.patient}", row.status, *words]
            if row.accepted or row.unsure or row.draft:
                told.append(f"{row.accepted} accepted, {row.unsure} unsure, {row.draft} draft lesions")
            return "\n".join(filter(None, [*told, row.trouble]))
        return None


class CubeQueueTable(QTableView):
    """The cubes of the queue; click or Enter shows one.

    Attributes
    ----------
    opened : Signal(str)
        A cube is to be shown.
    """

    opened = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cubes = CubeQueueModel(self)
        self.setModel(self.cubes)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setAccessibleName("cubes to annotate")
        self.setItemDelegateForColumn(_CUBE, ElideMiddle(self))
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(round(1.6 * self.fontMetrics().height()))
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(_CUBE, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(2 * self.fontMetrics().averageCharWidth())
        self.setMinimumSize(1, round(9 * 1.6 * self.fontMetrics().height()))
        self.clicked.connect(self._open)

    def show_queue(self, queue: AnnotationQueue, present: str | None) -> None:
        """Show the cubes of a queue, and which of them is the present one."""
        is_other = self.cubes.show(queue)
        row = self.cubes.cube_ids.index(present) if present in self.cubes.cube_ids else -1
        if row < 0:
            self.clearSelection()
        elif is_other or row != self.currentIndex().row() or not self.selectionModel().hasSelection():
            self.setCurrentIndex(self.cubes.index(row, _CUBE))
            self.scrollTo(self.cubes.index(row, _CUBE))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the id as much room as there is."""
        super().resizeEvent(event)
        metrics = self.fontMetrics()
        for column, widest in ((_STATUS, "○"), (_LESIONS, "lesions"), (_NOTES, f"{_DRAFT_SIGN} +2 {_DISAGREE_SIGN}")):
            self.setColumnWidth(column, metrics.horizontalAdvance(widest) + 2 * metrics.averageCharWidth())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open the cube on Enter; leave letters to the dock, whose keys they are."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
        elif event.text().isalpha() or event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            self.opened.emit(self.cubes.cube_ids[index.row()])
