"""What our own exports add to a format so that nothing is lost on the way back; anyone may have edited it since."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, get_args

from napari_hsisynth.study.annotation import Annotation
from napari_hsisynth.study.exchange.polygons import is_number
from napari_hsisynth.study.exchange.record import OWN
from napari_hsisynth.study.instance import CubeStatus, Instance, InstanceStatus

_TEXTS = ("backend", "model", "weights_sha256", "annotator", "time")
_ELSEWHERE = ("cube_id", "status", "mask", "instances")
_PROMPTS = ("points", "labels", "box")
#: What is nested deeper than this was not written by us, and could be too deep to be written again.
_DEEPEST = 20


def of_instance(instance: Instance) -> dict[str, Any]:
    """Return an instance as JSON types, under the key that tells our own fields."""
    return {OWN: instance.to_json()}


def of_annotation(annotation: Annotation, annotator: str | None) -> dict[str, Any]:
    """Return what an annotation says apart from its lesions.

    Parameters
    ----------
    annotation : Annotation
    annotator : str or None
        Whose file it is; None for the cube's first.
    """
    value = {"cube_id": annotation.cube_id, "status": annotation.status, "annotator": annotator or ""}
    return {OWN: {**value, "extra": dict(annotation.extra)}}


def own(value: Any) -> Mapping[str, Any]:
    """Return our own fields of an object in a file; empty if it has none."""
    found = value.get(OWN) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def text(value: Mapping[str, Any], key: str) -> str:
    """Return a text from an object, empty if there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def status_of(value: Mapping[str, Any]) -> CubeStatus | None:
    """Return the status of a cube in our own fields, if there is one."""
    found = value.get("status")
    return next((known for known in get_args(CubeStatus) if known == found), None)


def extra_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else the annotation had in its JSON, without what belongs to its masks."""
    extra = value.get("extra")
    return _kept(extra, _ELSEWHERE) if isinstance(extra, Mapping) else {}


def restored(instance: Instance, value: Mapping[str, Any], shape_yx: tuple[int, int]) -> Instance:
    """Return an instance with what our own fields say of it; whatever is damaged there is left out.

    Parameters
    ----------
    instance : Instance
        As the format itself describes it.
    value : mapping
        Our own fields, of any content.
    shape_yx : (int, int)
        Of the image; prompts beyond it are left out.
    """
    changes: dict[str, Any] = {name: value[name] for name in _TEXTS if isinstance(value.get(name), str)}
    number = value.get("id")
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= 65535:
        changes["id"] = number
    status = value.get("status")
    if status in get_args(InstanceStatus):
        changes["status"] = status
    if "score" in value:
        changes["score"] = float(value["score"]) if is_number(value["score"]) else None
    if are_prompts(value.get("prompts"), shape_yx):
        changes["prompts"] = {key: value["prompts"][key] for key in _PROMPTS if key in value["prompts"]}
    fields = [name for name in Instance.__dataclass_fields__ if name != "extra"]
    return replace(instance, **changes, extra={**instance.extra, **_kept(value, fields)})


def _kept(value: Mapping[str, Any], without: Collection[str]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in without and _depth(item) <= _DEEPEST}


def _depth(value: Any) -> int:
    """Return how deep a value is nested; counting ends where it is too deep."""
    deepest, level = 0, [value]
    while level and deepest <= _DEEPEST:
        inner = [item for one in level if isinstance(one, list | dict) for item in one]
        inner += [item for one in level if isinstance(one, dict) for item in one.values()]
        level, deepest = inner, deepest + 1
    return deepest


def are_prompts(value: Any, shape_yx: tuple[int, int]) -> bool:
    """Whether a value is clicks and a box inside an image, as an annotation keeps them."""
    if not isinstance(value, Mapping):
        return False
    points, labels, box = value.get("points"), value.get("labels"), value.get("box")
    if not isinstance(points, list) or not isinstance(labels, list) or len(points) != len(labels):
        return False
    if not all(_is_inside(point, shape_yx) for point in points):
        return False
    if not all(is_number(label) and label in (0, 1) for label in labels):
        return False
    return box is None or _is_box(box, shape_yx)


def _is_inside(point: Any, shape_yx: tuple[int, int]) -> bool:
    if not isinstance(point, list) or len(point) != 2 or not all(map(is_number, point)):
        return False
    return 0 <= point[0] <= shape_yx[0] - 1 and 0 <= point[1] <= shape_yx[1] - 1


def _is_box(box: Any, shape_yx: tuple[int, int]) -> bool:
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        return False
    return 0 <= box[0] < box[2] <= shape_yx[0] and 0 <= box[1] < box[3] <= shape_yx[1]
