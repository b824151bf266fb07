"""`CurveList`: the legend of the spectra plot, in which pins are named and removed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QKeyEvent, QPainter, QPixmap, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_hsisynth.widgets.curve_plot import curve_pen
from napari_hsisynth.widgets.curves import Curve

#: Of the width that values leave free, names get at least this part.
_LEAST_NAME_SHARE = 0.55


class CurveList(QTreeWidget):
    """One row per curve: a piece of its line, its name, where it comes from, and its value at the displayed band.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    renamed : Signal(int, str)
        The user has given the curve of this row another name.
    remove_asked : Signal
        The Delete key was pressed.
    """

    renamed = Signal(int, str)
    remove_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves: list[Curve] = []
        self.setColumnCount(3)
        self.setHeaderLabels(["curve", "from", "value"])
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setMinimumSize(1, 4 * self.fontMetrics().lineSpacing())
        self.setToolTip("Double click a pin to name it, Delete removes it; two selected curves show their angle")
        self.setAccessibleName("curves")
        side = self.fontMetrics().height()
        self.setIconSize(QSize(round(1.5 * side), side))
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(1)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self.itemChanged.connect(self._edited)

    @property
    def curves(self) -> list[Curve]:
        """The listed curves."""
        return list(self._curves)

    @property
    def chosen(self) -> list[Curve]:
        """The selected ones, from top to bottom."""
        rows = sorted(self.indexOfTopLevelItem(item) for item in self.selectedItems())
        return [self._curves[row] for row in rows if row < len(self._curves)]

    def set_curves(self, curves: Sequence[Curve], at: float | None, *, with_cube: bool) -> None:
        """List other curves.

        Parameters
        ----------
        curves : sequence of Curve
        at : float, optional
            Wavelength of the displayed band, nm.
        with_cube : bool
            Name the cubes, because there are several.
        """
        selected = {(curve.kind, curve.name, curve.cube) for curve in self.chosen}
        self.blockSignals(True)
        if len(curves) != len(self._curves):
            self.clear()
            self.addTopLevelItems([QTreeWidgetItem() for _ in curves])
        old, self._curves = self._curves, list(curves)
        same = len(old) == len(curves)
        for row, curve in enumerate(curves):
            item = self.topLevelItem(row)
            if not same or _looks(old[row]) != _looks(curve):
                item.setIcon(0, self._swatch(curve))
                flags = item.flags() & ~Qt.ItemFlag.ItemIsEditable
                item.setFlags(flags | Qt.ItemFlag.ItemIsEditable if curve.kind == "pin" else flags)
                item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setText(0, curve.name)
            origin = curve.detail.removeprefix("n = ")
            item.setText(1, f"{origin} · {curve.cube}" if with_cube else origin)
            item.setToolTip(0, f"{curve.name}\n{curve.cube}\n{self.toolTip()}")
            item.setToolTip(1, f"{curve.detail} · {curve.cube}")
            item.setText(2, "" if at is None else value_text(curve.value_at(at)))
            item.setSelected((curve.kind, curve.name, curve.cube) in selected)
        self.blockSignals(False)
        self._share_width()

    def _share_width(self) -> None:
        """Keep all columns in view: names are as wide as they are, but leave room for the other two."""
        room = self.viewport().width() - self.header().sectionSizeHint(2)
        room = min(room, self.viewport().width() - self.sizeHintForColumn(2))
        wanted, beside = (max(self.sizeHintForColumn(c), self.header().sectionSizeHint(c)) for c in (0, 1))
        self.setColumnWidth(0, min(wanted, max(room - beside, round(_LEAST_NAME_SHARE * room))))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_width()

    def refresh_looks(self) -> None:
        """Draw the pieces of line again, after a change of theme."""
        self.blockSignals(True)
        for row, curve in enumerate(self._curves):
            self.topLevelItem(row).setIcon(0, self._swatch(curve))
        self.blockSignals(False)

    def _swatch(self, curve: Curve) -> QIcon:
        size = self.iconSize()
        ratio = self.devicePixelRatioF()
        picture = QPixmap(size * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        pen = curve_pen(curve, 2)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.drawLine(QPointF(0, size.height() / 2), QPointF(size.width(), size.height() / 2))
        painter.end()
        return QIcon(picture)

    def _edited(self, item: QTreeWidgetItem, column: int) -> None:
        row = self.indexOfTopLevelItem(item)
        if column == 0 and row < len(self._curves) and item.text(0) != self._curves[row].name:
            self.renamed.emit(row, item.text(0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_asked.emit()
            return
        super().keyPressEvent(event)


def value_text(value: float) -> str:
    """Return a value for people; a dash where there is none."""
    return f"{value:.4g}" if np.isfinite(value) else "–"


def _looks(curve: Curve) -> tuple[str, str, str]:
    return curve.kind, curve.colour, curve.origin
