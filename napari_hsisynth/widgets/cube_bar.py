"""`CubeBar`: which cube of the study is annotated, its status, how far the study is, and the way to the others."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.job_dock import choice
from napari_hsisynth.widgets.jump_box import JumpBox
from napari_hsisynth.widgets.live_queue import live_queue
from napari_hsisynth.widgets.push_button import push_button

_STATUSES = ("todo", "done", "unsure")
#: Of the bar of progress, in lines of text: its words stand in the line of the step, and in its tooltip.
_THICK = 0.4


class CubeBar(QWidget):
    """Previous and next cube, the place in the list, the status of the cube, and the progress of the study.

    Parameters
    ----------
    annotator : Annotator
    """

    def __init__(self, annotator: Annotator, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.annotator = annotator
        self.queue = live_queue(annotator.session)
        self.previous_button = push_button(self, "< J", "Previous cube (J)", partial(annotator.step, -1))
        self.jump = JumpBox(self.queue, self)
        self.next_button = push_button(self, "K >", "Next cube (K)", partial(annotator.step, 1))
        for button in (self.previous_button, self.next_button):  # what is wide is the id between them
            button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.place = QLabel(self)
        self.status = choice(self, "Of the whole cube. Accepting a lesion makes it done; U marks it unsure")
        self.status.setAccessibleName("status of the cube")
        self.status.addItems(_STATUSES)
        self.status.textActivated.connect(annotator.lesions.set_status)
        self.todo_button = push_button(
            self, "Next todo", "Go to the next cube that is still to do", annotator.next_todo
        )
        self.progress = QProgressBar(self)
        self.progress.setMinimumWidth(1)
        self.progress.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(round(_THICK * self.fontMetrics().height()))
        self.progress.setAccessibleName("progress of the study")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        for wide, widgets in (
            (self.jump, (self.previous_button, self.jump, self.next_button)),
            (self.status, (self.place, self.status, self.todo_button)),
        ):
            row = QHBoxLayout()
            for widget in widgets:
                row.addWidget(widget, int(widget is wide))
            rows.addLayout(row)
        rows.addWidget(self.progress)

    def refresh(self) -> None:
        """Show the annotator's present cube, and the progress of the study."""
        annotator, target, queue = self.annotator, self.annotator.target, self.queue.queue
        if target is None:
            return
        ids = list(queue.rows) if target.study is not None else []
        self.jump.refresh(target.cube_id or target.cube.name or target.layer.name, ids)
        place = ids.index(target.cube_id) + 1 if target.cube_id in ids else 0
        self.place.setText(f"{place} of {len(ids)} · status" if place else "status")
        only = " of the cubes that the queue shows" if queue.filter else ""
        for button, by, what in ((self.previous_button, -1, "Previous cube"), (self.next_button, 1, "Next cube")):
            button.setEnabled(bool(ids) and self.queue.neighbour(by) is not None)
            button.setToolTip(f"{what}{only} ({'J' if by < 0 else 'K'})")
        counts = queue.counts()
        self.progress.setRange(0, max(1, len(ids)))
        self.progress.setValue(counts["done"])
        self.progress.setFormat(self.queue.text() or "reading ...")
        self.progress.setToolTip(
            f"{counts['done']:,} done, {counts['unsure']:,} unsure, {counts['todo']:,} to do of {len(ids):,} cubes"
        )
        for widget in (
            self.previous_button,
            self.next_button,
            self.place,
            self.status,
            self.todo_button,
            self.progress,
        ):
            widget.setVisible(bool(ids))
        if annotator.lesions.book is not None:
            self.status.setCurrentText(annotator.lesions.book.status)
