"""`TrainDock`: choose data, model and settings; train in a process of its own; watch losses, samples and spectra."""

from __future__ import annotations

from typing import Any, get_args

from napari.qt.threading import create_worker
from napari.utils.notifications import show_warning
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QTabWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import Event, RunFolder, RunState
from napari_hsisynth.study import DIAGNOSIS_COLOURS, Diagnosis, Study
from napari_hsisynth.training.config import DataSummary, ModelConfig, data_summary
from napari_hsisynth.widgets.briefs import counted, train_brief
from napari_hsisynth.widgets.devices import Device, list_devices
from napari_hsisynth.widgets.first_weights import FirstWeights
from napari_hsisynth.widgets.fold import Fold
from napari_hsisynth.widgets.form import ConfigForm
from napari_hsisynth.widgets.job_dock import JobDock, choice, missing_training, refill, wrapped
from napari_hsisynth.widgets.job_row import about_text
from napari_hsisynth.widgets.layers import add_cube
from napari_hsisynth.widgets.loss_plot import LossPlot
from napari_hsisynth.widgets.model_settings import ModelSettings
from napari_hsisynth.widgets.preview import Preview, Tile
from napari_hsisynth.widgets.preview_grid import PreviewGrid
from napari_hsisynth.widgets.run_plots import SpectraPlot
from napari_hsisynth.widgets.run_table import RunSummary, RunTable, summarise
from napari_hsisynth.widgets.split_panel import SplitPanel

_SEVERAL_MACHINES = "Several machines are started from a shell or a batch system: copy the command."


def data_text(summary: DataSummary, by_patient: bool) -> str:
    """Describe the data, ``287 crops (95 melanoma, 192 nevus) · train 200 / val 43 / test 44 by patient``."""
    each = ", ".join(f"{count} {Diagnosis(name).label}" for name, count in summary.by_diagnosis.items())
    split = f"train {summary.train} / val {summary.val} / test {summary.test} by {'patient' if by_patient else 'cube'}"
    return f"{summary.crops} crops ({each}) · {split}"


class TrainDock(JobDock):
    """Training runs of a study: start, stop, resume, attach, watch.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "train")
        self._summary: DataSummary | None = None
        self._devices: list[Device] = [Device("auto", "auto"), Device("cpu", "cpu")]
        self._build()
        self.refresh()
        self._look_for_devices()

    # -- what is shown --------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.data = wrapped("", self.content)
        self.split_button = QPushButton("Change", self.content)
        self.split_button.setCheckable(True)
        self.split_button.setToolTip("See which cubes train and which are held out, and move them")
        self.split_button.toggled.connect(self._turn_split)
        self.split = SplitPanel(self.content)
        self.split.hide()
        self.split.changed.connect(self.refresh)
        self.diagnosis = choice(self.content, "Train on the crops of this diagnosis")
        self.settings = ModelSettings(self.content)
        self.model, self.preset = self.settings.model, self.settings.preset
        self.device = choice(self.content, "Where to train")
        refill(self.device, [(device.label, device.name) for device in self._devices])
        self.begin = FirstWeights(self.content)
        self.settings_fold = Fold("settings", self.settings, is_open=True, parent=self.content)
        self.resume_button = QPushButton("Resume", self.content)
        self.resume_button.clicked.connect(self._resume_shown)
        self.estimate = wrapped("", self.content)
        self.losses, self.samples, self.spectra = LossPlot(), PreviewGrid(), SpectraPlot()
        self.tabs = QTabWidget(self.content)
        for name, page in (("losses", self.losses), ("samples", self.samples), ("spectra", self.spectra)):
            self.tabs.addTab(page, name)
        self.runs = RunTable(self.content)

        data = QHBoxLayout()
        data.addWidget(self.data, 1)
        data.addWidget(self.split_button)
        self.column.addLayout(data)
        self.column.addWidget(self.split)
        self.add_choices(
            [
                ("diagnosis", self.diagnosis),
                ("model", self.model),
                ("device", self.device),
                ("preset", self.preset),
                ("begin with", self.begin),
            ]
        )
        self.column.addWidget(self.settings_fold)
        self.column.addWidget(self.estimate)
        self.add_controls(self.resume_button)
        self.column.addWidget(self.tabs, 1)
        self.column.addWidget(self.runs)

        self.diagnosis.currentIndexChanged.connect(self._choose_diagnosis)
        self.settings.changed.connect(self.update_controls)
        self.model.currentIndexChanged.connect(self._offer_weights)
        self.begin.changed.connect(self.update_controls)
        self.device.currentIndexChanged.connect(self._choose_device)
        self.row.event_arrived.connect(self._take)
        self.samples.chosen.connect(self._show_tile)
        self.samples.shown.connect(self._show_preview)
        self.runs.show_asked.connect(self.attach)
        self.runs.resume_asked.connect(self.resume)
        self.runs.loaded.connect(self._runs_loaded)

    @property
    def form(self) -> ConfigForm:
        """The form of the chosen model."""
        return self.settings.form

    def refresh(self) -> None:
        """Count the study's crops and list its runs."""
        study = self.study
        items: list[tuple[str, Any]] = []
        self._summary = None
        if study is not None:
            try:
                everything = data_summary(study)
                for name, count in everything.by_diagnosis.items():
                    items.append((f"{Diagnosis(name).label} ({count})", str(name)))
                if len(items) != 1:
                    items.append((f"all diagnoses ({everything.crops})", None))
                if everything.crops:  # else the first choice would stay when there are some
                    refill(self.diagnosis, items, default=str(study.positive))
                self._summary = data_summary(study, self.diagnosis.currentData())
            except InputError as error:
                show_warning(str(error))
        self._show_data(study)
        root = study.root if study is not None else None
        self.runs.load(root)
        if self.split_button.isChecked():
            self.split.load(root)
        self.update_controls()

    def _show_data(self, study: Study | None) -> None:
        summary = self._summary
        ready = study is not None and summary is not None and summary.crops > 0
        if study is None:
            self.show_empty("No study open. Training learns from a study's lesion crops.", "Open or make a study")
        elif not ready:
            self.show_empty("This study has no crops yet. Cut them from its masked lesions first.", "Crop lesions")
        else:
            self.show_empty("", "")
        if study is not None and summary is not None:
            self.data.setText(data_text(summary, any(entry.patient for entry in study.entries)))

    def _next_step(self) -> None:
        self.open_dock("Study" if self.study is None else "Crop")

    def obstacle(self) -> str:
        """Why a training cannot start now."""
        if self.study is None:
            return "Open a study first."
        if missing := missing_training():
            return missing
        if self._summary is None or not self._summary.crops:
            return "This study has no crops yet: crop its lesions first."
        if self._summary.train == 0:
            return "No crop of this diagnosis is in the training split: choose another or add cubes."
        if self.row.active:
            return "A training is under way: wait for it or stop it first."
        config = self.settings.config()
        if config is None:
            return f"Settings: {self.form.reason()}"
        if config.conditional and self.diagnosis.currentData():
            return self._not_conditional()
        if reason := self.begin.obstacle(self.settings.name):
            return reason
        if config.num_nodes > 1:
            return _SEVERAL_MACHINES
        return ""

    def _not_conditional(self) -> str:
        """Why a conditional model cannot be trained on the chosen diagnosis."""
        if self.diagnosis.findData(None) < 0:
            return "A conditional model needs crops of two diagnoses or more: turn “conditional” off."
        return "A conditional model learns all diagnoses at once: choose “all diagnoses”, or turn “conditional” off."

    def update_controls(self) -> None:
        """Enable what can be done now, and say why not."""
        super().update_controls()
        if self.obstacle() == _SEVERAL_MACHINES:
            self.command.set_words(self.words())  # the one thing that only a command can do
            self.command.setVisible(True)
        state = self.row.state
        resumable = self.row.run is not None and state.status in ("stopped", "failed")
        self.resume_button.setEnabled(resumable and not missing_training())
        self.resume_button.setToolTip(
            "Go on from the last checkpoint of the run shown below"
            if resumable
            else "Only a stopped or failed run can be resumed; choose one in the table"
        )
        # a job that is starting has yet to read the split
        self.split.setEnabled(self.row.run is None or state.status != "starting")
        self.tabs.setVisible(self.row.run is not None)
        self.estimate.setText(self._estimate())
        self.estimate.setVisible(bool(self.estimate.text()))

    def _estimate(self) -> str:
        """How long it should take, by the rate of the latest run of the same model and image size."""
        config = self.settings.config()
        if self.row.active or config is None:
            return ""
        for summary in self.runs.summaries:
            if summary.state.rate and summary.alike(config.model_dump()):
                seconds = config.max_images / summary.state.rate
                return f"about {about_text(seconds)} at the {summary.state.rate:,.0f} images/s of an earlier run"
        return ""

    def _turn_split(self, is_open: bool) -> None:
        self.split.setVisible(is_open)
        if is_open:
            self.split.load(self.study.root if self.study is not None else None)

    # -- choices --------------------------------------------------------------------------------------------------

    def _choose_diagnosis(self, _index: int = 0) -> None:
        if self.study is not None:
            self._summary = data_summary(self.study, self.diagnosis.currentData())
            self._show_data(self.study)
        self.update_controls()

    def _choose_device(self, _index: int = 0) -> None:
        self.settings.set_device(self.device.currentData() or "auto")

    def _offer_weights(self, _index: int = 0) -> None:
        self.begin.offer(self.runs.summaries, self.settings.name)

    def _look_for_devices(self) -> None:
        names = get_args(ModelConfig.model_fields["device"].annotation)
        worker = create_worker(list_devices, names, _start_thread=False)
        worker.returned.connect(self._devices_found)
        worker.start()

    def _devices_found(self, devices: list[Device]) -> None:
        self._devices = devices
        refill(self.device, [(device.label, device.name) for device in devices])

    # -- the command ----------------------------------------------------------------------------------------------

    def words(self) -> list[str]:
        """``train STUDY --model M --diagnosis D --preset P --set K=V ...`` with what differs from the preset."""
        assert self.study is not None
        words = ["train", str(self.study.root), "--model", self.settings.name]
        if self.diagnosis.currentData():
            words += ["--diagnosis", self.diagnosis.currentData()]
        words += self.settings.words()
        return words + (["--init", str(self.begin.path)] if self.begin.path is not None else [])

    def run_name(self) -> str:
        """Return the model and the diagnosis, ``vae-melanoma``."""
        return f"{self.model.currentData()}-{self.diagnosis.currentData() or 'all'}"

    def start(self) -> None:
        """Train; the settings fold away to make room for what happens."""
        super().start()
        if self.row.active:
            self.settings_fold.set_open(False)
            self.split_button.setChecked(False)
            self.settings.remember()
            QTimer.singleShot(0, self._show_results)  # once the rest has folded away

    def _show_results(self) -> None:
        self.area.ensureWidgetVisible(self.tabs)

    def resume(self, run: RunFolder) -> None:
        """Go on with a stopped or failed run in its own folder."""
        assert self.study is not None
        if not run.path.is_dir():
            self._forget(run)
            return
        try:
            self.launch(["train", str(self.study.root), "--resume", str(run.path)], run)
        except InputError as error:
            show_warning(str(error))

    def _forget(self, run: RunFolder) -> None:
        """Say that a run's folder is gone, and show it no longer."""
        show_warning(f"{run.path}: this run's folder is gone.")
        if self.row.run == run:
            self.row.detach()
        self.session.runs_changed.emit(run.id)
        self.summary_changed.emit()

    def _resume_shown(self) -> None:
        if self.row.run is not None:
            self.resume(self.row.run)

    # -- what a run tells -----------------------------------------------------------------------------------------

    def attach(self, run: RunFolder, job: Any = None) -> None:
        """Show a run from its beginning; of one whose folder is gone only this is said."""
        if not run.path.is_dir():
            self._forget(run)
            return
        about = summarise(run)
        known = about.diagnosis in set(Diagnosis)
        colour = DIAGNOSIS_COLOURS[Diagnosis(about.diagnosis)] if known else DIAGNOSIS_COLOURS[Diagnosis.OTHER]
        self.losses.clear()
        self.samples.clear(about.title, colour)
        self.spectra.set_colour(colour)
        self.spectra.show_spectra(None)
        super().attach(run, job)

    def _take(self, event: Event) -> None:
        run = self.row.run
        if run is None:
            return
        match event.kind:
            case "scalars":
                self.losses.add(event.images or 0, event.fields.get("values") or {})
            case "preview" if event.fields.get("file"):
                self.samples.add(event.images or 0, run.path / str(event.fields["file"]))
            case "warning":
                self.losses.warn(str(event.fields.get("message", "")), event.images)
            case "started" | "rolled_back" if event.fields.get("resumed_at") is not None:
                resumed_at = int(event.fields["resumed_at"])
                self.losses.forget_after(resumed_at)
                self.samples.forget_after(resumed_at)
                if event.kind == "rolled_back":
                    reason = f"rolled back to {resumed_at:,} images: {event.fields.get('reason', 'diverged')}"
                    self.losses.warn(reason, event.fields.get("reached"))

    def _job_changed(self, state: RunState) -> None:
        super()._job_changed(state)
        if self.row.run is not None:
            self.runs.update_state(self.row.run, state)

    def _runs_loaded(self, summaries: list[RunSummary]) -> None:
        """Take hold of a run that is at work, for example after napari was closed in the middle."""
        if self.row.run is None:
            active = [summary.run for summary in summaries if summary.state.active]
            if active:
                self.attach(active[0])
        self._offer_weights()
        self.update_controls()
        self.summary_changed.emit()

    def summary(self) -> str:
        """Return the followed run, or how many there are."""
        if self.study is None:
            return ""
        if followed := super().summary():
            return followed
        if self.runs.shown_root != self.study.root:
            return train_brief(self.study).text  # being read
        done = len(self.runs.summaries)
        return counted(done, "run") if done else "not run"

    def _show_preview(self, preview: Preview) -> None:
        self.spectra.show_spectra(preview.spectra)

    def _show_tile(self, tile: Tile) -> None:
        """Add the cube behind a picture as a layer; a second click only selects it."""
        add_cube(self.viewer, tile.cube, view="preview")
