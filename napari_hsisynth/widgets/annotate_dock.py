"""`AnnotateDock`: mask lesions by clicks and boxes."""

from __future__ import annotations

import atexit
import sys
import time
from functools import partial
from typing import Any
from weakref import ref

from napari.utils.notifications import show_warning
from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.agreement_panel import AgreementPanel
from napari_hsisynth.widgets.annotate_target import delay
from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.annotator_identity import annotator_name
from napari_hsisynth.widgets.annotator_row import AnnotatorRow
from napari_hsisynth.widgets.command_line import CommandLine
from napari_hsisynth.widgets.cube_bar import CubeBar
from napari_hsisynth.widgets.cube_queue import CubeQueue
from napari_hsisynth.widgets.draft_panel import DraftPanel
from napari_hsisynth.widgets.embedding_ahead import EmbeddingAhead
from napari_hsisynth.widgets.fold import Fold
from napari_hsisynth.widgets.job_dock import wrapped
from napari_hsisynth.widgets.layers import front_cube_layer
from napari_hsisynth.widgets.lesion_list import LesionList
from napari_hsisynth.widgets.live_queue import live_queue
from napari_hsisynth.widgets.other_outline import OtherOutline
from napari_hsisynth.widgets.scroll_column import ScrollColumn
from napari_hsisynth.widgets.segmenter_row import SegmenterRow
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.warm_up import WarmUp
from napari_hsisynth.widgets.when_destroyed import when_destroyed

_TELL_AGE_MS = 5_000
_GAP = 0.25  # between the parts, in lines of text
_DAMAGED = (
    "This cube cannot be annotated, and nothing is written over what it has.\n\n{}\n\n"
    "Mend or remove that file and show the cube again; J and K go on to other cubes."
)
_COMMAND = "Meta" if sys.platform == "darwin" else "Control"


class AnnotateDock(QWidget):
    """Prompts to lesions, cube by cube.

    Keys, with any layer active: G accept, H clear, N new lesion, W next candidate, J and K previous and next cube, U
    cube unsure, Shift+U lesion unsure, Q hide or show the masks, Ctrl+Z undo, Ctrl+Shift+Z redo, Esc ends the
    prompting.

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
        self.queue = live_queue(self.session)  # first: who hears of a change after it finds it in there
        self.annotator = Annotator(self.viewer)
        self._saved_at: float | None = None
        self._build()
        self._ahead = EmbeddingAhead(self.annotator)
        self.annotator.drafts.segmenter.restarted.connect(show_warning)
        self._keys: tuple[str, ...] = ()
        self._home: Any = lambda: None
        self._warm_up = WarmUp(self)
        self._warm_up.ready.connect(self._begin)
        self._begin_soon = delay(self, 0, self._begin)
        self._leave_soon = delay(self, 0, self._leave_if_hidden)
        self.annotator.changed.connect(self._show)
        self.annotator.saved.connect(self._saved)
        self.queue.changed.connect(self._queue_changed)
        self._age = QTimer(self)
        self._age.setInterval(_TELL_AGE_MS)
        self._age.timeout.connect(self._show_saved)
        # when Qt deletes the dock, nothing of the dock itself can be used any more
        when_destroyed(self, _shut_down, self.annotator, self.agreement.cube.outline)
        # after an error in a script there is no such order: Qt then deletes timers before docks
        at_exit = partial(_end, ref(self.annotator))
        atexit.register(at_exit)
        when_destroyed(self, atexit.unregister, at_exit)
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
        rows.setSpacing(round(_GAP * self.fontMetrics().height()))
        for widget, stretch in ((self.empty, 0), (self.empty_button, 0), (self.content, 1)):
            column.addWidget(widget, stretch)
        column.addStretch()

        annotator = self.annotator
        self.cube_bar = CubeBar(annotator, self.content)
        self.cube_queue = CubeQueue(self.queue)
        self.queue_fold = self._fold("Queue", self.cube_queue, "All cubes with their status; filter them, click one")
        self.segmenter_row = SegmenterRow(annotator.drafts, self.content)
        self.draft_panel = DraftPanel(annotator, self.content)
        self.lesion_list = LesionList(annotator, self.content)
        self.saved_line = wrapped("", self.content)
        self.annotator_row = AnnotatorRow(annotator)
        self.agreement = AgreementPanel(annotator)
        people = QWidget()
        column = QVBoxLayout(people)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.annotator_row)
        column.addWidget(self.agreement)
        self.people_fold = self._fold("Annotator", people, "Who annotates, and how well two annotators agree")
        self.command = CommandLine(self.content)
        self.parts = (
            self.cube_bar,
            self.segmenter_row,
            self.draft_panel,
            self.lesion_list,
            self.annotator_row,
        )
        for widget in (self.cube_bar, self.queue_fold, self.segmenter_row, self.draft_panel):
            rows.addWidget(widget)
        rows.addWidget(self.lesion_list, 1)
        for widget in (self.saved_line, self.people_fold, self.command):
            rows.addWidget(widget)
        self.cube_queue.disagreement_asked.connect(self.agreement.compare_all)

    def _fold(self, title: str, content: QWidget, tip: str) -> Fold:
        """Make a part that can be folded away; whether it was is remembered."""
        key = f"annotate/open/{title.lower()}"
        fold = Fold(title, content, settings.value(key, False), self.content)
        fold.button.setToolTip(tip)
        fold.toggled.connect(partial(settings.set_value, key))
        return fold

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
            "Shift-U": annotator.toggle_lesion_unsure,
            f"{_COMMAND}-Z": annotator.undo,
            f"{_COMMAND}-Shift-Z": annotator.redo,
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
        self.queue.read()  # others may have been at work on a shared folder
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
            if is_closed:
                self.annotator.drafts.segmenter.rest()

    # --- showing

    def summary(self) -> str:
        """Return ``212 of 330 done · 14 unsure``."""
        return self.queue.text()

    def _queue_changed(self) -> None:
        self.cube_queue.refresh()
        self._show()
        self.summary_changed.emit()

    def _show(self) -> None:
        annotator, study = self.annotator, self.session.study
        target = annotator.target
        loading = self.session.has_cubes() and not annotator.following
        self.empty.setVisible(target is None)
        self.empty_button.setVisible(target is None and not loading)
        self.agreement.refresh()
        if target is None:
            has_cubes = study is not None and bool(study.entries)
            where = "Open one of the study." if has_cubes else "Open a study, or a cube."
            cannot = annotator.trouble and front_cube_layer(self.viewer) is not None
            nothing = _DAMAGED.format(annotator.trouble) if cannot else f"No cube is shown. {where}"
            self.empty.setText("loading ..." if loading else nothing)
            self.empty_button.setText("Open the next cube to do" if has_cubes else "Open or make a study")
        else:
            for part in self.parts:
                part.refresh()
            self._title_folds()
            source = target.study.root if target.study is not None else target.source
            words = [] if source is None else ["segment", source, *self.segmenter_row.command_words()]
            self.command.set_words(words)
            self._show_saved()
        self.content.setVisible(target is not None)  # last: it is laid out for what it then holds

    def _title_folds(self) -> None:
        """Say beside the arrows what is inside; nothing of it is there for a loose cube."""
        target = self.annotator.target
        in_study = target is not None and target.study is not None
        self.queue_fold.setVisible(in_study)
        self.people_fold.setVisible(in_study)
        self.queue_fold.button.setText("Queue (filtered)" if self.queue.queue.filter else "Queue")
        row = self.queue.row(target.cube_id) if target is not None else None
        beside = f" · beside {row.first}" if row is not None and row.first else ""
        self.people_fold.button.setText(f"Annotator: {annotator_name() or 'without a name'}{beside}")

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


def _shut_down(annotator: Annotator, outline: OtherOutline) -> None:
    outline.hide()
    annotator.shutdown()


def _end(annotator: ref[Annotator]) -> None:
    there = annotator()
    if there is not None:
        there.end()
