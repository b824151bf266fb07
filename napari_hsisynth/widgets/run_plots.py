"""`SpectraPlot`: the spectra of a training run's samples beside real ones; and what all plots of a run look like."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hsisynth.widgets.preview import Spectra
from napari_hsisynth.widgets.theme import follow_theme


class SpectraPlot(QWidget):
    """Mean spectra with a band of one standard deviation: real solid, synthetic dashed, colour of the diagnosis.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = run_plot(self, "wavelength (nm)", "value", legend=(1, 1))  # skin is darkest there
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


def run_plot(parent: QWidget, below: str, left: str, legend: tuple[int, int] = (-1, 1)) -> pg.PlotWidget:
    """Make an empty plot with a legend, in the theme's colours; `below` and `left` are the axes' labels."""
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
