"""`StudyDock`: open or make a study, see its cubes, open one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.composite import segmenter_view
from napari_hsisynth.errors import InputError
from napari_hsisynth.phantom_study import make_phantom_study
from napari_hsisynth.study import DIAGNOSIS_COLOURS, Diagnosis, ImportReport, Study
from napari_hsisynth.study.adding import add_files
from napari_hsisynth.study.dataset import DatasetImport
from napari_hsisynth.study.exchange import AnnotationImport, ExportReport, export_annotations
from napari_hsisynth.widgets.exchange_forms import SYNTHETIC, WITH_CUBES, ExportForm, ImportForm
from napari_hsisynth.widgets.scroll_column import ScrollColumn, wrapping_label
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.study_forms import AddForm, DemoForm, NewForm, StudyForm
from napari_hsisynth.widgets.study_table import StudyTable
from napari_hsisynth.widgets.task_row import TaskRow
from napari_hsisynth.widgets.when_destroyed import when_destroyed

_TABLE_ROWS = 9  # shown without scrolling, at the least


class StudyDock(QWidget):
    """The study of this viewer.

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    summary_changed : Signal
        `summary` has another text.
    """

    summary_changed = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.session = session_for(napari_viewer)
        self._build()
        self._listen(self.session.study_changed, self._study_changed)
        self._listen(self.session.cube_changed, self._cube_changed)
        self._listen(self.session.annotation_changed, self._annotation_changed)
        self._study_changed(self.session.study)

    # -- what is shown --------------------------------------------------------------------------------------------

    def _build(self) -> None:
        area = ScrollColumn(self)
        content, column = area.content, area.column
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)

        self.facts = wrapping_label(content)
        self.facts.setTextFormat(Qt.TextFormat.RichText)
        self.empty = wrapping_label(content)
        self.empty.setText("No study open. A study is a folder with cubes, their masks, and what is made of them.")
        self.open_button = QPushButton("Open a study", content)
        self.open_button.clicked.connect(self._browse)
        self.demo_button = QPushButton("Make a demo study", content)
        self.demo_button.clicked.connect(lambda: self.show_form("Demo"))
        self.task = TaskRow(content)
        self.task.finished.connect(self._update_forms)
        self.forms: dict[str, StudyForm] = {
            "New": NewForm(content),
            "Import": ImportForm(content),
            "Export": ExportForm(content),
            "Demo": DemoForm(content),
            "Add": AddForm(content),
        }
        starts = (self._make_new, self._start_import, self._start_export, self._start_demo, self._start_adding)
        for form, start in zip(self.forms.values(), starts, strict=True):
            form.asked.connect(start)
        self.filter = QLineEdit(content)
        self.filter.setPlaceholderText("filter: id, diagnosis, patient, status")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("filter")
        self.filter.textChanged.connect(self._filter_changed)
        self.count = QLabel(content)
        self.table = StudyTable(content)
        self.table.setMinimumHeight((_TABLE_ROWS + 2) * self.table.verticalHeader().defaultSectionSize())
        self.table.opened.connect(self.show_cube)
        self.table.rows.edit_refused.connect(show_warning)
        self.table.rows.dataChanged.connect(lambda *_: self._show_facts())
        self.show_button = QPushButton("Open the cube", content)
        self.show_button.setToolTip("Show the selected cube (Enter, or a double click on its row)")
        self.show_button.clicked.connect(self._show_selected)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._selection_changed())

        column.addWidget(self.facts)
        column.addWidget(self.empty)
        column.addWidget(self.open_button)
        column.addWidget(self.demo_button)
        column.addLayout(self._actions(content))
        for form in self.forms.values():
            form.setVisible(False)
            column.addWidget(form)
        column.addWidget(self.task)
        filters = QHBoxLayout()
        filters.addWidget(self.filter, 1)
        filters.addWidget(self.count)
        column.addLayout(filters)
        column.addWidget(self.table, 1)
        column.addWidget(self.show_button)
        self._spring = QWidget(content)
        self._spring.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        column.addWidget(self._spring)

    def _actions(self, parent: QWidget) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        self.recent_menu = QMenu(parent)
        self.recent_menu.aboutToShow.connect(self._fill_recent)
        self.open_other = QPushButton("Open", parent)
        self.open_other.setToolTip("Open a study, one of those opened lately, or close this one")
        self.open_other.setMenu(self.recent_menu)
        row.addWidget(self.open_other)
        tips = {
            "New": "Make an empty study",
            "Import": "Make a study from a folder of HSIDermoscopy or a synthetic data set, or add to one",
            "Export": "Write the annotations for COCO, Label Studio, labelme or as masks of HSIDermoscopy",
            "Demo": "Make a study of phantoms, simulated lesions with their true masks",
            "Add": "Add cubes from files to the open study",
        }
        self.buttons: dict[str, QPushButton] = {}
        for name, tip in tips.items():
            button = QPushButton(name, parent)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.toggled.connect(lambda on, name=name: self._toggle_form(name, on))
            row.addWidget(button)
            self.buttons[name] = button
        for button in (self.open_other, *self.buttons.values()):
            button.setMinimumWidth(1)
        return row

    def summary(self) -> str:
        """Return the study in one line."""
        study = self.session.study
        if study is None:
            return "no study open"
        low, high = study.wavelengths_nm.min(), study.wavelengths_nm.max()
        cubes = f"{len(study.entries):,} cube{'' if len(study.entries) == 1 else 's'}"
        return f"{study.name} · {cubes} · {len(study.wavelengths_nm)} bands {low:.0f}-{high:.0f}\u00a0nm"

    def show_form(self, name: str) -> None:
        """Open one of the forms "New", "Import", "Export", "Demo" and "Add"."""
        self.buttons[name].setChecked(True)

    def _toggle_form(self, name: str, on: bool) -> None:
        self.forms[name].setVisible(on)
        if on:
            for other, button in self.buttons.items():
                button.setChecked(other == name)
            self.forms[name].update_state()

    def _close_forms(self) -> None:
        for button in self.buttons.values():
            button.setChecked(False)

    def _study_changed(self, study: Study | None) -> None:
        has_study = study is not None
        for part in (self.facts, self.filter, self.count, self.table, self.show_button):
            part.setVisible(has_study)
        for part in (self.empty, self.open_button, self.demo_button, self._spring):
            part.setVisible(not has_study)
        for name in ("Export", "Add"):
            self.buttons[name].setEnabled(has_study)
            if not has_study:
                self.buttons[name].setChecked(False)
        for form in self.forms.values():
            if isinstance(form, ImportForm | ExportForm):
                form.set_study(study.root if study is not None else None)
        self.table.load(study)
        self._show_facts()
        self._filter_changed()
        self._cube_changed(self.session.cube_id)
        self.summary_changed.emit()

    def _show_facts(self) -> None:
        study = self.session.study
        if study is None:
            return
        entries = self.table.rows.entries
        counts = Counter(entry.diagnosis for entry in entries)
        shown = [
            f'<span style="color:{DIAGNOSIS_COLOURS[diagnosis]}">●</span>&nbsp;{counts[diagnosis]}&nbsp;'
            + diagnosis.label.replace(" ", "&nbsp;")
            for diagnosis in Diagnosis
            if counts[diagnosis]
        ]
        states = [state for entry in entries if (state := self.table.rows.states.get(entry.id)) is not None]
        by_status = Counter(state.status for state in states)
        told = [f"{by_status[status]} {status}" for status in ("done", "unsure", "todo") if by_status[status]]
        lesions = sum(state.accepted for state in states)
        lines = [f"<b>{study.name}</b>{self.summary().removeprefix(study.name)}"]
        lines += ["&nbsp; ".join(shown)] if shown else []
        lines += [f"{', '.join(told)} · {lesions:,} accepted lesions"] if told else []
        self.facts.setText("<br>".join(lines))
        where = [str(study.root), f"wavelengths: {study.settings.wavelengths_source}", study.notes]
        self.facts.setToolTip("\n".join(line for line in where if line))

    def _filter_changed(self) -> None:
        shown = self.table.set_filter(self.filter.text())
        total = len(self.table.rows.entries)
        self.count.setText(f"{shown} of {total}" if self.filter.text().strip() else "")

    def _selection_changed(self) -> None:
        self.show_button.setEnabled(bool(self.table.selected()))

    def _cube_changed(self, cube_id: str | None) -> None:
        self.table.select(cube_id)
        self._selection_changed()

    def _annotation_changed(self, cube_id: str) -> None:
        self.table.rows.refresh_state(cube_id)

    def _update_forms(self) -> None:
        for form in self.forms.values():
            form.update_state()
            form.setEnabled(True)

    # -- what is done ---------------------------------------------------------------------------------------------

    def open_study(self, path: Path) -> bool:
        """Open the study at `path`; a notification says why if that fails."""
        try:
            self.session.open_study(path)
        except InputError as error:
            show_warning(str(error))
            return False
        self._close_forms()
        return True

    def show_cube(self, cube_id: str) -> None:
        """Show a cube of the study in the viewer."""
        try:
            self.session.show_cube(cube_id)
        except InputError as error:
            show_warning(str(error))

    def _show_selected(self) -> None:
        for cube_id in self.table.selected()[:1]:
            self.show_cube(cube_id)

    def _browse(self) -> None:
        start = self.session.study.root.parent if self.session.study is not None else Path.home()
        found = QFileDialog.getExistingDirectory(self, "Folder of the study", str(start))
        if found:
            self.open_study(Path(found))

    def _fill_recent(self) -> None:
        self.recent_menu.clear()
        choosing = QAction("Choose a folder …", self.recent_menu)
        choosing.triggered.connect(lambda _checked=False: self._browse())
        self.recent_menu.addAction(choosing)
        self.recent_menu.addSeparator()
        for root in self.session.recent_studies():
            action = QAction(str(root), self.recent_menu)
            action.triggered.connect(lambda _checked=False, root=root: self.open_study(root))
            self.recent_menu.addAction(action)
        if self.session.study is not None:
            self.recent_menu.addSeparator()
            closing = QAction("Close the study", self.recent_menu)
            closing.triggered.connect(lambda _checked=False: self.session.close_study())
            self.recent_menu.addAction(closing)

    def _make_new(self) -> None:
        form = self.forms["New"]
        assert isinstance(form, NewForm)
        try:
            study = Study.create(**form.options())
        except InputError as error:
            self.task.say(f"✖ {error}")
            return
        self.open_study(study.root)
        self.show_form("Add")

    def _start(
        self, name: str, work: Callable[..., Any], done: Callable[[Any], str], title: str, unit: str = "cubes"
    ) -> None:
        self.forms[name].setEnabled(False)
        self.task.start(work, done, title=title, unit=unit)

    def _start_import(self) -> None:
        form = self.forms["Import"]
        assert isinstance(form, ImportForm)
        source = form.source.path
        if source is None:
            return
        done: Callable[[Any], str] = self._annotations_imported
        if form.kind == WITH_CUBES:
            done = self._imported
        elif form.kind == SYNTHETIC:
            done = self._dataset_imported
        unit = "files and cubes" if form.kind == SYNTHETIC else "cubes"
        self._start("Import", form.work(), done, f"importing {source.name}", unit)

    def _imported(self, report: ImportReport) -> str:
        self.open_study(report.study.root)
        return " · ".join([f"✔ {report.imported} cubes imported", *report.notes])

    def _dataset_imported(self, report: DatasetImport) -> str:
        shown = self.session.study
        if shown is None or shown.root != report.study.root:
            self.open_study(report.study.root)
        else:
            self._close_forms()
            self.session.crops_changed.emit()
        told = f"{report.cubes:,} synthetic cubes, set {report.name}"
        return " · ".join([f"✔ {told}, imported" if report.new else f"✔ {told}", *report.notes])

    def _annotations_imported(self, report: AnnotationImport) -> str:
        shown = self.session.study
        if shown is None or shown.root != report.study.root:
            self.open_study(report.study.root)
        else:
            self._close_forms()
            if self.session.cube_id in report.cubes:
                self.session.annotation_changed.emit(self.session.cube_id)
            self.session.reload()  # once for all the other cubes
        told = f"✔ {report.lesions} lesions in {len(report.cubes)} cubes imported"
        return " · ".join([told, *report.notes])

    def _start_export(self) -> None:
        form, study = self.forms["Export"], self.session.study
        assert isinstance(form, ExportForm)
        kind, target, options = form.kind, form.target.path, form.options()
        if study is None or target is None:
            return
        picture = partial(segmenter_view, view="rgb")

        def work(**hooks: Any) -> ExportReport:
            return export_annotations(kind, Study.open(study.root), target, picture=picture, **options, **hooks)

        self._start("Export", work, self._exported, f"exporting to {target.name}")

    def _exported(self, report: ExportReport) -> str:
        self._close_forms()
        told = f"✔ {report.lesions} lesions of {report.cubes} cubes exported to {report.path}"
        return " · ".join([told, *report.notes])

    def _start_demo(self) -> None:
        form = self.forms["Demo"]
        assert isinstance(form, DemoForm)
        options = form.options()
        self._start("Demo", lambda **hooks: make_phantom_study(**options, **hooks), self._demo_made, "making phantoms")

    def _demo_made(self, study: Study) -> str:
        self.open_study(study.root)
        self.show_cube(study.entries[0].id)
        return f"✔ {len(study.entries)} phantom cubes made, with their true masks"

    def _start_adding(self) -> None:
        form, study = self.forms["Add"], self.session.study
        assert isinstance(form, AddForm)
        if study is None:
            return
        options = form.options()
        self._start("Add", lambda **hooks: add_files(study, **options, **hooks), self._added, "adding")

    def _added(self, added: list[str]) -> str:
        self.session.reload()
        form = self.forms["Add"]
        assert isinstance(form, AddForm)
        form.set_files([])
        if added:
            self.table.select(added[0])
        return f"✔ {len(added)} cube{'' if len(added) == 1 else 's'} added"

    def _listen(self, signal: Any, slot: Callable[..., None]) -> None:
        """Connect one of the session's signals for as long as this dock lives; the session lives longer."""
        signal.connect(slot)
        when_destroyed(self, partial(signal.disconnect, slot, missing_ok=True))
