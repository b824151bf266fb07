"""`CubeBar`: which cube of the study is annotated, its status, and the way to the others."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.job_dock import choice, wrapped
from napari_hsisynth.widgets.push_button import push_button

_STATUSES = ("todo", "done", "unsure")


class CubeBar(QWidget):
    """Previous and next cube, the place in the list, and the status of the cube.

    Parameters
    ----------
    annotator : Annotator
    """

    def __init__(self, annotator: Annotator, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.annotator = annotator
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        self.previous_button = push_button(self, "< J", "Previous cube (J)", partial(annotator.step, -1))
        self.next_button = push_button(self, "K >", "Next cube (K)", partial(annotator.step, 1))
        self.cube_label = wrapped("", self)
        self.cube_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.place = QLabel(self)
        self.status = choice(self, "Of the whole cube. Accepting a lesion makes it done; U marks it unsure")
        self.status.setAccessibleName("status of the cube")
        self.status.addItems(_STATUSES)
        self.status.textActivated.connect(annotator.lesions.set_status)
        self.todo_button = push_button(
            self, "Next todo", "Go to the next cube that is still to do", annotator.next_todo
        )
        grid.addWidget(self.previous_button, 0, 0)
        grid.addWidget(self.cube_label, 0, 1)
        grid.addWidget(self.next_button, 0, 2)
        grid.addWidget(self.place, 1, 0)
        grid.addWidget(self.status, 1, 1)
        grid.addWidget(self.todo_button, 1, 2)
        grid.setColumnStretch(1, 1)

    def refresh(self) -> None:
        """Show the annotator's present cube."""
        annotator, target = self.annotator, self.annotator.target
        if target is None:
            return
        ids = annotator.cube_ids() if target.study is not None else []
        self.cube_label.setText(target.cube_id or target.cube.name or target.layer.name)
        place = ids.index(target.cube_id) + 1 if target.cube_id in ids else 0
        self.place.setText(f"{place} of {len(ids)}" if place else "")
        self.previous_button.setEnabled(place > 1)
        self.next_button.setEnabled(0 < place < len(ids))
        for widget in (self.previous_button, self.next_button, self.place, self.status, self.todo_button):
            widget.setVisible(bool(ids))
        if annotator.lesions.book is not None:
            self.status.setCurrentText(annotator.lesions.book.status)
