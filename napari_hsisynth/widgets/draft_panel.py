"""`DraftPanel`: the lesion in the making, and what can be done with it."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_hsisynth.study import Diagnosis, Instance
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.fold import Fold
from napari_hsisynth.widgets.job_dock import choice, wrapped
from napari_hsisynth.widgets.push_button import push_button
from napari_hsisynth.widgets.refine_row import RefineRow

#: One line; the rest is in its tooltip.
HINT = "click inside · Ctrl+click outside · drag a box"
HINT_ALL = (
    "Left click: inside the lesion.\n"
    "Ctrl+click: outside of it.\n"
    "Drag: a box around it. On a prompt: move that. Beside Shift: move the view.\n"
    "Delete: remove the chosen prompt.\n"
    "Esc: give the mouse back; Prompt takes it again."
)
_REFINE_OPEN = "annotate/open/refine"


class DraftPanel(QWidget):
    """Number, diagnosis and candidate of the draft; accept, clear, new, prompt, undo, redo; refining; overlaps.

    Parameters
    ----------
    annotator : Annotator
    """

    def __init__(self, annotator: Annotator, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.annotator = annotator
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addLayout(self._lesion_row())
        rows.addLayout(self._buttons())
        self.note = wrapped("", self)
        rows.addWidget(self.note)
        self.hint = wrapped(HINT, self)
        self.hint.setToolTip(HINT_ALL)
        rows.addWidget(self.hint)
        rows.addWidget(self._refine_fold())

    def _lesion_row(self) -> QGridLayout:
        self.lesion = QLabel(self)
        self.diagnosis = choice(self, "Of the lesion in the making, else of the one chosen in the table")
        self.diagnosis.setAccessibleName("diagnosis")
        # by a click it would keep the keyboard, and take G, H and N for the beginnings of diagnoses
        self.diagnosis.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for diagnosis in Diagnosis:
            self.diagnosis.addItem(diagnosis.label, diagnosis)
        self.diagnosis.activated.connect(self._diagnosis_chosen)
        self.candidate = QLabel(self)
        self.candidate_button = push_button(
            self, "Next W", "Show the next candidate (W)", self.annotator.drafts.next_candidate
        )
        grid = QGridLayout()
        grid.addWidget(self.lesion, 0, 0)
        grid.addWidget(self.diagnosis, 0, 1, 1, 2)
        grid.addWidget(self.candidate, 1, 0, 1, 2)
        grid.addWidget(self.candidate_button, 1, 2)
        grid.setColumnStretch(1, 1)
        return grid

    def _refine_fold(self) -> Fold:
        """What is needed now and then: one line while it is folded."""
        content = QWidget(self)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        self.refine_row = RefineRow(self.annotator, content)
        column.addWidget(self.refine_row)
        column.addLayout(self._overlap_row())
        self.refine_fold = Fold("Refine, overlaps", content, settings.value(_REFINE_OPEN, False), self)
        self.refine_fold.button.setToolTip("Smooth, fill, grow or shrink a mask; whose the pixels of two lesions are")
        self.refine_fold.toggled.connect(partial(settings.set_value, _REFINE_OPEN))
        return self.refine_fold

    def _overlap_row(self) -> QGridLayout:
        self.overlaps = choice(self, "Whose are the pixels that a lesion has in common with earlier ones")
        self.overlaps.setAccessibleName("overlaps")
        self.overlaps.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.overlaps.addItem("new lesion takes them", True)
        self.overlaps.addItem("earlier lesion keeps them", False)
        self.overlaps.setCurrentIndex(self.overlaps.findData(self.annotator.lesions.takes_overlaps))
        self.overlaps.activated.connect(self._overlaps_chosen)
        grid = QGridLayout()
        grid.addWidget(QLabel("Overlaps:", self), 0, 0)
        grid.addWidget(self.overlaps, 0, 1)
        grid.setColumnStretch(1, 1)
        return grid

    def _buttons(self) -> QGridLayout:
        annotator = self.annotator
        self.accept_button = push_button(
            self, "Accept G", "Make the shown mask a lesion and save it (G)", annotator.accept
        )
        self.clear_button = push_button(
            self, "Clear H", "Drop prompts and mask; of proposed lesions only the shown one (H)", annotator.drafts.clear
        )
        self.new_button = push_button(self, "New lesion N", "Start a further lesion (N)", annotator.new_lesion)
        self.prompt_button = QPushButton("Prompt Esc", self)
        self.prompt_button.setCheckable(True)
        self.prompt_button.setToolTip(f"While pressed, the mouse makes prompts.\n{HINT_ALL}")
        self.prompt_button.clicked.connect(annotator.set_prompting)
        self.undo_button = push_button(self, "Undo", "", annotator.undo)
        self.redo_button = push_button(self, "Redo", "", annotator.redo)
        grid = QGridLayout()
        buttons = (self.accept_button, self.clear_button, self.new_button)
        more = (self.prompt_button, self.undo_button, self.redo_button)
        for row, line in enumerate((buttons, more)):
            for place, button in enumerate(line):
                grid.addWidget(button, row, place)
        return grid

    def _diagnosis_chosen(self, _: Any) -> None:
        self.annotator.set_diagnosis(self.diagnosis.currentData())

    def _overlaps_chosen(self, _: Any) -> None:
        self.annotator.lesions.set_takes_overlaps(self.overlaps.currentData())

    def refresh(self) -> None:
        """Show the annotator's draft."""
        annotator, draft = self.annotator, self.annotator.draft
        chosen = annotator.lesions.instance(annotator.selected)
        book = annotator.lesions.book
        number = draft.editing if draft is not None else annotator.selected
        if not number and book is not None:
            number = book.next_number(annotator.lesions.labels)
        self.lesion.setText(f"Lesion {number}")
        shown = chosen.diagnosis if draft is None and chosen is not None else annotator.drafts.diagnosis
        self.diagnosis.setCurrentIndex(self.diagnosis.findData(shown))
        self.diagnosis.setEnabled(draft is not None or chosen is not None)
        self.candidate.setText(draft.text() if draft is not None else _chosen_text(chosen))
        self.candidate_button.setEnabled(draft is not None and draft.several)
        waits = chosen is not None and chosen.status != "accepted"
        self.accept_button.setEnabled(draft is not None or waits)
        self.clear_button.setEnabled(draft is not None)
        self.prompt_button.setChecked(annotator.drafts.prompts.active)
        self.hint.setEnabled(annotator.drafts.prompts.active)
        self.refine_row.refresh()
        done, undone = annotator.steps.done, annotator.steps.undone
        for button, step, word, keys in (
            (self.undo_button, done, "Undo", "Ctrl+Z"),
            (self.redo_button, undone, "Redo", "Ctrl+Shift+Z"),
        ):
            button.setEnabled(bool(step))
            button.setToolTip(f"{word}: {step} ({keys})" if step else f"Nothing to {word.lower()} ({keys})")
        self.note.setText(annotator.note)
        self.note.setVisible(bool(annotator.note))
        self.hint.setVisible(not annotator.note)  # in its place: nothing below jumps


def _chosen_text(chosen: Instance | None) -> str:
    return "no prompt yet" if chosen is None else f"{chosen.status} · Enter in the table re-opens it"
