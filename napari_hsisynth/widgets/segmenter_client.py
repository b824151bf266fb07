"""`SegmenterClient`: asks a segmenter off the GUI thread, and passes on the newest answer only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_hsisynth.cube import Cube
from napari_hsisynth.segment import Prompts, Proposals
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.segment_engine import SegmentEngine

_SEGMENTER = "annotate/segmenter"


class SegmenterClient(QObject):
    """One segmenter at a time; of the questions that wait only the newest is asked, stale answers are dropped.

    Attributes
    ----------
    changed : Signal
        `state` has another text.
    answered : Signal
        The newest question has its answer: Proposals, or None where it was only to prepare a cube.
    failed : Signal
        It could not be answered: why, in a sentence.
    state : str
        For the user, in a word or a line: empty, "preparing", "working", "ready", or what went wrong.
    """

    changed = Signal()
    answered = Signal(object)
    failed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        chosen = settings.value(_SEGMENTER, {"name": "spectral"})
        self.engine = SegmentEngine(str(chosen.get("name", "spectral")))
        self.state = ""
        self._segmenting = Background(latest_only=True)
        self._segmenting.done.connect(self._take)
        self._segmenting.failed.connect(self._take_failure)
        self._awaited = 0

    @property
    def name(self) -> str:
        """Of the segmenter, as for `load_segmenter`."""
        return self.engine.name

    @property
    def options(self) -> dict[str, Any]:
        """Of the segmenter, as for `load_segmenter`; JSON types."""
        return self.engine.options

    @property
    def working(self) -> bool:
        """Whether an answer, not only a prepared cube, is waited for."""
        return self.state == "working"

    def choose(self, name: str, options: Mapping[str, Any] | None = None) -> bool:
        """Use another segmenter from now on, and at the next start; return whether it is another one."""
        options = dict(options or {})
        if not name or (name, options) == (self.name, self.options):
            return False
        self.engine = SegmentEngine(name, options)
        settings.set_value(_SEGMENTER, {"name": name, "options": options})
        self.changed.emit()
        return True

    def ask(self, cube: Cube, question: Prompts | str | None) -> None:
        """Ask about a cube: prompts, "propose", or None to have it prepared only."""
        self.state = "preparing" if question is None else "working"
        engine = self.engine
        self._awaited = self._segmenting.submit(lambda: engine.answer(cube, question))
        self.changed.emit()

    def forget(self, state: str = "") -> None:
        """Drop the answer that is waited for."""
        self._awaited = 0
        self.say(state)

    def say(self, state: str) -> None:
        """Give `state` another text."""
        if state != self.state:
            self.state = state
            self.changed.emit()

    def identity(self) -> dict[str, str]:
        """Backend, model and hash of the weights, as fields of an `Instance`; known once it has answered."""
        return self.engine.identity()

    def close(self) -> None:
        """End the thread."""
        self._awaited = 0
        self._segmenting.close(0.5)

    def _take(self, number: int, answer: Proposals | None) -> None:
        if number == self._awaited:
            self.say("ready")
            self.answered.emit(answer)

    def _take_failure(self, number: int, error: Exception) -> None:
        if number == self._awaited:
            self.say(str(error))
            self.failed.emit(f"{self.name}: {error}")
