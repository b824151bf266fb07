"""Requests to stop: the stop file of the run, Ctrl+C, and SIGTERM as a cluster sends before it takes the machine."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from napari_hsisynth.jobs import RunFolder

#: The stop file is looked for at most this often, s: on a network file system every look is a round trip.
_LOOK_EVERY_S = 0.1


class Stopper:
    """Answers whether the job should stop at its next safe point.

    Parameters
    ----------
    run : RunFolder
        Whose stop file counts.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._signalled = False
        self._looked = 0.0

    def __call__(self) -> bool:
        """Return True once a stop has been asked for, by a signal or by the file."""
        if not self._signalled and time.monotonic() - self._looked >= _LOOK_EVERY_S:
            self._looked = time.monotonic()
            self._signalled = self._run.stop_requested()
        return self._signalled

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signalled and number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: at once, without a checkpoint
        self._signalled = True


@contextlib.contextmanager
def stop_requests(run: RunFolder) -> Iterator[Stopper]:
    """Listen for requests to stop `run` during the block; signals only in the main thread, where Python has them."""
    stopper = Stopper(run)
    previous = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, stopper._on_signal)
    try:
        yield stopper
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
