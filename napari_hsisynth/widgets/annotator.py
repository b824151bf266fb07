"""`Annotator`: what the Annotate dock does; the dock itself only shows it."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Layer
from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Diagnosis, Instance, Study
from napari_hsisynth.study.annotation import now
from napari_hsisynth.widgets.annotate_target import Draft, Target
from napari_hsisynth.widgets.annotator_identity import annotator_name
from napari_hsisynth.widgets.draft_maker import DraftMaker
from napari_hsisynth.widgets.layers import front_cube_layer, is_borrowed, is_cube_layer, layer_cube
from napari_hsisynth.widgets.lesion_editor import LesionEditor
from napari_hsisynth.widgets.session import session_for


class Annotator(QObject):
    """Follows the cube that is shown, and turns drafts into its lesions.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    changed : Signal
        Anything that the dock shows.
    saved : Signal
        An annotation is on disk.
    prompting : bool
        Whether the user wants clicks to make prompts; `drafts.prompts.active` says whether they do just now.
    """

    changed = Signal()
    saved = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session_for(viewer)
        self.lesions = LesionEditor(viewer)
        self.drafts = DraftMaker(viewer, self.lesions.masks)
        self.target: Target | None = None
        self.selected: int | None = None
        self.prompting = True
        self.trouble = ""
        self._active = self._accept_next = self._announcing = False
        self._layer_left: Layer | None = None
        self._connections: list[tuple[Any, Any]] = [
            (self.drafts.prompts.active_changed, self._prompting_changed),
            (self.session.study_changed, lambda _: self.retarget()),
            (self.session.cube_changed, lambda _: self.retarget()),
            (self.session.annotation_changed, self._annotated_elsewhere),
            (viewer.layers.selection.events.active, self._layer_chosen),
            (viewer.layers.events.removed, self._layer_removed),
        ]
        for signal, slot in self._connections:
            signal.connect(slot)
        for part in (self.lesions, self.drafts):
            part.changed.connect(self.changed)
        self.drafts.answered.connect(self._answered)
        self.drafts.failed.connect(self._failed)
        self.lesions.saved.connect(self._saved)
        self.lesions.not_saved.connect(self._failed)

    # --- which cube

    def activate(self) -> None:
        """Begin, or go on, with the cube that is shown."""
        self._active = True
        self.retarget()
        if self._layer_left is not None and self._layer_left in self.viewer.layers:
            self.viewer.layers.selection.active = self._layer_left
        self._layer_left = None

    def pause(self) -> None:
        """Give the mouse back and follow no cube until `activate`; layers and draft stay."""
        self._active = False
        self.flush()
        active = self.viewer.layers.selection.active
        if self.target is not None and active in self._own_layers():
            self._layer_left = active
            self.viewer.layers.selection.active = self.target.layer

    @property
    def following(self) -> bool:
        """Whether it turns to every cube that is shown."""
        return self._active

    def _own_layers(self) -> list[Layer]:
        prompts, masks = self.drafts.prompts, self.lesions.masks
        own = (prompts.points, prompts.box, masks.lesions, masks.draft)
        return [layer for layer in own if layer is not None]

    def deactivate(self) -> None:
        """Save, take the layers away and follow no cube until `activate`."""
        self._active, self._layer_left = False, None
        self._leave()
        self.lesions.flush()
        self.changed.emit()

    def retarget(self) -> None:
        """Turn to the cube that is shown now."""
        if self._active:
            layer = self.session.cube_layer if self.session.cube_id else None
            self._turn_to(layer or front_cube_layer(self.viewer))

    def _layer_chosen(self, event: Any) -> None:
        # Only another cube counts: taking the brush to the lesions must not lose the cube. And not yet: while
        # the session exchanges cubes, it does not say which cube of the study the new layer is.
        if self._active and is_cube_layer(event.value):
            QTimer.singleShot(0, self._follow_chosen)

    def _follow_chosen(self) -> None:
        chosen = self.viewer.layers.selection.active
        if self._active and is_cube_layer(chosen):
            self._turn_to(chosen)

    def _layer_removed(self, event: Any) -> None:
        if self.target is not None and event.value is self.target.layer:
            self._turn_to(None)
            QTimer.singleShot(0, self.retarget)  # napari is still in the middle of removing

    def _turn_to(self, layer: Image | None) -> None:
        if layer is not None and is_borrowed(layer):
            return  # one of the pair that Compare shows for a while
        in_study = layer is not None and layer is self.session.cube_layer and self.session.cube_id is not None
        study, cube_id = (self.session.study, self.session.cube_id) if in_study else (None, None)
        before = self.target
        if before is not None and before.layer is layer and before.cube_id == cube_id:
            return
        self._leave()
        cube = layer_cube(layer) if layer is not None else None
        if layer is not None and cube is not None:
            try:
                known = study is not None and cube_id is not None
                diagnosis = study.entry(cube_id).diagnosis if known else Diagnosis.OTHER  # type: ignore[union-attr, arg-type]
                target = Target(layer, cube, diagnosis, study, cube_id)
                self.lesions.attach(target)
            except InputError as error:
                self._failed(str(error))
                return
            self.target = target
            self.drafts.attach(target)
            if self.prompting:
                self.drafts.prompts.start()
        self.changed.emit()

    def _leave(self) -> None:
        """Keep everything of the present cube, and let go of it."""
        self.target = self.selected = None
        self._accept_next = False
        self.trouble = ""
        self.drafts.detach()
        self.lesions.detach()

    def flush(self) -> None:
        """Have all that was done written before returning."""
        self.drafts.remember()
        self.lesions.flush()

    def shutdown(self) -> None:
        """Save, take the layers away and let go of the viewer."""
        self._active = False
        for signal, slot in self._connections:
            signal.disconnect(slot)
        self.session.release_clicks(self)
        self.target = None
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
        if draft is None or draft.mask is None:
            self._accept_selected()
            return
        editing = draft.editing if self.lesions.instance(draft.editing) is not None else None
        number = editing or book.next_number(self.lesions.labels)
        fields = {"annotator": annotator_name(), "time": now(), **self.drafts.record()}
        self.selected = number
        self.lesions.put(Instance(number, draft.diagnosis, **fields), draft.mask)
        self.drafts.take_next_proposed()

    def _accept_selected(self) -> None:
        instance = self.lesions.instance(self.selected)
        if instance is not None and instance.status != "accepted":
            self.lesions.change(instance.id, status="accepted", annotator=annotator_name(), time=now())
        else:
            show_warning("Nothing to accept yet: click into a lesion, drag a box around it, or press Propose.")

    def new_lesion(self) -> None:
        """Start a further lesion: no prompts, and clicks make some."""
        self.selected = None
        self.drafts.clear()
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
            self.selected, self.prompting = number, True
            self.drafts.reopen(instance, self.lesions.labels == number)

    def delete(self, number: int) -> None:
        """Delete a lesion; undo brings it back."""
        if self.draft is not None and self.draft.editing == number:
            self.drafts.clear()
        self.selected = None
        self.lesions.delete(number)

    def select(self, number: int | None) -> None:
        """Mean this lesion with the next change of diagnosis, or with Accept."""
        if number != self.selected:
            self.selected = number
            self.changed.emit()

    def set_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Give a diagnosis to the draft, else to the selected lesion."""
        if self.draft is not None:
            self.drafts.set_diagnosis(diagnosis)
        elif self.selected is not None:
            self.lesions.change(self.selected, diagnosis=diagnosis)

    # --- other cubes

    def cube_ids(self) -> list[str]:
        """Ids of the study's cubes."""
        study = self.session.study
        return [entry.id for entry in study.entries] if study is not None else []

    def step(self, by: int) -> None:
        """Show the cube `by` places on; the list does not wrap."""
        ids = self.cube_ids()
        if not ids:
            return
        here = ids.index(self.session.cube_id) if self.session.cube_id in ids else (-1 if by > 0 else len(ids))
        if 0 <= here + by < len(ids):
            self._show_cube(ids[here + by])

    def next_todo(self) -> None:
        """Show the next cube whose status is todo, after the last one beginning again."""
        study, ids = self.session.study, self.cube_ids()
        if study is None:
            return
        self.lesions.flush()
        here = ids.index(self.session.cube_id) + 1 if self.session.cube_id in ids else 0
        for cube_id in ids[here:] + ids[:here]:
            if cube_id != self.session.cube_id and study.annotation_summary(cube_id).status == "todo":
                self._show_cube(cube_id)
                return
        show_warning("No other cube of this study is to do.")

    def _show_cube(self, cube_id: str) -> None:
        try:
            self.session.show_cube(cube_id)
        except InputError as error:
            show_error(str(error))

    # --- what comes back

    def _prompting_changed(self, on: bool) -> None:
        if on:
            self.session.claim_clicks(self, "Annotate")
        else:
            self.session.release_clicks(self)
        self.changed.emit()

    def _answered(self) -> None:
        if self._accept_next:
            self._accept_next = False
            self.accept()

    def _failed(self, message: str) -> None:
        self._accept_next = False
        self.trouble = message
        show_error(message)
        self.changed.emit()

    def _saved(self, study: Study, cube_id: str) -> None:
        self.trouble = ""
        self.saved.emit()
        if study is self.session.study:
            self._announcing = True
            try:
                self.session.annotation_changed.emit(cube_id)
            finally:
                self._announcing = False

    def _annotated_elsewhere(self, cube_id: str) -> None:
        if not self._announcing and self.target is not None and self.target.cube_id == cube_id:
            try:
                self.lesions.read_again()
            except InputError as error:
                self._failed(str(error))
            self.changed.emit()
