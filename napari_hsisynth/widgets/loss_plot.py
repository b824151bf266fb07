"""`LossPlot`: what a training run reports, over the images shown, with what it has warned of."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_hsisynth.widgets.quantities import Plotted, Series, arrange, split_name
from napari_hsisynth.widgets.run_plots import run_plot
from napari_hsisynth.widgets.warning_marks import WarningMarks

#: Of a single quantity, Okabe-Ito blue and orange: what the network has learned from, and what it has not seen.
ROLE_COLOURS = {"training": "#0072B2", "validation": "#E69F00"}
#: Of several quantities in one plot, those of the palette that stand for no diagnosis.
_COLOURS = ("#0072B2", "#CC79A7", "#E69F00", "#F0E442")
#: A plot is drawn again at most this often, ms.
REDRAW_MS = 150


class LossPlot(QWidget):
    """One quantity over the images shown, or several that belong together; validation as points.

    A value that is not finite is a gap in its curve, never a zero.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: dict[str, tuple[list[int], list[float]]] = {}
        self._plots: list[Plotted] = []
        self._drawn: tuple[tuple[str, str], ...] = ()
        self.curves: dict[str, pg.PlotDataItem] = {}
        self.quantity = QComboBox(self)
        self.quantity.setToolTip("What is plotted")
        self.quantity.setAccessibleName("plotted")
        self.quantity.setMinimumWidth(1)
        self.quantity.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.logarithmic = QCheckBox("log", self)
        self.logarithmic.setToolTip("Logarithmic vertical axis; values of 0 and less are then left out")
        self.plot = run_plot(self, "images shown", "loss")
        self.warnings = WarningMarks(self.plot, self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REDRAW_MS)
        self._timer.timeout.connect(self.redraw)
        top = QHBoxLayout()
        top.addWidget(self.quantity)
        top.addWidget(self.logarithmic)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.warnings)
        self.quantity.currentIndexChanged.connect(self.redraw)
        self.logarithmic.toggled.connect(self.redraw)

    def clear(self) -> None:
        """Forget everything."""
        self._values = {}
        self.warnings.clear_marks()
        self._offer()
        self.redraw()

    def add(self, images: int, values: Mapping[str, float | None]) -> None:
        """Take the scalars of one event; the plot follows within `REDRAW_MS`."""
        known = len(self._values)
        for name, value in values.items():
            at, heights = self._values.setdefault(name, ([], []))
            at.append(images)
            heights.append(math.nan if value is None else float(value))
        if len(self._values) > known:
            self._offer()
        if not self._timer.isActive():
            self._timer.start()

    def warn(self, text: str, images: int | None = None) -> None:
        """Take a warning, of a moment of the run or of the whole."""
        self.warnings.add(text, images)

    def forget_after(self, images: int) -> None:
        """Forget what a resume at `images` has undone, warnings included: they come again if they are still true."""
        self.warnings.forget_after(images)
        for at, heights in self._values.values():
            keep = bisect_right(at, images)
            del at[keep:], heights[keep:]
        self.redraw()

    def points(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return (images, values) of a scalar, values NaN where they were not finite."""
        at, heights = self._values.get(name, ([], []))
        return np.asarray(at, dtype=float), np.asarray(heights, dtype=float)

    def redraw(self, _: object = None) -> None:
        """Draw what is chosen."""
        shown = self._shown
        logarithmic = self.logarithmic.isChecked()
        self.plot.setLabel("left", shown.axis if shown is not None else "loss")
        self.plot.setLogMode(y=logarithmic)
        self._draw_curves(shown)
        for name, curve in self.curves.items():
            at, heights = self.points(name)
            curve.setData(at, np.where(heights > 0, heights, np.nan) if logarithmic else heights)

    @property
    def _shown(self) -> Plotted | None:
        number = self.quantity.currentIndex()
        return self._plots[number] if number >= 0 else None

    def _offer(self) -> None:
        """Fill the choices; the chosen plot stays, also when more quantities have joined it."""
        chosen = self._shown.series if self._shown is not None else ()
        self._plots = arrange(split_name(name)[0] for name in self._values)
        self.quantity.blockSignals(True)
        self.quantity.clear()
        self.quantity.addItems([plot.title for plot in self._plots])
        names = {one.name for one in chosen}
        again = [number for number, plot in enumerate(self._plots) if names & {one.name for one in plot.series}]
        self.quantity.setCurrentIndex(again[0] if again else 0 if self._plots else -1)
        self.quantity.blockSignals(False)

    def _draw_curves(self, shown: Plotted | None) -> None:
        """Have a curve for each scalar that is shown."""
        series = shown.series if shown is not None else ()
        wanted = [
            (name, one, role)
            for one in series
            for name in self._values
            for quantity, role in [split_name(name)]
            if quantity == one.name
        ]
        drawn = tuple((name, shown.title if shown is not None else "") for name, _, _ in wanted)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        for curve in self.curves.values():
            self.plot.removeItem(curve)
        self.curves = {}
        for name, one, role in wanted:
            if len(series) == 1:
                colour, label = ROLE_COLOURS[role], role
            else:
                colour = _COLOURS[series.index(one) % len(_COLOURS)]
                label = f"{one.label}, validation" if role == "validation" else one.label
            self.curves[name] = self._curve(colour, label, one, role)

    def _curve(self, colour: str, label: str, one: Series, role: str) -> pg.PlotDataItem:
        held_out = role == "validation"
        return self.plot.plot(
            [],
            [],
            pen=pg.mkPen(colour, width=2, style=Qt.PenStyle.DashLine if one.dashed else Qt.PenStyle.SolidLine),
            symbol="o" if held_out else None,
            symbolSize=6,
            symbolBrush=colour,
            symbolPen=None,
            name=label,
            connect="finite",
        )
