"""`EvaluationTable`: the headline figures of a report, each with its interval, its floor and its n."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_hsisynth.jobs import RunFolder, list_runs

_COLUMNS = ("metric", "value", "95 % interval", "floor", "n")
_TIPS = (
    "What is measured; hover a line for more",
    "The statistic itself",
    "Bootstrap interval of the value",
    "The same statistic between two random halves of the real held-out cubes: what even real data would score",
    "How many cubes, or pairs, it rests on",
)


@dataclass(frozen=True)
class Report:
    """A finished evaluation on disk.

    Parameters
    ----------
    run : RunFolder
    values : dict
        The contents of ``report/metrics.json``.
    """

    run: RunFolder
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def html(self) -> Path:
        """The report with pictures and plots."""
        return self.run.report_dir / "report.html"

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Name -> value, ci, floor, n."""
        found = self.values.get("metrics")
        return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}

    @property
    def title(self) -> str:
        """Date, time and name of the run."""
        day, clock, name = [*self.run.id.split("-", 2), "", ""][:3]
        try:
            when = time.strftime("%d %b %H:%M", time.strptime(day + clock, "%Y%m%d%H%M%S"))
        except ValueError:
            return self.run.id
        what = "reconstructions of " if self.values.get("kind") == "pairs" else ""
        return f"{what}{name.removeprefix('evaluate-').rsplit('-', 1)[0]} · {when}"

    @property
    def headline(self) -> str:
        """The first figure in one line: ``sliced Wasserstein 0.012 [0.008, 0.017] (floor 0.004)``."""
        for name, figure in self.metrics.items():
            if figure.get("value") is not None:
                floor = f"(floor {number(figure['floor'])})" if figure.get("floor") is not None else ""
                parts = (metric_label(name, figure), number(figure["value"]), interval_text(figure), floor)
                return " ".join(part for part in parts if part)
        return "done"

    @property
    def text(self) -> str:
        """What was compared, what was found, and what had to be assumed."""
        real, synthetic = self.values.get("n_real"), self.values.get("n_synthetic")
        said = [] if real is None else [f"{real} real, {synthetic} synthetic cubes"]
        if self.values.get("phantom"):
            said[:1] = [f"PHANTOM (simulated, no patients): {', '.join(said[:1])}"]
        return "\n".join(
            [*said, *(f"• {line}" for key in ("findings", "notes") for line in self.values.get(key) or [])]
        )


def list_reports(root: Path) -> list[Report]:
    """Return the finished evaluations of a study, newest first; unreadable ones are left out."""
    found = []
    for run in list_runs(root):
        try:
            values = json.loads((run.report_dir / "metrics.json").read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(values, dict):
            found.append(Report(run, values))
    return found


def metric_label(name: str, figure: dict[str, Any]) -> str:
    """Name and unit of a metric for eyes."""
    label = str(figure.get("label") or name.replace("_", " "))
    return f"{label} ({figure['unit']})" if figure.get("unit") else label


def metric_tip(name: str, figure: dict[str, Any]) -> str:
    """Everything else that is known about a figure."""
    better = {"lower": "lower is better", "higher": "higher is better", "one": "best at 1"}
    lines = [metric_label(name, figure), better.get(str(figure.get("better")), ""), str(figure.get("note") or "")]
    shown = ("value", "ci", "floor", "n", "label", "unit", "better", "note")
    for key, value in figure.items():
        if key not in shown and value is not None:
            text = ", ".join(map(number, value)) if isinstance(value, list) else number(value)
            lines.append(f"{key.replace('_', ' ')}: {text}")
    return "\n".join(line for line in lines if line)


def number(value: Any) -> str:
    """Write a figure with three digits, anything else as it is; an empty text for None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.3g}" if isinstance(value, float) else f"{value:,}"
    return "" if value is None else str(value)


def interval_text(figure: dict[str, Any]) -> str:
    """Write an interval as ``[.008, .017]``; an empty text without one."""
    interval = figure.get("ci")
    return f"[{number(interval[0])}, {number(interval[1])}]" if interval else ""


class EvaluationTable(QTreeWidget):
    """One line per metric."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRootIsDecorated(False)
        self.setAlternatingRowColors(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHeaderLabels(list(_COLUMNS))
        self.setAccessibleName("figures of the evaluation")
        header_item = self.headerItem()
        for column, tip in enumerate(_TIPS):
            if header_item is not None:
                header_item.setToolTip(column, tip)
        header = self.header()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.setMinimumSize(1, 10 * self.fontMetrics().lineSpacing())

    def show_report(self, report: Report | None) -> None:
        """Show a report's figures; None empties the table."""
        self.clear()
        for name, figure in ({} if report is None else report.metrics).items():
            texts = [
                number(figure.get("value")),
                interval_text(figure),
                *(number(figure.get(k)) for k in ("floor", "n")),
            ]
            item = QTreeWidgetItem([metric_label(name, figure), *texts])
            for column in range(1, len(_COLUMNS)):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(0, metric_tip(name, figure))
            self.addTopLevelItem(item)
