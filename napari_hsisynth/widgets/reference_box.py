"""`ReferenceBox`: a white or dark reference, among the open cubes or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari.layers import Image
from napari.utils.notifications import show_error
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.layers import layer_cube
from napari_hsisynth.widgets.opening import file_patterns
from napari_hsisynth.widgets.reading import ask_for_variable, read_one

_FOLDER = "opening/folder"
_FILE = "a file …"


class ReferenceBox(QComboBox):
    """A list of the open cubes, of files read before, and an entry that asks for a file.

    Parameters
    ----------
    what : str
        ``"white reference"``.
    nothing : str
        Text of the first entry, which stands for no reference.
    parent : QWidget

    Attributes
    ----------
    changed : Signal
        Another reference is chosen.
    """

    changed = Signal()

    def __init__(self, what: str, nothing: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._what, self._nothing = what, nothing
        self._layers: list[Image] = []
        self._files: list[Cube] = []
        self._chosen: Any = None
        self.setAccessibleName(what)
        self.setMinimumContentsLength(8)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.activated.connect(self._activated)
        self.offer([])

    @property
    def cube(self) -> Cube | None:
        """The chosen reference; None if none is."""
        return self._chosen if isinstance(self._chosen, Cube) else layer_cube(self._chosen)

    def offer(self, layers: Sequence[Image]) -> None:
        """List these cube layers and the files; what was chosen stays chosen while it is there."""
        self._layers = list(layers)
        if self._chosen is not None and not any(self._chosen is one for one in self._entries()):
            self._chosen = None
        self._fill()

    def _entries(self) -> list[Any]:
        return [None, *self._layers, *self._files]

    def _fill(self) -> None:
        entries = self._entries()
        with QSignalBlocker(self):
            self.clear()
            self.addItem(self._nothing)
            for entry in entries[1:]:
                self.addItem(f"{entry.name} (file)" if isinstance(entry, Cube) else entry.name)
            self.addItem(_FILE)
            self.setCurrentIndex(next(row for row, entry in enumerate(entries) if entry is self._chosen))

    def _activated(self, row: int) -> None:
        entries = self._entries()
        if row < len(entries):
            self._chosen = entries[row]
        else:
            self._ask()
        self._fill()
        self.changed.emit()

    def _ask(self) -> None:
        """Have a file chosen, and read it: a bad one is named at once, not when it is used."""
        folder = settings.value(_FOLDER, "")
        name, _ = QFileDialog.getOpenFileName(self, f"Open the {self._what}", folder, file_patterns())
        if not name:
            return
        settings.set_value(_FOLDER, str(Path(name).parent))
        try:
            cube = read_one(Path(name), ask_for_variable)
        except InputError as error:
            show_error(str(error))
            return
        if cube is not None:
            self._files.append(cube)
            self._chosen = cube
