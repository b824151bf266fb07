"""`JumpBox`: shows the id of the cube, and goes to another one whose id is typed."""

from __future__ import annotations

from qtpy.QtCore import QStringListModel, Qt
from qtpy.QtGui import QFocusEvent, QKeyEvent, QMouseEvent
from qtpy.QtWidgets import QCompleter, QLineEdit, QToolTip, QWidget

from napari_hsisynth.widgets.live_queue import LiveQueue


class JumpBox(QLineEdit):
    """Enter goes to the cube whose id, or a part that only it has, was typed; Esc and leaving the box give that up.

    Parameters
    ----------
    queue : LiveQueue
    """

    def __init__(self, queue: LiveQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.queue = queue
        self._shown, self._select = "", False
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumWidth(1)
        self.setAccessibleName("cube; type an id to go to another")
        self._ids = QStringListModel(self)
        self._completer = QCompleter(self._ids, self)
        self._completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self._completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._completer.activated.connect(self.jump_to)
        self.setCompleter(self._completer)
        self.returnPressed.connect(self._jump)

    def refresh(self, text: str, ids: list[str]) -> None:
        """Show a cube, and offer these; what is being typed stays."""
        if ids != self._ids.stringList():
            self._ids.setStringList(ids)
        if text != self._shown or not self.hasFocus():
            self._shown = text
            self._put_back()
        self.setReadOnly(not ids)
        self.setToolTip(f"{text}\nType another id and press Enter to go there" if ids else text)

    def jump_to(self, text: str) -> None:
        """Show the cube that is meant by a text."""
        cube_id = self.queue.queue.find(text)
        if cube_id is not None:
            self.clearFocus()  # the letters are keys of the dock again
            self.queue.go_to(cube_id)
        elif text.strip():
            self.selectAll()
            some = any(text.strip().lower() in each.lower() for each in self.queue.queue.rows)
            what = "several cubes have" if some else "no cube has"
            QToolTip.showText(self.mapToGlobal(self.rect().bottomLeft()), f"{what} '{text.strip()}' in the id", self)

    def _jump(self) -> None:
        self.jump_to(self.text())

    def _put_back(self) -> None:
        self.setText(self._shown)
        self.setCursorPosition(0)

    # Qt's names from here

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember to select the id when a click has brought the focus."""
        super().focusInEvent(event)
        self._select = event.reason() == Qt.FocusReason.MouseFocusReason

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select the whole id, so that typing replaces it."""
        super().mouseReleaseEvent(event)
        if self._select and not self.hasSelectedText():
            self.selectAll()
        self._select = False

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show the present cube again."""
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self._put_back()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Give up on Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.clearFocus()
        else:
            super().keyPressEvent(event)
