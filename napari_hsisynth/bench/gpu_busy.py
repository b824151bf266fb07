"""How much of the time the device has work."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from napari_hsisynth.bench.training_turns import Enough


class BusyMeter:
    """Is shown a training's progress as a terminal is, and watches the device in between.

    Parameters
    ----------
    device : torch.device
        The training's; on the CPU, operators count as its work.
    warm_up, watched : int
        Reports that are let pass, and the stretches between reports that are watched then.

    Attributes
    ----------
    share : float
        Part of the time of these stretches in which at least one kernel ran.
    """

    def __init__(self, device: torch.device, *, warm_up: int = 4, watched: int = 4) -> None:
        self.warm_up, self.watched = warm_up, watched
        cuda = device.type == "cuda"
        self._kind = DeviceType.CUDA if cuda else DeviceType.CPU
        self._profile: Any = profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU])
        self._reports = 0
        self._began = 0.0
        self.share = 0.0

    def note(self, text: str) -> None:
        """Take a note: nothing that matters here."""

    def progress(self, done: int, total: int | None, unit: str = "", extra: str = "") -> None:
        """Hear that so many images have been shown; the device has nothing to do at this moment."""
        self._reports += 1
        if self._reports == self.warm_up:
            self._profile.start()
            self._began = time.perf_counter()
        elif self._reports == self.warm_up + self.watched:
            seconds = time.perf_counter() - self._began
            self._profile.stop()
            times = (event.time_range for event in self._profile.events() if event.device_type == self._kind)
            self.share = covered((each.start, each.end) for each in times) / 1e6 / seconds
            raise Enough


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the union of some intervals.

    Examples
    --------
    >>> covered([(5, 6), (0, 2), (1, 3), (1, 2)])
    4.0
    """
    length, end = 0.0, -float("inf")
    for start, stop in sorted(intervals):
        length += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return length
