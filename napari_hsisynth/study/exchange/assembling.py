"""From the lesions in a file to the annotation of a cube: one label per pixel, one instance per lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotation import Annotation, now
from napari_hsisynth.study.boxes import bounding_box
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.exchange.boxes_in import overlap, prompts_of
from napari_hsisynth.study.exchange.labels import diagnosis_of
from napari_hsisynth.study.exchange.record import FoundLesion, Record, Tell
from napari_hsisynth.study.instance import CubeStatus
from napari_hsisynth.study.manifest import Entry

#: A box is the prompt of a lesion if their boxes share this much: intersection over union.
_SAME_BOX = 0.5
_MOST_LESIONS = 65535


def assembled(
    record: Record, entry: Entry, shape_yx: tuple[int, int], classes: Sequence[Diagnosis], annotator: str, tell: Tell
) -> Annotation:
    """Decode a record into an annotation of its cube.

    Pixels of two lesions stay with the earlier one. A box that fits a lesion becomes its prompt; any other a draft.

    Parameters
    ----------
    record : Record
    entry : Entry
        Its cube.
    shape_yx : (int, int)
        Of the cube, px.
    classes : sequence of Diagnosis
        Those of the study.
    annotator : str
        Who made the lesions of which the file does not say it.
    tell : callable
        Takes what the user should know.

    Raises
    ------
    InputError
        If a lesion is damaged or of another size; then nothing of the record is used.
    """
    found = Annotation(entry.id, np.zeros(shape_yx, np.uint16), extra=record.extra)
    boxes: list[FoundLesion] = []
    for lesion in record.decode(shape_yx, tell):
        if lesion.box is None:
            found = _with(found, lesion, entry, classes, annotator, tell)
        else:
            boxes.append(lesion)
    for lesion in boxes:
        prompted = _prompted(found, lesion)
        found = prompted or _with(found, lesion, entry, classes, annotator, tell)
    return found.replace(status=record.status or _status(found))


def merged(present: Annotation, new: Annotation, tell: Tell) -> Annotation:
    """Return an annotation with the lesions of another one added; pixels stay with those that are there already."""
    labels, instances = present.mask.copy(), list(present.instances)
    for instance in new.instances:
        mask = new.mask_of(instance.id)
        free = mask & (labels == 0)
        if not free.any():
            tell("lesions that lie wholly inside lesions that were there before were left out")
            continue
        if free.sum() < mask.sum():
            tell("pixels of lesions that were there before stay with them")
        number = max((one.id for one in instances), default=0) + 1
        labels[free] = number
        instances.append(replace(instance, id=number))
    return present.replace(mask=labels, instances=tuple(instances))


def _with(
    found: Annotation, lesion: FoundLesion, entry: Entry, classes: Sequence[Diagnosis], annotator: str, tell: Tell
) -> Annotation:
    """Add a lesion, under the id it had if that is free."""
    free = lesion.mask & (found.mask == 0)
    if not free.any():
        tell("lesions without pixels of their own were left out" if lesion.mask.any() else "empty masks were left out")
        return found
    if shared := int(lesion.mask.sum() - free.sum()):
        tell(f"{shared:,} px belong to an earlier lesion and stay with it")
    taken = {instance.id for instance in found.instances}
    if len(taken) == _MOST_LESIONS:
        raise InputError("there are more lesions than an annotation can hold")
    diagnosis, said = diagnosis_of(lesion.label, entry.diagnosis)
    if diagnosis not in classes:
        raise InputError(f"{diagnosis.label} is not a class of this study", fix="add it to the classes in study.yaml")
    if said:
        tell(said)
    instance = replace(
        lesion.instance,
        id=lesion.instance.id if lesion.instance.id not in taken else found.next_id,
        diagnosis=diagnosis,
        annotator=lesion.instance.annotator or annotator,
        time=lesion.instance.time or now(),
        extra={**lesion.instance.extra, **({"imported_label": lesion.label} if said and lesion.label else {})},
    )
    labels = found.mask.copy()
    labels[free] = instance.id
    return found.replace(mask=labels, instances=(*found.instances, instance))


def _prompted(found: Annotation, lesion: FoundLesion) -> Annotation | None:
    """Return the annotation with a box made the prompt of the lesion that fills it; None if there is none."""
    assert lesion.box is not None
    for instance in found.instances:
        its_box = bounding_box(found.mask_of(instance.id))
        if instance.prompts is None and its_box is not None and overlap(its_box, lesion.box) >= _SAME_BOX:
            prompted = replace(instance, prompts=prompts_of(lesion.box))
            return found.replace(instances=tuple(prompted if one is instance else one for one in found.instances))
    return None


def _status(found: Annotation) -> CubeStatus:
    statuses = {instance.status for instance in found.instances}
    if "unsure" in statuses:
        return "unsure"
    return "done" if statuses <= {"accepted"} else "todo"
