"""`Annotator`: what the Annotate dock does; the dock itself only shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Layer
from napari.utils.notifications import show_error, show_warning
from numpy.typing import NDArray
from qtpy.QtCore import Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Diagnosis, Instance, Study
from napari_hsisynth.study.annotation import now
from napari_hsisynth.widgets.annotate_target import Target, delay
from napari_hsisynth.widgets.annotation_history import AnnotationState
from napari_hsisynth.widgets.annotator_identity import annotator_name
from napari_hsisynth.widgets.cube_follower import CubeFollower
from napari_hsisynth.widgets.draft import Draft
from napari_hsisynth.widgets.draft_maker import DraftMaker
from napari_hsisynth.widgets.lesion_editor import LesionEditor
from napari_hsisynth.widgets.lesion_picker import LesionPicker
from napari_hsisynth.widgets.undo import Undo

_TIDY_MS, _PREPARE_MS = 50, 100  # after a cube has gone, and come


class Annotator(CubeFollower):
    """Follows the cube that is shown, and turns drafts into its lesions.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    saved : Signal
        An annotation is on disk.
    prompting : bool
        Whether the user wants clicks to make prompts; `drafts.prompts.active` says whether they do just now.
    note : str
        What the last step did besides: to other lesions, for example.
    trouble : str
        What went wrong last and is not put right.
    """

    saved = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self.lesions = LesionEditor(viewer)
        self.drafts = DraftMaker(viewer, self.lesions.masks)
        self.picker = LesionPicker(viewer, self.lesions.masks)
        self.steps = Undo(self._state, self._bring_back)
        self.selected: int | None = None
        self.prompting = True
        self.trouble = self.note = ""
        self._accept_next = self._announcing = self._over = False
        self._said = ""  # why the segmenter did not answer, as long as it does not
        self._tidy_soon = delay(self, _TIDY_MS, self._tidy)
        self._prepare_soon = delay(self, _PREPARE_MS, self._prepare)
        masks = self.lesions.masks
        self._connections: list[tuple[Any, Any]] = [
            (self.drafts.prompts.active_changed, self._prompting_changed),
            (masks.undo_asked, self.undo),
            (masks.redo_asked, self.redo),
            (self.picker.picked, self.select),
            (self.session.annotation_changed, self._annotated_elsewhere),
        ]
        for signal, slot in self._connections:
            signal.connect(slot)
        for part in (self.lesions, self.drafts):
            part.changed.connect(self.changed)
            part.stepped.connect(self._stepped)
        self.drafts.answered.connect(self._answered)
        self.drafts.failed.connect(self._not_answered)
        self.drafts.not_kept.connect(self._failed)
        self.lesions.saved.connect(self._saved)
        self.lesions.said.connect(self._say)
        self.lesions.not_saved.connect(self._failed)
        self.lesions.moved.connect(self.annotator_changed)

    # --- which cube

    def _arrive(self, target: Target) -> None:
        self.lesions.attach(target)
        known = self.steps.known(target)
        self.target, self.selected = target, known.selected if known is not None else None
        self.drafts.attach(target, known.draft if known is not None else None)
        self.steps.attach(target)
        self.lesions.masks.choose(self._outlined)
        self.picker.enabled = True
        if self.prompting:
            self.drafts.prompts.start()
        self.trouble = self.lesions.refused_text
        self._prepare_soon.start()

    def _leave(self) -> None:
        self.target = self.selected = None
        self._accept_next = self.picker.enabled = False
        self.trouble = self.note = ""
        self.steps.detach()
        self.drafts.detach()
        self.lesions.detach()
        self._tidy_soon.start()

    def _tidy(self) -> None:
        """Take the layers away if no other cube has come that uses them."""
        if self.target is None:
            self.lesions.masks.remove()
            self.drafts.prompts.remove()

    def _prepare(self) -> None:
        # napari needs a while to make a layer: better now than when the first click waits for it
        if self.target is not None:
            self.lesions.masks.ensure_draft()

    def _own_layers(self) -> list[Layer]:
        prompts, masks = self.drafts.prompts, self.lesions.masks
        own = (prompts.points, prompts.box, masks.lesions, masks.draft)
        return [layer for layer in own if layer is not None]

    def deactivate(self) -> None:
        """Save, take the layers away and follow no cube until `activate`."""
        super().deactivate()
        self._tidy()

    def flush(self) -> None:
        """Have all that was done written before returning."""
        if not self._over:
            self.lesions.flush()
            self.drafts.flush()

    def end(self) -> None:
        """Save, end the segmenter's process and do nothing further: the program ends, and Qt deletes what it likes."""
        if not self._over:
            self.flush()
            self._over = True
            self.drafts.segmenter.close()

    def shutdown(self) -> None:
        """Save, take the layers away and let go of the viewer."""
        if self._over:
            return
        self.flush()
        self._over = True
        self._stop_following()
        for signal, slot in self._connections:
            signal.disconnect(slot)
        self.session.release_clicks(self)
        self.picker.disconnect()
        self.drafts.close()
        self.lesions.close()

    # --- lesions from drafts

    @property
    def draft(self) -> Draft | None:
        """The lesion in the making."""
        return self.drafts.draft

    def accept(self) -> None:
        """Make the draft a lesion and save it; without a draft, accept the selected lesion as it is."""
        book, draft = self.lesions.book, self.draft
        if book is None:
            return
        if draft is not None and self.drafts.waiting:
            self._accept_next = True  # the last click is still being answered; take what comes of it
            return
        if draft is None:
            self._accept_selected()
            return
        if draft.mask is None:
            show_warning("There is no mask to accept: add a prompt, or press Clear.")
            return
        editing = draft.editing if self.lesions.instance(draft.editing) is not None else None
        number = editing or book.next_number(self.lesions.labels)
        made = Instance(number, draft.diagnosis, annotator=annotator_name(), time=now(), **draft.record())
        step = f"accept lesion {number}"
        with self.steps.one_step(step):
            if self.lesions.put(made, draft.mask, step):
                self.selected = number
                self.drafts.drop(draft.without_shown())
                self.lesions.masks.choose(self._outlined)
        self.changed.emit()

    def _accept_selected(self) -> None:
        instance = self.lesions.instance(self.selected)
        if instance is not None and instance.status != "accepted":
            self.lesions.change(instance.id, status="accepted", annotator=annotator_name(), time=now())
        else:
            show_warning("Nothing to accept yet: click into a lesion, drag a box around it, or press Propose.")

    def new_lesion(self) -> None:
        """Start a further lesion: no prompts, and clicks make some."""
        self._accept_next = False
        self.select(None)
        self.drafts.drop()
        self.steps.note("new lesion")
        self.set_prompting(True)

    def set_prompting(self, on: bool) -> None:
        """Let clicks on the canvas make prompts, or give the mouse back; on the next cubes as well."""
        self.prompting = on
        if on:
            self.drafts.prompts.start()
        else:
            self.drafts.prompts.stop()
        self.changed.emit()

    def reopen(self, number: int) -> None:
        """Take a lesion up again with the prompts it was made by."""
        instance = self.lesions.instance(number)
        if instance is not None:
            self.prompting = True
            self.drafts.reopen(instance, self.lesions.labels == number)
            self.select(number)

    def delete(self, number: int) -> None:
        """Delete a lesion; undo brings it back."""
        with self.steps.one_step(f"delete lesion {number}"):
            if self.draft is not None and self.draft.editing == number:
                self.drafts.drop()
            self.selected = None
            self.lesions.delete(number)
            self.lesions.masks.choose(None)

    def select(self, number: int | None) -> None:
        """Mean this lesion with the next change; it is outlined, and brought into view."""
        if number != self.selected:
            self.selected = number
            self.changed.emit()
        self.lesions.masks.choose(self._outlined)
        if number is not None:
            self.picker.bring_into_view(self.lesions.labels == number)

    @property
    def _outlined(self) -> int | None:
        """The selected lesion, unless the draft shows what becomes of it."""
        editing = self.draft.editing if self.draft is not None else None
        return self.selected if self.selected != editing else None

    def toggle_lesion_unsure(self) -> None:
        """Mark the selected lesion as unsure, or as accepted again."""
        instance = self.lesions.instance(self.selected)
        if instance is None:
            show_warning("Choose a lesion first: click its row, or the lesion with the mouse free of prompts.")
        else:
            self.set_lesion_status(instance.id, "accepted" if instance.status == "unsure" else "unsure")

    def set_lesion_status(self, number: int, status: str) -> None:
        """Give a lesion a status: draft, accepted or unsure."""
        self.lesions.change(number, status=status, annotator=annotator_name(), time=now())

    def refine(self, step: str, work: Callable[[NDArray[np.bool_]], NDArray[np.bool_]]) -> None:
        """Change the mask of the draft, else of the selected lesion.

        Parameters
        ----------
        step : str
            What is done, for people.
        work : callable
            From mask to mask, shape (y, x).
        """
        draft, instance = self.draft, self.lesions.instance(self.selected)
        mask = draft.mask if draft is not None else None
        if mask is None and instance is not None and draft is None:
            mask = self.lesions.labels == instance.id
        if mask is None:
            show_warning("Nothing to refine yet: make a mask, or choose a lesion.")
            return
        refined = work(mask)
        if not refined.any():
            self._say(f"{step}: nothing would be left, so it stays as it is")
        elif np.array_equal(refined, mask):
            self._say(f"{step}: nothing to change")
        elif draft is not None:
            self.drafts.refine(refined, step)
        elif instance is not None:
            # its prompts no longer give its mask
            changed = replace(instance, prompts=None, score=None, annotator=annotator_name(), time=now())
            self.lesions.put(changed, refined, f"{step} of lesion {instance.id}")

    def set_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Give a diagnosis to the draft, else to the selected lesion."""
        if self.draft is not None:
            self.drafts.set_diagnosis(diagnosis)
        elif self.selected is not None:
            self.lesions.change(self.selected, diagnosis=diagnosis)

    # --- back and forth

    def undo(self) -> None:
        """Take the last step back, whatever it was; not in the middle of one."""
        if not self._in_hand:
            self._accept_next = False
            self.steps.undo()

    def redo(self) -> None:
        """Make the step again that was taken back last."""
        if not self._in_hand:
            self._accept_next = False
            self.steps.redo()

    @property
    def _in_hand(self) -> bool:
        """Whether the mouse is dragging a prompt or making a stroke."""
        return self.drafts.prompts.dragging or self.lesions.masks.painting

    def _state(self) -> AnnotationState:
        book = self.lesions.book
        assert book is not None
        return AnnotationState(self.lesions.runs, book.known, book.status, self.draft, self.selected)

    def _bring_back(self, state: AnnotationState) -> None:
        self.note, self.selected = "", state.selected
        self.lesions.bring_back(state)
        if state.draft is not self.draft:
            self.drafts.bring_back(state.draft)
        self.lesions.masks.choose(self._outlined)
        self.changed.emit()

    def _stepped(self, step: str) -> None:
        self.note = ""
        self._accept_next = False  # what was to be accepted is no longer what is asked
        if self.lesions.instance(self.selected) is None:
            self.selected = None  # the brush, or another lesion, took the last of its pixels
        self.steps.note(step)
        self.changed.emit()

    def _say(self, note: str) -> None:
        self.note = note
        self.changed.emit()

    # --- what comes back

    def _prompting_changed(self, on: bool) -> None:
        if on:
            self.session.claim_clicks(self, "Annotate")
        else:
            self.session.release_clicks(self)
        self.changed.emit()

    def _answered(self) -> None:
        self._said = ""
        if not self.drafts.prompts.dragging:
            self.steps.amend()
        if self._accept_next and not self.drafts.waiting:
            self._accept_next = False
            self.accept()

    def _not_answered(self, message: str) -> None:
        """Say it once, not at every click: the dock shows the segmenter's state all the time."""
        self._accept_next = False
        if message != self._said:
            self._said = message
            show_error(message)
        self.changed.emit()

    def _failed(self, message: str) -> None:
        self._accept_next = False
        self.trouble = message
        show_error(message)
        self.changed.emit()

    def _saved(self, study: Study, cube_id: str) -> None:
        self.trouble = self.lesions.refused_text
        self.saved.emit()
        if self.session.study is not None and study.root == self.session.study.root:  # maybe opened anew meanwhile
            self._announcing = True
            try:
                self.session.annotation_changed.emit(cube_id)
            finally:
                self._announcing = False

    def _annotated_elsewhere(self, cube_id: str) -> None:
        if not self._announcing and self.target is not None and self.target.cube_id == cube_id:
            try:
                if self.lesions.read_again():
                    self.steps.attach(self.target)
            except InputError as error:
                self._failed(str(error))
            self.changed.emit()
