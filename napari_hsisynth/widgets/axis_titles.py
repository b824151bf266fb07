"""`AxisTitles`: what the axes of a plot are: beside them, or inside where the plot is too low for the words."""

from __future__ import annotations

import pyqtgraph as pg
from qtpy.QtCore import QEvent, QObject, QTimer

from napari_hsisynth.widgets.curve_plot import CurvePlot
from napari_hsisynth.widgets.theme import theme_colours

#: The words must leave this part of the vertical axis free to stand beside it.
_FREE = 0.1
#: Below this height of the plot, lines of text, the horizontal axis has no line for its words.
_LOW_LINES = 12
#: Height of the horizontal axis with and without its words, lines of text: pyqtgraph cuts descenders.
_WITH_WORDS, _WITHOUT = 2.4, 1.35
_MARGIN = 4
#: Curves shine through behind the words, 0-255.
_ALPHA = 150


class AxisTitles(QObject):
    """Moves the titles of the axes to where they can be read, and drops numbers that would be cut off.

    Parameters
    ----------
    plot : CurvePlot
    """

    def __init__(self, plot: CurvePlot) -> None:
        super().__init__(plot)
        self._plot = plot
        view = plot.getPlotItem().getViewBox()
        self._titles = {"left": pg.TextItem(anchor=(0, 0)), "bottom": pg.TextItem(anchor=(1, 1))}
        for side, title in self._titles.items():
            title.setParentItem(view)
            title.setZValue(25)
            title.setVisible(False)
            plot.getPlotItem().getAxis(side).setStyle(hideOverlappingLabels=True)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.place)
        plot.installEventFilter(self)

    def is_inside(self, side: str) -> bool:
        """Whether the title of the axis ``"left"`` or ``"bottom"`` stands inside the plot."""
        return self._titles[side].isVisible()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.StyleChange, QEvent.Type.FontChange, QEvent.Type.Show):
            self._timer.start()  # after the plot has arranged itself
        return False

    def place(self) -> None:
        """Put the words where there is room for them."""
        item, metrics = self._plot.getPlotItem(), self._plot.fontMetrics()
        low = self._plot.height() < _LOW_LINES * metrics.lineSpacing()
        item.getAxis("bottom").setHeight(round((_WITHOUT if low else _WITH_WORDS) * metrics.lineSpacing()))
        self._show("bottom", low)
        view = item.getViewBox()
        words = metrics.horizontalAdvance(item.getAxis("left").labelText)
        self._show("left", words > (1 - _FREE) * view.height())
        self._titles["left"].setPos(_MARGIN, 0)
        self._titles["bottom"].setPos(view.width() - _MARGIN, view.height())

    def _show(self, side: str, inside: bool) -> None:
        axis, title = self._plot.getPlotItem().getAxis(side), self._titles[side]
        if inside:
            behind = pg.mkColor(theme_colours().background)
            behind.setAlpha(_ALPHA)
            title.setText(axis.labelText, color=theme_colours().text)
            title.setFont(self._plot.font())
            title.fill = pg.mkBrush(behind)
        title.setVisible(inside)
        if axis.label.isVisible() is inside:
            axis.showLabel(not inside)
        axis.resizeEvent()  # puts the words in the middle: pyqtgraph does so for those of before
