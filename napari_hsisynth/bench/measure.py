"""`alternate`: times of several pieces of work that can be compared although the machine is not quiet."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from napari_hsisynth.bench.figure import Times


def alternate(
    works: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Times]:
    """Time several pieces of work in turn, so that what slows the machine down for a while slows all of them.

    Parameters
    ----------
    works : mapping of str to callable
        Their names, and what is timed.
    rounds : int
        How often each is timed. Every other round goes backwards: nobody always comes after the same other.
    warm_up : int
        Rounds before that are not timed: caches are filled, modules imported.
    clock : callable
        Seconds.

    Returns
    -------
    dict of str to Times
    """
    if rounds < 1:
        raise ValueError("at least one round is needed")
    for _ in range(warm_up):
        for work in works.values():
            work()
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        order = list(works.items())
        for name, work in order if number % 2 == 0 else reversed(order):
            with no_collection():
                began = clock()
                work()
                found[name].append(clock() - began)
    return {name: Times(tuple(seconds)) for name, seconds in found.items()}


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep Python from collecting garbage meanwhile: whose turn that would fall into is chance."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
