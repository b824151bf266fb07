"""`WorkRow`: what a dock computes beside the window: how far it is, and a button to stop it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from napari_hsisynth.study import Cancelled
from napari_hsisynth.widgets.background import Background

#: Work that is done sooner is not shown, ms.
_SHOWN_AFTER_MS = 150
Told = Callable[[int, int], None]
Function = Callable[[Told, Callable[[], bool]], Any]


@dataclass(eq=False)
class _Work:
    what: str
    function: Function
    take: Callable[[Any], None]
    dropped: Callable[[], None] | None
    stop: Event = field(default_factory=Event)


class WorkRow(QWidget):
    """Runs functions one after the other, off the GUI thread. Hidden while there is nothing to wait for.

    When it is deleted, what goes on ends as soon as it tells how far it is.

    Parameters
    ----------
    parent : QWidget
    """

    _told = Signal(int, int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._works: deque[_Work] = deque()
        self._background = Background(parent=self)
        self.text = QLabel(self)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.cancel_button = QPushButton("Cancel", self)
        self.cancel_button.setToolTip("Stop this; what is there stays as it is")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.text, 1)
        row.addWidget(self.cancel_button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SHOWN_AFTER_MS)
        self._timer.timeout.connect(self.show)
        self.cancel_button.clicked.connect(self.cancel)
        self._told.connect(self._say)
        self._background.done.connect(self._done)
        self._background.failed.connect(self._failed)
        self.hide()

    @property
    def is_busy(self) -> bool:
        """Whether there is work to do."""
        return bool(self._works)

    def begin(
        self, what: str, function: Function, take: Callable[[Any], None], dropped: Callable[[], None] | None = None
    ) -> None:
        """Queue work.

        Parameters
        ----------
        what : str
            For the user.
        function : callable
            Called with a function to tell (done, of all) to, and one that says whether to stop; then it raises
            `study.Cancelled`. Whatever it returns goes to `take`, in the GUI thread.
        take : callable
        dropped : callable, optional
            Called if it was cancelled or has failed; what went wrong has been shown.
        """
        work = _Work(what, function, take, dropped)
        self._works.append(work)
        if len(self._works) == 1:
            self._begin_shown()
        self._background.submit(partial(_run, work, self._told.emit))

    def cancel(self) -> None:
        """Have the work that is going on stop as soon as it can."""
        if self._works:
            self._works[0].stop.set()
            self.text.setText(f"{self._works[0].what}: stopping ...")
            self.cancel_button.setEnabled(False)

    def _begin_shown(self) -> None:
        self.text.setText(f"{self._works[0].what} ...")
        self.text.setToolTip(self._works[0].what)
        self.cancel_button.setEnabled(True)
        if not self.isVisible():
            self._timer.start()

    def _say(self, done: int, total: int) -> None:
        if self._works and not self._works[0].stop.is_set():
            self.text.setText(f"{self._works[0].what}: {100 * done // max(total, 1)} %")

    def _next(self) -> _Work:
        work = self._works.popleft()
        if self._works:
            self._begin_shown()
        else:
            self._timer.stop()
            self.hide()
        return work

    def _done(self, _: int, result: Any) -> None:
        self._next().take(result)

    def _failed(self, _: int, error: Exception) -> None:
        work = self._next()
        if not isinstance(error, Cancelled):
            show_warning(f"{work.what}: {error}")
        if work.dropped is not None:
            work.dropped()


def _run(work: _Work, told: Told) -> Any:
    if work.stop.is_set():
        raise Cancelled
    result = work.function(told, work.stop.is_set)
    if work.stop.is_set():
        raise Cancelled
    return result
