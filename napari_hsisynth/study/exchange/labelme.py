"""labelme: one JSON per picture with shapes.

Written by default are polygons along the corners of the pixels, one per part of a lesion, and shapes of the type
``mask`` for lesions with holes, which a polygon of labelme cannot have. Shapes of one lesion share its ``group_id``;
flags say which lesions are drafts or unsure. A rectangle is read as a prompt or a draft, see `boxes_in`.
"""

from __future__ import annotations

import base64
import io
import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.boxes import bounding_box
from napari_hsisynth.study.exchange import own_fields
from napari_hsisynth.study.exchange.boxes_in import box_prompts, box_within, mask_of_box
from napari_hsisynth.study.exchange.json_files import objects, read_json, size_of
from napari_hsisynth.study.exchange.marked import MARKER, SLITS, MarkedCube, Writing
from napari_hsisynth.study.exchange.outlines import has_holes, outlines, slit_outlines
from napari_hsisynth.study.exchange.pictures import write_picture
from napari_hsisynth.study.exchange.polygons import corners, filled, is_number
from napari_hsisynth.study.exchange.record import Found, FoundLesion, Record, Tell, new_instance
from napari_hsisynth.study.instance import Instance

_VERSION = "5.5.0"  # the first with shapes of the type mask was 5.3
_SIZE_IN_PNG = slice(16, 24)
_STATUS_FLAGS = ("draft", "unsure")


def find(src: Path) -> Found:
    """Read the JSON files of a folder, or one of them; masks are decoded later."""
    found = Found()
    paths = [src]
    if src.is_dir():
        paths = sorted(path for path in src.glob("*.json") if path.name[0] != "." and path.name != MARKER)
    problems: list[InputError] = []
    for path in paths:
        try:
            value = read_json(path)
            if not isinstance(value, dict) or not isinstance(value.get("shapes"), list):
                raise InputError("not labelme: an object with shapes is needed", where=path)
        except InputError as error:
            problems.append(error)
            found.skipped.append((path.name, error.what))
            continue
        ours = own_fields.own(value)
        flags = value["flags"] if isinstance(value.get("flags"), Mapping) else {}
        record = Record(
            picture=own_fields.text(value, "imagePath") or path.name,
            decode=partial(_lesions, list(objects(value["shapes"]))),
            shape_yx=size_of(value.get("imageHeight"), value.get("imageWidth")),
            annotator=own_fields.text(ours, "annotator"),
            cube_id=own_fields.text(ours, "cube_id"),
            status="unsure" if flags.get("unsure") is True else own_fields.status_of(ours),
            extra=own_fields.extra_of(ours),
        )
        found.records.append(record)
    if not found.records:
        if len(problems) == 1:
            raise problems[0]
        raise InputError("no JSON of labelme here", where=src, fix="give the folder with one JSON per picture")
    return found


def _lesions(shapes: list[dict[str, Any]], shape_yx: tuple[int, int], tell: Tell) -> Iterator[FoundLesion]:
    for lesion in _grouped(shapes):
        label, kind = own_fields.text(lesion[0], "label"), lesion[0].get("shape_type") or "polygon"
        instance = _instance(lesion[0], shape_yx)
        if kind == "rectangle" and len(lesion) == 1:
            box = _rectangle(lesion[0].get("points"), shape_yx)
            yield FoundLesion(mask_of_box(box, shape_yx), box_prompts(instance, box), label, box)
            continue
        mask = np.zeros(shape_yx, bool)
        for shape in lesion:
            mask |= _mask(shape, shape_yx, tell)
        if mask.any():
            yield FoundLesion(mask, instance, label)


def _grouped(shapes: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Put the shapes together that share label and group: labelme's way to say that they are one object."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for number, shape in enumerate(shapes):
        group = shape.get("group_id")
        key = (str(shape.get("label")), str(group)) if group is not None else number
        groups.setdefault(key, []).append(shape)
    return list(groups.values())


def _instance(shape: Mapping[str, Any], shape_yx: tuple[int, int]) -> Instance:
    flags = shape["flags"] if isinstance(shape.get("flags"), Mapping) else {}
    others = {name: on for name, on in flags.items() if name not in _STATUS_FLAGS and isinstance(on, bool)}
    instance = new_instance("import", model="labelme", extra={"labelme_flags": others} if others else {})
    instance = own_fields.restored(instance, own_fields.own(shape), shape_yx)
    status = next((name for name in _STATUS_FLAGS if flags.get(name) is True), "accepted")
    return replace(instance, status=status)  # type: ignore[arg-type]


def _mask(shape: Mapping[str, Any], shape_yx: tuple[int, int], tell: Tell) -> NDArray[np.bool_]:
    kind, points = shape.get("shape_type") or "polygon", shape.get("points")
    if kind == "polygon":
        return filled(corners(points), shape_yx)
    if kind == "rectangle":
        return mask_of_box(_rectangle(points, shape_yx), shape_yx)
    if kind == "circle":
        (x, y), edge = _two(points)
        rows, columns = np.ogrid[: shape_yx[0], : shape_yx[1]]
        return np.hypot(rows + 0.5 - y, columns + 0.5 - x) <= math.dist((x, y), edge)
    if kind == "mask":
        return _placed(shape, shape_yx)
    tell(f"shapes of the type '{str(kind)[:40]}' were left out")
    return np.zeros(shape_yx, bool)


def _two(points: Any) -> list[tuple[float, float]]:
    if isinstance(points, list) and len(points) == 2:
        numbers = [number for point in points if isinstance(point, list) and len(point) == 2 for number in point]
        if len(numbers) == 4 and all(is_number(number) and abs(number) < 1e6 for number in numbers):
            return [(numbers[0], numbers[1]), (numbers[2], numbers[3])]
    raise InputError("a shape is not given by two points")


def _rectangle(points: Any, shape_yx: tuple[int, int]) -> tuple[int, int, int, int]:
    (x0, y0), (x1, y1) = _two(points)
    return box_within((y0, x0, y1, x1), shape_yx)


def _placed(shape: Mapping[str, Any], shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Decode a mask; its points are the first and the last pixel of its box, both included."""
    (x0, y0), (x1, y1) = ((math.floor(x), math.floor(y)) for x, y in _two(shape.get("points")))
    size = (x1 - x0 + 1, y1 - y0 + 1)
    if min(x0, y0) < 0 or x1 >= shape_yx[1] or y1 >= shape_yx[0] or min(size) < 1:
        raise InputError("a mask lies outside of the image")
    try:
        data = base64.b64decode(shape.get("mask") or "", validate=True)
        said = struct.unpack(">II", data[_SIZE_IN_PNG])  # before anything is unpacked
        if said != size:
            raise InputError(f"a mask of {said[1]} x {said[0]} px in a box of {size[1]} x {size[0]} px")
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            inside = np.array(image.convert("I")) > 0
    except (OSError, SyntaxError, TypeError, ValueError, struct.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("a mask is not a readable picture") from None
    mask = np.zeros(shape_yx, bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = inside
    return mask


def write(cubes: Iterable[MarkedCube], target: Path, writing: Writing) -> None:
    """Write ``<id>.json`` with ``<id>.png`` beside it for every cube, into one folder."""
    for cube in cubes:
        annotation, name = cube.only, cube.entry.id
        write_picture(target / f"{name}.png", writing.picture(cube.read()))
        shapes = [
            shape
            for instance in annotation.instances
            for shape in _shapes(annotation.mask_of(instance.id), instance, name, writing)
        ]
        value = {
            "version": _VERSION,
            "flags": {"unsure": annotation.status == "unsure"},
            "shapes": shapes,
            "imagePath": f"{name}.png",
            "imageData": None,
            "imageHeight": annotation.mask.shape[0],
            "imageWidth": annotation.mask.shape[1],
        } | own_fields.of_annotation(annotation, cube.annotators[0])
        (target / f"{name}.json").write_text(json.dumps(value, indent=1, allow_nan=False), "utf-8")


def _shapes(mask: NDArray[np.bool_], instance: Instance, cube_id: str, writing: Writing) -> Iterator[dict[str, Any]]:
    flags = instance.extra.get("labelme_flags")
    shared = {
        "label": instance.diagnosis.value,
        "group_id": instance.id,
        "description": "",
        "flags": {**(flags if isinstance(flags, Mapping) else {}), **{instance.status: True}},
        **own_fields.of_instance(instance),
    }
    if instance.status == "accepted":
        shared["flags"].pop("accepted")
    if writing.shapes == "mask" or (writing.shapes == "auto" and has_holes(mask)):
        if writing.shapes == "auto":
            writing.tell(cube_id, "lesions with holes are shapes of the type mask, which labelme 5.3 and later read")
        y0, x0, y1, x1 = bounding_box(mask) or (0, 0, 0, 0)
        file = io.BytesIO()
        Image.fromarray(mask[y0:y1, x0:x1].astype(np.uint8)).save(file, format="PNG")
        encoded = base64.b64encode(file.getvalue()).decode("ascii")
        yield {**shared, "shape_type": "mask", "points": [[x0, y0], [x1 - 1, y1 - 1]], "mask": encoded}
        return
    if writing.shapes == "polygon" and has_holes(mask):
        writing.tell(cube_id, SLITS)
    rings = slit_outlines(mask) if writing.shapes == "polygon" else [part[0] for part in outlines(mask)]
    for ring in rings:
        yield {**shared, "shape_type": "polygon", "points": [[float(x), float(y)] for x, y in ring], "mask": None}
