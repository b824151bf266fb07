"""`EvaluationTable`: the headline figures of a report, each with its interval, its floor and its n."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_hsisynth.jobs import RunFolder, list_runs

_COLUMNS = ("metric", "value", "95 % interval", "floor", "n")
_TIPS = (
    "What is measured; hover a line for more",
    "The statistic itself",
    "Bootstrap interval of the value",
    "The same statistic between two random halves of the real held-out cubes: what even real data would score",
    "How many cubes, or pairs, it rests on",
)
#: Names of figures where there is little room.
_SHORT = {
    "class_mean_angle_lesion": "lesion angle",
    "class_mean_angle_skin": "skin angle",
    "class_mean_angle": "mean angle",
    "sliced_wasserstein": "spectral SW",
    "total_variation_ratio": "variation ratio",
}


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
        """Name -> value, ci, floor, n; angles in degrees."""
        found = self.values.get("metrics")
        return {k: for_eyes(v) for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}

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
        """The first figure in one short line: ``lesion angle 1.7° [0.59, 3.8] (floor 1.3)``."""
        for name, figure in self.metrics.items():
            if figure.get("value") is not None:
                unit = str(figure.get("unit") or "")
                value = number(figure["value"], 2) + (unit if unit == "°" else f" {unit}".rstrip())
                floor = f"(floor {number(figure['floor'], 2)})" if figure.get("floor") is not None else ""
                parts = (short_label(name, figure), value, interval_text(figure, 2), floor)
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
    return list(reports(root))


def reports(root: Path) -> Iterator[Report]:
    """Read the finished evaluations of a study one by one, newest first."""
    for run in list_runs(root):
        try:
            values = json.loads((run.report_dir / "metrics.json").read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(values, dict):
            yield Report(run, values)


def for_eyes(figure: dict[str, Any]) -> dict[str, Any]:
    """Turn a figure in radians into degrees, as the report and its sentences have them; others stay as they are."""
    if figure.get("unit") != "rad":
        return figure

    def degrees(value: Any) -> Any:
        return [degrees(one) for one in value] if isinstance(value, list) else math.degrees(value)

    angles = ("value", "ci", "floor", "floor_range", "value_at_m", "median", "iqr", "trivial")
    turned = {key: degrees(figure[key]) for key in angles if figure.get(key) is not None}
    return {**figure, **turned, "unit": "°"}


def plain_label(name: str, figure: dict[str, Any]) -> str:
    """Name of a metric for eyes."""
    return str(figure.get("label") or name.replace("_", " "))


def short_label(name: str, figure: dict[str, Any]) -> str:
    """Name of a metric where there is little room."""
    return _SHORT.get(name) or plain_label(name, figure)


def metric_label(name: str, figure: dict[str, Any], *, short: bool = False) -> str:
    """Name and unit of a metric for eyes."""
    label = short_label(name, figure) if short else plain_label(name, figure)
    return f"{label} ({figure['unit']})" if figure.get("unit") else label


def metric_tip(name: str, figure: dict[str, Any]) -> str:
    """Everything else that is known about a figure."""
    better = {"lower": "lower is better", "higher": "higher is better", "one": "best at 1"}
    lines = [metric_label(name, figure), better.get(str(figure.get("better")), ""), str(figure.get("note") or "")]
    shown = ("value", "ci", "floor", "n", "label", "unit", "better", "note")
    for key, value in figure.items():
        if key not in shown and value is not None and not isinstance(value, dict):  # baselines are in the findings
            text = ", ".join(map(number, value)) if isinstance(value, list) else number(value)
            lines.append(f"{key.replace('_', ' ')}: {text}")
    return "\n".join(line for line in lines if line)


def number(value: Any, digits: int = 3) -> str:
    """Write a figure with so many digits, anything else as it is; an empty text for None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.{digits}g}" if isinstance(value, float) else f"{value:,}"
    return "" if value is None else str(value)


def interval_text(figure: dict[str, Any], digits: int = 3) -> str:
    """Write an interval as ``[.008, .017]``; an empty text without one."""
    interval = figure.get("ci")
    return f"[{number(interval[0], digits)}, {number(interval[1], digits)}]" if interval else ""


class EvaluationTable(QTableWidget):
    """One line per metric; long names wrap, so that the figures fit into a narrow dock."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_COLUMNS), parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # the dock scrolls
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setAccessibleName("figures of the evaluation")
        for column, (name, tip) in enumerate(zip(_COLUMNS, _TIPS, strict=True)):
            title = QTableWidgetItem(name)
            title.setToolTip(tip)
            self.setHorizontalHeaderItem(column, title)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is not None and rows is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setMinimumSectionSize(1)
            header.sectionResized.connect(lambda *_: self._fit())
            rows.hide()
        self.setMinimumWidth(1)

    def show_report(self, report: Report | None) -> None:
        """Show a report's figures; None empties the table."""
        metrics = {} if report is None else report.metrics
        self.setRowCount(len(metrics))
        for row, (name, figure) in enumerate(metrics.items()):
            value, floor, n = (number(figure.get(key)) for key in ("value", "floor", "n"))
            for column, text in enumerate(
                [metric_label(name, figure, short=True), value, interval_text(figure), floor, n]
            ):
                item = QTableWidgetItem(text)
                item.setToolTip(metric_tip(name, figure))
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(row, column, item)
        self._fit()

    def _fit(self) -> None:
        """Give each line the height of its text and the table that of its lines."""
        self.resizeRowsToContents()
        header = self.horizontalHeader()
        height = sum(self.rowHeight(row) for row in range(self.rowCount())) + 2 * self.frameWidth()
        self.setFixedHeight(height + (header.sizeHint().height() if header is not None else 0))
