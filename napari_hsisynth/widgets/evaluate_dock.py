"""`EvaluateDock`: measure synthetic cubes against real ones, or a model's reconstructions against their originals."""

from __future__ import annotations

from typing import Any

from napari.qt.threading import create_worker
from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QPushButton

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, RunState, new_run, without_time
from napari_hsisynth.study import Diagnosis, Study
from napari_hsisynth.widgets.briefs import evaluate_brief
from napari_hsisynth.widgets.evaluation_table import EvaluationTable, Report, list_reports
from napari_hsisynth.widgets.job_dock import READING, JobDock, choice, missing_training, refill, wrapped
from napari_hsisynth.widgets.run_table import RunSummary, summarise_all

_COMPARE, _RECONSTRUCT = "compare", "reconstruct"


class EvaluateDock(JobDock):
    """Evaluations of a study: start one, read its figures, open its report.

    Several synthetic sets are measured one after the other, each in a run of its own.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "evaluate")
        self.reports: list[Report] = []
        self._sets: list[str] = []
        self._trained: list[RunSummary] = []
        self._queue: list[tuple[list[str], RunFolder]] = []
        self._shown: Study | None = None
        self._build()
        self.refresh()

    def _build(self) -> None:
        self.what = choice(self.content, "What is measured")
        self.what.addItem("synthetic against real", _COMPARE)
        self.what.addItem("reconstructions of a run", _RECONSTRUCT)
        self.split = choice(self.content, "Which real cubes: those that no training has seen, or others")
        for name in ("held-out", "train", "all"):
            self.split.addItem(name, name)
        self.diagnosis = choice(self.content, "Which real cubes: by default those of the generator's diagnosis")
        self.model = choice(self.content, "The training run whose held-out reconstructions are measured")
        self.sets = QListWidget(self.content)
        self.sets.setToolTip("Synthetic sets to measure, one after the other")
        self.sets.setAccessibleName("synthetic sets")
        self.sets.setMinimumSize(1, 3 * self.fontMetrics().lineSpacing())
        self.sets.setMaximumHeight(5 * self.fontMetrics().lineSpacing())
        self.sets_label = QLabel("synthetic sets", self.content)
        self.report = choice(self.content, "Evaluations of this study, newest first")
        self.open_button = QPushButton("Open report", self.content)
        self.open_button.setToolTip("Open the report with pictures and spectra in the browser")
        self.table = EvaluationTable(self.content)
        self.notes = wrapped("", self.content)
        self.waiting = wrapped("", self.content)

        self.choices = self.add_choices(
            [("measure", self.what), ("real", self.split), ("diagnosis", self.diagnosis), ("run", self.model)]
        )
        self.column.addWidget(self.sets_label)
        self.column.addWidget(self.sets)
        self.add_controls()
        self.column.addWidget(self.waiting)
        self.report_choice = self.add_choices([("figures of", self.report)])
        self.column.addWidget(self.table)
        self.column.addWidget(self.open_button)
        self.column.addWidget(self.notes)
        self.column.addStretch(1)

        self.what.currentIndexChanged.connect(self._choose_what)
        for box in (self.split, self.diagnosis, self.model):
            box.currentIndexChanged.connect(self._chosen)
        self.sets.itemChanged.connect(self._chosen)
        self.report.currentIndexChanged.connect(self._choose_report)
        self.open_button.clicked.connect(self._open_report)

    # -- what is shown --------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the synthetic sets, the trained runs and the reports of the study."""
        if self.study is None:
            self._take((None, [], [], []))
            return
        if not self._is_read:  # until then nothing of the last study is to be used for this one
            self.update_controls()
        worker = create_worker(_read, self.study, _start_thread=False)
        worker.returned.connect(self._take)
        worker.start()

    @property
    def _is_read(self) -> bool:
        """Whether what is shown is of the open study."""
        return self.is_open(self._shown)

    def _take(self, found: tuple[Study | None, list[str], list[RunSummary], list[Report]]) -> None:
        if found[0] is not self.study:
            return  # another study has been opened meanwhile; its own lists are on the way
        study, sets, self._trained, self.reports = found
        self._shown = study
        checked = set(self.checked_sets) if self._sets else set(sets[:1])
        self._sets = sets
        self.sets.blockSignals(True)
        self.sets.clear()
        for run_id in sets:
            item = QListWidgetItem(run_id)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if run_id in checked else Qt.CheckState.Unchecked)
            self.sets.addItem(item)
        self.sets.blockSignals(False)
        present = [] if study is None else sorted({entry.diagnosis for entry in study.entries})
        known = [(Diagnosis(name).label, str(name)) for name in present]
        refill(self.diagnosis, [("as the generator", None), *known])
        refill(self.model, [(summary.title, summary.run.path) for summary in self._trained])
        refill(self.report, [(report.title, report.run.path) for report in self.reports])
        if study is None:
            self.show_empty("No study open. An evaluation needs a study's cubes.", "Open or make a study")
        elif not (sets or self._trained or self.reports):
            self.show_empty("No synthetic cubes in this study yet: nothing to compare.", "Sample a run")
        else:
            self.show_empty("", "")
        self._choose_what()
        self._choose_report()
        self._show_queue()
        self.summary_changed.emit()

    def _next_step(self) -> None:
        self.open_dock("Study" if self.study is None else "Sample")

    def _choose_what(self, _index: int = 0) -> None:
        compare = self.what.currentData() == _COMPARE
        self.choices.setRowVisible(self.diagnosis, compare)
        self.choices.setRowVisible(self.model, not compare)
        self.sets.setVisible(compare and bool(self._sets))
        self.sets_label.setVisible(compare and bool(self._sets))
        self.update_controls()

    def _chosen(self, _: object = None) -> None:
        self.update_controls()

    @property
    def checked_sets(self) -> list[str]:
        """Run ids of the synthetic sets to measure."""
        items = [self.sets.item(row) for row in range(self.sets.count())]
        return [item.text() for item in items if item is not None and item.checkState() == Qt.CheckState.Checked]

    def obstacle(self) -> str:
        """Why nothing can be measured now."""
        if self.study is None:
            return "Open a study first."
        if self.row.active:
            return "An evaluation is under way."
        if not self._is_read:
            return READING
        if self.what.currentData() == _COMPARE:
            if not self._sets:
                return "This study has no synthetic cubes yet: draw samples from a trained run first."
            return "" if self.checked_sets else "Tick at least one synthetic set."
        if missing := missing_training():
            return missing
        return "" if self._trained else "This study has no trained run that can reconstruct."

    # -- the jobs -------------------------------------------------------------------------------------------------

    def words(self, run_id: str | None = None) -> list[str]:
        """``evaluate STUDY SYNTHETIC --split S [--diagnosis D]`` or ``evaluate --reconstruct RUN``."""
        assert self.study is not None
        if self.what.currentData() == _RECONSTRUCT:
            words = ["evaluate", "--reconstruct", str(self.model.currentData())]
        else:
            folder = self.study.synthetic_dir(run_id or self.checked_sets[0])
            words = ["evaluate", str(self.study.root), str(folder)]
            if self.diagnosis.currentData():
                words += ["--diagnosis", self.diagnosis.currentData()]
        if self.split.currentData() != "held-out":
            words += ["--split", self.split.currentData()]
        return words

    def run_name(self, run_id: str | None = None) -> str:
        """``evaluate-vae-melanoma-3fa2``: which run is measured."""
        if self.what.currentData() == _RECONSTRUCT:
            return f"evaluate-{self.model.currentText()}"
        return f"evaluate-{without_time(run_id or self.checked_sets[0])}"

    def start(self) -> None:
        """Measure the chosen sets one after the other."""
        if self.study is None or self.obstacle():
            self.refresh()  # the folder has changed since the button was enabled: show what stands against it
            return
        try:
            chosen = self.checked_sets if self.what.currentData() == _COMPARE else [None]
            self._queue = [(self.words(name), new_run(self.study.root, self.run_name(name))) for name in chosen]
            self._next()
        except InputError as error:
            self._queue = []
            show_warning(str(error))

    def _next(self) -> None:
        if self._queue:
            self.launch(*self._queue.pop(0))
        self._show_queue()

    def _show_queue(self) -> None:
        self.waiting.setText(f"{len(self._queue)} more queued" if self._queue else "")
        self.waiting.setVisible(bool(self._queue))

    def _job_finished(self, state: RunState) -> None:
        super()._job_finished(state)
        if state.status == "stopped":
            self._queue = []
        try:
            self._next()
        except InputError as error:
            self._queue = []
            show_warning(str(error))

    # -- the figures ----------------------------------------------------------------------------------------------

    def _choose_report(self, _index: int = 0) -> None:
        report = next((one for one in self.reports if one.run.path == self.report.currentData()), None)
        self.table.show_report(report)
        self.notes.setText("" if report is None else report.text)
        self.report_choice.setRowVisible(self.report, report is not None)
        for widget in (self.table, self.open_button, self.notes):
            widget.setVisible(report is not None)
        self.open_button.setEnabled(report is not None and report.html.is_file())

    def _open_report(self) -> None:
        report = next((one for one in self.reports if one.run.path == self.report.currentData()), None)
        if report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(report.html)))

    def summary(self) -> str:
        """Return the running job, or the headline of the newest report."""
        if self.study is None:
            return ""
        if self.row.active:
            return super().summary()
        if self._shown is not self.study:
            return evaluate_brief(self.study).text  # being read
        return self.reports[0].headline if self.reports else "not run"


def _read(study: Study) -> tuple[Study, list[str], list[RunSummary], list[Report]]:
    trained = [s for s in summarise_all(study.root, "train") if any(s.run.checkpoints_dir.glob("last.*"))]
    return study, study.synthetic_runs(), trained, list_reports(study.root)
