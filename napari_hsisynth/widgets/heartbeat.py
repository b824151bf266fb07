"""`Heartbeat`: how long the GUI thread keeps the user waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from qtpy.QtCore import QObject, Qt, QTimer

#: A stall shorter than this is not seen, ms.
BEAT_MS = 5


class Heartbeat(QObject):
    """A timer that wants to beat every few milliseconds, and the times by which it was late.

    Attributes
    ----------
    stalls_s : list of float
        For every beat since `start`, how much later it came than it should have, s.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stalls_s: list[float] = []
        self._last: float | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Beat, and forget what was before."""
        self.stalls_s.clear()
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        """Beat no more; `stalls_s` stays."""
        self._timer.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what whoever measures does in the GUI thread itself."""
        self._beat()
        try:
            yield
        finally:
            self._last = time.perf_counter()

    def _beat(self) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.stalls_s.append(max(0.0, now - self._last - BEAT_MS / 1000))
        self._last = now
