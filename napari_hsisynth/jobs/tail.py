"""Following a run's events as they are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from napari_hsisynth.jobs.events import DIED, TERMINAL, Event, fold, without_superseded
from napari_hsisynth.jobs.process import is_dead
from napari_hsisynth.jobs.run_folder import RunFolder


def tail(run: RunFolder, *, poll_s: float = 0.2, stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Yield a run's events, first those already there, then each new one, until a terminal one.

    Superseded events are left out of what is already there. When a run is resumed while it is being followed, its
    `started` event says ``resumed_at``: forget what came after that many images. If the process dies without a terminal
    event, a ``failed`` event is made up and yielded (it is not written to the file).

    Parameters
    ----------
    run : RunFolder
        What to follow. It need not have any events yet.
    poll_s : float
        Seconds between two looks at the file.
    stop : callable
        Asked at every look; true ends the iteration.

    Yields
    ------
    Event
        In the order of the file. A run that has not begun yet is waited for.
    """
    offset = 0
    seen: list[Event] = []
    replayed = False
    while not stop():
        _, process = fold(without_superseded(seen))
        dead = process is not None and is_dead(process.fields)  # asked before reading: not to miss its last words
        fresh, offset = _read_from(run, offset)
        seen.extend(fresh)
        if not replayed:
            fresh = without_superseded(fresh)
            replayed = bool(fresh)
        yield from fresh
        if fold(without_superseded(seen))[0].status in TERMINAL:
            return
        if dead and not fresh:
            yield Event("failed", time.time(), {"message": DIED})
            return
        if not fresh:
            time.sleep(poll_s)


def _read_from(run: RunFolder, offset: int) -> tuple[list[Event], int]:
    """The complete lines after `offset`, and where the next one will begin."""
    try:
        with open(run.events_path, "rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    events = [event for line in whole.splitlines() if (event := Event.from_line(line)) is not None]
    return events, offset + len(whole)
