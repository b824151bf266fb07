"""COCO: one JSON with images, categories and annotations whose masks are run lengths or polygons.

Written by default are polygons along the corners of the pixels, and run lengths (RLE) for lesions with holes, since a
COCO polygon cannot have any. If polygons are asked for, holes are joined to the outside by slits of no width: filled by
COCO's own rules, that gives the same mask.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.boxes import bounding_box
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.exchange import coco_rle, own_fields
from napari_hsisynth.study.exchange.boxes_in import box_prompts, box_within, mask_of_box
from napari_hsisynth.study.exchange.json_files import objects, read_json, size_of, the_json, write_compact
from napari_hsisynth.study.exchange.marked import SLITS, MarkedCube, Writing
from napari_hsisynth.study.exchange.outlines import has_holes, outlines, slit_outlines
from napari_hsisynth.study.exchange.polygons import corners, filled, is_number
from napari_hsisynth.study.exchange.record import Found, FoundLesion, Record, Tell, new_instance

_CATEGORIES = {diagnosis: number for number, diagnosis in enumerate(Diagnosis, 1)}
_NAME = "annotations.json"


def find(src: Path) -> Found:
    """Read a COCO file, or the one in a folder; its masks are decoded later."""
    path = the_json(src, _NAME)
    value = read_json(path)
    if not isinstance(value, dict) or not isinstance(value.get("images"), list):
        fix = "a list of annotations alone does not name its images" if isinstance(value, list) else ""
        what = "not COCO: an object with images, annotations and categories is needed"
        raise InputError(what, where=path, fix=fix)
    names = {one["id"]: str(one.get("name", "")) for one in objects(value.get("categories")) if _is_id(one.get("id"))}
    of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in objects(value.get("annotations")):
        if _is_id(annotation.get("image_id")):
            of_image[annotation["image_id"]].append(annotation)
    found = Found()
    for image in objects(value["images"]):
        number, ours = image.get("id"), own_fields.own(image)
        picture = own_fields.text(image, "file_name")
        if not _is_id(number):
            found.skipped.append((picture or "an image", "it has no id"))
            continue
        record = Record(
            picture=picture or str(number),
            decode=partial(_lesions, of_image.pop(number, []), names),
            shape_yx=size_of(image.get("height"), image.get("width")),
            annotator=own_fields.text(ours, "annotator"),
            cube_id=own_fields.text(ours, "cube_id"),
            status=own_fields.status_of(ours),
            extra=own_fields.extra_of(ours),
        )
        found.records.append(record)
    if of_image:
        lost = sum(map(len, of_image.values()))
        found.notes.append(f"{lost} annotations belong to no image of the file and were left out")
    return found


def _lesions(
    annotations: list[dict[str, Any]], names: Mapping[Any, str], shape_yx: tuple[int, int], tell: Tell
) -> Iterator[FoundLesion]:
    for annotation in annotations:
        category, score = annotation.get("category_id"), annotation.get("score")
        label = names.get(category, f"category {category}") if _is_id(category) else ""
        instance = new_instance("import", model="coco", score=score if is_number(score) else None)
        instance = own_fields.restored(instance, own_fields.own(annotation), shape_yx)
        segmentation = annotation.get("segmentation")
        if segmentation:
            yield FoundLesion(_mask(segmentation, shape_yx), instance, label)
        elif annotation.get("bbox"):
            box = _box(annotation["bbox"], shape_yx)
            yield FoundLesion(mask_of_box(box, shape_yx), box_prompts(instance, box), label, box)
        else:
            tell("annotations without a mask and without a box were left out")


def _mask(segmentation: Any, shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Decode run lengths, packed or not, or polygons, whose union it is."""
    if isinstance(segmentation, dict):
        size, counts = segmentation.get("size"), segmentation.get("counts")
        if size != list(shape_yx):
            raise InputError(f"a mask is of size {str(size)[:40]}, its cube of {list(shape_yx)}")
        if isinstance(counts, str):
            return coco_rle.mask_of(coco_rle.unpacked(counts, shape_yx[0] * shape_yx[1] + 1), shape_yx)
        if isinstance(counts, list):
            return coco_rle.mask_of(counts, shape_yx)
        raise InputError("a mask has no run lengths")
    if not isinstance(segmentation, list):
        raise InputError("a segmentation is neither run lengths nor polygons")
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    mask = np.zeros(shape_yx, bool)
    for polygon in polygons:
        mask |= filled(corners(polygon), shape_yx)
    return mask


def _box(bbox: Any, shape_yx: tuple[int, int]) -> tuple[int, int, int, int]:
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(is_number, bbox)):
        raise InputError("a bbox is not four numbers")
    x, y, width, height = bbox
    return box_within((y, x, y + height, x + width), shape_yx)


def write(cubes: Iterable[MarkedCube], target: Path, writing: Writing) -> None:
    """Write the lesions of a study as one COCO file.

    The images are called like the cubes' files. Annotator, prompts and whatever else the format has no place for goes
    into fields of our own.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for cube in cubes:
        marked = cube.only
        height, width = marked.mask.shape
        name = PurePosixPath(cube.entry.path).name
        images.append(
            {"id": len(images) + 1, "file_name": name, "height": height, "width": width}
            | own_fields.of_annotation(marked, cube.annotators[0])
        )
        for instance in marked.instances:
            mask = marked.mask_of(instance.id)
            y0, x0, y1, x1 = bounding_box(mask) or (0, 0, 0, 0)
            annotation = {
                "id": len(annotations) + 1,
                "image_id": len(images),
                "category_id": _CATEGORIES[instance.diagnosis],
                "segmentation": _segmentation(mask, cube.entry.id, writing),
                "area": int(mask.sum()),
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "iscrowd": 0,
            }
            own = own_fields.of_instance(instance)
            score = own[own_fields.OWN]["score"]
            annotations.append(annotation | ({} if score is None else {"score": score}) | own)
    value = {
        "info": {"description": writing.title, "contributor": "napari-hsisynth"},
        "images": images,
        "categories": [
            {"id": number, "name": diagnosis.value, "supercategory": "skin lesion"}
            for diagnosis, number in _CATEGORIES.items()
        ],
        "annotations": annotations,
    }
    write_compact(target, value)


def _segmentation(mask: NDArray[np.bool_], cube_id: str, writing: Writing) -> Any:
    if writing.shapes == "mask" or (writing.shapes == "auto" and has_holes(mask)):
        if writing.shapes == "auto":
            writing.tell(cube_id, "lesions with holes are run lengths (RLE), the others polygons")
        return {"size": list(mask.shape), "counts": coco_rle.packed(coco_rle.counts_of(mask))}
    if writing.shapes == "polygon" and has_holes(mask):
        writing.tell(cube_id, SLITS)
        rings = slit_outlines(mask)
    else:
        rings = [part[0] for part in outlines(mask)]
    return [[number for point in ring for number in point] for ring in rings]


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str)
