"""`Figure`: one measured number beside a named baseline of the same run, and the budget that it is held to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Statistic = Literal["median", "p95"]


@dataclass(frozen=True)
class Times:
    """Repeated measurements of one thing.

    Parameters
    ----------
    seconds : tuple of float
        One for each time, in the order of measuring; at least one.
    """

    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.seconds:
            raise ValueError("nothing was measured")

    def __add__(self, other: Times) -> Times:
        return Times((*self.seconds, *other.seconds))

    @property
    def n(self) -> int:
        """How many times it was measured."""
        return len(self.seconds)

    def ms(self, statistic: Statistic) -> float:
        """Return the median or the 95th percentile (interpolated between the nearest two), ms."""
        return float(1e3 * np.percentile(self.seconds, {"median": 50, "p95": 95}[statistic]))


@dataclass(frozen=True)
class Budget:
    """What a figure may cost. Every part that is given must hold.

    Parameters
    ----------
    most : float, optional
        The value itself, in its unit.
    most_ratio : float, optional
        The value divided by the baseline's.
    most_beyond : float, optional
        The value less the baseline's, in their unit.
    least : float, optional
        The value itself, of what should be large.
    least_ratio : float, optional
        The value divided by the baseline's, of what should be large.
    """

    most: float | None = None
    most_ratio: float | None = None
    most_beyond: float | None = None
    least: float | None = None
    least_ratio: float | None = None

    def text(self, unit: str) -> str:
        """Return it in words: ``"<= 8 ms"``."""
        parts = []
        if self.most is not None:
            parts.append(f"<= {self.most:g} {unit}")
        if self.most_ratio is not None:
            parts.append(f"<= {self.most_ratio:g} x baseline")
        if self.most_beyond is not None:
            parts.append(f"<= baseline + {self.most_beyond:g} {unit}")
        if self.least is not None:
            parts.append(f">= {self.least:g} {unit}")
        if self.least_ratio is not None:
            parts.append(f">= {self.least_ratio:g} x baseline")
        return " and ".join(parts)

    def met(self, value: float, baseline: float) -> bool:
        """Whether a value keeps it."""
        return (
            (self.most is None or value <= self.most)
            and (self.most_ratio is None or value <= self.most_ratio * baseline)
            and (self.most_beyond is None or value <= baseline + self.most_beyond)
            and (self.least is None or value >= self.least)
            and (self.least_ratio is None or value >= self.least_ratio * baseline)
        )


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    name : str
        What was measured, on what.
    value, baseline_value : float
        In `unit`.
    unit : str
        ``"ms"``, ``"MB"``, ``"IoU"``, ``"clicks"``, ``"images/s"``, ``"%"``.
    baseline : str
        What the baseline is; measured in the same run.
    n : int
        Number of measurements behind the value.
    statistic : str
        What the value is of them: ``"median"``, ``"p95"``, ``"mean"``, ``"peak"``, ``"worst"``.
    budget : Budget, optional
        What it is held to.
    median, p95 : float, optional
        Both statistics of the same measurements, in `unit`, whichever the value is.
    """

    name: str
    value: float
    unit: str
    baseline: str
    baseline_value: float
    n: int
    statistic: str = "median"
    budget: Budget | None = None
    median: float | None = None
    p95: float | None = None

    @property
    def ratio(self) -> float:
        """The value divided by the baseline's; NaN where that is 0."""
        return self.value / self.baseline_value if self.baseline_value else math.nan

    @property
    def met(self) -> bool | None:
        """Whether the budget is kept; None without one."""
        return None if self.budget is None else self.budget.met(self.value, self.baseline_value)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types; None for a number that there is not."""
        ratio = self.ratio if math.isfinite(self.ratio) else None
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "statistic": self.statistic,
            "median": self.median,
            "p95": self.p95,
            "n": self.n,
            "baseline": self.baseline,
            "baseline_value": self.baseline_value,
            "ratio": ratio,
            "budget": None if self.budget is None else self.budget.text(self.unit),
            "met": self.met,
        }


def timing(
    name: str,
    own: Times,
    baseline: str,
    other: Times,
    statistic: Statistic = "median",
    budget: Budget | None = None,
) -> Figure:
    """Return the figure of two sets of times, ms; the same statistic of both."""
    return Figure(
        name=name,
        value=own.ms(statistic),
        unit="ms",
        baseline=baseline,
        baseline_value=other.ms(statistic),
        n=own.n,
        statistic=statistic,
        budget=budget,
        median=own.ms("median"),
        p95=own.ms("p95"),
    )
