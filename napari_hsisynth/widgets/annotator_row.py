"""`AnnotatorRow`: under which name lesions are stored, and which file of the cube that means."""

from __future__ import annotations

from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QWidget

from napari_hsisynth.study.annotation_queue import QueueRow
from napari_hsisynth.study.annotators import same_annotator, shown_name
from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.annotator_identity import account_name, annotator_name, set_annotator_name
from napari_hsisynth.widgets.job_dock import wrapped
from napari_hsisynth.widgets.live_queue import live_queue


class AnnotatorRow(QWidget):
    """The annotator's name, which can be changed, and where the work on the shown cube goes.

    Parameters
    ----------
    annotator : Annotator
    """

    def __init__(self, annotator: Annotator, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.annotator = annotator
        self.queue = live_queue(annotator.session)
        self.name = QLineEdit(self)
        self.name.setMinimumWidth(1)
        self.name.setPlaceholderText(account_name() or "your name")
        self.name.setAccessibleName("annotator")
        self.name.setToolTip("Who annotates: stored with every lesion. A second annotator's work is kept beside")
        self.name.setText(annotator_name())
        self.name.editingFinished.connect(self._take)
        self.name.returnPressed.connect(self.name.clearFocus)  # the letters are keys of the dock again
        label = QLabel("Name", self)
        label.setBuddy(self.name)
        self.hint = wrapped("", self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.name, 0, 1)
        grid.addWidget(self.hint, 1, 0, 1, 2)
        grid.setColumnStretch(1, 1)

    def refresh(self) -> None:
        """Show the name, and say whose the shown cube is."""
        if not self.name.hasFocus():
            self.name.setText(annotator_name())
        target = self.annotator.target
        row = self.queue.row(target.cube_id if target is not None and target.study is not None else None)
        self.hint.setText(whose(row))
        self.hint.setVisible(bool(self.hint.text()))

    def _take(self) -> None:
        before, typed = annotator_name(), self.name.text()
        if " ".join(typed.split()) != before:
            self.annotator.flush()  # what was done so far was done under the name before
            set_annotator_name(typed)
        self.name.setText(annotator_name())
        if not same_annotator(before, annotator_name()):
            self.annotator.annotator_changed()
            self.queue.read()


def whose(row: QueueRow | None) -> str:
    """Say in a sentence to whom the annotation of a cube belongs."""
    if row is None or row.status == "unread":
        return ""
    if row.first:
        return f"{row.first} annotated this cube first: yours is kept beside it."
    if row.others:
        return f"You annotated this cube first; {', '.join(map(shown_name, row.others))} beside you."
    return ""
