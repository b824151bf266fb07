"""`TaskRow`: the progress of work that goes on in a thread of this process, with a cancel button.

For work that is over in a minute and belongs to the study (import, crop). What trains runs as a process: see `JobRow`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Cancelled

#: Called as ``work(progress=..., cancelled=...)``; see `napari_hsisynth.study.make_crops` for the two.
Work = Callable[..., Any]

_TELL_EVERY_S = 0.05
_ETA_AFTER_S = 2.0


class _Task(QObject):
    """One piece of work in a napari thread worker; its signals arrive on the GUI thread."""

    progressed = Signal(int, int)
    done = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    _running: set[_Task] = set()  # noqa: RUF012  # kept alive here: a dock may be closed while its task is writing

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._stop = threading.Event()
        self._told = 0.0
        self._worker: Any = None

    def start(self) -> None:
        self._running.add(self)
        self._worker = create_worker(self._run, _start_thread=False)
        self._worker.returned.connect(self._returned)
        self._worker.errored.connect(self._errored)  # napari shows the traceback as well: it is our fault, not theirs
        self._worker.start()

    def cancel(self) -> None:
        self._stop.set()

    def _run(self) -> tuple[str, Any]:
        try:
            return "done", self._work(progress=self._tell, cancelled=self._cancelled)
        except Cancelled:
            return "cancelled", None
        except InputError as error:
            return "failed", str(error)

    def _tell(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._told >= _TELL_EVERY_S:  # more often would keep the GUI thread busy
            self._told = now
            self.progressed.emit(done, total)

    def _cancelled(self) -> bool:
        return self._stop.is_set() or bool(self._worker.abort_requested)

    def _returned(self, outcome: tuple[str, Any]) -> None:
        self._running.discard(self)
        kind, value = outcome
        if kind == "cancelled":
            self.cancelled.emit()
        else:
            (self.done if kind == "done" else self.failed).emit(value)

    def _errored(self, error: BaseException) -> None:
        self._running.discard(self)
        self.failed.emit(f"{type(error).__name__}: {error}")


class TaskRow(QWidget):
    """A bar, a cancel button, and one line that says how it ended.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    finished : Signal
        The work is over, however it ended.
    """

    finished = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._task: _Task | None = None
        self._unit = "cubes"
        self._done: Callable[[Any], str] = str
        self._began = 0.0
        self.bar = QProgressBar(self)
        self.bar.setMinimumWidth(1)
        self.bar.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.cancel_button = QPushButton("Cancel", self)
        self.cancel_button.setToolTip("Stop; everything stays as it was before")
        self.cancel_button.clicked.connect(self.cancel)
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar, 0, 0)
        layout.addWidget(self.cancel_button, 0, 1)
        layout.addWidget(self.status, 1, 0, 1, 2)
        layout.setColumnStretch(0, 1)
        self._show(active=False)

    @property
    def active(self) -> bool:
        """Whether work is going on."""
        return self._task is not None

    def start(
        self,
        work: Work,
        done: Callable[[Any], str],
        *,
        title: str,
        unit: str = "cubes",
        cancelled_text: str = "cancelled; everything is as it was before",
    ) -> None:
        """Begin; one piece of work at a time.

        Parameters
        ----------
        work : callable
            Called in a thread as ``work(progress=..., cancelled=...)``.
        done : callable
            Called on the GUI thread with its result; returns the line to show.
        title : str
            What is going on, for example ``"importing"``.
        unit : str
            What is counted, in the plural.
        cancelled_text : str
            The line to show once it was cancelled.
        """
        if self._task is not None:
            return
        self._done, self._unit, self._title, self._cancelled_text = done, unit, title, cancelled_text
        task = self._task = _Task(work)
        task.progressed.connect(self._progressed)
        task.done.connect(self._succeeded)
        task.failed.connect(self._failed)
        task.cancelled.connect(self._was_cancelled)
        self.bar.setRange(0, 0)
        self._began = time.monotonic()
        self.cancel_button.setEnabled(True)
        self.status.setText(f"{title} …")
        self._show(active=True)
        task.start()

    def cancel(self) -> None:
        """Ask the work to end; it does at its next safe point, and leaves everything as it was."""
        if self._task is not None:
            self._task.cancel()
            self.cancel_button.setEnabled(False)
            self.status.setText("cancelling …")

    def say(self, text: str) -> None:
        """Show a line when nothing is going on."""
        if self._task is None:
            self.status.setText(text)
            self._show(active=False)

    def _progressed(self, done: int, total: int) -> None:
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(done)
        if self.cancel_button.isEnabled():
            self.status.setText(f"{self._title}: {done:,} of {total:,} {self._unit}{self._left(done, total)}")

    def _left(self, done: int, total: int) -> str:
        """Say how much longer it takes, once there is something to judge by."""
        elapsed = time.monotonic() - self._began
        if not 0 < done < total or elapsed < _ETA_AFTER_S:
            return ""
        left_s = round(elapsed * (total - done) / done)
        return f" · ETA {left_s // 60}:{left_s % 60:02}"

    def _succeeded(self, result: object) -> None:
        text = ""
        try:
            text = self._done(result)
        finally:  # whatever goes wrong in showing it, the row does not stay busy
            self._end(text)

    def _failed(self, message: str) -> None:
        self._end(f"✖ {message}")

    def _was_cancelled(self) -> None:
        self._end(self._cancelled_text)

    def _end(self, text: str) -> None:
        self._task = None
        self.status.setText(text)
        self._show(active=False)
        self.finished.emit()

    def _show(self, *, active: bool) -> None:
        self.bar.setVisible(active)
        self.cancel_button.setVisible(active)
        self.status.setVisible(bool(self.status.text()))
