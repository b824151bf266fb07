"""`CurveList`: the legend of the spectra plot, in which pins are named, moved and removed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.utils.notifications import show_warning
from qtpy.QtCore import QModelIndex, QPointF, QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QKeyEvent, QKeySequence, QPainter, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from napari_hsisynth.widgets.curve_plot import curve_pen
from napari_hsisynth.widgets.curves import Curve

#: Of the width that values leave free, names get at least this part.
_LEAST_NAME_SHARE = 0.55
_NAME, _FROM, _VALUE = range(3)
_ARROWS = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}
#: Pixels of a nudge with Shift.
_FAR = 10
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


class CurveList(QTreeWidget):
    """One row per curve: a piece of its line, its name, where it comes from, and its value at the displayed band.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    renamed : Signal(object, str)
        The user has given this curve another name.
    moved : Signal(object, float, float)
        The user has given this curve another place: row and column in its cube.
    nudged : Signal(int, int)
        The selected pins are to move by so many rows and columns.
    remove_asked, put_back_asked : Signal
        The Delete key was pressed; that for undoing.
    """

    renamed = Signal(object, str)
    moved = Signal(object, float, float)
    nudged = Signal(int, int)
    remove_asked = Signal()
    put_back_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves: list[Curve] = []
        self._written: list[tuple[Any, ...]] = []
        self.setColumnCount(3)
        self.setHeaderLabels(["curve", "from", "value"])
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setItemDelegateForColumn(_FROM, _PlaceDelegate(self))
        self.setMinimumSize(1, 4 * self.fontMetrics().lineSpacing())
        self.setToolTip(
            "From: row and column in px, or the number of pixels.\n"
            "Pins: double click the name or the place to change it;\n"
            "Alt+arrows move by 1 px, with Shift by 10 px; Delete removes, Ctrl+Z puts back.\n"
            "Two selected curves show their spectral angle."
        )
        self.setAccessibleName("curves")
        side = self.fontMetrics().height()
        self.setIconSize(QSize(round(1.5 * side), side))
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(1)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(_FROM, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_VALUE, QHeaderView.ResizeMode.ResizeToContents)
        self.itemChanged.connect(self._edited)

    # -- rows -----------------------------------------------------------------------------------------------------

    @property
    def curves(self) -> list[Curve]:
        """The listed curves."""
        return list(self._curves)

    @property
    def chosen(self) -> list[Curve]:
        """The selected ones, from top to bottom."""
        rows = sorted(self.indexOfTopLevelItem(item) for item in self.selectedItems())
        return [self._curves[row] for row in rows if row < len(self._curves)]

    def curve_at(self, row: int) -> Curve | None:
        """The curve of a row; None if there is no such row."""
        return self._curves[row] if 0 <= row < len(self._curves) else None

    def set_curves(self, curves: Sequence[Curve], at: float | None, *, with_cube: bool) -> None:
        """List other curves; only cells with another text are written. Waits while a cell is being edited.

        Parameters
        ----------
        curves : sequence of Curve
        at : float, optional
            Wavelength of the displayed band, nm.
        with_cube : bool
            Name the cubes, because there are several.
        """
        if self.state() == QAbstractItemView.State.EditingState:
            return
        new = [_identity(curve) for curve in curves]
        same = new == [_identity(curve) for curve in self._curves]
        selected = set() if same else {_identity(curve) for curve in self.chosen}
        current = self.curve_at(self.indexOfTopLevelItem(self.currentItem()))
        with QSignalBlocker(self):
            while self.topLevelItemCount() > len(curves):
                self.takeTopLevelItem(self.topLevelItemCount() - 1)
                self._written.pop()
            while self.topLevelItemCount() < len(curves):
                self._add_row()
            self._curves = list(curves)
            wider = not same
            for row, curve in enumerate(curves):
                wider |= self._write(row, curve, at, with_cube)
            if not same:
                for row, identity in enumerate(new):
                    self.topLevelItem(row).setSelected(identity in selected)
                if current is not None and _identity(current) in new:
                    row = new.index(_identity(current))
                    self.selectionModel().setCurrentIndex(
                        self.model().index(row, 0), self.selectionModel().SelectionFlag.NoUpdate
                    )
        if wider:
            self._share_width()

    def _add_row(self) -> None:
        item = QTreeWidgetItem()
        item.setTextAlignment(_VALUE, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.addTopLevelItem(item)
        self._written.append((None,) * 6)

    def _write(self, row: int, curve: Curve, at: float | None, with_cube: bool) -> bool:
        """Write what is new in a row; return whether a column may need another width."""
        origin = curve.detail.removeprefix("n = ")
        if curve.kind in ("cursor", "pin") and curve.place is not None:
            origin = place_text(curve.place) + origin.removeprefix(f"y {curve.place[0]:g}, x {curve.place[1]:g}")
        texts = (
            curve.name,
            f"{origin} · {curve.cube}" if with_cube and curve.cube else origin,
            "" if at is None else value_text(curve.value_at(at)),
        )
        looks, tips = _looks(curve), (curve.cube, curve.detail)
        before = self._written[row]
        if before[:3] == texts and before[3:] == (looks, tips):
            return False
        item = self.topLevelItem(row)
        for column, text in enumerate(texts):
            if before[column] != text:
                item.setText(column, text)
        if before[3:4] != (looks,):
            item.setIcon(_NAME, self._swatch(curve))
            flags = item.flags() & ~Qt.ItemFlag.ItemIsEditable
            item.setFlags(flags | Qt.ItemFlag.ItemIsEditable if curve.kind == "pin" else flags)
        if before[0] != texts[0] or before[4:5] != (tips,):
            item.setToolTip(_NAME, f"{curve.name}\n{curve.cube}\n{self.toolTip()}")
            item.setToolTip(_FROM, f"{curve.detail} · {curve.cube}")
        self._written[row] = (*texts, looks, tips)
        return any(len(text) != len(old or "") for text, old in zip(texts, before[:3], strict=True))

    def _share_width(self) -> None:
        """Keep all columns in view: names are as wide as they are, but leave room for the other two."""
        room = self.viewport().width() - self.header().sectionSizeHint(_VALUE)
        room = min(room, self.viewport().width() - self.sizeHintForColumn(_VALUE))
        wanted, beside = (max(self.sizeHintForColumn(c), self.header().sectionSizeHint(c)) for c in (_NAME, _FROM))
        self.setColumnWidth(_NAME, min(wanted, max(room - beside, round(_LEAST_NAME_SHARE * room))))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_width()

    # -- looks ------------------------------------------------------------------------------------------------------

    def refresh_looks(self) -> None:
        """Draw the pieces of line again, after a change of theme."""
        with QSignalBlocker(self):
            for row, curve in enumerate(self._curves):
                self.topLevelItem(row).setIcon(_NAME, self._swatch(curve))

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

    # -- editing ----------------------------------------------------------------------------------------------------

    def edit(self, index: QModelIndex, *how: Any) -> Any:
        """Let only the names and places of pins be edited."""
        curve = self.curve_at(index.row())
        if how and (index.column() == _VALUE or curve is None or curve.kind != "pin"):
            return False
        return super().edit(index, *how)

    def _edited(self, item: QTreeWidgetItem, column: int) -> None:
        row = self.indexOfTopLevelItem(item)
        curve = self.curve_at(row)
        if column == _NAME and curve is not None and item.text(_NAME) != curve.name:
            self._written[row] = (None,) * 6
            self.renamed.emit(curve, item.text(_NAME))

    def place_typed(self, row: int, text: str) -> None:
        """Take a place as it was typed: two numbers, with or without words around them."""
        curve, numbers = self.curve_at(row), [float(number) for number in _NUMBER.findall(text)]
        if curve is None:
            return
        if len(numbers) == 2:
            self.moved.emit(curve, *numbers)
        else:
            show_warning(f"'{text}' is no place: type row and column of the pixel, as 12, 30")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_asked.emit()
        elif event.matches(QKeySequence.StandardKey.Undo):
            self.put_back_asked.emit()
        elif event.modifiers() & Qt.KeyboardModifier.AltModifier and event.key() in _ARROWS:
            step = _FAR if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            down, right = _ARROWS[Qt.Key(event.key())]
            self.nudged.emit(step * down, step * right)
        else:
            super().keyPressEvent(event)


class _PlaceDelegate(QStyledItemDelegate):
    """Offers a place as two numbers, and hands on what was typed."""

    def setEditorData(self, editor: QLineEdit, index: QModelIndex) -> None:
        curve = self.parent().curve_at(index.row())
        place = curve.place if curve is not None else None
        editor.setText("" if place is None else place_text(place))
        editor.selectAll()

    def setModelData(self, editor: QLineEdit, model: Any, index: QModelIndex) -> None:
        self.parent().place_typed(index.row(), editor.text())


def place_text(place: tuple[float, float]) -> str:
    """Return row and column as they are typed."""
    return f"{place[0]:g}, {place[1]:g}"


def value_text(value: float) -> str:
    """Return a value for people; a dash where there is none."""
    return f"{value:.4g}" if np.isfinite(value) else "–"


def _looks(curve: Curve) -> tuple[str, str, str]:
    return curve.kind, curve.colour, curve.origin


def _identity(curve: Curve) -> tuple[str, str, str, int]:
    return curve.kind, "" if curve.number >= 0 else curve.name, curve.cube, curve.number  # pins keep it when renamed
