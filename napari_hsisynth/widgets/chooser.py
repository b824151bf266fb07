"""`Chooser`: a list of choices with a button to the previous and one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QToolButton, QWidget


class Chooser(QWidget):
    """A list with a button to the previous and one to the next.

    Parameters
    ----------
    what : str
        What is listed, for tooltips.
    parent : QWidget

    Attributes
    ----------
    changed : Signal
        Something else is chosen.
    """

    changed = Signal()

    def __init__(self, what: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.box = QComboBox(self)
        self.box.setMinimumContentsLength(8)
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.box.setAccessibleName(what)
        self.box.currentIndexChanged.connect(self._chosen)
        self.previous, self.next = QToolButton(self), QToolButton(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box, 1)
        for button, text, step in ((self.previous, "<", -1), (self.next, ">", 1)):
            button.setText(text)
            button.setToolTip(f"{'Next' if step > 0 else 'Previous'} {what}")
            button.clicked.connect(partial(self.step, step))
            layout.addWidget(button)

    def step(self, by: int, _checked: bool = False) -> None:
        """Choose the one `by` places farther, around the ends."""
        if self.box.count():
            self.box.setCurrentIndex((self.box.currentIndex() + by) % self.box.count())

    def fill(self, items: Sequence[tuple[str, Any]], names: Sequence[str] = ()) -> None:
        """List other things, with their full names in tooltips; the chosen text stays chosen if it is still there."""
        before = self.box.currentText()
        with QSignalBlocker(self.box):
            self.box.clear()
            for row, (text, data) in enumerate(items):
                self.box.addItem(text, data)
                self.box.setItemData(row, names[row] if names else text, Qt.ItemDataRole.ToolTipRole)
            self.box.setCurrentIndex(max(0, self.box.findText(before)) if items else -1)
        for widget in (self.box, self.previous, self.next):
            widget.setEnabled(bool(items))
        self._chosen()

    def _chosen(self, _index: int = 0) -> None:
        self.box.setToolTip(self.box.currentData(Qt.ItemDataRole.ToolTipRole) or "")
        self.changed.emit()

    @property
    def chosen(self) -> Any:
        """The data of the chosen one; None if the list is empty."""
        return self.box.currentData()
