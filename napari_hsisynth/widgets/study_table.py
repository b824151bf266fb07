"""The table of a study's cubes: what they show, whose they are, and how far their annotation is."""

from __future__ import annotations

from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QAction, QColor, QIcon, QKeyEvent, QPainter, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import DIAGNOSIS_COLOURS, AnnotationSummary, Diagnosis, Entry, Study
from napari_hsisynth.widgets.titled_table import TitledTable

COLUMNS = ("cube", "diagnosis", "patient", "status", "lesions")
_ID, _DIAGNOSIS, _PATIENT, _STATUS, _LESIONS = range(len(COLUMNS))
_TIPS = (
    "Double click or Enter opens the cube",
    "Right click corrects it, and names the patient",
    "F2 edits it. Cubes of one patient stay on one side of every split",
    "Of the annotation: todo, done or unsure",
    "Accepted lesions; drafts and unsure ones behind the +",
)


def diagnosis_icon(diagnosis: Diagnosis, size: int = 24) -> QIcon:
    """Draw a disc in the colour of a diagnosis."""
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(DIAGNOSIS_COLOURS[diagnosis]))
    painter.drawEllipse(size // 6, size // 6, size * 2 // 3, size * 2 // 3)
    painter.end()
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # else it would be tinted in a selected row
    return icon


class StudyModel(TitledTable):
    """Rows of a study's cubes; the annotations' states come later, from a thread.

    Attributes
    ----------
    edit_refused : Signal
        An edit failed: str.
    states_loaded : Signal
        The state of every annotation is known.
    """

    columns = COLUMNS
    tips = _TIPS
    edit_refused = Signal(str)
    states_loaded = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.study: Study | None = None
        self.entries: tuple[Entry, ...] = ()
        self.states: dict[str, AnnotationSummary | None] = {}
        self._icons = {diagnosis: diagnosis_icon(diagnosis) for diagnosis in Diagnosis}

    def load(self, study: Study | None) -> None:
        """Show a study, or nothing."""
        self.beginResetModel()
        same = study is not None and self.study is not None and study.root == self.study.root
        self.study = study
        self.entries = study.entries if study is not None else ()
        self.states = self.states if same else {}
        self.endResetModel()
        if study is not None:
            worker = create_worker(_states, study, _start_thread=False)
            worker.returned.connect(self._take_states)
            worker.start()

    def refresh_state(self, cube_id: str) -> None:
        """Read the state of one annotation again."""
        if self.study is None:
            return
        self.states[cube_id] = _state(self.study, cube_id)
        row = next((row for row, entry in enumerate(self.entries) if entry.id == cube_id), None)
        if row is not None:
            self.dataChanged.emit(self.index(row, _STATUS), self.index(row, _LESIONS))

    def _take_states(self, result: tuple[Study, dict[str, AnnotationSummary | None]]) -> None:
        study, states = result
        if study is self.study:  # else another study was opened meanwhile
            self.states = states
            if self.entries:
                self.dataChanged.emit(self.index(0, _STATUS), self.index(len(self.entries) - 1, _LESIONS))
            self.states_loaded.emit()

    def count(self) -> int:
        """Return the number of cubes."""
        return len(self.entries)

    # Qt's names from here

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, icon and tooltip of a cell; `UserRole` sorts."""
        entry, column = self.entries[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self.text(entry, column)
        if role == Qt.ItemDataRole.UserRole:
            state = self.states.get(entry.id)
            return (state.accepted if state else -1) if column == _LESIONS else self.text(entry, column).lower()
        if role == Qt.ItemDataRole.DecorationRole and column == _DIAGNOSIS:
            return self._icons[entry.diagnosis]
        if role == Qt.ItemDataRole.ToolTipRole:
            told = {_ID: entry.path, _DIAGNOSIS: entry.diagnosis.label}.get(column)
            return f"{told}\n{_TIPS[column]}" if told else _TIPS[column]
        return None

    def text(self, entry: Entry, column: int) -> str:
        """Return what a cell says."""
        if column < _STATUS:
            return (entry.id, entry.diagnosis.label, entry.patient)[column]
        if entry.id not in self.states:
            return ""
        state = self.states[entry.id]
        if state is None:
            return "damaged" if column == _STATUS else ""
        if column == _STATUS:
            return state.status
        others = len(state.instances) - state.accepted
        return f"{state.accepted}{f' + {others}' if others else ''}" if state.instances else ""

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Only the patient is edited in place."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == _PATIENT else flags

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Store an edited patient."""
        if role != Qt.ItemDataRole.EditRole or index.column() != _PATIENT:
            return False
        return self.correct([self.entries[index.row()].id], patient=str(value))

    def correct(self, cube_ids: list[str], **changes: Any) -> bool:
        """Store a corrected diagnosis or patient of some cubes."""
        assert self.study is not None
        try:
            for cube_id in cube_ids:
                self.study.update(cube_id, **changes)
        except InputError as error:
            self.edit_refused.emit(str(error))
        self.entries = self.study.entries
        self.dataChanged.emit(self.index(0, 0), self.index(len(self.entries) - 1, len(COLUMNS) - 1))
        return True


def _state(study: Study, cube_id: str) -> AnnotationSummary | None:
    try:
        return study.annotation_summary(cube_id)
    except InputError:
        return None


def _states(study: Study) -> tuple[Study, dict[str, AnnotationSummary | None]]:
    return study, {entry.id: _state(study, entry.id) for entry in study.entries}


class _Filter(QSortFilterProxyModel):
    """Keeps rows in which every typed word occurs, in any column."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.words: list[str] = []
        self.setSortRole(Qt.ItemDataRole.UserRole)

    def set_text(self, text: str) -> None:
        self.words = text.lower().split()
        self.invalidateFilter()

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        model = self.sourceModel()
        row = "\n".join(str(model.index(source_row, column).data()) for column in range(len(COLUMNS))).lower()
        return all(word in row for word in self.words)


class ElideMiddle(QStyledItemDelegate):
    """Shortens ids in the middle: they differ at their ends."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideMiddle


class StudyTable(QTableView):
    """The cubes of a study.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    opened : Signal
        A cube was double-clicked, or Enter was pressed on it: str.
    """

    opened = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._edits_patients = False
        self.rows = StudyModel(self)
        self._filter = _Filter(self)
        self._filter.setSourceModel(self.rows)
        self.rows.states_loaded.connect(self._fit_columns)
        self.setModel(self._filter)
        self.setSortingEnabled(True)
        self.sortByColumn(_ID, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setAccessibleName("cubes")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.doubleClicked.connect(lambda index: self.opened.emit(self.cube_at(index)))
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(round(1.6 * self.fontMetrics().height()))
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(_DIAGNOSIS, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(3 * self.fontMetrics().averageCharWidth())
        self.setItemDelegateForColumn(_ID, ElideMiddle(self))

    def load(self, study: Study | None) -> None:
        """Show a study, or nothing."""
        self.rows.load(study)
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Make the columns as wide as what is in them; long ids may take two fifths of the table, patients a fifth."""
        metrics, room = self.fontMetrics(), self.viewport().width()
        # an empty column would leave the diagnosis no room in a narrow dock
        self.setColumnHidden(_PATIENT, not (self._edits_patients or any(e.patient for e in self.rows.entries)))
        for column, share in ((_ID, 0.4), (_PATIENT, 0.2), (_STATUS, 0.2), (_LESIONS, 0.2)):
            texts = {COLUMNS[column], *(self.rows.text(entry, column) for entry in self.rows.entries)}
            widest = max(metrics.horizontalAdvance(text) for text in texts) + 2 * metrics.averageCharWidth()
            self.setColumnWidth(column, min(widest, round(share * room)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share out the new width."""
        super().resizeEvent(event)
        self._fit_columns()

    def set_filter(self, text: str) -> int:
        """Keep the rows with all these words; return how many there are."""
        self._filter.set_text(text)
        return self._filter.rowCount()

    def cube_at(self, index: QModelIndex) -> str:
        """Return the id of the cube in a row."""
        return str(index.sibling(index.row(), _ID).data())

    def selected(self) -> list[str]:
        """Ids of the selected cubes, from top to bottom."""
        rows = self.selectionModel().selectedRows(_ID)
        return [str(index.data()) for index in sorted(rows, key=lambda index: index.row())]

    def select(self, cube_id: str | None) -> None:
        """Select the row of a cube and scroll to it."""
        for row in range(self._filter.rowCount()):
            index = self._filter.index(row, _ID)
            if index.data() == cube_id:
                self.selectRow(row)
                self.scrollTo(index)
                return

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open the cube on Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.opened.emit(self.cube_at(self.currentIndex()))
        elif event.key() == Qt.Key.Key_F2 and self.currentIndex().isValid():
            self.edit_patient()
        else:
            super().keyPressEvent(event)

    def edit_patient(self) -> None:
        """Let the user type the patient of the current cube."""
        self._edits_patients = True
        self._fit_columns()
        index = self.currentIndex().siblingAtColumn(_PATIENT)
        self.setCurrentIndex(index)
        self.edit(index)

    def menu(self) -> QMenu:
        """Make the menu of the selected cubes."""
        menu = QMenu(self)
        chosen = self.selected()
        if chosen and self.rows.study is not None:
            show = QAction(f"Open {chosen[0]}", menu)
            show.triggered.connect(lambda: self.opened.emit(chosen[0]))
            menu.addAction(show)
            diagnoses = menu.addMenu(
                "Diagnosis of the cube" if len(chosen) == 1 else f"Diagnosis of {len(chosen)} cubes"
            )
            for diagnosis in self.rows.study.classes:
                action = QAction(diagnosis_icon(diagnosis), diagnosis.label, diagnoses)
                action.triggered.connect(
                    lambda _checked=False, diagnosis=diagnosis: self.rows.correct(chosen, diagnosis=diagnosis)
                )
                diagnoses.addAction(action)
            patient = QAction(f"Patient of {chosen[0]}", menu)
            patient.triggered.connect(lambda: self._edit_patient_of(chosen[0]))
            menu.addAction(patient)
        return menu

    def _edit_patient_of(self, cube_id: str) -> None:
        self.select(cube_id)
        self.setCurrentIndex(self.selectionModel().selectedRows(_ID)[0])
        self.edit_patient()

    def _show_menu(self, position: Any) -> None:
        menu = self.menu()
        if menu.actions():
            menu.exec(self.viewport().mapToGlobal(position))
