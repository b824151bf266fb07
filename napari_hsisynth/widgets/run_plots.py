"""Live plots of a training run: its losses over the images shown, and the spectra of its samples beside real ones."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_hsisynth.widgets.preview import Spectra
from napari_hsisynth.widgets.theme import follow_theme

#: Okabe-Ito blue and orange: what the network has learned from, and what it has not seen.
ROLE_COLOURS = {"training": "#0072B2", "validation": "#E69F00"}
#: A plot is drawn again at most this often, ms.
REDRAW_MS = 150


#: Names of quantities for eyes.
QUANTITIES = {"kl_nats": "KL (nats)", "angle_deg": "spectral angle (deg)", "gradient": "gradient norm"}


def split_name(name: str) -> tuple[str, str]:
    """Return (quantity, role) of a scalar: ``val_loss`` -> ``("loss", "validation")``."""
    for prefix in ("val_", "val/", "validation_"):
        if name.startswith(prefix):
            return quantity_name(name.removeprefix(prefix)), "validation"
    return quantity_name(name.removeprefix("train_").removeprefix("train/")), "training"


def quantity_name(name: str) -> str:
    """Name of a scalar for eyes."""
    return QUANTITIES.get(name, name.replace("_", " "))


class LossPlot(QWidget):
    """One quantity over the images shown, training and validation in one plot.

    A value that is not finite is a gap in its curve, never a zero.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._series: dict[str, tuple[list[int], list[float]]] = {}
        self.quantity = QComboBox(self)
        self.quantity.setToolTip("What is plotted")
        self.quantity.setMinimumWidth(1)
        self.quantity.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.logarithmic = QCheckBox("log", self)
        self.logarithmic.setToolTip("Logarithmic vertical axis; values of 0 and less are then left out")
        self.plot = _plot(self, "images shown", "loss")
        self.curves = {
            role: self.plot.plot(
                [],
                [],
                pen=pg.mkPen(colour, width=2),
                symbol="o" if role == "validation" else None,
                symbolSize=6,
                symbolBrush=colour,
                symbolPen=None,
                name=role,
                connect="finite",
            )
            for role, colour in ROLE_COLOURS.items()
        }
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
        self.quantity.currentTextChanged.connect(self.redraw)
        self.logarithmic.toggled.connect(self.redraw)

    def clear(self) -> None:
        """Forget everything."""
        self._series = {}
        self.quantity.clear()
        self.redraw()

    def add(self, images: int, values: Mapping[str, float | None]) -> None:
        """Take the scalars of one event; the plot follows within `REDRAW_MS`."""
        for name, value in values.items():
            at, heights = self._series.setdefault(name, ([], []))
            at.append(images)
            heights.append(math.nan if value is None else float(value))
            quantity = split_name(name)[0]
            if self.quantity.findText(quantity) < 0:
                self.quantity.addItem(quantity)
        if not self._timer.isActive():
            self._timer.start()

    def forget_after(self, images: int) -> None:
        """Forget what a resume at `images` has undone."""
        for at, heights in self._series.values():
            keep = bisect_right(at, images)
            del at[keep:], heights[keep:]
        self.redraw()

    def points(self, role: str) -> tuple[np.ndarray, np.ndarray]:
        """Return (images, values) of the shown quantity, values NaN where they were not finite."""
        for name, (at, heights) in self._series.items():
            if split_name(name) == (self.quantity.currentText(), role):
                return np.asarray(at, dtype=float), np.asarray(heights, dtype=float)
        return np.empty(0), np.empty(0)

    def redraw(self, _: object = None) -> None:
        """Draw the chosen quantity."""
        logarithmic = self.logarithmic.isChecked()
        self.plot.setLabel("left", self.quantity.currentText() or "loss")
        self.plot.setLogMode(y=logarithmic)
        for role, curve in self.curves.items():
            at, heights = self.points(role)
            curve.setData(at, np.where(heights > 0, heights, np.nan) if logarithmic else heights)


class SpectraPlot(QWidget):
    """Mean spectra with a band of one standard deviation: real solid, synthetic dashed, colour of the diagnosis.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = _plot(self, "wavelength (nm)", "value", legend=(1, 1))  # skin is darkest there
        self.curves, self.bands = {}, {}
        for origin in ("real", "synthetic"):
            edges = [pg.PlotCurveItem(), pg.PlotCurveItem()]
            self.bands[origin] = (pg.FillBetweenItem(*edges), *edges)
            self.plot.addItem(self.bands[origin][0])
            self.curves[origin] = self.plot.plot([], [], name=f"{origin} (mean ± std)")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self.set_colour("#999999")

    def set_colour(self, colour: str) -> None:
        """Draw in the colour of a diagnosis."""
        fill = pg.mkColor(colour)
        for origin, style in (("real", Qt.PenStyle.SolidLine), ("synthetic", Qt.PenStyle.DashLine)):
            self.curves[origin].setPen(pg.mkPen(colour, width=2, style=style))
            fill.setAlpha(60 if origin == "real" else 30)
            self.bands[origin][0].setBrush(pg.mkBrush(fill))

    def show_spectra(self, spectra: Spectra | None) -> None:
        """Show the spectra of a preview; None empties the plot."""
        for origin in ("real", "synthetic"):
            if spectra is None:
                at = mean = std = np.empty(0)
            else:
                order = np.argsort(spectra.wavelengths_nm)
                at = spectra.wavelengths_nm[order]
                mean = np.asarray(getattr(spectra, f"{origin}_mean"), dtype=float)[order]
                std = np.asarray(getattr(spectra, f"{origin}_std"), dtype=float)[order]
            self.curves[origin].setData(at, mean)
            _, low, high = self.bands[origin]
            low.setData(at, mean - std)
            high.setData(at, mean + std)


def _plot(parent: QWidget, below: str, left: str, legend: tuple[int, int] = (-1, 1)) -> pg.PlotWidget:
    plot = pg.PlotWidget(parent)
    plot.setMinimumSize(1, 12 * parent.fontMetrics().lineSpacing())
    plot.addLegend(offset=legend)
    plot.setLabel("bottom", below)
    plot.setLabel("left", left)
    plot.getAxis("bottom").enableAutoSIPrefix(False)
    plot.getAxis("left").enableAutoSIPrefix(False)
    plot.setMenuEnabled(False)
    follow_theme(plot)
    return plot
