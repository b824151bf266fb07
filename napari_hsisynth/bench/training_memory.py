"""`Memory`: how much two loops need that take turns in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
import torch


class Memory:
    """Most memory that each loop has needed, bytes.

    On a CUDA device, what torch allocates there; what the other loop keeps is taken off. Elsewhere, of the plain loop
    what the process and its workers have before our training has begun in it.
    """

    def __init__(self, device: Any) -> None:
        self.device = device
        self.own_bytes = self.plain_bytes = 0
        self._plain_kept = 0
        self._at_start = self._allocated()

    def plain_alone(self, turn: Callable[[], object]) -> None:
        """Run the plain loop for a turn, before our training begins in this process."""
        if self.device.type == "cuda":
            turn()
            self._plain_kept = self._allocated() - self._at_start
            return
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(ended,), daemon=True)
        watcher.start()
        turn()
        ended.set()
        watcher.join()

    def _watch(self, ended: threading.Event) -> None:
        own = psutil.Process()
        while True:
            with suppress(psutil.Error):  # a worker that has just ended
                workers = sum(worker.memory_full_info().uss for worker in own.children())
                self.plain_bytes = max(self.plain_bytes, own.memory_info().rss + workers)
            if ended.wait(0.05):
                return

    def before(self, whose: str) -> None:
        """Begin to watch."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._at_turn = self._allocated()

    def after(self, whose: str) -> None:
        """Take down what was needed."""
        if self.device.type != "cuda":
            return
        most = torch.cuda.max_memory_allocated(self.device)
        if whose == "own":
            self.own_bytes = max(self.own_bytes, most - self._plain_kept)
        else:
            self.plain_bytes = max(self.plain_bytes, most - (self._at_turn - self._plain_kept))

    def _allocated(self) -> int:
        return torch.cuda.memory_allocated(self.device) if self.device.type == "cuda" else 0
