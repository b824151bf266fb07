"""`TitledTable`: what Qt asks of a table whose columns have titles and tooltips, whatever its rows are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

_ROOT = QModelIndex()


class TitledTable(QAbstractTableModel):
    """A flat table. A subclass names its columns, says how many rows it has, and gives ``data``."""

    columns: ClassVar[Sequence[str]] = ()
    #: One for each column, or none at all.
    tips: ClassVar[Sequence[str]] = ()

    def count(self) -> int:
        """Return the number of rows."""
        raise NotImplementedError

    # Qt's names from here

    def rowCount(self, parent: QModelIndex = _ROOT) -> int:
        """Number of rows; a cell has none below it."""
        return 0 if parent.isValid() else self.count()

    def columnCount(self, parent: QModelIndex = _ROOT) -> int:
        """Number of columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return title and tooltip of a column."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self.columns[section]
            if role == Qt.ItemDataRole.ToolTipRole and self.tips:
                return self.tips[section]
        return None
