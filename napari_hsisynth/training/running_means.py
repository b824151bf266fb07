"""Means of what the steps between two reports say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from torch import Tensor


class RunningMeans:
    """Mean of each scalar over the steps that said it; nothing waits for the device until they are taken."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: Counter[str] = Counter()

    def add(self, scalars: Mapping[str, Tensor]) -> None:
        """Count in the scalars of a step."""
        for name, value in scalars.items():
            self._sums[name] = value + self._sums[name] if name in self._sums else value
        self._counts.update(scalars.keys())

    def take(self) -> dict[str, float]:
        """The means by name; they begin anew."""
        means = {name: float(value) / self._counts[name] for name, value in self._sums.items()}
        self._sums, self._counts = {}, Counter()
        return means
