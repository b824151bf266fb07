"""`VariableDialog`: which array of a file that holds several is the cube."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.formats import Variable

_COLUMNS = ("array", "shape", "type")
#: Size at which it opens, in average characters and lines of text.
_CHARACTERS, _LINES = 60, 14


class VariableDialog(QDialog):
    """A list of arrays with their shapes and types; Enter or a double click takes the chosen one.

    Parameters
    ----------
    file : str
        Name of the file.
    choices : sequence of Variable
        What can be the cube; the first one is chosen.
    parent : QWidget, optional
    """

    def __init__(self, file: str, choices: Sequence[Variable], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Open cube")
        text = QLabel(f"{file} holds {len(choices)} arrays that can be a cube. Which one?", self)
        text.setWordWrap(True)
        self.list = QTreeWidget(self)
        self.list.setHeaderLabels(_COLUMNS)
        self.list.setRootIsDecorated(False)
        self.list.setAlternatingRowColors(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setAccessibleName("arrays of the file")
        for choice in choices:
            item = QTreeWidgetItem([choice.name, " x ".join(map(str, choice.shape)), choice.dtype])
            item.setToolTip(0, choice.name)
            self.list.addTopLevelItem(item)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.list.setCurrentItem(self.list.topLevelItem(0))
        self.list.itemDoubleClicked.connect(lambda *_: self.accept())
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, Qt.Orientation.Horizontal, self
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        hint = QLabel("On the command line: --variable NAME", self)
        column_layout = QVBoxLayout(self)
        for widget in (text, self.list, hint, buttons):
            column_layout.addWidget(widget)
        metrics = self.fontMetrics()
        self.resize(_CHARACTERS * metrics.averageCharWidth(), _LINES * metrics.lineSpacing())
        self.list.setFocus()

    @property
    def chosen(self) -> str | None:
        """Name of the chosen array."""
        item = self.list.currentItem()
        return item.text(0) if item is not None else None
