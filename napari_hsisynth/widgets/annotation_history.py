"""`History`: what can be undone and made again; `AnnotationState`: everything that undo brings back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from napari_hsisynth.study import Instance
from napari_hsisynth.study.instance import CubeStatus
from napari_hsisynth.study.label_runs import LabelRuns
from napari_hsisynth.widgets.draft import Draft

State = TypeVar("State")
#: Steps that can be taken back: far more than anybody makes on one cube, and a few hundred kB.
LONGEST = 200


@dataclass(frozen=True, eq=False)
class AnnotationState:
    """One moment of the annotation of one cube. What did not change is the same object in the next moment.

    Parameters
    ----------
    labels : LabelRuns
        Numbers of the lesions.
    lesions : mapping
        What is known of each by its number, also of those without pixels.
    status : {"todo", "done", "unsure"}
        Of the cube.
    draft : Draft, optional
        The lesion in the making.
    selected : int, optional
        The lesion that is chosen.
    """

    labels: LabelRuns
    lesions: Mapping[int, Instance]
    status: CubeStatus
    draft: Draft | None = None
    selected: int | None = None

    @property
    def present(self) -> dict[int, Instance]:
        """Lesions that have pixels."""
        return {number: self.lesions[number] for number in set(self.labels.labels.tolist()) if number in self.lesions}

    def stored_like(self, other: AnnotationState) -> bool:
        """Whether the annotation on disk would be the same; the draft is not part of it."""
        mine, theirs = (self.labels, self.status, self.present), (other.labels, other.status, other.present)
        return mine == theirs

    def same_as(self, other: AnnotationState) -> bool:
        """Whether undo would make no difference."""
        return self.draft is other.draft and self.stored_like(other)


class History(Generic[State]):
    """States in a row, each with the name of the step that led to it, and the place of the present one.

    Parameters
    ----------
    start : State
        Before any step.
    longest : int
        Steps that are kept; the oldest are forgotten.

    Examples
    --------
    >>> history = History("empty")
    >>> history.record("click", "mask")
    >>> history.undo(), history.undone, history.redo()
    ('empty', 'click', 'mask')
    """

    def __init__(self, start: State, longest: int = LONGEST) -> None:
        self._steps: list[tuple[str, State]] = [("", start)]
        self._at, self._longest = 0, longest

    @property
    def present(self) -> State:
        """The state now."""
        return self._steps[self._at][1]

    @property
    def done(self) -> str:
        """Name of the step that `undo` takes back; empty if there is none."""
        return self._steps[self._at][0] if self._at else ""

    @property
    def undone(self) -> str:
        """Name of the step that `redo` makes again; empty if there is none."""
        return self._steps[self._at + 1][0] if self._at + 1 < len(self._steps) else ""

    def record(self, step: str, state: State) -> None:
        """Go on to a new state; what was undone can no longer be made again."""
        del self._steps[self._at + 1 :]
        self._steps.append((step, state))
        excess = len(self._steps) - 1 - self._longest
        if excess > 0:
            del self._steps[:excess]
        self._at = len(self._steps) - 1

    def amend(self, state: State) -> None:
        """Put a state in place of the present one: what the last step led to has only now become known."""
        self._steps[self._at] = (self._steps[self._at][0], state)

    def undo(self) -> State | None:
        """Go one step back and return the state there; None at the start."""
        if not self._at:
            return None
        self._at -= 1
        return self.present

    def redo(self) -> State | None:
        """Go one step on again and return the state there; None if nothing was undone."""
        if not self.undone:
            return None
        self._at += 1
        return self.present
