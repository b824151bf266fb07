"""`SampleDock`: draw synthetic cubes from a trained run, and see them in the viewer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Layer
from napari.qt.threading import create_worker
from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QHeaderView, QLabel, QPushButton, QSpinBox, QTreeWidget, QTreeWidgetItem

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunState
from napari_hsisynth.study import Diagnosis, Study, read_crop, read_crops_index
from napari_hsisynth.widgets.briefs import sample_brief
from napari_hsisynth.widgets.job_dock import JobDock, choice, missing_training, refill, wrapped
from napari_hsisynth.widgets.layers import add_cube
from napari_hsisynth.widgets.run_table import RunSummary, fit_to_rows, summarise_all

#: Most cubes that one click adds to the viewer, so that a set of hundreds does not fill the layer list.
MOST_SHOWN = 16
_VIEW = "synthetic"
#: Room between cubes beside each other, as a part of their size.
_GAP = 0.05


def read_cubes(folder: Path, count: int) -> list[Cube]:
    """Read the first `count` cubes of a folder in crops form."""
    return [read_crop(folder, record).cube for record in read_crops_index(folder)[:count]]


class SampleDock(JobDock):
    """Sets of synthetic cubes of a study: make one, see it, compare it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "sample")
        self.trained: list[RunSummary] = []
        self._diagnoses: tuple[str, ...] = ()
        self._counts: dict[str, int] = {}
        self._shown: Study | None = None
        self._build()
        self.refresh()

    def _build(self) -> None:
        self.source = choice(self.content, "The training run to draw from")
        self.checkpoint = choice(self.content, "last: the end of training; best: the lowest validation loss")
        for name in ("last", "best"):
            self.checkpoint.addItem(name, name)
        self.diagnosis = choice(self.content, "What a model that knows several diagnoses is to show")
        self.count = self._spin(16, 1, 100_000, "How many cubes to draw")
        self.seed = self._spin(0, 0, 2**31 - 1, "The same seed gives the same cubes")
        self.sets_title = QLabel("synthetic sets", self.content)
        self.sets = QTreeWidget(self.content)
        self.sets.setRootIsDecorated(False)
        self.sets.setHeaderLabels(["run", "cubes"])
        header = self.sets.header()
        if header is not None:
            header.setStretchLastSection(False)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.sets.setMinimumWidth(1)
        self.no_sets = wrapped("No synthetic cubes in this study yet.", self.content)
        self.shown_count = self._spin(4, 1, MOST_SHOWN, "How many cubes to add to the viewer")
        self.show_button = QPushButton("Show in viewer", self.content)
        self.compare_button = QPushButton("Compare", self.content)
        self.compare_button.setToolTip("Open the Compare dock: real and synthetic cubes side by side")
        self.folder_button = QPushButton("Open folder", self.content)

        self.choices = self.add_choices(
            [
                ("run", self.source),
                ("checkpoint", self.checkpoint),
                ("diagnosis", self.diagnosis),
                ("cubes", self.count),
                ("seed", self.seed),
            ]
        )
        self.add_controls()
        self.column.addWidget(self.sets_title)
        self.column.addWidget(self.sets)
        self.column.addWidget(self.no_sets)
        show = QHBoxLayout()
        show.addWidget(self.show_button, 1)
        show.addWidget(self.shown_count)
        more = QHBoxLayout()
        more.addWidget(self.compare_button)
        more.addWidget(self.folder_button)
        self.column.addLayout(show)
        self.column.addLayout(more)
        self.column.addStretch(1)

        self.source.currentIndexChanged.connect(self._offer_diagnoses)
        for changed in (self.source, self.checkpoint, self.diagnosis):
            changed.currentIndexChanged.connect(self._chosen)
        for spin in (self.count, self.seed):
            spin.valueChanged.connect(self._chosen)
        self.sets.itemSelectionChanged.connect(self._enable_sets)
        self.show_button.clicked.connect(self.show_selected)
        self.compare_button.clicked.connect(lambda: self.open_dock("Compare"))
        self.folder_button.clicked.connect(self._open_folder)

    def _spin(self, value: int, least: int, most: int, tip: str) -> QSpinBox:
        spin = QSpinBox(self.content)
        spin.setRange(least, most)
        spin.setValue(value)
        spin.setGroupSeparatorShown(True)
        spin.setToolTip(tip)
        spin.setAccessibleName(tip)
        return spin

    # -- what is shown --------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the trained runs and the synthetic sets of the study."""
        if self.study is None:
            self._take((None, [], {}, ()))
        else:
            worker = create_worker(_read_runs, self.study, _start_thread=False)
            worker.returned.connect(self._take)
            worker.start()

    def _take(self, found: tuple[Study | None, list[RunSummary], dict[str, int], tuple[str, ...]]) -> None:
        if found[0] is not self.study:
            return  # another study has been opened meanwhile; its own list is on the way
        study, self.trained, self._counts, self._diagnoses = found
        self._shown = study
        refill(self.source, [(_title(summary), summary.run.path) for summary in self.trained])
        self._offer_diagnoses()
        selected = self.selected_set
        self.sets.clear()
        for run_id, count in self._counts.items():
            item = QTreeWidgetItem([run_id.split("-", 2)[-1], f"{count:,}"])
            item.setData(0, Qt.ItemDataRole.UserRole, run_id)
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(0, run_id)
            self.sets.addTopLevelItem(item)
            item.setSelected(run_id == selected)
        fit_to_rows(self.sets)
        if self.selected_set is None and self.sets.topLevelItemCount():
            self.sets.topLevelItem(0).setSelected(True)
        if study is None:
            self.show_empty("No study open. Samples are drawn from a study's training runs.", "Open or make a study")
        elif not self.trained:
            has_sets = bool(self._counts)
            self.show_empty("No trained run in this study yet.", "Train a generator", alone=not has_sets)
        else:
            self.show_empty("", "")
        for widget in (self.sets_title, self.sets):
            widget.setVisible(bool(self._counts))
        self.no_sets.setVisible(study is not None and not self._counts)
        self._enable_sets()
        self.update_controls()
        self.summary_changed.emit()

    def _next_step(self) -> None:
        self.open_dock("Study" if self.study is None else "Train")

    def _offer_diagnoses(self, _: int = 0) -> None:
        """Let the user choose among what the run knows, if it was told diagnoses in training."""
        chosen = self._chosen_run
        told = chosen is not None and chosen.conditional
        names = (chosen.classes or self._diagnoses) if chosen is not None and told else ()
        refill(self.diagnosis, [("all in turn", ""), *((Diagnosis(name).label, name) for name in names)])
        self.choices.setRowVisible(self.diagnosis, told)

    def _chosen(self, _: int = 0) -> None:
        self.update_controls()

    def _enable_sets(self) -> None:
        for button in (self.show_button, self.folder_button):
            button.setEnabled(self.selected_set is not None)
        has_sets = bool(self._counts)
        for widget in (self.show_button, self.shown_count, self.compare_button, self.folder_button):
            widget.setVisible(has_sets)

    @property
    def selected_set(self) -> str | None:
        """Run id of the selected synthetic set."""
        items = self.sets.selectedItems()
        return items[0].data(0, Qt.ItemDataRole.UserRole) if items else None

    def obstacle(self) -> str:
        """Why nothing can be drawn now."""
        if self.study is None:
            return "Open a study first."
        if missing := missing_training():
            return missing
        if not self.trained:
            return "This study has no trained run yet: train a generator first."
        chosen = self._chosen_run
        if chosen is not None and not any(chosen.run.checkpoints_dir.glob(f"{self.checkpoint.currentData()}.*")):
            return f"This run has no “{self.checkpoint.currentData()}” checkpoint yet."
        return "Sampling is under way." if self.row.active else ""

    @property
    def _chosen_run(self) -> RunSummary | None:
        path = self.source.currentData()
        return next((summary for summary in self.trained if summary.run.path == path), None)

    # -- the job --------------------------------------------------------------------------------------------------

    def words(self) -> list[str]:
        """``sample RUN --n N --seed S``, with what else is chosen."""
        words = ["sample", str(self.source.currentData()), "--n", str(self.count.value())]
        words += ["--seed", str(self.seed.value())]
        if self.checkpoint.currentData() != "last":
            words += ["--checkpoint", self.checkpoint.currentData()]
        if self.diagnosis.currentData():
            words += ["--diagnosis", self.diagnosis.currentData()]
        return words

    def run_name(self) -> str:
        """``sample-vae-melanoma``."""
        chosen = self._chosen_run
        diagnosis = self.diagnosis.currentData() or (chosen.diagnosis if chosen is not None else "") or "all"
        return f"sample-{chosen.model}-{diagnosis}" if chosen is not None else "sample"

    def _job_finished(self, state: RunState) -> None:
        super()._job_finished(state)
        if state.status == "done":
            self.session.crops_changed.emit()

    def summary(self) -> str:
        """Return the running job, or ``200 samples from 2 runs``."""
        if self.study is None:
            return ""
        if self.row.active:
            return super().summary()
        if self._shown is not self.study:
            return sample_brief(self.study).text  # being read
        sets, cubes = len(self._counts), sum(self._counts.values())
        return f"{cubes:,} samples from {sets} run{'s' * (sets != 1)}" if sets else "none yet"

    # -- seeing ---------------------------------------------------------------------------------------------------

    def show_selected(self) -> None:
        """Add the first cubes of the selected set to the viewer, read off the GUI thread."""
        if self.study is None or self.selected_set is None:
            return
        folder = self.study.synthetic_dir(self.selected_set)
        worker = create_worker(_read_cubes, folder, self.shown_count.value(), _start_thread=False)
        worker.returned.connect(self._add_layers)
        self.show_button.setEnabled(False)
        worker.start()

    def _add_layers(self, found: list[Cube] | str) -> None:
        self._enable_sets()
        if isinstance(found, str):
            show_warning(found)
            self.session.crops_changed.emit()  # by whatever deleted them
            return
        names = [f"{cube.name} · {_VIEW}" for cube in found]
        shown = {layer.name for layer in self.viewer.layers}
        new = [
            add_cube(self.viewer, cube, view=_VIEW)
            for cube, name in zip(found, names, strict=True)
            if name not in shown
        ]
        viewer = self.session.viewer
        lay_beside(new, viewer.layers)
        viewer.reset_view(layers=[layer for layer in viewer.layers if layer.name in names])

    def _open_folder(self) -> None:
        if self.study is not None and self.selected_set is not None:
            folder = self.study.synthetic_dir(self.selected_set)
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def lay_beside(new: Sequence[Layer], layers: Sequence[Layer]) -> None:
    """Lay new layers in a near-square block at the right of all others, so that none hides another."""
    if not new:
        return
    borders = [layer.extent.world[:, -2:] for layer in layers if layer not in new]
    borders = [border for border in borders if np.isfinite(border).all()]
    top = min((border[0, 0] for border in borders), default=0.0)
    right = max((border[1, 1] for border in borders), default=None)
    heights, widths = np.max([np.ptp(layer.extent.world[:, -2:], axis=0) for layer in new], axis=0) * (1 + _GAP)
    left = 0.0 if right is None else right + _GAP * widths
    columns = math.ceil(math.sqrt(len(new)))
    for number, layer in enumerate(new):
        row, column = divmod(number, columns)
        place = np.array([top + row * heights, left + column * widths])
        layer.translate = (*layer.translate[:-2], *(place - layer.extent.world[0, -2:] + layer.translate[-2:]))


def _title(summary: RunSummary) -> str:
    return f"{summary.title} · {summary.state.images:,} images"


def _read_runs(study: Study) -> tuple[Study, list[RunSummary], dict[str, int], tuple[str, ...]]:
    """Return the study, its trained runs, the sizes of its synthetic sets, and the diagnoses of its crops."""
    trained = [s for s in summarise_all(study.root, "train") if any(s.run.checkpoints_dir.glob("last.*"))]
    counts = {}
    for run_id in study.synthetic_runs():
        try:
            counts[run_id] = len(read_crops_index(study.synthetic_dir(run_id)))
        except InputError:  # a folder that is being written, or a broken one: it has no cubes to show
            continue
    try:
        diagnoses = {record.diagnosis.value for record in study.crops()}
    except InputError:  # a damaged index: the docks that read crops say so
        diagnoses = set()
    return study, trained, counts, tuple(sorted(diagnoses))


def _read_cubes(folder: Path, count: int) -> list[Cube] | str:
    try:
        return read_cubes(folder, count)
    except InputError as error:
        return str(error)
