"""`LesionEditor`: the lesions of the shown cube, on the canvas and on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.batch import write_labels
from napari_hsisynth.study import Annotation, Instance, Study
from napari_hsisynth.widgets.annotate_target import Target, delay
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.lesion_book import LesionBook, LesionRow
from napari_hsisynth.widgets.mask_layers import MaskLayers

_SAVE_MS = 400  # after the last stroke of the brush


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
    saved : Signal
        The annotation of a cube is on disk: (study, cube id).
    not_saved : Signal
        Why it is not, in a sentence.
    """

    changed = Signal()
    saved = Signal(object, str)
    not_saved = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.masks = MaskLayers(viewer)
        self.masks.edited.connect(self._edited)
        self.target: Target | None = None
        self.book: LesionBook | None = None
        self._before = np.zeros((1, 1), np.uint16)
        self._putting = False
        self._saving = Background()
        self._saving.done.connect(self._stored)
        self._saving.failed.connect(self._not_stored)
        self._unsaved: dict[int, tuple[Study, Annotation]] = {}
        self._loose: WeakKeyDictionary[Image, tuple[LesionBook, NDArray[np.uint16]]] = WeakKeyDictionary()
        self._save_later = delay(self, _SAVE_MS, self.save)

    # --- which cube

    def attach(self, target: Target) -> None:
        """Show the lesions of a cube; InputError if its annotation cannot be read, and then nothing is shown."""
        self.detach()
        self.book, labels = self._open_book(target)
        self.target, self._before = target, labels.copy()
        self.masks.attach(target.layer, labels)
        self._colour()

    def detach(self) -> None:
        """Save what is not saved, and take the layers away."""
        if self.target is None or self.book is None:
            return
        if self._save_later.isActive():
            self.save()
        if self.target.study is None:
            self._loose[self.target.layer] = (self.book, self.masks.labels)
        self.target = self.book = None
        self.masks.attach(None)

    def read_again(self) -> None:
        """Show what is on disk, after another dock has written it; not while something of ours is on its way there."""
        target = self.target
        if target is not None and not self._unsaved and not self._save_later.isActive():
            self.attach(target)

    def _open_book(self, target: Target) -> tuple[LesionBook, NDArray[np.uint16]]:
        if target.study is None or target.cube_id is None:
            if target.layer in self._loose:
                return self._loose[target.layer]
            return LesionBook(
                Annotation("loose", np.zeros(target.cube.shape_yx, np.uint16)), target.diagnosis
            ), np.zeros(target.cube.shape_yx, np.uint16)
        waiting = [a for s, a in self._unsaved.values() if s.root == target.study.root and a.cube_id == target.cube_id]
        annotation = waiting[-1] if waiting else target.study.annotation(target.cube_id)
        if annotation.mask.shape != target.cube.shape_yx:
            raise InputError(
                f"the mask has {annotation.mask.shape} px, the cube {target.cube.shape_yx}", where=target.cube_id
            )
        return LesionBook(annotation, target.diagnosis), annotation.mask

    # --- the lesions

    @property
    def labels(self) -> NDArray[np.uint16]:
        """Numbers of the lesions, shape (y, x)."""
        return self.masks.labels

    def rows(self) -> list[LesionRow]:
        """Lesions of the cube, by number."""
        return [] if self.book is None else self.book.rows(self.labels)

    def instance(self, number: int | None) -> Instance | None:
        """What is known of a lesion; None if it has no pixels."""
        return next((row.instance for row in self.rows() if row.instance.id == number), None)

    def put(self, instance: Instance, mask: NDArray[np.bool_]) -> None:
        """Add a lesion, or give one another mask; saved at once."""
        if self.book is not None:
            self.book.put(instance)
            self._put(mask, instance.id)
            self._accepted(instance.status)
            self._finish()

    def delete(self, number: int) -> None:
        """Delete a lesion; undo brings it back."""
        if self.book is not None and self.instance(number) is not None:
            self._put(None, number)
            if not self.rows() and self.book.status == "done":
                self.book.status = "todo"
            self._finish()

    def change(self, number: int, **fields: Any) -> None:
        """Change diagnosis or status of a lesion."""
        if self.book is not None and self.instance(number) is not None:
            self.book.change(number, **fields)
            self._accepted(fields.get("status"))
            self._finish()

    def set_status(self, status: Any) -> None:
        """Give the cube as a whole a status: todo, done or unsure."""
        if self.book is not None and status != self.book.status:
            self.book.status = status
            self._finish()

    def toggle_unsure(self) -> None:
        """Mark the cube as unsure, or take the mark away."""
        if self.book is not None:
            usual = "done" if self.rows() else "todo"
            self.set_status(usual if self.book.status == "unsure" else "unsure")

    def _accepted(self, status: str | None) -> None:
        # most cubes hold one lesion: with it the cube is done, until the user says otherwise
        if status == "accepted" and self.book is not None and self.book.status == "todo":
            self.book.status = "done"

    def _put(self, mask: NDArray[np.bool_] | None, number: int) -> None:
        self._putting = True
        try:
            self.masks.put(mask, number)
        finally:
            self._putting = False

    def _finish(self) -> None:
        self._colour()
        self.save()
        self.changed.emit()

    def _colour(self) -> None:
        if self.book is not None:
            found = {row.instance.id: row.instance.diagnosis for row in self.rows()}
            self.masks.colour(found, self.book.diagnosis)

    def _edited(self) -> None:
        labels, before = self.labels, self._before
        self._before = labels.copy()
        if self.book is None:
            return
        if not self._putting and before.shape == labels.shape:
            differ = before != labels
            self.book.drawn({*np.unique(before[differ]).tolist(), *np.unique(labels[differ]).tolist()})
        self._colour()
        self._save_later.start()
        self.changed.emit()

    # --- saving

    def save(self) -> None:
        """Write the annotation of a study's cube."""
        self._save_later.stop()
        target, book = self.target, self.book
        if target is None or book is None or target.study is None:
            return
        study, annotation = target.study, book.annotation(self.labels)
        number = self._saving.submit(lambda: study.save_annotation(annotation))
        self._unsaved[number] = (study, annotation)

    def export(self, path: Path) -> None:
        """Write the lesions of any cube as a PNG of labels; InputError if that does not work."""
        write_labels(path, self.labels)

    def flush(self) -> None:
        """Have all that was done written before returning."""
        if self._save_later.isActive():
            self.save()
        self._saving.wait(5.0)

    def close(self) -> None:
        """Save, and take the layers away for good."""
        self.detach()
        self._saving.close()
        self.masks.edited.disconnect(self._edited)
        self.masks.disconnect()

    def _stored(self, number: int, _: Path) -> None:
        study, annotation = self._unsaved.pop(number)
        self.saved.emit(study, annotation.cube_id)

    def _not_stored(self, number: int, error: Exception) -> None:
        _, annotation = self._unsaved.pop(number)
        self.not_saved.emit(f"{annotation.cube_id} is not saved: {error}")
