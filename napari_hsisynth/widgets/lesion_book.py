"""`LesionBook`: what is known of the lesions of one cube. The pixels decide which of them there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.study import Annotation, Diagnosis, Instance
from napari_hsisynth.study.annotation import now
from napari_hsisynth.study.instance import CubeStatus
from napari_hsisynth.widgets.annotator_identity import annotator_name


@dataclass(frozen=True)
class LesionRow:
    """One line of the table of lesions."""

    instance: Instance
    area: int


class LesionBook:
    """Keeps diagnosis, prompts and status of every lesion by its number, also of those deleted.

    So undo brings a lesion back with all that was known of it, and a label that the user paints with a number of its
    own becomes a lesion.

    Parameters
    ----------
    annotation : Annotation
        As it was stored.
    diagnosis : Diagnosis
        Of lesions that were painted by hand.
    """

    def __init__(self, annotation: Annotation, diagnosis: Diagnosis) -> None:
        self.status: CubeStatus = annotation.status
        self.diagnosis = diagnosis
        self._annotation = annotation
        self._known = {instance.id: instance for instance in annotation.instances}
        self._counted: tuple[NDArray[np.uint16], dict[int, int]] | None = None

    @property
    def known(self) -> dict[int, Instance]:
        """All lesions that ever were, by number; a dictionary of its own."""
        return dict(self._known)

    def areas(self, labels: NDArray[np.uint16]) -> dict[int, int]:
        """Pixels of each lesion that has any, by number; the array of labels must not be changed afterwards."""
        if self._counted is None or self._counted[0] is not labels:
            counts = np.bincount(labels.ravel())
            self._counted = labels, {int(number): int(counts[number]) for number in np.flatnonzero(counts) if number}
        return self._counted[1]

    def instances(self, labels: NDArray[np.uint16]) -> dict[int, Instance]:
        """Lesions that have pixels, by number."""
        found = {}
        for number in self.areas(labels):
            if number not in self._known:
                self._known[number] = Instance(number, self.diagnosis, annotator=annotator_name(), time=now())
            found[number] = self._known[number]
        return found

    def rows(self, labels: NDArray[np.uint16]) -> list[LesionRow]:
        """Lesions with their areas in px, by number."""
        areas = self.areas(labels)
        return [LesionRow(instance, areas[number]) for number, instance in self.instances(labels).items()]

    def next_number(self, labels: NDArray[np.uint16]) -> int:
        """Return a number for a new lesion: above all that have pixels."""
        return max(self.areas(labels), default=0) + 1

    def put(self, instance: Instance) -> None:
        """Note a lesion in place of the one with its number."""
        self._known[instance.id] = instance

    def change(self, number: int, **fields: Any) -> None:
        """Change what is known of a lesion."""
        self._known[number] = replace(self._known[number], **fields)

    def bring_back(self, known: Mapping[int, Instance], status: CubeStatus) -> None:
        """Know what was known at another time."""
        self._known, self.status = dict(known), status

    def drawn(self, numbers: set[int]) -> None:
        """Note that lesions were changed by hand: their prompts no longer give their masks."""
        for number in numbers & set(self._known):
            if self._known[number].prompts is not None:
                self.change(number, prompts=None, annotator=annotator_name(), time=now())

    def annotation(self, labels: NDArray[np.uint16]) -> Annotation:
        """Return the annotation to store."""
        return self._annotation.replace(
            mask=labels, instances=tuple(self.instances(labels).values()), status=self.status
        )
