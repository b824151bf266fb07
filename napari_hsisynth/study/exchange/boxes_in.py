"""Boxes of other tools: prompts for the lesions that fill them, or drafts to start from."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.boxes import Box
from napari_hsisynth.study.instance import Instance


def box_within(box: tuple[float, float, float, float], shape_yx: tuple[int, int]) -> Box:
    """Return the pixels that a box touches, (y0, x0, y1, x1) with ends exclusive, cut off at the image.

    Raises
    ------
    InputError
        If nothing of it lies in the image, or it has no end.
    """
    height, width = shape_yx
    if not all(map(math.isfinite, box)):
        raise InputError("a box has no end")
    y0, x0, y1, x1 = box
    limits = (height, width, height, width)
    low = [math.floor(value) for value in (min(y0, y1), min(x0, x1))]
    high = [math.ceil(value) for value in (max(y0, y1), max(x0, x1))]
    cut = [min(max(value, 0), limit) for value, limit in zip(low + high, limits, strict=True)]
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise InputError("a box has no pixel in the image")
    return cut[0], cut[1], cut[2], cut[3]


def mask_of_box(box: Box, shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels of a box, shape (y, x)."""
    mask = np.zeros(shape_yx, bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return mask


def box_prompts(instance: Instance, box: Box) -> Instance:
    """Return the draft that a box alone makes of an instance: to be opened again, and segmented from the box."""
    return replace(instance, prompts=prompts_of(box), status="draft")


def prompts_of(box: Box) -> dict[str, Any]:
    """Return a box as an annotation keeps its prompts."""
    return {"points": [], "labels": [], "box": list(box)}


def overlap(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union, 0..1."""
    sides = [min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis]) for axis in (0, 1)]
    if min(sides) <= 0:
        return 0.0
    shared = sides[0] * sides[1]
    return shared / (_size(one) + _size(other) - shared)


def _size(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
