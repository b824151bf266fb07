"""`Background`: one thread that works through what it is given, and tells the GUI thread what came of it."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal


class Background(QObject):
    """Runs functions one after the other, off the GUI thread.

    A plain thread rather than napari's `thread_worker`: those are for jobs that the user knows of, and make napari ask
    before it closes.

    Parameters
    ----------
    latest_only : bool
        A function that has not begun when the next one comes is dropped: its answer would be stale.
    parent : QObject, optional
        When it goes, what has not begun is dropped and the thread ends.

    Attributes
    ----------
    done : Signal
        (number, what the function returned), in the thread of this object.
    failed : Signal
        (number, the exception).
    """

    done = Signal(int, object)
    failed = Signal(int, object)

    def __init__(self, *, latest_only: bool = False, parent: QObject | None = None) -> None:
        # not as a child: deleted with its parent while the thread emits, it would take the whole program with it
        super().__init__()
        if parent is not None:
            parent.destroyed.connect(self._parent_gone)
        self._latest_only = latest_only
        self._waiting: deque[tuple[int, Callable[[], Any]]] = deque()
        self._condition = threading.Condition()
        self._busy = self._closed = False
        self._thread: threading.Thread | None = None
        self.latest = 0

    def submit(self, function: Callable[[], Any]) -> int:
        """Queue a function without arguments; return its number, which grows with every call."""
        with self._condition:
            if self._latest_only:
                self._waiting.clear()
            self.latest += 1
            self._waiting.append((self.latest, function))
            self._closed = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="napari-hsisynth", daemon=True)
                self._thread.start()
            self._condition.notify_all()
            return self.latest

    def wait(self, timeout_s: float) -> bool:
        """Wait until all is done; False if that takes longer. Signals reach the GUI thread only afterwards."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Finish what was queued, then end the thread."""
        finished = self.wait(timeout_s)
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        return finished

    def _parent_gone(self) -> None:
        with self._condition:
            self._waiting.clear()
        self.close(timeout_s=0)

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    self._thread = None  # not before: until then there must be no second one
                    return
                number, function = self._waiting.popleft()
                self._busy = True
            try:
                signal, result = self.done, function()
            except Exception as error:
                signal, result = self.failed, error
            # the widget may have been deleted while we worked; then nobody is left to be told
            with contextlib.suppress(RuntimeError):
                signal.emit(number, result)
            with self._condition:
                self._busy = False
                self._condition.notify_all()
