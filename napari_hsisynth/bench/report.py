"""`Report`: the figures of one bench, as text and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_hsisynth.bench.figure import Figure
from napari_hsisynth.bench.machine import machine_text


@dataclass
class Report:
    """What one bench has found.

    Parameters
    ----------
    bench : str
        Its name.
    size : str
        A key of `size.SIZES`.
    machine : dict
        What it ran on, see `machine.machine`.
    figures : list of Figure
    left_out : list of (str, str)
        What was not measured, and why.
    """

    bench: str
    size: str
    machine: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "bench": self.bench,
            "size": self.size,
            "machine": self.machine,
            "figures": [figure.to_json() for figure in self.figures],
            "left_out": [{"what": what, "why": why} for what, why in self.left_out],
        }

    def text(self) -> str:
        """Return a table: the figure, its ratio to the baseline and its budget; below it the baseline."""
        lines = [machine_text(self.machine), ""]
        rows = [(figure.name, _value(figure), f"{figure.ratio:.3g} x", _verdict(figure)) for figure in self.figures]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        for figure, (name, value, ratio, verdict) in zip(self.figures, rows, strict=True):
            row = f"{name:<{widths[0]}}  {value:>{widths[1]}}  {ratio:>{widths[2]}}  {verdict}"
            lines += [row.rstrip(), f"    beside {_number(figure.baseline_value)} {figure.unit}: {figure.baseline}"]
        lines += [f"left out: {what} ({why})" for what, why in self.left_out]
        kept = [figure.met for figure in self.figures if figure.met is not None]
        lines += ["", f"{sum(kept)} of {len(kept)} budgets kept"]
        return "\n".join(lines)


def _value(figure: Figure) -> str:
    other = "median" if figure.statistic == "p95" else "p95"
    second = getattr(figure, other)
    beside = "" if second is None else f", {other} {_number(second)}"
    return f"{figure.statistic} {_number(figure.value)} {figure.unit} (n {figure.n}{beside})"


def _verdict(figure: Figure) -> str:
    if figure.budget is None:
        return ""
    return f"{'✔' if figure.met else '✖ missed:'} {figure.budget.text(figure.unit)}"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
