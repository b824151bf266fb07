"""`Undo`: one history for every cube of the last hundred, as long as the program runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image

from napari_hsisynth.widgets.annotate_target import Target
from napari_hsisynth.widgets.annotation_history import AnnotationState, History

#: Cubes of studies whose histories are kept: those of a long session on hundreds would fill the memory.
_MOST_CUBES = 100


class Undo:
    """Notes every step on the present cube, and goes back and forth between them.

    Parameters
    ----------
    take : callable
        Return the state as it is.
    bring_back : callable
        Make a state the present one, on the canvas and on disk.
    """

    def __init__(self, take: Callable[[], AnnotationState], bring_back: Callable[[AnnotationState], None]) -> None:
        self._take, self._bring_back = take, bring_back
        self._known: dict[Any, History[AnnotationState]] = {}
        self._loose: WeakKeyDictionary[Image, History[AnnotationState]] = WeakKeyDictionary()
        self._history: History[AnnotationState] | None = None
        self._within = False

    def known(self, target: Target) -> AnnotationState | None:
        """Return how a cube was left earlier; None if it is new, or has another size now."""
        history = self._loose.get(target.layer) if target.key is None else self._known.get(target.key)
        state = None if history is None else history.present
        return state if state is not None and state.labels.shape_yx == target.cube.shape_yx else None

    def attach(self, target: Target) -> None:
        """Belong to a cube whose lesions and draft are shown now."""
        state = self._take()
        known, place = (self._loose, target.layer) if target.key is None else (self._known, target.key)
        if self.known(target) is None:
            known[place] = History(state)
        self._history = known[place]
        if target.key is not None:
            self._known[target.key] = self._known.pop(target.key)  # the latest comes last
            for key in list(self._known)[:-_MOST_CUBES]:
                del self._known[key]
        if not self._history.present.stored_like(state):
            self._history.record("change by others", state)
        else:
            self._history.amend(state)

    def detach(self) -> None:
        """Belong to no cube."""
        self._history = None

    @property
    def done(self) -> str:
        """Name of the step that `undo` takes back; empty if there is none."""
        return "" if self._history is None else self._history.done

    @property
    def undone(self) -> str:
        """Name of the step that `redo` makes again; empty if there is none."""
        return "" if self._history is None else self._history.undone

    def note(self, step: str) -> None:
        """A step was made; nothing is noted if it made no difference."""
        if self._history is not None and not self._within:
            state = self._take()
            if not state.same_as(self._history.present):
                self._history.record(step, state)

    def amend(self) -> None:
        """What the last step led to has only now become known."""
        if self._history is not None and not self._within:
            self._history.amend(self._take())

    @contextmanager
    def one_step(self, step: str) -> Iterator[None]:
        """Make all that is done within one step."""
        outermost, self._within = not self._within, True
        try:
            yield
        finally:
            if outermost:
                self._within = False
        if outermost:
            self.note(step)

    def undo(self) -> None:
        """Take the last step back."""
        self._go(None if self._history is None else self._history.undo())

    def redo(self) -> None:
        """Make the step again that was taken back last."""
        self._go(None if self._history is None else self._history.redo())

    def _go(self, state: AnnotationState | None) -> None:
        if state is not None:
            self._within = True
            try:
                self._bring_back(state)
            finally:
                self._within = False
