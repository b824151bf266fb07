"""`SegmenterClient`: asks a segmenter off the GUI thread, and passes on the newest answer only."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_hsisynth.cube import Cube
from napari_hsisynth.segment import Prompts, Proposals
from napari_hsisynth.segment.worker_client import Answered, Failed, Notice, Restarted, WorkerClient
from napari_hsisynth.segment.worker_messages import Choice, StoredCube
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.layers import in_memory

_SEGMENTER = "annotate/segmenter"


class SegmenterClient(QObject):
    """One segmenter at a time, in a process of its own; of the questions that wait only the newest is answered.

    The process starts at the first question. If it dies it is started again, and the question with it.

    Attributes
    ----------
    changed : Signal
        `state` has another text.
    answered : Signal
        The newest question has its answer: Proposals, or None where it was only to prepare a cube.
    failed : Signal
        It could not be answered: why, in a sentence.
    restarted : Signal
        The process had died and was started again: that, in a sentence. The answer is still to come.
    state : str
        For the user, in a word or a line: empty, "starting", "preparing", "working", "ready", or what went wrong.
    """

    changed = Signal()
    answered = Signal(object)
    failed = Signal(str)
    restarted = Signal(str)
    _noticed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        chosen = settings.value(_SEGMENTER, {"name": "spectral"})
        options = chosen.get("options")
        self._choice = Choice(str(chosen.get("name", "spectral")), options if isinstance(options, dict) else {})
        self.state = ""
        self._identity: dict[str, str] = {}
        self._awaited, self._awaited_state = 0, ""
        self._noticed.connect(self._heed)  # which brings it from the client's thread to this one
        self._worker = WorkerClient(self._tell, in_memory)

    @property
    def name(self) -> str:
        """Of the segmenter, as for `load_segmenter`."""
        return self._choice.name

    @property
    def options(self) -> dict[str, Any]:
        """Of the segmenter, as for `load_segmenter`; JSON types."""
        return dict(self._choice.options)

    @property
    def working(self) -> bool:
        """Whether an answer, not only a prepared cube, is waited for."""
        return self._awaited > 0 and self._awaited_state == "working"

    @property
    def busy(self) -> bool:
        """Whether an answer or a prepared cube is waited for."""
        return self._awaited > 0

    def choose(self, name: str, options: Mapping[str, Any] | None = None) -> bool:
        """Use another segmenter from now on, and at the next start; return whether it is another one."""
        choice = Choice(name, dict(options or {}))
        if not name or choice == self._choice:
            return False
        self._choice, self._identity = choice, {}
        settings.set_value(_SEGMENTER, {"name": name, "options": choice.options})
        self.changed.emit()
        return True

    def ask(self, cube: Cube, question: Prompts | str | None) -> None:
        """Ask about a cube: prompts, "propose", or None to have it prepared only."""
        self._awaited = self._worker.ask(self._choice, cube, question)
        self._awaited_state = "preparing" if question is None else "working"
        self.state = self._awaited_state if self._worker.ready else "starting"
        self.changed.emit()

    def embed_ahead(self, cubes: Sequence[StoredCube]) -> None:
        """Have these cubes prepared while nothing is asked, in place of those named before.

        Only segmenters with an ``embed_ahead`` of their own do it; starts no process.
        """
        self._worker.embed_ahead(cubes)

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
        return dict(self._identity or {"backend": self.name})

    def rest(self) -> None:
        """End the process, and free its memory, until something is asked again."""
        self._awaited = 0
        self._worker.rest()

    def close(self) -> None:
        """End the process and the threads for good."""
        self._awaited = 0
        self._worker.close(0.5)

    def _tell(self, notice: Notice) -> None:
        with contextlib.suppress(RuntimeError):  # Qt may have deleted this meanwhile
            self._noticed.emit(notice)

    def _heed(self, notice: Notice) -> None:
        if isinstance(notice, Answered):
            self._take(notice.number, notice.proposals, notice.identity)
        elif isinstance(notice, Failed):
            self._take_failure(notice.number, notice.error)
        else:
            if isinstance(notice, Restarted):
                self.restarted.emit(f"{self.name}: {notice.text}")
            if self._awaited:
                self.say("starting" if isinstance(notice, Restarted) else self._awaited_state)

    def _take(self, number: int, answer: Proposals | None, identity: Mapping[str, str] | None = None) -> None:
        if number == self._awaited:
            self._awaited = 0
            self._identity = dict(identity or {})
            self.say("ready")
            self.answered.emit(answer)

    def _take_failure(self, number: int, error: Exception) -> None:
        if number == self._awaited:
            self._awaited = 0
            self.say(str(error))
            self.failed.emit(f"{self.name}: {error}")
