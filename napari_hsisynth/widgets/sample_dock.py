"""`SampleDock`: draw synthetic cubes from a trained run, and see them in the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.layers import Layer
from napari.qt.threading import create_worker
from napari.utils.notifications import show_info, show_warning

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, RunState, new_run
from napari_hsisynth.study import Crop, Diagnosis, Study
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.briefs import sample_brief
from napari_hsisynth.widgets.dataset_form import DatasetForm
from napari_hsisynth.widgets.fold import Fold
from napari_hsisynth.widgets.inversion_form import InversionForm
from napari_hsisynth.widgets.job_dock import READING, JobDock, choice, counter, missing_training, refill
from napari_hsisynth.widgets.latent_tools import LatentTools
from napari_hsisynth.widgets.run_table import RunSummary
from napari_hsisynth.widgets.sample_conditions import ConditionSource, MaskSource, PhotoSource
from napari_hsisynth.widgets.shown_samples import MOST_SHOWN, read_samples, show_samples
from napari_hsisynth.widgets.study_samples import StudySamples, read_samples_of
from napari_hsisynth.widgets.synthetic_sets import SyntheticSets

#: Cubes to draw at first: of a painted mask few, which are all shown; of photographs one each.
_COUNTS = {"": 16, "painted": 4, "photographs": 0}

_BUSY = "A job is under way: wait for it or stop it first."
_NO_RUN = "No trained run in this study yet."


class SampleDock(JobDock):
    """Sets of synthetic cubes of a study: make one, see it, compare it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "sample")
        self._found = StudySamples(None)
        self._cubes, self._cubes_of = dict(_COUNTS), ""
        #: What stood in the way of drawing when the files were last looked at, whatever the mask.
        self._in_the_way = ""
        #: The run that writes a data set.
        self._writing: RunFolder | None = None
        #: The run that draws from a painted mask, that mask's name, its layer, and how many cubes to show.
        self._from_painting: tuple[RunFolder, str, Layer, int] | None = None
        self._build()
        self.refresh()

    def _build(self) -> None:
        self.source = choice(self.content, "The training run to draw from")
        self.checkpoint = choice(self.content, "last: the end of training; best: the lowest validation loss")
        for name in ("last", "best"):
            self.checkpoint.addItem(name, name)
        self.diagnosis = choice(self.content, "What the cubes are to show, of a model of several diagnoses")
        self.masks = MaskSource(self.viewer, self.content)
        self.photos = PhotoSource(self.content)
        self.latents = LatentTools(self.content)
        self.latent_fold = Fold("latent", self.latents, parent=self.content)
        self._parts: dict[str, ConditionSource | LatentTools] = {
            "masks": self.masks,
            "photos": self.photos,
            "latents": self.latents,
        }
        self.count = counter(self.content, _COUNTS[""], 1, 100_000, "How many cubes to draw")
        self.seed = counter(self.content, 0, 0, 2**31 - 1, "The same seed gives the same cubes")
        self.sets = SyntheticSets(self.session, self.content)
        self.dataset = DatasetForm(self.content)
        self.inversion = InversionForm(self.content)
        self.inversion_fold = Fold("photographs without a model", self.inversion, parent=self.content)

        self.choices = self.add_choices(
            [
                ("run", self.source),
                ("checkpoint", self.checkpoint),
                ("diagnosis", self.diagnosis),
                ("lesion masks", self.masks),
                ("RGB images", self.photos),
                ("cubes", self.count),
                ("seed", self.seed),
            ]
        )
        self.column.addWidget(self.latent_fold)
        self.add_controls()
        self.column.addWidget(self.sets)
        self.column.addWidget(self.dataset)
        self.dataset.hide()
        self.column.addWidget(self.inversion_fold)
        self.column.addStretch(1)

        self.source.currentIndexChanged.connect(self._offer_what_it_takes)
        for source in (self.masks, self.photos, self.latents):
            source.changed.connect(self._chosen)
        self.masks.painting.painted.connect(self._pixels_changed)
        for changed in (self.source, self.checkpoint, self.diagnosis):
            changed.currentIndexChanged.connect(self._chosen)
        for spin in (self.count, self.seed):
            spin.valueChanged.connect(self._chosen)
        self.sets.compare_asked.connect(self._compare)
        self.sets.export_button.toggled.connect(self._turn_export)
        self.dataset.asked.connect(self.export)
        self.inversion.asked.connect(self.invert)

    @property
    def trained(self) -> list[RunSummary]:
        """Training runs to draw from."""
        return self._found.trained

    # -- what is shown --------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the trained runs and the synthetic sets of the study."""
        if self.study is None:
            self._take(StudySamples(None))
            return
        if not self._is_read:  # until then nothing of the last study is to be used for this one
            self._offer_export()
            self.update_controls()
        worker = create_worker(read_samples_of, self.study, _start_thread=False)
        worker.returned.connect(self._take)
        worker.start()

    @property
    def _is_read(self) -> bool:
        """Whether what is shown is of the open study."""
        return self.is_open(self._found.study)

    def _take(self, found: StudySamples) -> None:
        study = found.study
        if study is not self.study:
            return  # another study has been opened meanwhile; its own list is on the way
        is_new, self._found = not self._is_read, found
        if study is not None and is_new:
            self._restore(study)
        refill(self.source, [(_title(summary), summary.run.path) for summary in self.trained])
        self._offer_what_it_takes()
        counts = {run_id: sum(cubes.values()) for run_id, cubes in found.sets.items()}
        self.sets.fill(counts)
        if not counts:
            self.sets.export_button.setChecked(False)
        self._offer_export()
        if study is None:
            self.show_empty("No study open. Samples are drawn from a study's training runs.", "Open or make a study")
        elif not self.trained:
            self.show_empty(_NO_RUN, "Train a generator", alone=False)
        else:
            self.show_empty("", "")
        self._chosen()
        self.summary_changed.emit()

    def _next_step(self) -> None:
        self.open_dock("Study" if self.study is None else "Train")

    def _offer_what_it_takes(self, _: int = 0) -> None:
        """Show the rows of what the run is to be told: a diagnosis, a mask, an RGB image; and of its latents."""
        chosen = self._chosen_run
        needs = chosen.needs if chosen is not None else frozenset()
        self.choices.setRowVisible(self.masks, "masks" in needs)
        self.choices.setRowVisible(self.photos, "rgb" in needs)
        self.latent_fold.setVisible(chosen is not None and "rgb" not in needs)
        self.latents.offer(
            mixes_styles=chosen is not None and chosen.mixes_styles, drawing={} if chosen is None else chosen.drawing
        )
        told = chosen is not None and chosen.conditional
        # one that was not told diagnoses may have learned several: what it makes of a mask can be said to be of one
        asked = chosen is not None and (told or (bool(needs) and not chosen.diagnosis))
        names = (chosen.classes or self._found.diagnoses) if chosen is not None and asked else ()
        unsaid = "all in turn" if told else "that of the crop, else other"
        refill(self.diagnosis, [(unsaid, ""), *((Diagnosis(name).label, name) for name in names)])
        self.choices.setRowVisible(self.diagnosis, asked)

    def _chosen(self, _: int = 0) -> None:
        self._keep_counts()
        if self._chosen_run is not None:
            diagnosis = self.diagnosis.currentData() or self._chosen_run.diagnosis
            self.masks.painting.fit(self._chosen_run.image_size_px, diagnosis)
        self.update_controls()

    @property
    def _paints(self) -> bool:
        """Whether the cubes are to be drawn from a mask painted in the viewer."""
        chosen = self._chosen_run
        return chosen is not None and "masks" in chosen.needs and self.masks.painted

    def _keep_counts(self) -> None:
        """Keep a number of cubes of its own for a painted mask, and for photographs."""
        chosen = self._chosen_run
        photographs = chosen is not None and "rgb" in chosen.needs and self.photos.has_path
        now = "painted" if self._paints else "photographs" if photographs else ""
        if now != self._cubes_of:
            self._cubes[self._cubes_of], self._cubes_of = self.count.value(), now
            self.count.setMinimum(min(1, _COUNTS[now]))
            self.count.setSpecialValueText("one of each" if photographs else "")
            self.count.setValue(self._cubes[now])

    def _restore(self, study: Study) -> None:
        """Choose what was last drawn with in this study."""
        kept: dict[str, Any] = settings.value(f"sample/{study.root}", {})
        for name, part in self._parts.items():
            part.restore(kept[name] if isinstance(kept.get(name), dict) else {})

    def obstacle(self) -> str:
        """Why nothing can be drawn now."""
        self._in_the_way = self._obstacle_of_run()
        return self._in_the_way or self._obstacle_of_conditions()

    def _obstacle_of_run(self) -> str:
        if self.study is None:
            return "Open a study first."
        if missing := missing_training():
            return missing
        if not self._is_read:
            return READING
        if not self.trained:
            return _NO_RUN
        chosen = self._chosen_run
        if chosen is not None and not any(chosen.run.checkpoints_dir.glob(f"{self.checkpoint.currentData()}.*")):
            return f"This run has no “{self.checkpoint.currentData()}” checkpoint yet."
        if self.row.active:
            return _BUSY
        return ""

    def _obstacle_of_conditions(self) -> str:
        chosen = self._chosen_run
        needs = chosen.needs if chosen is not None else frozenset()
        if "masks" in needs:
            return self.masks.obstacle()
        return self.photos.obstacle() if "rgb" in needs else ""

    def _pixels_changed(self) -> None:
        """Follow the brush: nothing but the mask is looked at, for this is many times in every stroke."""
        if self._paints:
            self._show_controls(self._in_the_way or self._obstacle_of_conditions())

    @property
    def _chosen_run(self) -> RunSummary | None:
        path = self.source.currentData()
        return next((summary for summary in self.trained if summary.run.path == path), None)

    # -- the job --------------------------------------------------------------------------------------------------

    def words(self) -> list[str]:
        """``sample RUN --n N --seed S``, with what else is chosen."""
        words = ["sample", str(self.source.currentData())]
        words += ["--n", str(self.count.value())] if self.count.value() else []
        words += ["--seed", str(self.seed.value())]
        if self.checkpoint.currentData() != "last":
            words += ["--checkpoint", self.checkpoint.currentData()]
        if self.diagnosis.currentData():
            words += ["--diagnosis", self.diagnosis.currentData()]
        chosen = self._chosen_run
        if chosen is None:
            return words
        if "masks" in chosen.needs:
            words += self.masks.words(self._painted_masks)
        if "rgb" in chosen.needs:
            return words + self.photos.words(self._painted_masks)
        return words + self.latents.words()

    @property
    def _painted_masks(self) -> Path:
        assert self.study is not None
        return self.study.root / "synthetic" / "masks"

    def run_name(self) -> str:
        """``sample-vae-melanoma``."""
        chosen = self._chosen_run
        diagnosis = self.diagnosis.currentData() or (chosen.diagnosis if chosen is not None else "") or "all"
        return f"sample-{chosen.model}-{diagnosis}" if chosen is not None else "sample"

    def start(self) -> None:
        """Draw; a painted mask is written first."""
        layer = self.masks.painting.layer if self._paints else None
        mask = ""
        if self.study is not None and not self.obstacle():
            settings.set_value(f"sample/{self.study.root}", {n: part.state() for n, part in self._parts.items()})
            if layer is not None:
                try:
                    mask = self.masks.painting.save(self._painted_masks).stem
                except InputError as error:
                    show_warning(str(error))
                    return
        super().start()
        run = self.row.run
        if mask and layer is not None and run is not None and self.row.active:
            self._from_painting = (run, mask, layer, min(self.count.value(), MOST_SHOWN))

    def export(self) -> None:
        """Write a data set, as a job in the row of this dock."""
        self._launch_form(self.dataset, "export-dataset")

    def invert(self) -> None:
        """Make cubes of photographs, likewise."""
        self._launch_form(self.inversion, "invert")

    def _launch_form(self, form: DatasetForm | InversionForm, name: str) -> None:
        if self.study is None:
            return
        try:
            run = new_run(self.study.root, name)
            self.launch(form.words(), run)
        except InputError as error:
            show_warning(str(error))
        else:
            self._writing = run
            self.area.ensureWidgetVisible(self.row)

    def _turn_export(self, is_open: bool) -> None:
        self.dataset.setVisible(is_open)
        self._offer_export()

    def _offer_export(self) -> None:
        root = self.study.root if self.study is not None else None
        found = self._found if self._is_read else StudySamples(None)
        self.dataset.offer(root, found.sets, self.sets.selected)
        self.inversion.offer(root, has_training_crops=found.has_training_crops if self._is_read else None)

    def update_controls(self) -> None:
        """Enable what can be done now, and say why not."""
        super().update_controls()
        busy = _BUSY if self.row.active else ""
        for form in (self.dataset, self.inversion):
            if busy != form.busy:
                form.busy = busy
                form.update_state()

    def _job_finished(self, state: RunState) -> None:
        super()._job_finished(state)
        run = self.row.run
        if state.status != "done" or run is None:
            return
        if run == self._writing:
            self._offer_export()  # what was written is in the way of the next one
            show_info(f"Written: {state.result.get('path')}")
            return
        self.session.crops_changed.emit()
        if self._from_painting is not None and self._from_painting[0] == run:
            _, mask, _, count = self._from_painting
            worker = create_worker(_read_drawn, state, count, mask, _start_thread=False)
            worker.returned.connect(self._add_drawn)
            worker.start()

    def summary(self) -> str:
        """Return the running job, or ``200 samples from 2 runs``."""
        if self.study is None:
            return ""
        if self.row.active:
            return super().summary()
        if self._found.study is not self.study:
            return sample_brief(self.study).text  # being read
        sets, cubes = len(self.sets.counts), sum(self.sets.counts.values())
        return f"{cubes:,} samples from {sets} run{'s' * (sets != 1)}" if sets else "none yet"

    # -- seeing ---------------------------------------------------------------------------------------------------

    def _add_drawn(self, found: list[Crop] | str) -> None:
        """Show what was drawn from a painted mask beside the painting, which keeps the brush."""
        if isinstance(found, str):
            show_warning(found)
            return
        viewer = self.session.viewer
        painting = self._from_painting[2] if self._from_painting is not None else None
        near = [painting] if painting is not None and painting in viewer.layers else []
        if found and not show_samples(viewer, found, near):
            show_info("The cubes of this mask and seed are in the viewer already: another seed draws others.")
        if near:
            viewer.layers.selection.active = painting

    def _compare(self) -> None:
        self.open_dock("Compare")


def _title(summary: RunSummary) -> str:
    return f"{summary.title} · {summary.state.images:,} images"


def _read_drawn(state: RunState, count: int, condition: str) -> list[Crop] | str:
    """Read what a finished job has drawn from a condition."""
    folder = state.result.get("folder")
    if not folder:
        return "the job has not said where its cubes are"
    try:
        return read_samples(Path(folder), count, condition, since=state.started or 0.0)
    except InputError as error:
        return str(error)
