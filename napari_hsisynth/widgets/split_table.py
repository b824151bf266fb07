"""`SplitTable`: on which side of the split every cube of a study stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_hsisynth.study import Diagnosis, Entry
from napari_hsisynth.study.split_file import NAMES, Split
from napari_hsisynth.widgets.study_table import ElideMiddle, diagnosis_icon
from napari_hsisynth.widgets.titled_table import TitledTable

COLUMNS = ("cube", "diagnosis", "patient", "crops", "split")
_ID, _DIAGNOSIS, _PATIENT, _CROPS, _SPLIT = range(len(COLUMNS))
_TIPS = (
    "Id of the cube",
    "Of the cube; its lesions may have others",
    "Cubes of one patient stand on one side",
    "Lesion crops of the cube",
    "train: learned from; val: chooses the best checkpoint; test: only for figures",
)
#: The key that moves the selected cubes to a side.
KEYS: Mapping[Split, str] = {"train": "T", "val": "V", "test": "E"}


@dataclass(frozen=True)
class SplitCube:
    """One row.

    Parameters
    ----------
    entry : Entry
        The cube.
    crops : int
        How many were cut from it.
    split : {"train", "val", "test"}
        Where it stands.
    """

    entry: Entry
    crops: int
    split: Split


class SplitModel(TitledTable):
    """Rows of the cubes of a study."""

    columns = COLUMNS
    tips = _TIPS

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cubes: Sequence[SplitCube] = ()
        self._icons = {diagnosis: diagnosis_icon(diagnosis) for diagnosis in Diagnosis}

    def show(self, cubes: Sequence[SplitCube]) -> None:
        """Show other cubes, or the same on other sides; the latter keeps the selection."""
        same = [one.entry for one in cubes] == [one.entry for one in self.cubes]
        if not same:
            self.beginResetModel()
        self.cubes = cubes
        if not same:
            self.endResetModel()
        elif cubes:
            self.dataChanged.emit(self.index(0, 0), self.index(len(cubes) - 1, len(COLUMNS) - 1))

    def count(self) -> int:
        """Return the number of cubes."""
        return len(self.cubes)

    # Qt's names from here

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, icon and tooltip of a cell; `UserRole` sorts."""
        cube, column = self.cubes[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(cube, column)
        if role == Qt.ItemDataRole.UserRole:
            sorted_by = {_CROPS: cube.crops, _SPLIT: NAMES.index(cube.split)}
            return sorted_by.get(column, self.text(cube, column).lower())
        if role == Qt.ItemDataRole.DecorationRole and column == _DIAGNOSIS:
            return self._icons[cube.entry.diagnosis]
        if role == Qt.ItemDataRole.ToolTipRole:
            patient = f", patient {cube.entry.patient}" if cube.entry.patient else ""
            return f"{cube.entry.id}, {cube.entry.diagnosis.label}{patient}: {cube.split}"
        return None

    def text(self, cube: SplitCube, column: int) -> str:
        """Return what a cell says."""
        entry = cube.entry
        return (entry.id, entry.diagnosis.label, entry.patient, str(cube.crops), cube.split)[column]


class _Filter(QSortFilterProxyModel):
    """Keeps rows in which every typed word occurs, in any column."""

    def __init__(self, rows: SplitModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows = rows
        self.words: list[str] = []
        self.setSourceModel(rows)
        self.setSortRole(Qt.ItemDataRole.UserRole)

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        cube = self._rows.cubes[source_row]
        row = "\n".join(self._rows.text(cube, column) for column in range(len(COLUMNS))).lower()
        return all(word in row for word in self.words)


class SplitTable(QTableView):
    """The cubes of a study and their sides; T, V and E ask for the selected ones to be moved.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    move_asked : Signal
        A key was pressed that moves the selected cubes: the side.
    """

    move_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = SplitModel(self)
        self._filter = _Filter(self.rows, self)
        self.setModel(self._filter)
        self.setSortingEnabled(True)
        self.sortByColumn(_ID, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setMinimumWidth(1)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("cubes and their split")
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(round(1.6 * self.fontMetrics().height()))
        header = self.horizontalHeader()
        header.setSectionResizeMode(_DIAGNOSIS, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(3 * self.fontMetrics().averageCharWidth())
        self.setItemDelegateForColumn(_ID, ElideMiddle(self))

    def show_cubes(self, cubes: Sequence[SplitCube]) -> None:
        """Show cubes; what was selected stays so where it is still there."""
        chosen = set(self.selected())
        self.rows.show(cubes)
        self._filter.invalidate()
        if set(self.selected()) != chosen:
            self.select(chosen)
        self._fit_columns()

    def set_filter(self, text: str) -> None:
        """Keep the rows with all these words."""
        self._filter.words = text.lower().split()
        self._filter.invalidate()

    def selected(self) -> list[str]:
        """Ids of the selected cubes, from top to bottom."""
        rows = self.selectionModel().selectedRows(_ID)
        return [str(index.data()) for index in sorted(rows, key=lambda index: index.row())]

    def select(self, cube_ids: set[str]) -> None:
        """Select these cubes and no others."""
        selection = self.selectionModel()
        selection.clearSelection()
        for row in range(self._filter.rowCount()):
            index = self._filter.index(row, _ID)
            if index.data() in cube_ids:
                selection.select(index, selection.SelectionFlag.Select | selection.SelectionFlag.Rows)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the selected cubes by a letter."""
        side = next((side for side, key in KEYS.items() if event.text().upper() == key), None)
        if side is None or event.modifiers() not in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier):
            super().keyPressEvent(event)
        elif self.selected():
            self.move_asked.emit(side)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share out the new width."""
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Make the columns as wide as what is in them; long ids may take a third of the table, patients a sixth."""
        metrics, room = self.fontMetrics(), self.viewport().width()
        self.setColumnHidden(_PATIENT, not any(cube.entry.patient for cube in self.rows.cubes))
        for column, share in ((_ID, 0.3), (_PATIENT, 0.16), (_CROPS, 0.15), (_SPLIT, 0.15)):
            texts = {COLUMNS[column], *(self.rows.text(cube, column) for cube in self.rows.cubes)}
            widest = max(metrics.horizontalAdvance(text) for text in texts) + 2 * metrics.averageCharWidth()
            self.setColumnWidth(column, min(widest, round(share * room)))
