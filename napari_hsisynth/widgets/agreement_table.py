"""The table of two annotators' agreement, cube by cube; sorts by any column, and goes to a cube."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_hsisynth.widgets.study_table import ElideMiddle
from napari_hsisynth.widgets.titled_table import TitledTable

if TYPE_CHECKING:
    from napari_hsisynth.metrics.annotator_agreement import CubeAgreement

COLUMNS = ("cube", "Dice", "px", "95 %", "lesions")
_CUBE, _DICE, _MEAN, _PERCENTILE, _LESIONS = range(len(COLUMNS))
_TIPS = (
    "Click or Enter shows the cube",
    "Overlap of all lesions, 0 to 1",
    "Mean distance of the boundaries, px",
    "95th percentile of the distance of the boundaries, px",
    "Marked by both, of all that anybody marked; ≠ another diagnosis",
)


class AgreementModel(TitledTable):
    """Rows of cubes that both annotators have finished."""

    columns = COLUMNS
    tips = _TIPS

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cubes: list[CubeAgreement] = []

    def show(self, cubes: Sequence[CubeAgreement]) -> None:
        """Show these cubes."""
        self.beginResetModel()
        self.cubes = list(cubes)
        self.endResetModel()

    def count(self) -> int:
        """Return the number of cubes."""
        return len(self.cubes)

    # Qt's names from here

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, alignment and tooltip of a cell."""
        cube, column = self.cubes[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(cube, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{cube.cube_id}\n{cube.text()}"
        if role == Qt.ItemDataRole.TextAlignmentRole and column != _CUBE:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; what is not defined comes last."""
        self.layoutAboutToBeChanged.emit()
        down = order == Qt.SortOrder.DescendingOrder
        self.cubes.sort(key=lambda cube: cube.cube_id)
        self.cubes.sort(key=lambda cube: 0 if _is_undefined(cube, column) else _value(cube, column), reverse=down)
        self.cubes.sort(key=lambda cube: _is_undefined(cube, column))
        self.layoutChanged.emit()


def _value(cube: CubeAgreement, column: int) -> Any:
    whole = cube.matched + cube.only_first + cube.only_second
    return {
        _CUBE: cube.cube_id,
        _DICE: cube.dice,
        _MEAN: cube.boundary.mean,
        _PERCENTILE: cube.boundary.percentile_95,
        _LESIONS: (cube.matched / whole if whole else 1.0, cube.same_diagnosis - cube.matched),
    }[column]


def _is_undefined(cube: CubeAgreement, column: int) -> bool:
    return column in (_MEAN, _PERCENTILE) and math.isnan(_value(cube, column))


def _text(cube: CubeAgreement, column: int) -> str:
    if column == _LESIONS:
        whole = cube.matched + cube.only_first + cube.only_second
        return f"{cube.matched}/{whole}{' ≠' if cube.same_diagnosis < cube.matched else ''}"
    value = _value(cube, column)
    if _is_undefined(cube, column):
        return "–"
    return str(value) if column == _CUBE else f"{value:.2f}" if column == _DICE else f"{value:.1f}"


class AgreementTable(QTableView):
    """Cubes with their agreement, at first the least at the top.

    Attributes
    ----------
    opened : Signal(str)
        A cube is to be shown.
    """

    opened = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = AgreementModel(self)
        self.setModel(self.rows)
        self.setSortingEnabled(True)
        self.horizontalHeader().setSortIndicator(_DICE, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setAccessibleName("agreement by cube")
        self.setItemDelegateForColumn(_CUBE, ElideMiddle(self))
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(round(1.6 * self.fontMetrics().height()))
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_CUBE, QHeaderView.ResizeMode.Stretch)
        self.setMinimumSize(1, round(7 * 1.6 * self.fontMetrics().height()))
        self.clicked.connect(self._open)

    @property
    def cubes(self) -> list[CubeAgreement]:
        """The cubes, as they are sorted."""
        return self.rows.cubes

    def show_cubes(self, cubes: Sequence[CubeAgreement]) -> None:
        """Show these cubes, sorted as those before."""
        self.rows.show(cubes)
        header = self.horizontalHeader()
        self.sortByColumn(header.sortIndicatorSection(), header.sortIndicatorOrder())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open the cube on Enter; leave letters to the dock, whose keys they are."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
        elif event.text().isalpha() or event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            self.opened.emit(self.rows.cubes[index.row()].cube_id)
