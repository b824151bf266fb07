"""`EmptyState`: what a dock shows while there is nothing: one sentence, and the next step as a button."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget


class EmptyState(QWidget):
    """A sentence and buttons in the middle.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.column = QVBoxLayout(self)
        self.column.addStretch(1)
        self.column.addWidget(self.text)
        self.column.addStretch(1)

    def say(self, text: str) -> None:
        """Show another sentence."""
        self.text.setText(text)

    def add_button(self, text: str, action: Callable[[], object], tip: str = "") -> QPushButton:
        """Add a button that offers a next step."""
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.clicked.connect(lambda: action())
        self.column.insertWidget(self.column.count() - 1, button, 0, Qt.AlignmentFlag.AlignHCenter)
        return button
