"""`CurvePlot`: spectra over the wavelength, with a line at the displayed band that can be dragged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QCoreApplication, QEvent, QRectF, Qt, Signal
from qtpy.QtWidgets import QGraphicsItem, QWidget

from napari_hsisynth.widgets.curves import Curve
from napari_hsisynth.widgets.still_curves import StillCurves
from napari_hsisynth.widgets.theme import follow_theme, theme_colours

#: Line style = origin, the same in plots, tables and reports.
STYLES = {
    "real": Qt.PenStyle.SolidLine,
    "phantom": Qt.PenStyle.SolidLine,
    "synthetic": Qt.PenStyle.DashLine,
    "reference": Qt.PenStyle.DotLine,
}
_BAND_ALPHA = 50
#: Curves of cubes behind the front one, 0-255.
_BEHIND_ALPHA = 120


def curve_pen(curve: Curve, width: float = 1.5, alpha: int = 255) -> pg.QtGui.QPen:
    """Return the pen of a curve: its colour says what it is, its style where it comes from."""
    colour = pg.mkColor(curve.colour or theme_colours().text)
    colour.setAlpha(alpha)
    return pg.mkPen(colour, width=width, style=STYLES[curve.origin])


class CurvePlot(pg.PlotWidget):
    """A plot of `Curve` objects. The curves under the cursor have a fast way of their own.

    The vertical range does not follow every move of the mouse: it is set by the owner and only widens for what would be
    cut off, until the user zooms.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    band_dragged : Signal(float)
        The line of the displayed band is being dragged to this wavelength, nm.
    pointed : Signal(float)
        The mouse is over this wavelength in the plot.
    """

    band_dragged = Signal(float)
    pointed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # the plot fills all of its background, so that a new curve repaints nothing that lies under it
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(1, 7 * self.fontMetrics().lineSpacing())
        self.setMenuEnabled(False)
        self.hideButtons()
        self._curves: list[Curve] = []
        self._cursor: list[pg.PlotCurveItem] = []
        self._under_cursor: list[Curve] = []
        self._cursor_looks: list[tuple[str, str]] = []
        self._user_range = False
        self._text = theme_colours().text
        self._x, self._y = (0.0, 1.0), (0.0, 1.0)
        item = self.getPlotItem()
        for side in ("left", "bottom"):
            item.getAxis(side).enableAutoSIPrefix(False)
        item.getViewBox().disableAutoRange()
        item.getViewBox().sigRangeChangedManually.connect(self._zoomed)
        label = {"position": 1.0, "anchors": [(0, 0), (1, 0)], "movable": False}  # its top at that of the plot
        self.band_line = pg.InfiniteLine(angle=90, movable=True, label="", labelOpts=label)
        self.band_line.setZValue(20)
        self.band_line.setCursor(Qt.CursorShape.SizeHorCursor)
        self.band_line.sigDragged.connect(lambda line: self.band_dragged.emit(float(line.value())))
        self.addItem(self.band_line)
        self._still = StillCurves()
        self._still.setZValue(2)
        self.addItem(self._still, ignoreBounds=True)
        self.scene().sigMouseMoved.connect(self._pointed)
        follow_theme(self)
        self.setToolTip("Drag the line to another band; wheel zooms, double click shows everything")

    # -- axes -----------------------------------------------------------------------------------------------------

    def set_axes(self, x_label: str, y_label: str, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Name the axes and set what `fit` shows; takes effect at once unless the user has zoomed."""
        self.setLabel("bottom", x_label)
        self.setLabel("left", y_label)
        if x != self._x:
            self._user_range = False
        self._x, self._y = x, y
        if not self._user_range:
            self.fit()

    def fit(self) -> None:
        """Show everything."""
        self._user_range = False
        low, high = self._y
        for values in self._seen():
            low, high = min(low, float(values.min())), max(high, float(values.max()))
        self.setXRange(*self._x, padding=0.02)
        self.setYRange(low, high, padding=0.05)

    def _zoomed(self, *_: object) -> None:
        self._user_range = True

    def mouseDoubleClickEvent(self, event: object) -> None:
        super().mouseDoubleClickEvent(event)
        self.fit()

    def _widen(self, values: np.ndarray) -> None:
        """Make room for a curve that would leave the plot."""
        finite = values[np.isfinite(values)]
        if self._user_range or not len(finite):
            return
        low, high = self.getPlotItem().getViewBox().viewRange()[1]
        least, most = float(finite.min()), float(finite.max())
        if least < low or most > high:
            self.setYRange(min(low, least), max(high, most), padding=0.02)

    # -- curves ---------------------------------------------------------------------------------------------------

    def set_curves(self, curves: Sequence[Curve]) -> None:
        """Draw pins and labels, with a band of their spread where there is one."""
        self._curves = list(curves)
        bands: list[QGraphicsItem] = []
        lines: list[QGraphicsItem] = []
        for curve in curves:
            if curve.spread is not None and np.isfinite(curve.spread[0]).any():
                edges = [
                    pg.PlotCurveItem(curve.wavelengths_nm, edge, pen=None, connect="finite") for edge in curve.spread
                ]
                fill = pg.mkColor(curve.colour or theme_colours().text)
                fill.setAlpha(_BAND_ALPHA)
                bands.append(pg.FillBetweenItem(*edges, brush=pg.mkBrush(fill)))
            line = pg.PlotCurveItem(
                curve.wavelengths_nm, curve.values, pen=curve_pen(curve, 2), connect="finite", antialias=True
            )
            lines.append(line)
        self._still.set_items([*bands, *lines])
        for values in self._seen():
            self._widen(values)

    def _seen(self) -> Iterator[NDArray[np.float64]]:
        """Finite values of the curves that do not move, and edges of their spreads, within the wavelengths shown."""
        low, high = self._x
        for curve in self._curves:
            inside = (curve.wavelengths_nm >= low) & (curve.wavelengths_nm <= high)
            for values in (curve.values, *(curve.spread or ())):
                seen = values[inside & np.isfinite(values)]
                if len(seen):
                    yield seen

    def set_cursor(self, curves: Sequence[Curve]) -> None:
        """Draw the curves under the cursor, the front cube's first. Called at every move of the mouse."""
        self._under_cursor = list(curves)
        while len(self._cursor) < len(curves):
            line = pg.PlotCurveItem(connect="finite", antialias=True)
            line.setZValue(10)
            self.addItem(line, ignoreBounds=True)
            self._cursor.append(line)
            self._cursor_looks.append(("", ""))
        for number, line in enumerate(self._cursor):
            if number >= len(curves):
                line.setVisible(False)
                continue
            curve = curves[number]
            looks = (curve.origin, curve.colour or self._text)
            if looks != self._cursor_looks[number]:
                line.setPen(curve_pen(curve, 1.5, 255 if number == 0 or curve.colour else _BEHIND_ALPHA))
                self._cursor_looks[number] = looks
            line.setData(curve.wavelengths_nm, curve.values)
            line.setVisible(True)
            self._widen(curve.values)

    def paint_now(self) -> None:
        """Paint the changes of the scene, before anything else that waits.

        By itself Qt does it after all events that wait. If one of them is to paint something else in the window, and
        that holds an OpenGL canvas, all of it is composed once without the curve: that takes longer than all the rest.
        """
        QCoreApplication.sendPostedEvents(self.scene(), QEvent.Type.MetaCall.value)

    # -- the displayed band ---------------------------------------------------------------------------------------

    def set_band(self, at: float | None, text: str = "") -> None:
        """Put the line at a wavelength, nm; None hides it."""
        self.band_line.setVisible(at is not None)
        if at is None:
            return
        if self.band_line.value() != at:
            self.band_line.setValue(at)
        self.band_line.label.setFormat(text)

    def changeEvent(self, event: object) -> None:
        super().changeEvent(event)
        if hasattr(self, "band_line"):
            self._restyle()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self._restyle()

    def _restyle(self) -> None:
        colours = theme_colours()
        self.band_line.setPen(pg.mkPen(colours.text, width=1, style=Qt.PenStyle.DotLine))
        self.band_line.setHoverPen(pg.mkPen(colours.warning, width=3))
        self.band_line.label.setColor(colours.text)
        self._text = colours.text
        self._cursor_looks = [("", "")] * len(self._cursor_looks)
        self.set_cursor(self._under_cursor)

    def _pointed(self, place: object) -> None:
        box = self.getPlotItem().getViewBox()
        if QRectF(box.sceneBoundingRect()).contains(place):
            self.pointed.emit(float(box.mapSceneToView(place).x()))
