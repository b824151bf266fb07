"""`RunFollower`: a run's events, read off the GUI thread and delivered to it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, QThreadPool, Signal

from napari_hsisynth.jobs import Event, RunFolder, tail
from napari_hsisynth.widgets.when_destroyed import when_destroyed


@dataclass
class _Mailbox:
    """What the reading thread and the GUI share; neither holds the other."""

    events: deque[Event] = field(default_factory=deque)
    announced: bool = False  # a signal is on its way: one is enough for all events that have come in by then
    closed: threading.Event = field(default_factory=threading.Event)


class _Bell(QObject):
    """Rung by the reading thread, heard on the GUI thread; it has no parent, so that it outlives the reader's ring."""

    rang = Signal()


class RunFollower(QObject):
    """Tail a run in a napari thread worker, which only reads; the job neither knows nor minds.

    Events that come in faster than the GUI turns are delivered together, so attaching to a long run does not block it.

    Parameters
    ----------
    run : RunFolder
        What to follow.
    parent : QObject
        Its destruction ends the following.

    Attributes
    ----------
    arrived : Signal
        One or more new events: list of Event, in order.
    ended : Signal
        Nothing more will come: the run has ended or the reading failed.
    """

    arrived = Signal(list)
    ended = Signal()

    def __init__(self, run: RunFolder, parent: QObject) -> None:
        super().__init__(parent)
        self.run = run
        self._mail = mail = _Mailbox()
        when_destroyed(self, mail.closed.set)
        # a function with a bell rather than a generator that yields: an aborted generator stays suspended, and what it
        # borrowed from the pool would be given back whenever it happens to be collected
        bell = _Bell()

        def follow() -> None:
            # A follower sleeps for hours; without this, two of them would fill the pool of a two-core machine.
            pool = QThreadPool.globalInstance()
            pool.releaseThread()
            try:
                for event in tail(run, stop=lambda: mail.closed.is_set() or worker.abort_requested):
                    mail.events.append(event)
                    if not mail.announced:
                        mail.announced = True
                        bell.rang.emit()
            finally:
                pool.reserveThread()

        # napari's dialog at closing shows the function's name: let it say what is running and what will happen.
        follow.__qualname__ = f"following {run.id}; the job itself goes on after closing"
        worker = create_worker(follow, _start_thread=False)
        bell.rang.connect(self._deliver)
        worker.finished.connect(self._finish)
        worker.start()

    def close(self) -> None:
        """Stop following; the reading thread ends at its next look and nothing is delivered any more."""
        self._mail.closed.set()

    def _deliver(self, _: object = None) -> None:
        mail = self._mail
        mail.announced = False  # before emptying, so that what comes in meanwhile is announced again
        events = []
        while mail.events:
            events.append(mail.events.popleft())
        if events and not mail.closed.is_set():
            self.arrived.emit(events)

    def _finish(self) -> None:
        self._deliver()
        if not self._mail.closed.is_set():
            self.ended.emit()
