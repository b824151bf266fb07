"""`JobRow`: one job in any state, the same in every dock; and the words that describe a state."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from napari.utils.notifications import show_warning
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QGridLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import TERMINAL, Event, Job, RunFolder, RunState, attach, fold, without_superseded
from napari_hsisynth.jobs.events import DIED
from napari_hsisynth.widgets.run_follower import RunFollower

#: How long a job may take to its next safe point before the row offers to end it at once, ms.
PATIENCE_MS = 20_000
#: How much of the end of the log is shown, bytes.
LOG_BYTES = 20_000


def duration_text(seconds: float) -> str:
    """Write a duration as a clock does: ``3:04``, ``1:02:03``."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def about_text(seconds: float) -> str:
    """Write a duration as one that is only estimated: ``20 s``, ``41 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours >= 10:
        return f"{round(seconds / 3600)} h"
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


def rate_text(per_second: float) -> str:
    """Write a rate so that it has a digit to read: ``412/s``, ``3.2/s``, ``14/min``."""
    if per_second >= 10:
        return f"{per_second:,.0f}/s"
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{60 * per_second:.1f}/min"


def percent_text(state: RunState) -> str:
    """Write how far a job is, ``62 %``; empty while unknown."""
    return f"{100 * state.fraction:.0f} %" if state.total or state.status == "done" else ""


def state_text(state: RunState, *, counts: bool = True) -> str:
    """Describe a state in one line, such as ``running · 124,000 of 200,000 images · 412/s · ETA 3:04``.

    Parameters
    ----------
    state : RunState
    counts : bool
        Name the images and the rate; without them ``running 62 % · ETA 3:04``.
    """
    if state.status == "failed":
        return f"failed: {state.reason}"
    parts: list[str] = [state.status]
    if not counts:
        parts = [f"{state.status} {percent_text(state)}".strip() if state.status != "done" else "done"]
    elif state.total:
        same = state.images == state.total
        parts.append(f"{state.images:,} {state.unit}" if same else f"{state.images:,} of {state.total:,} {state.unit}")
    elif state.images:
        parts.append(f"{state.images:,} {state.unit}")
    if state.status in ("running", "stopping") and state.rate:
        parts += [rate_text(state.rate)] if counts else []
        if state.status == "running" and state.eta_s is not None:
            parts.append(f"ETA {duration_text(state.eta_s)}")
    return " · ".join(parts)


def log_tail(path: Path, size: int = LOG_BYTES) -> str:
    """Return the last `size` bytes of a log, from the start of a line; empty if there is none."""
    try:
        with open(path, "rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(0, end - size))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    # a progress bar rewrites its line with carriage returns: keep what it last said
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    return "\n".join(lines[1:] if end > size else lines).strip()


def last_words(path: Path) -> str:
    """Return the error that a process printed last, in one line; empty if its log does not end with one."""
    line = log_tail(path, 2_000).rsplit("\n", 1)[-1]
    return line.removeprefix("error: ") if re.match(r"error: |[\w.]*(Error|Exception)\b", line) else ""


class JobRow(QWidget):
    """A job's state, bar, rate, time to go and reason of failure; its log on demand.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    stop_button : QPushButton
        A dock may put it beside its start button.
    event_arrived : Signal
        Each `Event` of the followed run, those of the past first.
    state_changed : Signal
        The state was updated: RunState.
    finished : Signal
        The run has ended: RunState (done, stopped or failed).
    """

    event_arrived = Signal(object)
    state_changed = Signal(object)
    finished = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run: RunFolder | None = None
        self.state = RunState("queued")
        self._job: Job | None = None
        self._follower: RunFollower | None = None
        self._events: list[Event] = []
        self._stop_asked = False
        self._impatient = QTimer(self)
        self._impatient.setSingleShot(True)
        self._impatient.setInterval(PATIENCE_MS)
        self._impatient.timeout.connect(self._show_state)
        self._build()
        self._show_state()

    def _build(self) -> None:
        self.bar = QProgressBar(self)
        self.bar.setMinimumWidth(1)
        self.bar.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.stop_button = QPushButton("Stop", self)
        self.stop_button.clicked.connect(self._stop_clicked)
        self.details_button = QToolButton(self)
        self.details_button.setText("details")
        self.details_button.setCheckable(True)
        self.details_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.details_button.setToolTip("The end of the job's log")
        self.details_button.toggled.connect(self._show_details)
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.warning = QLabel(self)
        self.warning.setWordWrap(True)
        self.warning.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.log = _Log(self)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar, 0, 0)
        layout.addWidget(self.stop_button, 0, 1)
        layout.addWidget(self.details_button, 0, 2)
        layout.addWidget(self.status, 1, 0, 1, 3)
        layout.addWidget(self.warning, 2, 0, 1, 3)
        layout.addWidget(self.log, 3, 0, 1, 3)
        layout.setColumnStretch(0, 1)

    @property
    def active(self) -> bool:
        """Whether a process is, or is about to be, at work in the run shown here."""
        return self.run is not None and self.state.active

    @property
    def words(self) -> list[str]:
        """The command's words of the followed run, as its launch wrote them; empty if it was started in a shell."""
        launches = [event for event in self._events if event.kind == "launched"]
        return [str(word) for word in launches[-1].fields.get("argv") or []] if launches else []

    def attach(self, run: RunFolder, job: Job | None = None) -> None:
        """Show a run and follow it: one just launched, one started elsewhere, or one that has long ended.

        Parameters
        ----------
        run : RunFolder
        job : Job, optional
            Its process, if we started it.
        """
        self.detach()
        self.run, self._job = run, job
        self.setToolTip(str(run.path))
        self._follower = RunFollower(run, self)
        self._follower.arrived.connect(self._take)
        self._follower.ended.connect(self._end)
        self._update_state()

    def detach(self) -> None:
        """Show nothing; the job goes on."""
        if self._follower is not None:
            self._follower.close()
            self._follower.deleteLater()
        self.run, self._job, self._follower = None, None, None
        self._events, self._stop_asked = [], False
        self.state = RunState("queued")
        self.warning.clear()
        self._impatient.stop()
        self.details_button.setChecked(False)
        self._show_state()

    def stop(self) -> None:
        """Ask the job to stop at its next safe point; the row says so at once."""
        if not self.active or self.run is None or self._stop_asked:
            return
        try:
            self.run.request_stop()
        except InputError as error:
            show_warning(str(error))
            return
        self._stop_asked = True
        self._impatient.start()
        self._update_state()

    def kill(self) -> None:
        """End the process at once; what it has not saved is lost."""
        job = self._job or (attach(self.run) if self.run is not None else None)
        if job is None:
            show_warning("The process is not on this machine, or has ended: it cannot be ended from here.")
        else:
            job.kill()

    def _stop_clicked(self) -> None:
        if self._stop_asked:
            self.kill()
        else:
            self.stop()

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self._events.append(event)
            if event.kind in ("started", "launched"):
                self._stop_asked = False  # a launch withdraws an earlier request
                self.warning.clear()
            elif event.kind == "warning":
                self.warning.setText(f"⚠ {event.fields.get('message', '')}")
        self._events = without_superseded(self._events)
        self._update_state()
        for event in events:
            self.event_arrived.emit(event)
        if self.state.status in TERMINAL:
            self._impatient.stop()
            self.finished.emit(self.state)

    def _end(self) -> None:
        """Nothing more will come; without a terminal event the reading itself has failed (napari has shown why)."""
        if self.run is not None and self.state.status not in TERMINAL:
            self.state = self.run.state()
            self._show_state()
            if self.state.status in TERMINAL:
                self.finished.emit(self.state)

    def _update_state(self) -> None:
        asked = self._stop_asked or (self.run is not None and self.run.stop_requested())
        self.state, _ = fold(self._events, stop_requested=asked)
        if self.run is not None and self.state.status == "failed" and self.state.reason == DIED:
            self.state = replace(self.state, reason=last_words(self.run.log_path) or DIED)
        if self._follower is not None and self.state.status == "queued":
            # launched, but its first event has not been read yet
            self.state = RunState("stopping" if asked else "starting")
        self._show_state()

    def _show_state(self) -> None:
        state, shown = self.state, self.run is not None
        for part in (self.bar, self.status, self.details_button):
            part.setVisible(shown)
        self.warning.setVisible(shown and bool(self.warning.text()))
        self.stop_button.setVisible(shown or self.stop_button.parent() is not self)
        self.stop_button.setEnabled(self.active)
        unknown = self.active and not state.total
        self.bar.setRange(0, 0 if unknown else 1000)  # an empty range makes the bar run to and fro
        self.bar.setValue(round(1000 * state.fraction))
        self.bar.setFormat(percent_text(state))
        unbroken = state_text(state).replace("ETA ", "ETA\N{NO-BREAK SPACE}").replace("/s", "/\N{WORD JOINER}s")
        self.status.setText(unbroken if shown else "")
        impatient = state.status == "stopping" and self._stop_asked and not self._impatient.isActive()
        self.stop_button.setText("End now" if impatient else "Stop")
        if impatient:
            self.stop_button.setToolTip("End the process at once; what it has not saved is lost")
        elif state.status == "stopping":
            self.stop_button.setEnabled(False)
            self.stop_button.setToolTip("Stopping at the next safe point")
        elif self.active:
            self.stop_button.setToolTip("Stop at the next safe point; a training can be resumed")
        else:
            self.stop_button.setToolTip("Nothing is running")
        if self.log.isVisible() and self.run is not None:
            self.log.show_end(self.run.log_path)
        if shown:
            self.state_changed.emit(state)

    def _show_details(self, shown: bool) -> None:
        self.details_button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.NoArrow)
        self.log.setVisible(shown)
        if shown and self.run is not None:
            self.log.show_end(self.run.log_path)


class _Log(QPlainTextEdit):
    """The end of a log in a fixed-width font, a few lines high."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.setVisible(False)
        self.setAccessibleName("log")

    def sizeHint(self) -> QSize:
        """Ten lines high."""
        return QSize(1, 10 * self.fontMetrics().lineSpacing())

    def show_end(self, path: Path) -> None:
        """Show the end of the file, scrolled to its last line."""
        text = log_tail(path) or f"(nothing in {path.name} yet)"
        if text != self.toPlainText():
            self.setPlainText(text)
            bar = self.verticalScrollBar()
            if bar is not None:
                bar.setValue(bar.maximum())
