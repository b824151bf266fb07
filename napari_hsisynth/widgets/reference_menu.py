"""`ReferenceMenu`: the button whose menu says what is laid over the spectra."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QMouseEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from napari_hsisynth.errors import InputError
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.references import MOST_SPECTRA, SCALED, Library, References

_FILES = "Spectral libraries (*.csv *.txt *.tsv *.hdr *.sli *.esl *.lib);;All files (*)"
_LIST_LINES, _LIST_CHARACTERS = 12, 34


class ReferenceMenu(QPushButton):
    """A button with a menu of absorbers and spectral libraries.

    Parameters
    ----------
    references : References
    parent : QWidget
    """

    def __init__(self, references: References, parent: QWidget) -> None:
        super().__init__(parent)
        self._references = references
        self.setAccessibleName("reference spectra")
        self._menu = _StayingMenu(self)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self.fill)
        self.setMenu(self._menu)
        references.changed.connect(self._write)
        self.set_known_wavelengths(True)

    def set_known_wavelengths(self, known: bool) -> None:
        """Offer nothing while the bands of the cubes only have numbers."""
        self.setEnabled(known)
        self.setToolTip(
            "Lay reference spectra over the plot, dotted: absorption of skin's chromophores, spectral libraries"
            if known
            else "The wavelengths of this cube are not known: there is nothing to compare with"
        )
        self._write()

    def _write(self) -> None:
        count = self._references.count
        self.setText(f"Reference {count}" if count else "Reference")

    def fill(self) -> None:
        """Write the menu."""
        menu, references = self._menu, self._references
        menu.clear()
        for name, source in references.absorber_tips.items():
            action = menu.addAction(f"{name} ({SCALED})")
            action.setCheckable(True)
            action.setChecked(name in references.absorbers)
            action.setToolTip(f"Absorption coefficient of {source}")
            action.toggled.connect(partial(references.show_absorber, name))
        menu.addSeparator()
        for library in references.libraries:
            page = menu.addMenu(library.path.name)
            page.setToolTip(str(library.path))
            holder = QWidgetAction(page)
            holder.setDefaultWidget(LibraryPage(references, library, self._menu))
            page.addAction(holder)
        menu.addAction("Open a spectral library ...", self.ask)

    def ask(self) -> None:
        """Let the user choose a library."""
        name, _ = QFileDialog.getOpenFileName(
            self, "Open a spectral library", settings.value("spectra/library_folder", ""), _FILES
        )
        if not name:
            return
        settings.set_value("spectra/library_folder", str(Path(name).parent))
        try:
            library = self._references.open_library(Path(name))
        except InputError as error:
            show_error(str(error))
        except OSError as error:
            show_error(f"{name}: cannot be read: {error.strerror or error}")
        else:
            more = f"; choose more of its {len(library.names)} in the menu" if len(library.names) > 1 else ""
            notes = "".join(f"; {note}" for note in library.notes)
            show_info(f"{library.path.name}: '{library.names[0]}' is shown{more}{notes}")


class LibraryPage(QWidget):
    """Which spectra of a library are shown, and how.

    Parameters
    ----------
    references : References
    library : Library
    menu : QMenu
        Closed when the library is.
    """

    def __init__(self, references: References, library: Library, menu: QMenu) -> None:
        super().__init__()
        self._references, self._library, self._menu = references, library, menu
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("search")
        self.search.setAccessibleName("search the library")
        self.list = QListWidget(self)
        self.list.setAccessibleName("spectra of the library")
        self.list.setMinimumSize(
            _LIST_CHARACTERS * self.fontMetrics().averageCharWidth(), _LIST_LINES * self.fontMetrics().lineSpacing()
        )
        for number, name in enumerate(library.names):
            item = QListWidgetItem(name, self.list)
            item.setToolTip(name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            on = Qt.CheckState.Checked if number in library.chosen else Qt.CheckState.Unchecked
            item.setCheckState(on)
        self.scaled = QCheckBox(SCALED, self)
        self.scaled.setToolTip("Each spectrum fills the height of the plot; otherwise it is shown with its own values")
        self.scaled.setChecked(library.scaled)
        self.close_button = QPushButton("Close this library", self)
        column = QVBoxLayout(self)
        for widget in (self.search, self.list, self.scaled, self.close_button):
            column.addWidget(widget)
        self.search.textChanged.connect(self._find)
        self.list.itemChanged.connect(self._checked)
        self.scaled.toggled.connect(partial(references.scale_library, library))
        self.close_button.clicked.connect(self._close)

    def _find(self, text: str) -> None:
        for row in range(self.list.count()):
            self.list.item(row).setHidden(text.lower() not in self._library.names[row].lower())

    def _checked(self, item: QListWidgetItem) -> None:
        on = item.checkState() == Qt.CheckState.Checked
        number = self.list.row(item)
        if on != (number in self._library.chosen) and not self._references.show_spectrum(self._library, number, on):
            item.setCheckState(Qt.CheckState.Unchecked)
            show_info(f"{MOST_SPECTRA} spectra of a library are shown at most")

    def _close(self) -> None:
        self._menu.close()
        self._references.close_library(self._library)


class _StayingMenu(QMenu):
    """Stays open when something is checked, for often more than one thing is."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._trigger():
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Space or not self._trigger():
            super().keyPressEvent(event)

    def _trigger(self) -> bool:
        action = self.activeAction()
        if action is None or not action.isCheckable() or not action.isEnabled():
            return False
        action.trigger()
        return True
