"""`Turns`: our training and the plain loop, a stretch of the one after a stretch of the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


class Enough(Exception):
    """Everything has been measured; ends the training."""


@dataclass
class Turns:
    """Is shown our training's progress as a terminal is, and runs the plain loop in between.

    Training reports when the device has done all it was given: between two reports lies whole work, nothing else.

    Parameters
    ----------
    plain : callable
        Runs the plain loop for a turn and returns the number of its images.
    stretch : int
        Images that we are to show, at least, before the plain loop has its turn.
    rounds, warm_up : int
        Stretches of each that count, and that come before them.
    before, after : callable
        Called with "own" or "plain" at the ends of every stretch, outside the times.
    clock : callable
        Seconds.

    Attributes
    ----------
    own, other : list of float
        Images per second of each stretch.
    """

    plain: Callable[[], int]
    stretch: int
    rounds: int
    warm_up: int = 1
    before: Callable[[str], None] = lambda whose: None
    after: Callable[[str], None] = lambda whose: None
    clock: Callable[[], float] = time.perf_counter
    own: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    _began: float | None = None
    _done: int = 0

    def note(self, text: str) -> None:
        """Take a note: nothing that matters here."""

    def progress(self, done: int, total: int | None, unit: str = "", extra: str = "") -> None:
        """Hear that so many images have been shown."""
        now = self.clock()
        if self._began is not None:
            if done - self._done < self.stretch:
                return
            self.own.append((done - self._done) / (now - self._began))
            self.after("own")
            self._plain_turn()
            if len(self.own) == self.rounds + self.warm_up:
                self.own, self.other = self.own[self.warm_up :], self.other[self.warm_up :]
                raise Enough
        self._done = done
        self.before("own")
        self._began = self.clock()

    def _plain_turn(self) -> None:
        self.before("plain")
        began = self.clock()
        shown = self.plain()
        self.other.append(shown / (self.clock() - began))
        self.after("plain")
