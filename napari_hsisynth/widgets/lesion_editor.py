"""`LesionEditor`: the lesions of the shown cube, on the canvas and on disk."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.batch import write_labels
from napari_hsisynth.segment.overlaps import placed
from napari_hsisynth.study import Annotation, Instance
from napari_hsisynth.study.annotators import save_as
from napari_hsisynth.study.label_runs import LabelRuns
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.annotate_target import Target, delay
from napari_hsisynth.widgets.annotation_history import AnnotationState
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.lesion_book import LesionBook, LesionRow
from napari_hsisynth.widgets.mask_layers import MaskLayers

_SAVE_MS = 300  # after the first stroke of the brush that is not saved yet
_TAKES_OVERLAPS = "annotate/takes_overlaps"
#: Fields of a lesion by which undo names a step.
_SAID = ("diagnosis", "status")


class LesionEditor(QObject):
    """Keeps the labels layer, what is known of its lesions, and the study in step.

    Every change is saved by itself, off the GUI thread; going to another cube and back loses nothing, not even what is
    still on its way to the disk. The lesions of loose cubes are kept as long as their layer.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    changed : Signal
        The lesions, or what is known of them.
    stepped : Signal(str)
        A change is complete: what was done, for people.
    said : Signal(str)
        What a change did to other lesions.
    saved : Signal
        The annotation of a cube is on disk: (study, cube id).
    not_saved : Signal
        Why it is not, in a sentence.
    moved : Signal
        What was saved is kept beside another annotator's, who was faster.
    """

    changed = Signal()
    stepped = Signal(str)
    said = Signal(str)
    saved = Signal(object, str)
    not_saved = Signal(str)
    moved = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.masks = MaskLayers(viewer)
        self.masks.edited.connect(self._edited)
        self.target: Target | None = None
        self.book: LesionBook | None = None
        self.takes_overlaps = settings.value(_TAKES_OVERLAPS, True)
        self._before = self.masks.labels
        self._runs: tuple[NDArray[np.uint16], LabelRuns] | None = None
        self._saving = Background()
        self._saving.done.connect(self._stored)
        self._saving.failed.connect(self._not_stored)
        self._unsaved: dict[int, tuple[Target, Annotation]] = {}
        self._refused: dict[Any, tuple[Target, Annotation]] = {}  # by the disk; kept here until it takes them
        self._loose: WeakKeyDictionary[Image, tuple[LesionBook, NDArray[np.uint16]]] = WeakKeyDictionary()
        self._save_later = delay(self, _SAVE_MS, self.save)

    # --- which cube

    def attach(self, target: Target) -> None:
        """Show the lesions of a cube; InputError if its annotation cannot be read, and then nothing is shown."""
        self.detach()
        self.book, labels = self._open_book(target)
        self.target = target
        self.masks.attach(target.layer, labels)
        self._before = self.masks.labels
        self._colour()
        if target.key in self._refused:
            self._save_later.start()

    def detach(self) -> None:
        """Save what is not saved, and let go of the cube; the layers stay for the next one."""
        if self.target is None or self.book is None:
            return
        if self._save_later.isActive():
            self.save()
        if self.target.study is None:
            self._loose[self.target.layer] = (self.book, self.labels)
        self.target = self.book = None
        self.masks.detach()

    def read_again(self) -> bool:
        """Show what is on disk, after others have written it; not while something of ours is on its way there."""
        target = self.target
        if target is None or self._unsaved or self._save_later.isActive():
            return False
        self.book, labels = self._open_book(target)
        self.masks.write(labels)
        self._before = self.labels
        self._colour()
        return True

    def _open_book(self, target: Target) -> tuple[LesionBook, NDArray[np.uint16]]:
        if target.study is None or target.cube_id is None:
            kept = self._loose.get(target.layer)
            if kept is not None and kept[1].shape == target.cube.shape_yx:
                return kept
            labels = np.zeros(target.cube.shape_yx, np.uint16)
            return LesionBook(Annotation("loose", labels), target.diagnosis), labels
        waiting = [annotation for of, annotation in self._unsaved.values() if of.key == target.key]
        if not waiting and target.key in self._refused:
            waiting = [self._refused[target.key][1]]
        annotation = waiting[-1] if waiting else target.study.annotation(target.cube_id, target.annotator)
        if annotation.mask.shape != target.cube.shape_yx:
            raise InputError(
                f"the mask has {annotation.mask.shape} px, the cube {target.cube.shape_yx}", where=target.cube_id
            )
        return LesionBook(annotation, target.diagnosis), annotation.mask

    # --- the lesions

    @property
    def labels(self) -> NDArray[np.uint16]:
        """Numbers of the lesions, shape (y, x); read-only, and another array after every change."""
        return self.masks.labels

    @property
    def runs(self) -> LabelRuns:
        """The same as runs."""
        if self._runs is None or self._runs[0] is not self.labels:
            self._runs = self.labels, LabelRuns.of(self.labels)
        return self._runs[1]

    def rows(self) -> list[LesionRow]:
        """Lesions of the cube, by number."""
        return [] if self.book is None else self.book.rows(self.labels)

    def instance(self, number: int | None) -> Instance | None:
        """What is known of a lesion; None if it has no pixels."""
        return None if self.book is None or number is None else self.book.instances(self.labels).get(number)

    def put(self, instance: Instance, mask: NDArray[np.bool_], step: str = "") -> bool:
        """Add a lesion, or give one another mask; saved at once. False if others keep all of its pixels."""
        if self.book is None:
            return False
        there = placed(self.labels, mask, instance.id, takes_overlaps=self.takes_overlaps)
        if not there.area_px:
            self.said.emit(f"nothing would be left of it: {there.text()}")
            return False
        self.book.put(instance)
        self.masks.write(there.labels)
        # most cubes hold one lesion: with it the cube is done, until the user says otherwise
        if instance.status == "accepted" and self.book.status == "todo":
            self.book.status = "done"
        self._finish(step or f"change lesion {instance.id}")
        self.said.emit(there.text())
        return True

    def delete(self, number: int) -> None:
        """Delete a lesion; undo brings it back."""
        if self.book is not None and self.instance(number) is not None:
            self.masks.write(np.where(self.labels == number, 0, self.labels))
            if not self.rows() and self.book.status == "done":
                self.book.status = "todo"
            self._finish(f"delete lesion {number}")

    def change(self, number: int, **fields: Any) -> None:
        """Change diagnosis or status of a lesion."""
        if self.book is not None and self.instance(number) is not None:
            self.book.change(number, **fields)
            if fields.get("status") == "accepted" and self.book.status == "todo":
                self.book.status = "done"
            self._finish(f"{' and '.join(key for key in fields if key in _SAID) or 'change'} of lesion {number}")

    def set_status(self, status: Any) -> None:
        """Give the cube as a whole a status: todo, done or unsure."""
        if self.book is not None and status != self.book.status:
            self.book.status = status
            self._finish(f"cube {status}")

    def toggle_unsure(self) -> None:
        """Mark the cube as unsure, or take the mark away."""
        if self.book is not None:
            usual = "done" if self.rows() else "todo"
            self.set_status(usual if self.book.status == "unsure" else "unsure")

    def bring_back(self, state: AnnotationState) -> None:
        """Show and save the lesions as they were at another time."""
        if self.book is not None and not (state.labels == self.runs and self._stored_like(state)):
            self.book.bring_back(state.lesions, state.status)
            self.masks.write(state.labels.image())
            self._finish()

    def _stored_like(self, state: AnnotationState) -> bool:
        assert self.book is not None
        return self.book.known == dict(state.lesions) and self.book.status == state.status

    def set_takes_overlaps(self, takes: bool) -> None:
        """Say whether new lesions take the pixels that they have in common with earlier ones; remembered."""
        self.takes_overlaps = takes
        settings.set_value(_TAKES_OVERLAPS, takes)

    def _finish(self, step: str = "") -> None:
        self._before = self.labels
        self._colour()
        self.save()
        self.changed.emit()
        if step:
            self.stepped.emit(step)

    def _colour(self) -> None:
        if self.book is not None:
            found = {number: one.diagnosis for number, one in self.book.instances(self.labels).items()}
            self.masks.colour(found, self.book.diagnosis)

    def _edited(self) -> None:
        labels, before = self.labels, self._before
        self._before = labels
        if self.book is None:
            return
        if before.shape == labels.shape:
            differ = before != labels
            self.book.drawn({*np.unique(before[differ]).tolist(), *np.unique(labels[differ]).tolist()})
        self._colour()
        if not self._save_later.isActive():
            self._save_later.start()
        self.changed.emit()
        self.stepped.emit("brush")

    # --- saving

    def save(self) -> None:
        """Write the annotation of a study's cube."""
        self._save_later.stop()
        target, book = self.target, self.book
        if target is None or book is None or target.study is None:
            return
        self._submit(target, book.annotation(self.labels))

    def _submit(self, target: Target, annotation: Annotation) -> None:
        assert target.study is not None
        number = self._saving.submit(partial(save_as, target.study, annotation, target.name))
        self._unsaved[number] = (target, annotation)

    def _try_again(self) -> None:
        """Offer the disk once more what it refused."""
        under_way = {target.key for target, _ in self._unsaved.values()}
        for key, (target, annotation) in self._refused.items():
            if key not in under_way:
                self._submit(target, annotation)

    @property
    def refused_text(self) -> str:
        """Which cubes the disk refused, for people; empty if none."""
        return f"not saved yet: {', '.join(of.cube_id or '' for of, _ in self._refused.values())}" * bool(self._refused)

    def export(self, path: Path) -> None:
        """Write the lesions of any cube as a PNG of labels; InputError if that does not work."""
        write_labels(path, self.labels)

    def flush(self) -> None:
        """Have all that was done written before returning."""
        if self._save_later.isActive():
            self.save()
        self._try_again()
        self._saving.wait(5.0)

    def close(self) -> None:
        """Save, and take the layers away for good."""
        self.detach()
        self._try_again()
        self._saving.close()
        self.masks.edited.disconnect(self._edited)
        self.masks.disconnect()

    def _stored(self, number: int, key: str | None) -> None:
        target, annotation = self._unsaved.pop(number)
        self._refused.pop(target.key, None)
        waits = any(of.key == target.key for of, _ in self._unsaved.values())
        is_shown = self.target is not None and self.target.key == target.key
        if key != target.annotator and is_shown and not waits:
            self.said.emit("somebody else has annotated this cube meanwhile: yours is kept beside it")
            self.moved.emit()
        self.saved.emit(target.study, annotation.cube_id)

    def _not_stored(self, number: int, error: Exception) -> None:
        target, annotation = self._unsaved.pop(number)
        self._refused[target.key] = target, annotation
        self.not_saved.emit(f"{annotation.cube_id} is not saved: {error}")
