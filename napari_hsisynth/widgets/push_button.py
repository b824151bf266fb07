"""`push_button`: a button with a tooltip that does one thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QPushButton, QWidget


def push_button(parent: QWidget, text: str, tip: str, action: Callable[[], Any]) -> QPushButton:
    """Make a button that calls `action` without arguments, thus without Qt's "checked"."""
    button = QPushButton(text, parent)
    button.setToolTip(tip)
    button.clicked.connect(lambda: action())
    return button
