"""`AnnotateDock`: mask lesions by clicks and boxes."""

from __future__ import annotations

import time
from functools import partial
from typing import Any
from weakref import ref

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.segment import list_segmenters
from napari_hsisynth.study import Diagnosis
from napari_hsisynth.widgets.annotate_target import delay
from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.command_line import CommandLine
from napari_hsisynth.widgets.job_dock import choice, wrapped
from napari_hsisynth.widgets.lesion_table import LesionTable
from napari_hsisynth.widgets.mask_file import save_mask
from napari_hsisynth.widgets.scroll_column import ScrollColumn
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.warm_up import WarmUp

HINT = "left click inside · Ctrl+click outside · drag a box · Delete a prompt · Shift+drag moves the view · Esc ends"
_STATUSES = ("todo", "done", "unsure")
_TELL_AGE_MS = 5_000


class AnnotateDock(QWidget):
    """Prompts to lesions, cube by cube.

    Keys, with any layer active: G accept, H clear, N new lesion, W next candidate, J and K previous and next cube, U
    unsure, Q hide or show the masks, Esc ends the prompting.

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    summary_changed : Signal
        `summary` has another text.
    """

    summary_changed = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.session = session_for(napari_viewer)
        # not napari's proxy of it: layers that come through a proxy are not the objects that events speak of
        self.viewer = self.session.viewer
        self.annotator = Annotator(self.viewer)
        self._saved_at: float | None = None
        self._build()
        self._keys: tuple[str, ...] = ()
        self._home: Any = lambda: None
        self._warm_up = WarmUp(self)
        self._warm_up.ready.connect(self._begin)
        self._begin_soon = delay(self, 0, self._begin)
        self._leave_soon = delay(self, 0, self._leave_if_hidden)
        self.annotator.changed.connect(self._show)
        self.annotator.saved.connect(self._saved)
        for signal in (self.session.study_changed, self.session.annotation_changed):
            signal.connect(self._study_touched)
        self._age = QTimer(self)
        self._age.setInterval(_TELL_AGE_MS)
        self._age.timeout.connect(self._show_saved)
        # when Qt deletes the dock, nothing of the dock itself can be used any more
        self.destroyed.connect(partial(_shut_down, self.annotator))
        self._show()

    # --- building

    def _build(self) -> None:
        scroll = ScrollColumn(self)
        page, column = scroll.content, scroll.column
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

        self.empty = wrapped("", page)
        self.empty_button = QPushButton("Open a study", page)
        self.empty_button.clicked.connect(self._next_step)
        self.content = QWidget(page)
        rows = QVBoxLayout(self.content)
        rows.setContentsMargins(0, 0, 0, 0)
        for widget, stretch in ((self.empty, 0), (self.empty_button, 0), (self.content, 1)):
            column.addWidget(widget, stretch)
        column.addStretch()

        rows.addWidget(self._cube_bar())
        rows.addLayout(self._segmenter_row())
        rows.addLayout(self._lesion_row())
        rows.addLayout(self._buttons())
        self.hint = wrapped(HINT, self.content)
        rows.addWidget(self.hint)
        self.table = LesionTable(self.content)
        self.table.chosen.connect(self.annotator.select)
        self.table.opened.connect(self.annotator.reopen)
        self.table.delete_asked.connect(self.annotator.delete)
        rows.addWidget(self.table, 1)
        rows.addLayout(self._table_buttons())
        self.saved_line = wrapped("", self.content)
        rows.addWidget(self.saved_line)
        self.command = CommandLine(self.content)
        rows.addWidget(self.command)

    def _cube_bar(self) -> QWidget:
        self.cube_bar = QWidget(self.content)
        grid = QGridLayout(self.cube_bar)
        grid.setContentsMargins(0, 0, 0, 0)
        self.previous_button = self._button("< J", "Previous cube (J)", partial(self.annotator.step, -1))
        self.next_button = self._button("K >", "Next cube (K)", partial(self.annotator.step, 1))
        self.cube_label = wrapped("", self.cube_bar)
        self.cube_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.place = QLabel(self.cube_bar)
        self.status = choice(self.cube_bar, "Of the whole cube. Accepting a lesion makes it done; U marks it unsure")
        self.status.setAccessibleName("status of the cube")
        self.status.addItems(_STATUSES)
        self.status.textActivated.connect(self.annotator.lesions.set_status)
        self.todo_button = self._button(
            "Next todo", "Go to the next cube that is still to do", self.annotator.next_todo
        )
        grid.addWidget(self.previous_button, 0, 0)
        grid.addWidget(self.cube_label, 0, 1)
        grid.addWidget(self.next_button, 0, 2)
        grid.addWidget(self.place, 1, 0)
        grid.addWidget(self.status, 1, 1)
        grid.addWidget(self.todo_button, 1, 2)
        grid.setColumnStretch(1, 1)
        return self.cube_bar

    def _segmenter_row(self) -> QHBoxLayout:
        self.segmenter = choice(self.content, "What turns prompts into masks")
        self.segmenter.setAccessibleName("segmenter")
        self.segmenter.addItems(list_segmenters())
        self.segmenter.setCurrentText(self.annotator.drafts.engine.name)
        self.segmenter.textActivated.connect(self.annotator.drafts.choose_segmenter)
        self.state = QLabel(self.content)
        self.propose_button = self._button("Propose", "Find lesions without a prompt", self.annotator.drafts.propose)
        row = QHBoxLayout()
        row.addWidget(self.segmenter, 1)
        row.addWidget(self.state)
        row.addWidget(self.propose_button)
        return row

    def _lesion_row(self) -> QGridLayout:
        self.lesion = QLabel(self.content)
        self.diagnosis = choice(self.content, "Of the lesion in the making, else of the one chosen in the table")
        self.diagnosis.setAccessibleName("diagnosis")
        for diagnosis in Diagnosis:
            self.diagnosis.addItem(diagnosis.label, diagnosis)
        self.diagnosis.activated.connect(self._diagnosis_chosen)
        self.candidate = QLabel(self.content)
        self.candidate_button = self._button(
            "Next W", "Show the next candidate (W)", self.annotator.drafts.next_candidate
        )
        grid = QGridLayout()
        grid.addWidget(self.lesion, 0, 0)
        grid.addWidget(self.diagnosis, 0, 1)
        grid.addWidget(self.candidate, 1, 0, 1, 2)
        grid.addWidget(self.candidate_button, 1, 2)
        grid.addWidget(QWidget(self.content), 0, 2)
        grid.setColumnStretch(1, 1)
        return grid

    def _buttons(self) -> QGridLayout:
        annotator, masks = self.annotator, self.annotator.lesions.masks
        self.accept_button = self._button("Accept G", "Make the shown mask a lesion and save it (G)", annotator.accept)
        self.clear_button = self._button(
            "Clear H", "Drop the prompts and the mask they gave (H)", annotator.drafts.clear
        )
        self.new_button = self._button("New lesion N", "Start a further lesion (N)", annotator.new_lesion)
        self.prompt_button = QPushButton("Prompt", self.content)
        self.prompt_button.setCheckable(True)
        self.prompt_button.setToolTip(f"While pressed, the mouse makes prompts: {HINT}")
        self.prompt_button.clicked.connect(annotator.set_prompting)
        self.undo_button = self._button("Undo", "Take back the last change of the lesions", masks.undo)
        self.redo_button = self._button("Redo", "Make it again", masks.redo)
        grid = QGridLayout()
        buttons = (self.accept_button, self.clear_button, self.new_button)
        more = (self.prompt_button, self.undo_button, self.redo_button)
        for row, line in enumerate((buttons, more)):
            for place, button in enumerate(line):
                grid.addWidget(button, row, place)
        return grid

    def _table_buttons(self) -> QHBoxLayout:
        masks = self.annotator.lesions.masks
        self.hide_button = self._button("Hide Q", "Hide or show the masks (Q)", masks.toggle)
        self.delete_button = self._button("Delete", "Delete the chosen lesion; Undo brings it back", self._delete)
        self.save_button = self._button(
            "Save mask", "Write the lesions as a PNG of labels", partial(save_mask, self, self.annotator)
        )
        row = QHBoxLayout()
        for button in (self.hide_button, self.delete_button, self.save_button):
            row.addWidget(button)
        return row

    def _button(self, text: str, tip: str, action: Any) -> QPushButton:
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.clicked.connect(lambda: action())  # without Qt's "checked"
        return button

    def _bind_keys(self) -> None:
        annotator = self.annotator
        actions = {
            "G": annotator.accept,
            "H": annotator.drafts.clear,
            "N": annotator.new_lesion,
            "W": annotator.drafts.next_candidate,
            "J": partial(annotator.step, -1),
            "K": partial(annotator.step, 1),
            "U": annotator.lesions.toggle_unsure,
            "Q": annotator.lesions.masks.toggle,
            "Escape": partial(annotator.set_prompting, False),
        }
        for key, action in actions.items():
            self.viewer.bind_key(key, _handler(action), overwrite=True)
        self._keys = tuple(actions)

    # --- life

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._home = ref(self.window())  # weakly: a window must not live on through its docks
        self._bind_keys()
        self._age.start()
        if self.annotator.target is not None:
            self._begin()
        else:
            self._begin_soon.start()  # layers take half a second to make: let the dock be seen first

    def _begin(self) -> None:
        if self._warm_up.over and self.isVisible():
            self.annotator.activate()

    def hideEvent(self, event: QHideEvent) -> None:
        self._age.stop()
        self.annotator.flush()
        self._leave_soon.start()
        super().hideEvent(event)

    def _leave_if_hidden(self) -> None:
        """Give mouse and keys back when another step is open; the layers as well when the dock was closed."""
        if not self.isVisible():
            for key in self._keys:
                self.viewer.bind_key(key, None, overwrite=True)
            is_closed = self.window() is not self._home()  # napari keeps the widget, but in no window
            self.annotator.deactivate() if is_closed else self.annotator.pause()

    # --- showing

    def summary(self) -> str:
        """Return ``212 of 330 done · 14 unsure``."""
        study = self.session.study
        if study is None or not study.entries:
            return ""
        found = [study.annotation_summary(entry.id).status for entry in study.entries]
        unsure = found.count("unsure")
        return f"{found.count('done')} of {len(found)} done" + (f" · {unsure} unsure" if unsure else "")

    def _study_touched(self, _: Any = None) -> None:
        self._show()
        self.summary_changed.emit()

    def _show(self) -> None:
        annotator, study = self.annotator, self.session.study
        target = annotator.target
        self.content.setVisible(target is not None)
        self.empty.setVisible(target is None)
        loading = self.session.has_cubes() and not annotator.following
        self.empty_button.setVisible(target is None and not loading)
        if target is None:
            has_cubes = study is not None and bool(study.entries)
            where = "Open one of the study." if has_cubes else "Open a study, or a cube."
            self.empty.setText("loading ..." if loading else f"No cube is shown. {where}")
            self.empty_button.setText("Open the next cube to do" if has_cubes else "Open or make a study")
            return
        self._show_cube_bar()
        self._show_draft()
        rows = annotator.lesions.rows()
        self.table.show_rows(rows, annotator.selected)
        self.delete_button.setEnabled(annotator.selected is not None)
        self.save_button.setVisible(target.study is None)
        self.save_button.setEnabled(bool(rows))
        self.prompt_button.setChecked(annotator.drafts.prompts.active)
        self.hint.setEnabled(annotator.drafts.prompts.active)
        source = target.study.root if target.study is not None else target.source
        words = [] if source is None else ["segment", source, "--backend", annotator.drafts.engine.name]
        self.command.set_words(words)
        self._show_saved()

    def _show_cube_bar(self) -> None:
        annotator, target = self.annotator, self.annotator.target
        assert target is not None
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

    def _show_draft(self) -> None:
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
        self.candidate.setText("no prompt yet" if draft is None else draft.text())
        self.candidate_button.setEnabled(draft is not None and draft.several)
        waits = chosen is not None and chosen.status != "accepted"
        self.accept_button.setEnabled(draft is not None or waits)
        self.clear_button.setEnabled(draft is not None)
        self.state.setText(annotator.drafts.state)

    def _saved(self) -> None:
        self._saved_at = time.monotonic()
        self._show_saved()

    def _show_saved(self) -> None:
        target = self.annotator.target
        if self.annotator.trouble:
            text = self.annotator.trouble
        elif target is not None and target.study is None:
            text = "A loose cube: the lesions are kept while it is open. Save mask writes them."
        elif self._saved_at is None:
            text = "Every change is saved by itself."
        else:
            text = f"saved {age_text(time.monotonic() - self._saved_at)}"
        self.saved_line.setText(text)

    # --- acting

    def _diagnosis_chosen(self, _: int) -> None:
        self.annotator.set_diagnosis(self.diagnosis.currentData())

    def _delete(self) -> None:
        if self.annotator.selected is not None:
            self.annotator.delete(self.annotator.selected)

    def _next_step(self) -> None:
        if self.session.study is not None and self.session.study.entries:
            self.annotator.next_todo()
        else:
            self.session.open_step("Study")


def age_text(seconds: float) -> str:
    """Return how long ago that is, for people: ``3 s ago``."""
    if seconds < 60:
        return f"{int(seconds)} s ago" if seconds >= 2 else "just now"
    return f"{int(seconds / 60)} min ago"


def _handler(action: Any) -> Any:
    def run(_viewer: Any) -> None:  # a function, because napari asks it for its name
        action()

    return run


def _shut_down(annotator: Annotator, _: Any = None) -> None:
    annotator.shutdown()
