"""`WarningMarks`: what a run has warned of, as marks in a plot and as a list below it."""

from __future__ import annotations

from dataclasses import dataclass

import pyqtgraph as pg
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QSizePolicy, QWidget

from napari_hsisynth.widgets.theme import theme_colours

#: Of the list, in lines of text; more scroll.
_MOST_LINES = 4


@dataclass(frozen=True)
class Warned:
    """One warning.

    Parameters
    ----------
    images : int or None
        Images shown when it was given; None for one that is about no moment, such as too few crops.
    text : str
    """

    images: int | None
    text: str

    @property
    def line(self) -> str:
        """The warning with its position, unless it says that itself."""
        position = "" if self.images is None else f"{self.images:,} images"
        return self.text if position in self.text else f"{position}: {self.text}"


class WarningMarks(QListWidget):
    """The list; each line that has a position has a vertical mark in the plot, with the text as its tooltip.

    Parameters
    ----------
    plot : pyqtgraph.PlotWidget
        Its horizontal axis counts images.
    parent : QWidget, optional
    """

    def __init__(self, plot: pg.PlotWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = plot
        self.warnings: list[Warned] = []
        self.marks: dict[Warned, pg.InfiniteLine] = {}
        self.setWordWrap(True)
        self.setAccessibleName("warnings")
        self.setToolTip("Warnings of this run; choose one to see its mark in the plot")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.currentRowChanged.connect(self._restyle)
        self.hide()

    def sizeHint(self) -> QSize:
        """As high as its lines, up to a few of them."""
        lines = sum(max(1, self.sizeHintForRow(row)) for row in range(self.count()))
        most = _MOST_LINES * self.fontMetrics().lineSpacing()
        return QSize(1, min(lines, most) + 2 * self.frameWidth())

    def clear_marks(self) -> None:
        """Forget everything."""
        self._keep([])

    def add(self, text: str, images: int | None = None) -> None:
        """Take a warning; the same one at the same place is taken once."""
        warned = Warned(images, text)
        if warned in self.warnings:
            return
        self.warnings.append(warned)
        item = QListWidgetItem(f"⚠ {warned.line}")
        item.setToolTip(warned.line)
        self.addItem(item)
        if images is not None:
            mark = pg.InfiniteLine(images, angle=90)
            mark.setToolTip(warned.line)
            self.marks[warned] = mark
            self._plot.addItem(mark, ignoreBounds=True)
        self._show()

    def forget_after(self, images: int) -> None:
        """Forget the warnings of what a resume at `images` has undone."""
        self._keep([one for one in self.warnings if one.images is None or one.images <= images])

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._restyle()

    def _keep(self, kept: list[Warned]) -> None:
        for mark in self.marks.values():
            self._plot.removeItem(mark)
        self.warnings, self.marks = [], {}
        self.clear()
        for one in kept:
            self.add(one.text, one.images)
        self._show()

    def _show(self) -> None:
        self.setVisible(bool(self.warnings))
        self.updateGeometry()
        self._restyle()

    def _restyle(self, _row: int = -1) -> None:
        """Draw the mark of the chosen line thicker."""
        chosen = self.warnings[self.currentRow()] if 0 <= self.currentRow() < len(self.warnings) else None
        colour = theme_colours().warning
        for warned, mark in self.marks.items():
            style = Qt.PenStyle.SolidLine if warned is chosen else Qt.PenStyle.DotLine
            mark.setPen(pg.mkPen(colour, width=3 if warned is chosen else 2, style=style))
