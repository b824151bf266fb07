"""napari's theme for pyqtgraph plots: dark, light or a plugin's, followed when it changes."""

from __future__ import annotations

from dataclasses import dataclass

import napari
import pyqtgraph as pg
from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QObject


@dataclass(frozen=True)
class ThemeColours:
    """Colours of a theme, ``#rrggbb``."""

    background: str
    foreground: str
    text: str
    highlight: str
    warning: str
    error: str


def theme_name() -> str:
    """Return the name of the theme in use: that of the viewer, else the one in napari's preferences."""
    viewer = napari.current_viewer()
    return viewer.theme if viewer is not None else get_settings().appearance.theme


def theme_colours(name: str = "") -> ThemeColours:
    """Return the colours of a theme, of the one in use by default."""
    theme = get_theme(name or theme_name())
    names = ("background", "foreground", "text", "highlight", "warning", "error")
    return ThemeColours(**{each: "#" + getattr(theme, each).as_hex("long").lstrip("#")[:6] for each in names})


def style_plot(plot: pg.PlotWidget) -> None:
    """Give background, axes, labels and legend of a plot the colours and the font of napari's theme."""
    colours = theme_colours()
    item = plot.getPlotItem()
    plot.setBackground(colours.background)
    font = plot.font()
    for side in ("left", "bottom"):
        axis = item.getAxis(side)
        axis.setPen(pg.mkPen(colours.text, width=1))
        axis.setTextPen(pg.mkPen(colours.text))
        axis.setTickFont(font)
        axis.label.setFont(font)
        axis.setLabel(axis.labelText, axis.labelUnits or None, color=colours.text)
    # pyqtgraph leaves too little room below, and cuts the label's descenders
    item.getAxis("bottom").setHeight(round(2.4 * plot.fontMetrics().lineSpacing()))
    if item.legend is not None:
        item.legend.setLabelTextColor(colours.text)
        for _, label in item.legend.items:
            label.setText(label.text, color=colours.text)


def follow_theme(plot: pg.PlotWidget) -> None:
    """Style a plot now, and again whenever its window changes theme or font."""
    _Follower(plot)


class _Follower(QObject):
    """Sees the change of style sheet that comes with a new theme; a child of the plot, so that it ends with it."""

    def __init__(self, plot: pg.PlotWidget) -> None:
        super().__init__(plot)
        self._plot, self._styled = plot, ("", "")
        plot.installEventFilter(self)
        self._restyle()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange, QEvent.Type.Show):
            self._restyle()
        return False

    def _restyle(self) -> None:
        wanted = (theme_name(), self._plot.font().toString())
        if wanted != self._styled:
            self._styled = wanted
            style_plot(self._plot)
