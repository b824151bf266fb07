"""What will be cut out of a cube: the same answer for the outlines on the screen and for the crops on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.boxes import Box, check_margin, crop_box
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.instance import Instance
from napari_hsisynth.study.resizing import Size, size_with_shorter_side

#: Sides of crops on disk, px.
SMALLEST_SIZE_PX, LARGEST_SIZE_PX = 8, 4096


@dataclass(frozen=True)
class CropRule:
    """How a lesion becomes a crop.

    Parameters
    ----------
    margin : float
        Fraction of the lesion's box by which both sides grow, 0..10; see `boxes.crop_box`.
    square : bool
        Make the box square, where the image allows.
    size_px : int, optional
        Bring the shorter side to so many px, 8..4096; by default crops keep the resolution of their cube.

    Raises
    ------
    InputError
        If margin or size is out of range.
    """

    margin: float = 0.5
    square: bool = False
    size_px: int | None = None

    def __post_init__(self) -> None:
        check_margin(self.margin)
        if self.size_px is not None and not SMALLEST_SIZE_PX <= self.size_px <= LARGEST_SIZE_PX:
            raise InputError(
                f"size {self.size_px} px is not in {SMALLEST_SIZE_PX}..{LARGEST_SIZE_PX}",
                fix="leave it out to keep the resolution of the cubes",
            )

    def shape_yx(self, box: Box) -> Size:
        """Height and width on disk of what is cut at `box`, px."""
        shape = box[2] - box[0], box[3] - box[1]
        return shape if self.size_px is None else size_with_shorter_side(shape, self.size_px)


@dataclass(frozen=True)
class PlannedCrop:
    """A box in a cube, and what will be made of it.

    Parameters
    ----------
    instance : int
        The lesion; 0 for a whole cube.
    diagnosis : Diagnosis
        Of the crop.
    box : tuple of int
        ``(y0, x0, y1, x1)``, px, ends exclusive.
    shape_yx : tuple of int
        On disk, px.
    """

    instance: int
    diagnosis: Diagnosis
    box: Box
    shape_yx: Size

    @property
    def text(self) -> str:
        """Say what it is: ``lesion 2 · 143 x 120 px -> 267 x 224 px``."""
        y0, x0, y1, x1 = self.box
        what = f"lesion {self.instance}" if self.instance else "whole cube"
        return f"{what} · {size_text((y1 - y0, x1 - x0), self.shape_yx)}"


def size_text(box_shape_yx: Size, shape_yx: Size) -> str:
    """Write the size of a box and that of its crop, ``120 x 120 px -> 224 px``; only the first if they are the same."""
    text = f"{box_shape_yx[0]} x {box_shape_yx[1]} px"
    if shape_yx == box_shape_yx:
        return text
    height, width = shape_yx
    return f"{text} -> {height} px" if height == width else f"{text} -> {height} x {width} px"


def lesion_boxes(labels: NDArray[np.integer]) -> dict[int, Box]:
    """Return ``(y0, x0, y1, x1)`` of every label but 0 that has pixels, px, ends exclusive; one look at the image."""
    return {
        number: (rows.start, columns.start, rows.stop, columns.stop)
        for number, found in enumerate(ndimage.find_objects(labels.astype(np.int32, copy=False)), 1)
        if found is not None
        for rows, columns in [found]
    }


def planned_crops(labels: NDArray[np.integer], instances: Iterable[Instance], rule: CropRule) -> list[PlannedCrop]:
    """Return the crops of those of some lesions that have pixels, whatever their status.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x)
        Instance labels of the cube.
    instances : iterable of Instance
        The lesions wanted.
    rule : CropRule
        Of the boxes.
    """
    height, width = labels.shape
    boxes = lesion_boxes(labels)
    planned = []
    for instance in instances:
        if instance.id in boxes:
            box = crop_box(boxes[instance.id], (height, width), margin=rule.margin, square=rule.square)
            planned.append(PlannedCrop(instance.id, instance.diagnosis, box, rule.shape_yx(box)))
    return planned


def whole_crop(shape_yx: Size, diagnosis: Diagnosis, rule: CropRule) -> PlannedCrop:
    """Return the crop that is all of a cube without a lesion: `rule` gives its size, not its box."""
    box = (0, 0, *shape_yx)
    return PlannedCrop(0, diagnosis, box, rule.shape_yx(box))
