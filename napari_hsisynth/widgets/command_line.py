"""`CommandLine`: the command that does the same as the dock, ready to be copied."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QPushButton, QWidget

PROGRAM = "napari-hsisynth"
#: How long the button says that it has copied, ms.
_COPIED_MS = 1500


def command_text(words: Sequence[object]) -> str:
    """Return ``napari-hsisynth WORDS`` as this system's shell reads it."""
    line = [PROGRAM, *map(str, words)]
    return subprocess.list2cmdline(line) if sys.platform == "win32" else shlex.join(line)


class CommandLine(QWidget):
    """One line ``$ napari-hsisynth ...`` that cannot be edited, and a button that copies it.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._command = ""
        self.line = QLineEdit(self)
        self.line.setReadOnly(True)
        self.line.setMinimumWidth(1)
        self.line.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.line.setAccessibleName("the same as a command")
        self.copy_button = QPushButton("Copy", self)
        self.copy_button.setToolTip("Copy the command that does the same in a shell")
        self.copy_button.clicked.connect(self.copy)
        self._back = QTimer(self)
        self._back.setSingleShot(True)
        self._back.setInterval(_COPIED_MS)
        self._back.timeout.connect(self._offer)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.copy_button, 0, Qt.AlignmentFlag.AlignRight)
        self.set_words([])

    @property
    def command(self) -> str:
        """What the button copies; empty if there is nothing to do yet."""
        return self._command

    def set_words(self, words: Sequence[object]) -> None:
        """Show the words behind ``napari-hsisynth``; none empties the line."""
        self._command = command_text(words) if words else ""
        self.line.setText(f"$ {self._command}" if words else "")
        self.line.setCursorPosition(0)
        self.line.setToolTip(self._command or "Nothing to do yet")
        self.copy_button.setEnabled(bool(words))

    def copy(self) -> None:
        """Put the command on the clipboard."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._command)
            self.copy_button.setText("Copied")
            self._back.start()

    def _offer(self) -> None:
        # a method, not a lambda: Python's garbage collector may empty a lambda before Qt lets go of the timer
        self.copy_button.setText("Copy")
