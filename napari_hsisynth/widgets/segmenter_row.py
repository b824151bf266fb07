"""`SegmenterRow`: what turns prompts into masks, with which model and view, and how it is doing."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_hsisynth.segment import list_segmenters, needs_weights, sees_view, segmenter_models
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.draft_maker import DraftMaker
from napari_hsisynth.widgets.job_dock import choice, wrapped
from napari_hsisynth.widgets.push_button import push_button
from napari_hsisynth.widgets.seen_view import SeenView
from napari_hsisynth.widgets.weights_row import WeightsRow

_OPTIONS = "annotate/options"
_ABOUT = {
    "spectral": "Built in: finds lesions by all bands, needs no weights",
    "sam2": "Segment Anything 2.1 of Meta, trained on photographs and videos; sees a picture of the cube",
    "sam": "Segment Anything of Meta, trained on photographs; sees a picture of the cube",
}
_DEFAULT_VIEW = "mean"


class SegmenterRow(QWidget):
    """Choice of segmenter, model and view, the state of its weights, its own state, and Propose.

    Each segmenter comes back with the options that it had last.

    Parameters
    ----------
    drafts : DraftMaker
    parent : QWidget, optional
    """

    def __init__(self, drafts: DraftMaker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.drafts = drafts
        self.segmenter = choice(self, "What turns prompts into masks")
        self.segmenter.setAccessibleName("segmenter")
        self.segmenter.addItems(list_segmenters())
        self.model = choice(self, "Which model: a larger one is slower and usually more exact")
        self.model.setAccessibleName("model")
        self.propose_button = push_button(
            self,
            "Propose",
            "Find lesions without a prompt; the next one by W, Accept or Clear one by one",
            drafts.propose,
        )
        self.seen = SeenView(self)
        self.weights = WeightsRow(self)
        self.state = wrapped("", self)
        self.state.setAccessibleName("state of the segmenter")
        label = QLabel("Segmenter", self)
        label.setBuddy(self.segmenter)
        first = QHBoxLayout()
        first.addWidget(label)
        first.addWidget(self.segmenter, 3)
        first.addWidget(self.model, 2)
        first.addWidget(self.propose_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(first)
        for widget in (self.seen, self.weights, self.state):
            column.addWidget(widget)
        self._weights: str | None = None
        self._show_choice(drafts.segmenter.name, drafts.segmenter.options)
        self.segmenter.textActivated.connect(self._segmenter_chosen)
        self.model.activated.connect(self._model_chosen)
        self.seen.changed.connect(self._choose)
        self.weights.folder_chosen.connect(self._folder_chosen)
        self.weights.fetched.connect(self._ask_again)
        self.weights.changed.connect(self.refresh)

    def options(self) -> dict[str, Any]:
        """Return what is chosen, as options for `load_segmenter`."""
        name = self.segmenter.currentText()
        options: dict[str, Any] = {}
        if segmenter_models(name):
            options["model"] = self.model.currentText()
        if sees_view(name):
            options["view"] = self.seen.view
        if needs_weights(name) and self._weights is not None:
            options["weights"] = self._weights
        return options

    def command_words(self) -> list[str]:
        """Return what is chosen as words of the verb ``segment``."""
        words = ["--backend", self.segmenter.currentText()]
        for name, value in self.options().items():
            words += [f"--{name}", str(value)]
        return words

    def refresh(self) -> None:
        """Show how the segmenter is doing, and what it sees of the present cube."""
        if self.segmenter.currentText() != self.drafts.segmenter.name:  # changed elsewhere
            self._show_choice(self.drafts.segmenter.name, self.drafts.segmenter.options)
        target = self.drafts.target
        if sees_view(self.segmenter.currentText()):
            self.seen.show_cube(None if target is None else target.cube)
        if self.weights.problem:
            self.weights.refresh()  # they may have been fetched on the command line
            if not self.weights.problem:
                self._ask_again()
        state = self.drafts.segmenter.state
        if self.weights.problem:  # in the words of the dock, not of the command line
            state = f"{self.weights.problem} Your prompts are kept."
        self.state.setText(state or "waits for a prompt")  # always there: nothing below it jumps

    def showEvent(self, event: QShowEvent) -> None:
        """Look for the weights again."""
        super().showEvent(event)
        self.refresh()

    # --- choosing

    def _segmenter_chosen(self, name: str) -> None:
        stored: dict[str, Any] = settings.value(f"{_OPTIONS}/{name}", {})
        self._show_choice(name, stored)
        self._choose()

    def _model_chosen(self, _: int) -> None:
        self._weights = None  # a folder holds one model
        self._choose()

    def _folder_chosen(self, folder: str | None) -> None:
        is_the_same = folder == self._weights
        self._weights = folder
        self._choose()
        if is_the_same and not self.weights.problem:  # with other files in it
            self._ask_again()

    def _choose(self) -> None:
        name, options = self.segmenter.currentText(), self.options()
        settings.set_value(f"{_OPTIONS}/{name}", options)
        self._show_weights()
        self.drafts.choose_segmenter(name, options)
        self.refresh()

    def _show_choice(self, name: str, options: dict[str, Any]) -> None:
        """Show a segmenter with these options."""
        models = segmenter_models(name)
        with QSignalBlocker(self.segmenter), QSignalBlocker(self.model):
            self.segmenter.setCurrentText(name)
            self.segmenter.setToolTip(_ABOUT.get(name, "Of another package"))
            self.model.clear()
            self.model.addItems(models)
            self.model.setCurrentIndex(max(0, self.model.findText(str(options.get("model", "")))))
        self.model.setVisible(bool(models))
        self.seen.setVisible(sees_view(name))
        self.weights.setVisible(needs_weights(name))
        self.seen.set_view(str(options.get("view", _DEFAULT_VIEW)))
        given = options.get("weights")
        self._weights = str(given) if given else None
        self._show_weights()

    def _show_weights(self) -> None:
        self.weights.show_model(self.segmenter.currentText(), self.model.currentText(), self._weights)

    def _ask_again(self) -> None:
        """Put the question that could not be answered without weights once more."""
        drafts = self.drafts
        if drafts.target is not None:
            if drafts.prompts.prompts:
                drafts.prompts.changed.emit(drafts.prompts.prompts)
            else:
                drafts.segmenter.ask(drafts.target.cube, None)
