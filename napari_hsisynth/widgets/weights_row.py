"""`WeightsRow`: whether the weights of a segmenter's model are on this machine, and how to get them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QGridLayout, QWidget

from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.segment import needs_weights, weights_status
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.job_dock import wrapped
from napari_hsisynth.widgets.push_button import push_button
from napari_hsisynth.widgets.task_row import TaskRow

_FOLDER = "annotate/weights_folder"
_MB = 10**6


def missing_packages() -> str:
    """Say which command installs what SAM needs; empty if it is there. Imports nothing."""
    if all(importlib.util.find_spec(name) for name in ("torch", "transformers", "huggingface_hub")):
        return ""
    return str(MissingExtraError("segmenting with SAM", "sam"))


class WeightsRow(QWidget):
    """One line that says whether weights are there; buttons that get them, with the progress of a download.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    changed : Signal
        A download has begun or ended: `problem` may have another text.
    fetched : Signal
        The official weights have come.
    folder_chosen : Signal(object)
        The user has named a folder with weights (str), or wants the official ones again (None).
    """

    changed = Signal()
    fetched = Signal()
    folder_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._asked: tuple[str, str, str | None] = ("", "", None)
        #: Why the model cannot be used yet, and what to do about it; empty if it can.
        self.problem = ""
        self.line = wrapped("", self)
        self.download_button = push_button(self, "Download", "", self.download)
        self.folder_button = push_button(
            self,
            "Choose folder…",
            "Use weights that are on this machine: a folder with config.json and model.safetensors, or a .pth file",
            self.choose_folder,
        )
        self.official_button = push_button(
            self, "Use official", "Use the published weights instead of your own folder", self._use_official
        )
        self.task = TaskRow(self)
        self.task.cancel_button.setToolTip("Stop; what has come so far is kept for the next time")
        self.task.finished.connect(self._task_finished)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.line, 0, 0)
        for column, button in enumerate((self.download_button, self.official_button, self.folder_button), 1):
            grid.addWidget(button, 0, column)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.task, 1, 0, 1, 4)

    def show_model(self, name: str, model: str, weights: str | None) -> None:
        """Say how it is with the weights of a model; `weights` is the user's own folder or file."""
        self._asked = (name, model, weights)
        self.refresh()

    def refresh(self) -> None:
        """Look again; another program may have fetched them."""
        name, model, weights = self._asked
        needed = needs_weights(name)
        self.line.setVisible(bool(name))
        for button in (self.download_button, self.folder_button, self.official_button):
            button.setVisible(False)
        if not needed:
            self.problem = ""
            self.line.setText("Built in: no weights, uses all bands." if name == "spectral" else "No weights needed.")
            self.line.setToolTip("")
            return
        status = weights_status(name, model, weights)
        self.problem = missing_packages() or status.problem
        self.official_button.setVisible(weights is not None)
        self.folder_button.setVisible(True)
        if status.located is not None:
            size = f"{status.located.path.stat().st_size / _MB:,.0f} MB"
            self.line.setText(f"{'Your own' if weights else 'Official'} weights, {size}")
            self.line.setToolTip(str(status.located.path))
        elif weights is not None:
            self.line.setText("✖ Your own weights")
            self.line.setToolTip(self.problem)
        else:
            self.line.setText(f"Weights not here ({status.official.size_mb:,} MB)")
            self.line.setToolTip(status.official.source)
            missing = missing_packages()
            if self.task.active:
                self.problem = f"The weights of {name} {model} are being fetched."
            elif not missing:
                self.problem = f"Download the weights of {name} {model}, or choose a folder that has them."
            self.download_button.setVisible(not self.task.active)
            self.download_button.setEnabled(not missing)
            self.download_button.setToolTip(
                missing or f"Fetch {status.official.size_mb:,} MB from {status.official.source}"
            )

    def download(self) -> None:
        """Fetch the official weights of the model, with a bar."""
        name, model, _ = self._asked
        self.task.start(
            partial(_fetch, name, model),
            partial(_fetched_text, name, model),
            title=f"fetching {name} {model}",
            unit="MB",
            cancelled_text="cancelled; what has come so far is kept for the next time",
        )
        self.refresh()
        self.changed.emit()

    def choose_folder(self) -> None:
        """Ask for a folder with weights."""
        start = self._asked[2] or settings.value(_FOLDER, "")
        found = QFileDialog.getExistingDirectory(self, "Folder with the weights", start)
        if found:
            settings.set_value(_FOLDER, found)
            self.folder_chosen.emit(found)

    def _use_official(self) -> None:
        self.folder_chosen.emit(None)

    def _task_finished(self) -> None:
        had_problem = bool(self.problem)
        self.refresh()
        if had_problem and not self.problem:
            self.fetched.emit()
        self.changed.emit()


def _fetch(name: str, model: str, *, progress: Callable[[int, int], Any], cancelled: Callable[[], bool]) -> Path:
    from napari_hsisynth.segment.weights_download import download

    def tell(done: int, total: int) -> None:
        progress(done // _MB, max(1, total // _MB))  # a signal's numbers end at 2^31

    try:
        return download(name, model, progress=tell, cancelled=cancelled).path
    except OSError as error:
        raise InputError(f"cannot be fetched ({error})") from None


def _fetched_text(name: str, model: str, _: Path) -> str:
    return f"{name} {model}: fetched and checked"
