"""`CropBoxes`: where the crops of the shown cube will be cut, drawn over it while it is being annotated."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Labels, Shapes
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import QObject

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import DIAGNOSIS_COLOURS, CropRule, Diagnosis, Instance, Study, planned_crops, whole_crop
from napari_hsisynth.study.annotators import annotation_key
from napari_hsisynth.study.boxes import Box
from napari_hsisynth.widgets.annotate_target import delay
from napari_hsisynth.widgets.annotator_identity import annotator_name
from napari_hsisynth.widgets.regions import NO_REGIONS
from napari_hsisynth.widgets.session import Session

_EDGE_PX = 1.5
_DASH = 0.2  # of a side
#: Painting tells of every stroke of the mouse; the boxes follow this much later, ms.
_FOLLOW_MS = 60
#: In the layer of the draft the chosen lesion is outlined as well, by this number.
_CHOSEN = 2


@dataclass(frozen=True)
class Outline:
    """A box on the canvas.

    Parameters
    ----------
    box : tuple of int
        ``(y0, x0, y1, x1)``, px, ends exclusive.
    diagnosis : Diagnosis
        Gives the colour.
    text : str
        What it is, and what will become of it.
    cut : bool
        Whether it will be: solid; else dashed.
    """

    box: Box
    diagnosis: Diagnosis
    text: str
    cut: bool = True


def outlines(
    labels: NDArray[np.integer],
    instances: tuple[Instance, ...],
    rule: CropRule,
    *,
    cube_diagnosis: Diagnosis,
    wanted: Diagnosis | None = None,
    whole: bool = False,
    draft: NDArray[np.bool_] | None = None,
) -> list[Outline]:
    """Return the boxes of one cube: those that will be cut, and those that will not with the reason.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x)
        Numbers of the lesions. One that `instances` does not know was painted just now.
    instances : tuple of Instance
        What is known of them.
    rule : CropRule
        Of the boxes.
    cube_diagnosis : Diagnosis
        Of the cube, and so of lesions painted just now.
    wanted : Diagnosis, optional
        Only lesions of this diagnosis will be cut.
    whole : bool
        Whole cubes will be cut if they have no accepted lesion.
    draft : ndarray of bool, shape (y, x), optional
        The lesion in the making.
    """
    known = {one.id: one for one in instances}
    painted = [Instance(int(n), cube_diagnosis) for n in np.unique(labels) if n and int(n) not in known]
    lesions = {one.id: one for one in (*instances, *painted)}
    found = []
    for crop in planned_crops(labels, lesions.values(), rule):
        status = lesions[crop.instance].status
        reason = f"{status}: not cropped" if status != "accepted" else ""
        if not reason and wanted not in (None, crop.diagnosis):
            reason = f"{crop.diagnosis.label}: not cropped"
        text = f"lesion {crop.instance} · {reason}" if reason else crop.text
        found.append(Outline(crop.box, crop.diagnosis, text, not reason))
    accepted = any(lesions[crop].status == "accepted" for crop in lesions)
    if whole and not accepted and wanted in (None, cube_diagnosis):
        crop = whole_crop((labels.shape[0], labels.shape[1]), cube_diagnosis, rule)
        found.append(Outline(crop.box, crop.diagnosis, crop.text))
    if draft is not None and draft.any():
        crop = planned_crops(draft.astype(np.uint8), [Instance(1, cube_diagnosis)], rule)[0]
        found.append(Outline(crop.box, crop.diagnosis, "draft · not cropped until accepted", cut=False))
    return found


class CropBoxes(QObject):
    """A Shapes layer ``<cube> · crop boxes``, only to be looked at.

    It follows the cube, the saved annotation, the options, and the lesions and the draft as they are being painted.

    Parameters
    ----------
    session : Session
    parent : QObject

    Attributes
    ----------
    layer : Shapes or None
        None while nothing is to be shown, or after the user has removed it.
    told : str
        What is dashed and why, and what else there is to say; for the dock.
    removed : Signal
        The user has removed the layer.
    told_changed : Signal
        `told` is another.
    """

    removed = Signal()
    told_changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self.session, self.viewer = session, session.viewer
        self.layer: Shapes | None = None
        self.told = ""
        self._rule = CropRule()
        self._wanted: Diagnosis | None = None
        self._whole = False
        self._on = False
        self._drawn: tuple[str, list[Outline]] | None = None
        self._saved: tuple[Study, str, NDArray[np.uint16], tuple[Instance, ...]] | None = None
        self._watched: dict[str, Labels] = {}
        self._soon = delay(self, _FOLLOW_MS, self.update)
        self.viewer.layers.events.inserted.connect(self._layer_added)
        self.viewer.layers.events.removed.connect(self._layer_removed)
        session.cube_changed.connect(self._cube_changed)
        session.annotation_changed.connect(self._annotation_changed)

    def close(self) -> None:
        """Take the boxes away and let go of the session and the viewer, which live longer."""
        self._unwatch()
        layer, self.layer = self.layer, None
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)
        for signal, slot in (
            (self.viewer.layers.events.inserted, self._layer_added),
            (self.viewer.layers.events.removed, self._layer_removed),
            (self.session.cube_changed, self._cube_changed),
            (self.session.annotation_changed, self._annotation_changed),
        ):
            _disconnect(signal, slot)

    def show(self, on: bool) -> None:
        """Draw the boxes, or take them away."""
        self._on = on
        if on:
            self._saved = None
            self._watch()
            self.update()
            return
        self._unwatch()
        layer, self.layer, self._drawn = self.layer, None, None
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)
        self._tell("")

    def set_rule(self, rule: CropRule, wanted: Diagnosis | None, whole: bool) -> None:
        """Take other options."""
        self._rule, self._wanted, self._whole = rule, wanted, whole
        self.update()

    # -- what to draw -------------------------------------------------------------------------------------------------

    def _cube_changed(self, _cube_id: str | None) -> None:
        self._saved = None
        self._unwatch()
        if self._on:
            self._watch()
            self.update()

    def _annotation_changed(self, cube_id: str) -> None:
        if cube_id == self.session.cube_id:
            self._saved = None
            self.update()

    def _layer_added(self, _event: Any) -> None:
        if self._on:
            self._watch()
            self._soon.start()

    def _layer_removed(self, event: Any) -> None:
        if event.value is self.layer and self.layer is not None:  # the user took it away: that is an answer
            self.layer, self._drawn = None, None
            self.removed.emit()
        for what, layer in list(self._watched.items()):
            if layer is event.value:
                self._forget(what)
                self._soon.start()

    def _watch(self) -> None:
        """Listen to the layers in which the shown cube's lesions are painted, from now on under whatever name."""
        for what in ("lesions", "draft"):
            name = f"{self.session.cube_id} · {what}"
            layer = next((one for one in self.viewer.layers if one.name == name and isinstance(one, Labels)), None)
            if layer is not None and what not in self._watched:
                self._watched[what] = layer
                for event in _PAINTED:
                    getattr(layer.events, event).connect(self._painted)

    def _unwatch(self) -> None:
        for what in list(self._watched):
            self._forget(what)

    def _forget(self, what: str) -> None:
        layer = self._watched.pop(what)
        for event in _PAINTED:
            _disconnect(getattr(layer.events, event), self._painted)

    def _painted(self, _event: Any = None) -> None:
        self._soon.start()

    def _read(self, study: Study, cube_id: str) -> tuple[NDArray[np.uint16], tuple[Instance, ...]]:
        if self._saved is None or self._saved[:2] != (study, cube_id):
            annotation = study.annotation(cube_id)  # the first annotator's: crops are cut by it
            self._saved = study, cube_id, annotation.mask, annotation.instances
        return self._saved[2:]

    def current(self) -> list[Outline]:
        """Return the boxes of the shown cube as it is now; InputError if its annotation cannot be read."""
        study, cube_id = self.session.study, self.session.cube_id
        if study is None or cube_id is None:
            return []
        labels, instances = self._read(study, cube_id)
        live = {what: np.asarray(layer.data) for what, layer in self._watched.items()}
        if annotation_key(study, cube_id, annotator_name()) is not None:
            live = {}  # somebody else's lesions are being painted: not those that will be cut
        labels, draft = live.get("lesions", labels), live.get("draft")
        return outlines(
            labels,
            instances,
            self._rule,
            cube_diagnosis=study.entry(cube_id).diagnosis,
            wanted=self._wanted,
            whole=self._whole,
            draft=None if draft is None else (draft > 0) & (draft != _CHOSEN),
        )

    # -- drawing ------------------------------------------------------------------------------------------------------

    def update(self) -> None:
        """Draw the boxes as they are now; nothing happens if these are drawn already."""
        self._soon.stop()
        if not self._on:
            return
        self._watch()  # a layer may get its name only after it was added
        cube_id = self.session.cube_id
        if cube_id is None:
            self._tell("open a cube in the Study dock to see its boxes")
            self._draw("crop boxes", [])
            return
        try:
            found = self.current()
        except InputError as error:
            self._tell(f"✖ {error}")
            self._draw(f"{cube_id} · crop boxes", [])
            return
        left = Counter(outline.text.split(" · ")[-1] for outline in found if not outline.cut)
        dashed = "dashed: " + ", ".join(f"{count} {reason}" for reason, count in left.items()) if left else ""
        self._tell(dashed or ("" if found else "no lesion is marked in this cube"))
        self._draw(f"{cube_id} · crop boxes", found)

    def _tell(self, text: str) -> None:
        if text != self.told:
            self.told = text
            self.told_changed.emit()

    def _draw(self, name: str, found: list[Outline]) -> None:
        if (name, found) == self._drawn and self.layer is not None:
            return
        layer = self.layer or self._add_layer()
        if self._drawn is None or name != self._drawn[0]:  # while the cube stays, the user may rename the layer
            layer.name = name
        self._drawn = name, found
        data, kinds, colours, texts = _shapes(found)
        if kinds != list(layer.shape_type) or not kinds:
            layer.data = []
            if kinds:
                layer.add(data, shape_type=kinds, edge_width=_EDGE_PX, edge_color=colours, face_color="transparent")
        else:  # the usual case while painting: the same boxes elsewhere
            layer.data = data
            if colours != list(layer.features["colour"]):
                layer.edge_color = colours
        layer.features = {"text": np.array(texts, dtype=object), "colour": np.array(colours, dtype=object)}

    def _keep_still(self, _event: Any = None) -> None:
        """Nobody moves a box by hand; napari makes a layer editable again with new shapes and at a change of view."""
        if self.layer is not None and self.layer.editable:
            self.layer.editable = False

    def _add_layer(self) -> Shapes:
        cube = self.session.cube_layer
        active = self.viewer.layers.selection.active
        alike = ("scale", "translate", "units", "axis_labels")
        place = {} if cube is None else {name: getattr(cube, name)[-2:] for name in alike}
        self.layer = self.viewer.add_shapes(
            ndim=2,
            name="crop boxes",
            opacity=1,
            face_color="transparent",
            edge_width=_EDGE_PX,
            features={"text": np.array([], dtype=object), "colour": np.array([], dtype=object)},
            text={"string": "{text}", "anchor": "upper_left", "color": {"feature": "colour"}, "size": 9},
            metadata={NO_REGIONS: True},
            **place,
        )
        self.layer.events.editable.connect(self._keep_still)
        self._keep_still()
        if active is not None:  # only to be looked at: whoever was drawing goes on drawing
            self.viewer.layers.selection.active = active
        return self.layer


_PAINTED = ("paint", "set_data", "data")


def _shapes(found: list[Outline]) -> tuple[list[NDArray[np.float64]], list[str], list[str], list[str]]:
    """Return corners, kinds, colours and texts for napari; of a dashed box's parts the first has the text."""
    data: list[NDArray[np.float64]] = []
    kinds: list[str] = []
    colours: list[str] = []
    texts: list[str] = []
    for outline in found:
        y0, x0, y1, x1 = outline.box
        corners = np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]]) - 0.5
        parts = [("rectangle", corners)] if outline.cut else _dashes(corners)
        kinds += [kind for kind, _ in parts]
        data += [part for _, part in parts]
        colours += [DIAGNOSIS_COLOURS[outline.diagnosis]] * len(parts)
        texts += [outline.text] + [""] * (len(parts) - 1)
    return data, kinds, colours, texts


def _dashes(corners: NDArray[np.float64]) -> list[tuple[str, NDArray[np.float64]]]:
    """Return the corners and the middles of the sides: few pieces, since napari takes about 1 ms for each."""
    parts = []
    for before, corner, after in zip(np.roll(corners, 1, axis=0), corners, np.roll(corners, -1, axis=0), strict=True):
        arms = [corner + _DASH * (before - corner), corner, corner + _DASH * (after - corner)]
        middle = [corner + share * (after - corner) for share in (0.5 - _DASH / 2, 0.5 + _DASH / 2)]
        parts += [("path", np.array(arms)), ("line", np.array(middle))]
    return parts


def _disconnect(signal: Any, slot: Any) -> None:
    try:
        signal.disconnect(slot)
    except (ValueError, TypeError, RuntimeError):  # gone already, with its viewer
        return
