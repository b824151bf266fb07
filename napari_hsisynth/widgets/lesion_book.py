"""`LesionBook`: what is known of the lesions of one cube. The pixels decide which of them there are."""

from __future__ import annotations

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

    So undo in the labels layer brings a lesion back with all that was known of it, and a label that the user paints
    with a number of its own becomes a lesion.

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

    def instances(self, labels: NDArray[np.uint16]) -> dict[int, Instance]:
        """Lesions that have pixels, by number."""
        found = {}
        for number in np.unique(labels).tolist():
            if number:
                if number not in self._known:
                    self._known[number] = Instance(number, self.diagnosis, annotator=annotator_name(), time=now())
                found[number] = self._known[number]
        return found

    def rows(self, labels: NDArray[np.uint16]) -> list[LesionRow]:
        """Lesions with their areas in px, by number."""
        areas = np.bincount(labels.ravel())
        return [LesionRow(instance, int(areas[number])) for number, instance in self.instances(labels).items()]

    def next_number(self, labels: NDArray[np.uint16]) -> int:
        """Return a number for a new lesion: above all that have pixels."""
        return int(labels.max(initial=0)) + 1

    def put(self, instance: Instance) -> None:
        """Note a lesion in place of the one with its number."""
        self._known[instance.id] = instance

    def change(self, number: int, **fields: Any) -> None:
        """Change what is known of a lesion."""
        self._known[number] = replace(self._known[number], **fields)

    def drawn(self, numbers: set[int]) -> None:
        """Note that lesions were changed by hand: their prompts no longer give their masks."""
        for number in numbers & set(self._known):
            if self._known[number].prompts is not None:
                self.change(number, prompts=None, annotator=annotator_name(), time=now())

    def annotation(self, labels: NDArray[np.uint16]) -> Annotation:
        """Return the annotation to store."""
        return self._annotation.replace(
            mask=labels.copy(), instances=tuple(self.instances(labels).values()), status=self.status
        )
