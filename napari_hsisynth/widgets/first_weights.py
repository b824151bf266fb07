"""`FirstWeights`: what a training begins with: random weights, or those of an earlier run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.widgets.job_dock import choice, refill
from napari_hsisynth.widgets.path_field import PathField
from napari_hsisynth.widgets.run_table import RunSummary

_ELSEWHERE = "elsewhere"


class FirstWeights(QWidget):
    """A choice among random weights, the runs of the same model in this study, and any other run's folder.

    Parameters
    ----------
    parent : QWidget

    Attributes
    ----------
    changed : Signal
        Something else is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        tip = "Begin with the weights of a trained run of the same model, for example one on phantoms"
        self.setToolTip(tip)
        self.box = choice(self, tip)
        self.box.setAccessibleName("begin with")
        self.folder = PathField("The run to begin with", "another study's runs/<run>", self)
        self.folder.setToolTip("A training run's folder: STUDY/runs/<run>")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box)
        layout.addWidget(self.folder)
        self.setFocusProxy(self.box)
        self.offer((), "")
        self.box.currentIndexChanged.connect(self._chosen)
        self.folder.changed.connect(self.changed)
        self._chosen()

    def offer(self, summaries: Iterable[RunSummary], model: str) -> None:
        """List the runs of a model that have weights; what was chosen stays if it is still there."""
        runs = [one for one in summaries if one.model == model and "last" in one.checkpoints]
        refill(
            self.box,
            [
                ("random weights", None),
                *((f"{one.title} · {one.state.images:,} images", one.run.path) for one in runs),
                ("a run of another study …", _ELSEWHERE),
            ],
        )

    @property
    def path(self) -> Path | None:
        """The run's folder; None for random weights, or while there is none to take."""
        chosen = self.box.currentData()
        return self.folder.path if chosen == _ELSEWHERE else chosen

    def obstacle(self, model: str) -> str:
        """Why a training of `model` cannot begin with what is chosen; empty if it can."""
        if self.box.currentData() != _ELSEWHERE:
            return ""
        if problem := self.folder.look():
            return f"Begin with: {problem}"
        if self.folder.path is None:
            return "Begin with: choose the folder of the run, STUDY/runs/<run>."
        run = RunFolder(self.folder.path)
        try:
            theirs = run.config.get("model")
        except InputError:
            return f"Begin with: {run.id} is not the folder of a run."
        if theirs != model:
            return f"Begin with: {run.id} is a run of {theirs or 'another kind'} and has no weights for {model}."
        if not any(run.checkpoints_dir.glob("last.*")):
            return f"Begin with: {run.id} has no checkpoint yet."
        return ""

    def _chosen(self, _index: int = 0) -> None:
        self.folder.setVisible(self.box.currentData() == _ELSEWHERE)
        self.changed.emit()
