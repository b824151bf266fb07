"""`CubeFollower`: turns to the cube that is shown, and to others of the study."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Diagnosis
from napari_hsisynth.study.annotators import annotation_key
from napari_hsisynth.widgets.annotate_target import Target
from napari_hsisynth.widgets.annotator_identity import annotator_name
from napari_hsisynth.widgets.layers import front_cube_layer, is_borrowed, is_cube_layer, layer_cube
from napari_hsisynth.widgets.live_queue import live_queue
from napari_hsisynth.widgets.session import session_for


class CubeFollower(QObject):
    """Knows which cube is worked on. A subclass says what to do when it comes and when it goes.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    changed : Signal
        Another cube, or anything else that a dock shows.
    target : Target or None
        The cube.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session_for(viewer)
        self.target: Target | None = None
        self._active = self._stale = False
        self._layer_left: Layer | None = None
        self._follows: list[tuple[Any, Any]] = [
            (self.session.study_changed, self._turn),
            (self.session.cube_changed, self._turn),
            (viewer.layers.selection.events.active, self._layer_chosen),
            (viewer.layers.events.removed, self._layer_removed),
        ]
        for signal, slot in self._follows:
            signal.connect(slot)

    # --- for the subclass

    def _arrive(self, target: Target) -> None:
        """Begin with a cube; InputError if that cannot be."""
        raise NotImplementedError

    def _leave(self) -> None:
        """Keep everything of the present cube, and let go of it; none may be."""
        raise NotImplementedError

    def _own_layers(self) -> list[Layer]:
        """Layers that were added to the viewer."""
        raise NotImplementedError

    def flush(self) -> None:
        """Have all that was done written before returning."""
        raise NotImplementedError

    def _failed(self, message: str) -> None:
        """Say what went wrong."""
        raise NotImplementedError

    # --- following

    @property
    def following(self) -> bool:
        """Whether it turns to every cube that is shown."""
        return self._active

    def activate(self) -> None:
        """Begin, or go on, with the cube that is shown."""
        self._active = True
        self.retarget(force=self._stale)
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

    def deactivate(self) -> None:
        """Save, let go of the cube, and follow none until `activate`."""
        self._active, self._layer_left = False, None
        self._turn_to(None)
        self.flush()

    def retarget(self, force: bool = False) -> None:
        """Turn to the cube that is shown now.

        Parameters
        ----------
        force : bool
            Also if it is the present one: read its lesions again, for example those of another annotator.
        """
        if not self._active:
            return
        if force and self.target is not None:
            self._turn_to(self.target.layer, force)
        else:
            layer = self.session.cube_layer if self.session.cube_id else None
            self._turn_to(layer or front_cube_layer(self.viewer))

    def _stop_following(self) -> None:
        self._active = False
        for signal, slot in self._follows:
            signal.disconnect(slot)
        self._let_go()

    def _turn(self, _: Any) -> None:
        self.retarget()

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

    def _cube_replaced(self, _: Any = None) -> None:
        # the user gave the layer another array: another cube, maybe of other size
        QTimer.singleShot(0, self._read_again)

    def _read_again(self) -> None:
        self._stale = not self._active
        self.retarget(force=True)

    def _turn_to(self, layer: Image | None, force: bool = False) -> None:
        if layer is not None and is_borrowed(layer):
            return  # one of the pair that Compare shows for a while
        in_study = layer is not None and layer is self.session.cube_layer and self.session.cube_id is not None
        study, cube_id = (self.session.study, self.session.cube_id) if in_study else (None, None)
        before = self.target
        if before is not None and not force and before.layer is layer and before.cube_id == cube_id:
            return
        self._let_go()
        self._stale = False
        cube = layer_cube(layer) if layer is not None else None
        if layer is not None and cube is not None:
            try:
                target = Target(layer, cube, Diagnosis.OTHER)
                if study is not None and cube_id is not None:
                    name = annotator_name()
                    key = annotation_key(study, cube_id, name)
                    target = Target(layer, cube, study.entry(cube_id).diagnosis, study, cube_id, key, name)
                self._arrive(target)
            except InputError as error:
                self._failed(str(error))
                return
            layer.events.data.connect(self._cube_replaced)
        self.changed.emit()

    def _let_go(self) -> None:
        if self.target is not None:
            self.target.layer.events.data.disconnect(self._cube_replaced)
        self._leave()
        self.target = None

    # --- other cubes of the study

    def step(self, by: int) -> None:
        """Show the cube `by` places on among those that the queue shows; the list does not wrap."""
        live_queue(self.session).step(by)

    def next_todo(self) -> None:
        """Show the next cube whose status is todo, after the last one beginning again."""
        self.flush()
        live_queue(self.session).next_todo()

    def annotator_changed(self) -> None:
        """Turn to the lesions of another annotator of the same cube; what was done is on disk."""
        self.retarget(force=True)
