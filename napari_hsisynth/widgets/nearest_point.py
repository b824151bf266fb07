"""`NearestPoint`: the point of a curve that is nearest to the mouse in a plot, marked and named."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, Signal

from napari_hsisynth.widgets.curve_plot import CurvePlot
from napari_hsisynth.widgets.curves import Curve
from napari_hsisynth.widgets.theme import theme_colours

#: Farther from the mouse than this nothing is marked, lines of text.
_REACH_LINES = 3.0


class NearestPoint(QObject):
    """A ring around the point nearest to the mouse, with its wavelength and value beside it.

    Parameters
    ----------
    plot : CurvePlot
    curves : callable
        Returns the curves that are drawn.
    text : callable
        Makes the text of a curve and a number of its bands.

    Attributes
    ----------
    moved : Signal(object, float)
        Another curve or band is nearest: the curve, or None if nothing is near, and the wavelength of its band.
    """

    moved = Signal(object, float)

    def __init__(
        self, plot: CurvePlot, curves: Callable[[], Sequence[Curve]], text: Callable[[Curve, int], str]
    ) -> None:
        super().__init__(plot)
        self._plot, self._curves, self._text = plot, curves, text
        self._ring = pg.ScatterPlotItem(size=9, brush=None, pxMode=True)
        self._label = pg.TextItem(anchor=(0, 1))
        for item, z in ((self._ring, 30), (self._label, 31)):
            item.setZValue(z)
            item.setVisible(False)
            plot.addItem(item, ignoreBounds=True)
        plot.scene().sigMouseMoved.connect(self._pointed)
        plot.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.hide()
        return False

    def hide(self) -> None:
        """Mark nothing."""
        if self._ring.isVisible():
            self._ring.setVisible(False)
            self._label.setVisible(False)
            self.moved.emit(None, np.nan)

    def _pointed(self, place: QPointF) -> None:
        box = self._plot.getPlotItem().getViewBox()
        found = self._nearest(place) if QRectF(box.sceneBoundingRect()).contains(place) else None
        if found is None:
            self.hide()
            return
        curve, band = found
        x, y = float(curve.wavelengths_nm[band]), float(curve.values[band])
        colours = theme_colours()
        self._ring.setData([x], [y], pen=pg.mkPen(curve.colour or colours.text, width=2))
        self._label.setText(self._text(curve, band), color=colours.text)
        self._label.fill = pg.mkBrush(colours.background)
        (left, right), (low, high) = box.viewRange()
        self._label.setAnchor((int(x > (left + right) / 2), int(y < (low + high) / 2)))
        self._label.setPos(x, y)
        self._ring.setVisible(True)
        self._label.setVisible(True)
        self.moved.emit(curve, x)

    def _nearest(self, place: QPointF) -> tuple[Curve, int] | None:
        """Return the curve and the band of the point nearest on the screen."""
        box = self._plot.getPlotItem().getViewBox()
        width, height = box.viewPixelSize()
        mouse = box.mapSceneToView(place)
        best, found = _REACH_LINES * self._plot.fontMetrics().lineSpacing(), None
        for curve in self._curves():
            away = np.hypot((curve.wavelengths_nm - mouse.x()) / width, (curve.values - mouse.y()) / height)
            if not np.isfinite(away).any():
                continue
            band = int(np.nanargmin(away))
            if away[band] < best:
                best, found = float(away[band]), (curve, band)
        return found
