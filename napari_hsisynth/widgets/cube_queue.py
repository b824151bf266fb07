"""`CubeQueue`: the cubes of the study, those that a filter shows, and a click to go there."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_hsisynth.study.annotation_queue import QueueFilter
from napari_hsisynth.widgets.annotate_target import delay
from napari_hsisynth.widgets.cube_queue_table import CubeQueueTable
from napari_hsisynth.widgets.job_dock import choice, refill
from napari_hsisynth.widgets.live_queue import LiveQueue
from napari_hsisynth.widgets.study_table import diagnosis_icon

_TYPING_MS = 150
#: What the list of states offers.
_STATES = {
    "all": QueueFilter(),
    "todo": QueueFilter(status="todo"),
    "done": QueueFilter(status="done"),
    "unsure": QueueFilter(status="unsure"),
    "with a draft": QueueFilter(has_draft=True),
    "disagree": QueueFilter(disagree=True),
    "damaged": QueueFilter(status="damaged"),
}
_STATES_TIP = (
    "Which cubes to show. With a draft: a lesion is not finished there. "
    "Disagree: what the comparison of two annotators found"
)


class CubeQueue(QWidget):
    """Filter and table of the queue.

    Parameters
    ----------
    queue : LiveQueue

    Attributes
    ----------
    disagreement_asked : Signal
        The cubes on which annotators disagree are wanted, and nobody has compared them yet.
    """

    disagreement_asked = Signal()

    def __init__(self, queue: LiveQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.queue = queue
        self.text = QLineEdit(self)
        self.text.setPlaceholderText("part of id or patient")
        self.text.setClearButtonEnabled(True)
        self.text.setMinimumWidth(1)
        self.text.setAccessibleName("filter of the cubes by id or patient")
        self.text.setToolTip("Show cubes with these words in id or patient. Enter goes to the first")
        self._typed = delay(self, _TYPING_MS, self._filter)
        self.text.textEdited.connect(self._typing)
        self.text.returnPressed.connect(self._open_first)
        self.state = choice(self, _STATES_TIP)
        self.state.setAccessibleName("filter of the cubes by status")
        self.state.addItems(list(_STATES))
        self.diagnosis = choice(self, "Of the cube")
        self.diagnosis.setAccessibleName("filter of the cubes by diagnosis")
        self.diagnosis.addItem("any diagnosis", None)
        for box in (self.state, self.diagnosis):
            box.activated.connect(self._chosen)
        self.count = QLabel(self)
        self.table = CubeQueueTable(self)
        self.table.opened.connect(queue.go_to)
        grid = QGridLayout()
        grid.addWidget(self.text, 0, 0)
        grid.addWidget(self.state, 0, 1)
        grid.addWidget(self.diagnosis, 1, 0)
        grid.addWidget(self.count, 1, 1)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(grid)
        column.addWidget(self.table, 1)

    def refresh(self) -> None:
        """Show the queue as it is now."""
        queue = self.queue.queue
        if not queue.filter and not self._typed.isActive():  # another study has been opened
            self.text.clear()
            self.state.setCurrentIndex(0)
            self.diagnosis.setCurrentIndex(0)
        self._offer_diagnoses(self.diagnosis)
        shown = len(queue.shown)
        self.count.setText(f"{shown:,} of {len(queue.rows):,}" if queue.filter else f"{shown:,} cubes")
        if self.isVisible():
            self.table.show_queue(queue, self.queue.session.cube_id)

    def _offer_diagnoses(self, box: QComboBox) -> None:
        found = sorted({row.diagnosis for row in self.queue.queue.rows.values()})
        if [box.itemData(place) for place in range(1, box.count())] == found:
            return
        chosen = self.queue.queue.filter.diagnosis
        refill(box, [("any diagnosis", None), *((each.label, each) for each in found)], chosen)
        for place, each in enumerate(found, start=1):
            box.setItemIcon(place, diagnosis_icon(each))

    def _typing(self, _: str) -> None:
        self._typed.start()

    def _chosen(self, _: int) -> None:
        self._filter()

    def _filter(self) -> None:
        self._typed.stop()
        wanted = _STATES[self.state.currentText()]
        self.queue.set_filter(replace(wanted, text=self.text.text(), diagnosis=self.diagnosis.currentData()))
        if wanted.disagree and not self.queue.compared:
            self.disagreement_asked.emit()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while it was folded."""
        super().showEvent(event)
        self.refresh()

    def _open_first(self) -> None:
        self._filter()
        if self.queue.queue.shown:
            self.text.clearFocus()  # the letters are keys of the dock again
            self.queue.go_to(self.queue.queue.shown[0])
