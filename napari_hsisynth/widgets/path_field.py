"""`PathField`: a line for a folder or a file, and the dialog that asks for one."""

from __future__ import annotations

import os
from pathlib import Path

from psygnal import Signal as PySignal
from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QToolButton, QWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.typed_path import typed_path
from napari_hsisynth.widgets.invalid_mark import follow_theme_of_marks, mark_invalid


class PathField(QWidget):
    """A line for a folder or a file, with a button that asks for it. A text that is no path is marked.

    Parameters
    ----------
    title : str
        Of the dialog.
    placeholder : str
        Shown while empty.

    Attributes
    ----------
    asks_for : {"folder", "file", "new file"}
        What the button asks for.
    pattern : str
        Which files the dialog lists, as Qt writes it.
    changed : Signal
        Something else is in the line.
    """

    changed = Signal()

    def __init__(self, title: str, placeholder: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.asks_for, self.pattern = "folder", "JSON (*.json)"
        self._path: Path | None = None
        self.line = QLineEdit(self)
        self.line.setMinimumWidth(1)
        self.line.setPlaceholderText(placeholder)
        self.line.setAccessibleName(title)
        self.line.textChanged.connect(self._changed)
        self.button = QToolButton(self)
        self.button.setText("…")
        self.button.setToolTip(f"Choose: {title[:1].lower()}{title[1:]}")
        self.button.setAccessibleName(self.button.toolTip())
        self.button.clicked.connect(self._browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        layout.addWidget(self.button)
        self.setFocusProxy(self.line)
        follow_theme_of_marks(self)

    @property
    def path(self) -> Path | None:
        """What is in the line; None if it is empty or no path."""
        return self._path

    def set_path(self, path: Path) -> None:
        """Fill in a folder or a file."""
        self.line.setText(str(path))

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange:
            follow_theme_of_marks(self)

    def look(self) -> str:
        """Look at the text, mark it if it cannot be used as a path, and return why not; empty if it can."""
        text, problem = self.line.text().strip(), ""
        self._path = None
        try:
            self._path = typed_path(text) if text else None
        except InputError as error:
            problem = str(error)
        if self._path is not None and self._path.is_dir() and not os.access(self._path, os.R_OK | os.X_OK):
            problem = f"{self._path.name}: no permission to look into the folder"
        mark_invalid(self.line, problem, self.toolTip())
        return problem

    def _changed(self, _text: str) -> None:
        self.look()
        self.changed.emit()

    def _browse(self) -> None:
        start = self.path or Path.home()
        begin = str(start if os.path.exists(start) else start.parent)
        if self.asks_for == "folder":
            found = QFileDialog.getExistingDirectory(self, self._title, begin)
        elif self.asks_for == "file":
            found, _ = QFileDialog.getOpenFileName(self, self._title, begin, self.pattern)
        else:
            found, _ = QFileDialog.getSaveFileName(self, self._title, begin, self.pattern)
        if found:
            self.set_path(Path(found))


class PathEdit:
    """A `PathField` as an editor of a form: with a text as its value, like magicgui's line edit.

    Parameters
    ----------
    title : str
        Of the dialog.
    asks_for : {"folder", "file"}

    Attributes
    ----------
    native : PathField
    changed : Signal(str)
    """

    changed = PySignal(str)

    def __init__(self, title: str, asks_for: str) -> None:
        self.native = PathField(title, f"a {asks_for}")
        self.native.asks_for, self.native.pattern = asks_for, "All files (*)"
        self.native.changed.connect(self._tell)

    @property
    def value(self) -> str:
        """What is in the line."""
        return self.native.line.text()

    @value.setter
    def value(self, text: str) -> None:
        self.native.line.setText(text)

    def _tell(self) -> None:
        self.changed.emit(self.value)
