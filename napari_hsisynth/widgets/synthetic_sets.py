"""`SyntheticSets`: the sets of synthetic cubes of a study, and what can be done with one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari.qt.threading import create_worker
from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QGridLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSpinBox,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import without_time
from napari_hsisynth.study import Crop
from napari_hsisynth.widgets.run_table import fit_to_rows
from napari_hsisynth.widgets.session import Session
from napari_hsisynth.widgets.shown_samples import MOST_SHOWN, read_samples, show_samples

_SHOWN = 4


class SyntheticSets(QWidget):
    """A list of the sets, with buttons to see, compare, export or find the cubes of one.

    Parameters
    ----------
    session : Session
    parent : QWidget

    Attributes
    ----------
    compare_asked : Signal
        The user wants to see them beside real cubes.
    """

    compare_asked = Signal()

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.session = session
        self.counts: dict[str, int] = {}
        self.title = QLabel("synthetic sets", self)
        self.list = QTreeWidget(self)
        self.list.setRootIsDecorated(False)
        self.list.setHeaderLabels(["run", "cubes"])
        self.list.setAccessibleName("synthetic sets")
        header = self.list.header()
        if header is not None:
            header.setStretchLastSection(False)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.list.setMinimumWidth(1)
        self.empty = QLabel("No synthetic cubes in this study yet.", self)
        self.empty.setWordWrap(True)
        self.shown_count = QSpinBox(self)
        self.shown_count.setRange(1, MOST_SHOWN)
        self.shown_count.setValue(_SHOWN)
        self.shown_count.setToolTip("How many cubes to add to the viewer")
        self.shown_count.setAccessibleName(self.shown_count.toolTip())
        self.show_button = QPushButton("Show in viewer", self)
        self.compare_button = QPushButton("Compare", self)
        self.compare_button.setToolTip("Open the Compare dock: real and synthetic cubes side by side")
        self.folder_button = QPushButton("Open folder", self)
        self.export_button = QPushButton("Export data set", self)
        self.export_button.setToolTip("Write one set or several, with masks and a data card, for others to use")
        self.export_button.setCheckable(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.title, self.list, self.empty):
            layout.addWidget(widget)
        buttons = QGridLayout()
        for place, button in enumerate((self.show_button, self.shown_count, self.compare_button, self.folder_button)):
            buttons.addWidget(button, *divmod(place, 2))
        buttons.addWidget(self.export_button, 2, 0, 1, 2)
        buttons.setColumnStretch(0, 1)
        buttons.setColumnStretch(1, 1)
        layout.addLayout(buttons)
        self.list.itemSelectionChanged.connect(self._enable)
        self.show_button.clicked.connect(self.show_selected)
        self.compare_button.clicked.connect(self._compare)
        self.folder_button.clicked.connect(self._open_folder)
        self.fill({})

    @property
    def selected(self) -> str | None:
        """Run id of the selected set."""
        items = self.list.selectedItems()
        return items[0].data(0, Qt.ItemDataRole.UserRole) if items else None

    def fill(self, counts: Mapping[str, int]) -> None:
        """List other sets, by run id with their numbers of cubes; the selected one stays so if it is still there."""
        selected = self.selected
        self.counts = dict(counts)
        self.list.clear()
        for run_id, count in counts.items():
            item = QTreeWidgetItem([without_time(run_id), f"{count:,}"])
            item.setData(0, Qt.ItemDataRole.UserRole, run_id)
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(0, run_id)
            self.list.addTopLevelItem(item)
            item.setSelected(run_id == selected)
        fit_to_rows(self.list)
        if self.selected is None and counts:
            self.list.topLevelItem(0).setSelected(True)
        for widget in (self.title, self.list, self.shown_count, self.compare_button, self.export_button):
            widget.setVisible(bool(counts))
        for widget in (self.show_button, self.folder_button):
            widget.setVisible(bool(counts))
        self.empty.setVisible(not counts)
        self._enable()

    def show_selected(self) -> None:
        """Add the first cubes of the selected set to the viewer, read off the GUI thread."""
        if self.session.study is None or self.selected is None:
            return
        folder = self.session.study.synthetic_dir(self.selected)
        worker = create_worker(_read, folder, self.shown_count.value(), _start_thread=False)
        worker.returned.connect(self._add_layers)
        self.show_button.setEnabled(False)
        worker.start()

    def _add_layers(self, found: list[Crop] | str) -> None:
        self._enable()
        if isinstance(found, str):
            show_warning(found)
            self.session.crops_changed.emit()  # by whatever deleted them
            return
        show_samples(self.session.viewer, found)

    def _enable(self) -> None:
        for button in (self.show_button, self.folder_button):
            button.setEnabled(self.selected is not None)

    def _compare(self) -> None:
        self.compare_asked.emit()

    def _open_folder(self) -> None:
        if self.session.study is not None and self.selected is not None:
            folder = self.session.study.synthetic_dir(self.selected)
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _read(folder: Path, count: int) -> list[Crop] | str:
    try:
        return read_samples(folder, count)
    except InputError as error:
        return str(error)
