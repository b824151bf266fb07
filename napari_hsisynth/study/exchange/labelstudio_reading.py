"""Label Studio's JSON, read: tasks with annotations of several people and predictions of models.

Brushes and polygons become lesions, rectangles become prompts or drafts. An annotation is accepted, for a person
submitted it; a prediction is a draft. Predictions that Label Studio has stored beside an annotation were its starting
point, and are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.boxes import Box
from napari_hsisynth.study.exchange import brush_rle, own_fields
from napari_hsisynth.study.exchange.boxes_in import box_prompts, box_within, mask_of_box
from napari_hsisynth.study.exchange.json_files import objects, read_json, size_of, the_json
from napari_hsisynth.study.exchange.polygons import corners, filled, is_number
from napari_hsisynth.study.exchange.record import Found, FoundLesion, Record, Tell, new_instance
from napari_hsisynth.study.instance import Instance

NAME = "tasks.json"
CUBE = "hsisynth_cube"  # in a task's data, which Label Studio keeps
_PICTURE = re.compile(r"\.(png|jpe?g|tiff?|bmp|webp|gif)\b", re.IGNORECASE)
#: Results that only say something about a region or the picture.
_NO_REGIONS = {"labels", "choices", "textarea", "rating", "taxonomy", "relation", "number"}

#: An annotation or a prediction, and whether it is one.
Part = tuple[Mapping[str, Any], bool]


def find(src: Path) -> Found:
    """Read an export of Label Studio (JSON), or ours; masks are decoded later."""
    path = the_json(src, NAME)
    value = read_json(path)
    tasks = [value] if isinstance(value, dict) and "data" in value else value
    if not isinstance(tasks, list) or not any(isinstance(task.get("data"), dict) for task in objects(tasks)):
        raise InputError(
            "not a Label Studio export: a list of tasks with data is needed", where=path, fix="export as JSON"
        )
    found = Found()
    superseded = 0
    for number, task in enumerate(objects(tasks), 1):
        data = task["data"] if isinstance(task.get("data"), dict) else {}
        picture = _picture(task, data) or f"task {number}"
        by_annotator: dict[str, list[Part]] = {}
        for annotation in sorted(_annotations(task), key=lambda one: own_fields.text(one, "updated_at")):
            name = _annotator(annotation)
            if annotation.get("was_cancelled") is True:
                found.skipped.append((picture, f"{name or 'its annotator'} skipped it in Label Studio"))
                continue
            if name in by_annotator:
                found.notes.append(f"{picture}: of two annotations by {name or 'nobody'} the later one counts")
            by_annotator[name] = [(annotation, False)]
        predictions = list(objects(task.get("predictions")))
        if by_annotator and any("id" in prediction for prediction in predictions):
            superseded += len(predictions)
        else:
            for prediction in _best(predictions):
                by_annotator.setdefault(_annotator(prediction), []).append((prediction, True))
        for name, parts in by_annotator.items():
            found.records.append(_record(picture, own_fields.text(data, CUBE), name, parts))
        if not by_annotator and not any(what == picture for what, _ in found.skipped):
            found.skipped.append((picture, "nobody has annotated it"))
    if superseded:
        found.notes.append(f"{superseded} predictions were left out, for their tasks have annotations")
    return found


def _annotations(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return objects(task.get("annotations", task.get("completions")))


def _picture(task: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return the address of a task's picture, whatever the project calls it."""
    pictures = [text for text in data.values() if isinstance(text, str) and _PICTURE.search(text)]
    return own_fields.text(data, "image") or next(iter(pictures), own_fields.text(task, "file_upload"))


def _annotator(part: Mapping[str, Any]) -> str:
    """Return who made an annotation: a name, else an e-mail address, else the number of the user."""
    who = part.get("completed_by")
    if isinstance(who, Mapping):
        named = " ".join(filter(None, (own_fields.text(who, "first_name"), own_fields.text(who, "last_name"))))
        return named.strip() or own_fields.text(who, "email") or _user(who.get("id"))
    return _user(who) or own_fields.text(own_fields.own(part), "annotator")


def _user(number: Any) -> str:
    return f"user {number}" if isinstance(number, int) and not isinstance(number, bool) else ""


def _best(predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the prediction with the highest score, the last of equals; of our own exports, all."""
    if not predictions or all(own_fields.own(one) for one in predictions):
        return predictions
    scores = [one["score"] if is_number(one.get("score")) else -math.inf for one in predictions]
    return [predictions[max(range(len(scores)), key=lambda place: (scores[place], place))]]


def _record(picture: str, cube_id: str, annotator: str, parts: list[Part]) -> Record:
    ours = next((ours for part, _ in parts if (ours := own_fields.own(part))), {})
    return Record(
        picture=picture,
        decode=partial(_lesions, parts),
        annotator=annotator,
        cube_id=cube_id,
        status=own_fields.status_of(ours),
        extra=own_fields.extra_of(ours),
    )


def _lesions(parts: list[Part], shape_yx: tuple[int, int], tell: Tell) -> Iterator[FoundLesion]:
    for part, is_prediction in parts:
        results = list(objects(part.get("result")))
        labels = _labels(results)
        for result in results:
            value = result.get("value")
            if not isinstance(value, Mapping) or own_fields.text(result, "type") in _NO_REGIONS:
                continue
            label = labels.get(str(result.get("id")), _label(value))
            yield from _lesion(result, value, _instance(result, part, is_prediction, shape_yx), label, shape_yx, tell)


def _lesion(
    result: Mapping[str, Any],
    value: Mapping[str, Any],
    instance: Instance,
    label: str,
    shape_yx: tuple[int, int],
    tell: Tell,
) -> Iterator[FoundLesion]:
    kind = own_fields.text(result, "type").removesuffix("labels")
    if kind not in {"brush", "polygon", "rectangle"}:
        tell(f"regions of the type '{str(result.get('type'))[:40]}' were left out")
        return
    _check_picture(result, shape_yx)
    height, width = shape_yx
    if kind == "brush":
        yield FoundLesion(brush_rle.decoded(value.get("rle"), shape_yx), instance, label)
    elif kind == "polygon":
        polygon = corners(value.get("points"), scale=(width / 100, height / 100))
        yield FoundLesion(filled(polygon, shape_yx), instance, label)
    else:
        box = _box(value, shape_yx)
        yield FoundLesion(mask_of_box(box, shape_yx), box_prompts(instance, box), label, box)


def _instance(
    result: Mapping[str, Any], part: Mapping[str, Any], is_prediction: bool, shape_yx: tuple[int, int]
) -> Instance:
    score = next((one for one in (result.get("score"), part.get("score")) if is_number(one)), None)
    model = own_fields.text(part, "model_version") if is_prediction else ""
    time = own_fields.text(part, "updated_at") or own_fields.text(part, "created_at")
    instance = new_instance("import", model=model or "label studio", annotator=_annotator(part), time=time)
    instance = replace(instance, score=None if score is None else float(score))
    before = own_fields.own(result.get("meta"))
    instance = own_fields.restored(instance, before, shape_yx)
    if part.get("completed_by") is not None:
        instance = replace(instance, annotator=_annotator(part))
    if not is_prediction:
        return replace(instance, status="accepted")
    return instance if before.get("status") in ("draft", "unsure") else replace(instance, status="draft")


def _check_picture(result: Mapping[str, Any], shape_yx: tuple[int, int]) -> None:
    size = size_of(result.get("original_height"), result.get("original_width"))
    if size is not None and size != shape_yx:
        raise InputError(
            f"drawn in a picture of {size[0]} x {size[1]} px, its cube has {shape_yx[0]} x {shape_yx[1]} px"
        )
    if result.get("image_rotation"):
        raise InputError("the picture was turned in Label Studio", fix="turn it back there, and export again")


def _labels(results: list[dict[str, Any]]) -> dict[str, str]:
    """Return the labels that results of their own give to regions, by the id of the region."""
    found: dict[str, str] = {}
    for result in results:
        value = result.get("value")
        if isinstance(value, Mapping) and (label := _label(value)):
            found.setdefault(str(result.get("id")), label)
    return found


def _label(value: Mapping[str, Any]) -> str:
    for key, names in value.items():
        if (key.endswith("labels") or key == "choices") and isinstance(names, list) and names:
            return str(names[0])
    return ""


def _box(value: Mapping[str, Any], shape_yx: tuple[int, int]) -> Box:
    """Return the pixels of a rectangle in percent; of a turned one, those of the upright box around it."""
    numbers = [value.get(key, 0 if key == "rotation" else None) for key in ("x", "y", "width", "height", "rotation")]
    if not all(map(is_number, numbers)):
        raise InputError("a rectangle is not four numbers")
    height, width = shape_yx
    x, y, right, down = (number * side / 100 for number, side in zip(numbers, (width, height) * 2, strict=False))
    cosine, sine = math.cos(math.radians(numbers[4])), math.sin(math.radians(numbers[4]))
    ends = [(along, across) for along in (0, right) for across in (0, down)]
    xs = [x + along * cosine - across * sine for along, across in ends]
    ys = [y + along * sine + across * cosine for along, across in ends]
    return box_within((min(ys), min(xs), max(ys), max(xs)), shape_yx)
