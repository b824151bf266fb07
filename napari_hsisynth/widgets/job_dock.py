"""`JobDock`: what the docks that start a long job have in common: study, command, start, stop and progress."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.jobs import RunFolder, RunState, launch, new_run, without_time
from napari_hsisynth.study import Study
from napari_hsisynth.widgets.command_line import CommandLine
from napari_hsisynth.widgets.job_row import JobRow, state_text
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.when_destroyed import when_destroyed

#: Why nothing can be started while a worker reads the study that was just opened.
READING = "The study is being read."


def missing_training() -> str:
    """Say which command installs what training needs; empty if it is there. Imports nothing."""
    if all(importlib.util.find_spec(name) for name in ("torch", "lightning")):
        return ""
    return str(MissingExtraError("training", "train"))


def choice(parent: QWidget, tip: str) -> QComboBox:
    """Make a list of choices that may be narrower than its longest text."""
    box = QComboBox(parent)
    box.setToolTip(tip)
    box.setMinimumWidth(1)
    box.setMinimumContentsLength(6)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


def counter(parent: QWidget, value: int, least: int, most: int, tip: str) -> QSpinBox:
    """Make a field for a whole number."""
    spin = QSpinBox(parent)
    spin.setRange(least, most)
    spin.setValue(value)
    spin.setGroupSeparatorShown(True)
    spin.setToolTip(tip)
    spin.setAccessibleName(tip)
    return spin


def refill(box: QComboBox, items: list[tuple[str, Any]], default: Any = None) -> None:
    """Replace the (text, data) choices; what was chosen (at first the default) stays so if it is still there."""
    before = box.currentData() if box.count() else default
    box.blockSignals(True)
    box.clear()
    for text, data in items:
        box.addItem(text, data)
    # not by findData: Qt compares paths by identity
    box.setCurrentIndex(next((row for row, (_, data) in enumerate(items) if data == before), 0))
    box.blockSignals(False)
    if box.currentData() != before or before is default:
        box.currentIndexChanged.emit(box.currentIndex())


def wrapped(text: str, parent: QWidget) -> QLabel:
    """Make a label that wraps instead of making the dock wide."""
    label = QLabel(text, parent)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


class JobDock(QWidget):
    """A scrolling column with a start button, a stop button, the command and a job row.

    A subclass adds its widgets to `column` and says what is started (`words`) and what stands against it (`obstacle`).

    Parameters
    ----------
    napari_viewer : napari.Viewer
    verb : str
        The command's verb, and with a capital the start button's text.

    Attributes
    ----------
    summary_changed : Signal
        `summary` has another text.
    """

    summary_changed = Signal()

    def __init__(self, napari_viewer: Any, verb: str) -> None:
        super().__init__()
        self.viewer, self.verb = napari_viewer, verb
        self.session = session_for(napari_viewer)
        self._root = self.study.root if self.study is not None else None
        self.area = area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        page = QWidget()
        outer = QVBoxLayout(page)
        area.setWidget(page)
        self.content = QWidget(page)
        self.column = QVBoxLayout(self.content)
        self.column.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)

        self.empty = wrapped("", page)
        self.empty_button = QPushButton(page)
        self.empty_button.clicked.connect(self._next_step)
        for widget, stretch in ((self.empty, 0), (self.empty_button, 0), (self.content, 1)):
            outer.addWidget(widget, stretch)
        outer.addStretch()
        self.show_empty("", "")
        self.row = JobRow(self.content)
        self.command = CommandLine(self.content)
        self.start_button = QPushButton(verb.capitalize(), self.content)
        self.start_button.clicked.connect(self.start)
        self.stop_button = self.row.stop_button
        self.reason = wrapped("", self.content)
        self.row.state_changed.connect(self._job_changed)
        self.row.finished.connect(self._job_finished)
        self._listen(self.session.study_changed, self._study_changed)
        self._listen(self.session.crops_changed, self.refresh)
        self._listen(self.session.runs_changed, self._runs_changed)

    def is_open(self, study: Study | None) -> bool:
        """Whether what was read of a study is of the open one."""
        return self.study is not None and study is not None and study.root == self.study.root

    @property
    def study(self) -> Study | None:
        """The session's study."""
        return self.session.study

    # -- what a subclass says ------------------------------------------------------------------------------------

    def words(self) -> list[str]:
        """Return the command's words behind ``napari-hsisynth``, for what is chosen now."""
        raise NotImplementedError

    def run_name(self) -> str:
        """Return the part of the run id that says what the run is."""
        raise NotImplementedError

    def obstacle(self) -> str:
        """Why the job cannot be started now, with what to do; empty if it can."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show the study as it is now."""
        raise NotImplementedError

    # -- the parts ------------------------------------------------------------------------------------------------

    def show_empty(self, text: str, button: str, *, alone: bool = True) -> None:
        """Say what is missing and offer the next step; an empty text ends that. `alone` hides everything else."""
        self.empty.setText(text)
        self.empty_button.setText(button)
        for widget in (self.empty, self.empty_button):
            widget.setVisible(bool(text))
        self.content.setVisible(not (text and alone))

    def add_controls(self, *more: QWidget) -> None:
        """Add start, stop and more buttons, the reason, the command and the job's row."""
        buttons = QHBoxLayout()
        for widget in (self.start_button, self.stop_button, *more):
            buttons.addWidget(widget)
        self.column.addLayout(buttons)
        self.column.addWidget(self.reason)
        self.column.addWidget(self.command)
        self.column.addWidget(self.row)

    def add_choices(self, rows: list[tuple[str, QWidget]]) -> QFormLayout:
        """Add labelled choices, one under the other."""
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for text, widget in rows:
            label = QLabel(text)
            label.setBuddy(widget)
            label.setToolTip(widget.toolTip())
            widget.setAccessibleName(text)
            form.addRow(label, widget)
        self.column.addLayout(form)
        return form

    def summary(self) -> str:
        """Return the dock's state in one line."""
        if self.row.run is None:
            return ""
        name = without_time(self.row.run.id).rsplit("-", 1)[0]
        return f"{name} {state_text(self.row.state, counts=False)}"

    # -- the job --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the job as a child process and follow it."""
        if self.study is None or self.obstacle():
            self.refresh()  # the folder has changed since the button was enabled: show what stands against it
            return
        try:
            self.launch(self.words(), new_run(self.study.root, self.run_name()))
        except InputError as error:
            show_warning(str(error))

    def launch(self, words: list[str], run: RunFolder) -> None:
        """Start a command in a run folder (raises InputError if that fails) and show its progress."""
        job = launch(words, run)
        self.attach(run, job)
        self.session.runs_changed.emit(run.id)

    def attach(self, run: RunFolder, job: Any = None) -> None:
        """Show a run, wherever it was started."""
        self.row.attach(run, job)

    def update_controls(self) -> None:
        """Enable what can be done now, say why not, and show the command."""
        self._show_controls(self.obstacle())

    def _show_controls(self, obstacle: str) -> None:
        self.start_button.setEnabled(not obstacle)
        self.start_button.setToolTip(obstacle or f"{self.verb.capitalize()} as a process of its own")
        said = self.row.active or obstacle == self.empty.text()  # above, with a button for the next step
        self.reason.setText("" if said else obstacle)
        self.reason.setVisible(bool(self.reason.text()))
        # while a job runs, its own command; else that of what is chosen
        words = self.row.words if self.row.active else [] if obstacle else self.words()
        self.command.setVisible(bool(words))
        self.command.set_words(words)

    def showEvent(self, event: QShowEvent) -> None:
        """Look at the study again: a shell may have worked in it meanwhile."""
        super().showEvent(event)
        if not event.spontaneous():
            self.refresh()

    def _job_changed(self, _state: RunState) -> None:
        self.update_controls()
        self.summary_changed.emit()

    def _job_finished(self, _state: RunState) -> None:
        if self.row.run is not None:
            self.session.runs_changed.emit(self.row.run.id)

    def _study_changed(self, study: Study | None) -> None:
        root = study.root if study is not None else None
        if root != self._root:  # the same study read again changes nothing for a job that is followed
            self._root = root
            self.row.detach()
        self.refresh()
        self.summary_changed.emit()

    def _runs_changed(self, _run_id: str) -> None:
        self.refresh()

    def _next_step(self) -> None:
        """Open the dock of the step before this one."""
        self.open_dock("Study")

    def open_dock(self, name: str) -> None:
        """Open another step, where this one is: in the Workflow, or as a dock of its own."""
        self.session.open_step(name)

    def _listen(self, signal: Any, slot: Callable[..., None]) -> None:
        """Connect one of the session's signals for as long as this dock lives; the session lives longer."""
        signal.connect(slot)
        when_destroyed(self, partial(signal.disconnect, slot, missing_ok=True))
