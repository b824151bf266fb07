"""Synthetic cubes as layers of the viewer: beside each other, with the outline of the mask that each was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_hsisynth.study import DIAGNOSIS_COLOURS, Crop, Diagnosis, read_crop, read_crops_index
from napari_hsisynth.widgets.layers import METADATA, add_cube
from napari_hsisynth.widgets.overlay_layer import lay_over
from napari_hsisynth.widgets.regions import NO_REGIONS

#: Most cubes that one click adds to the viewer, so that a set of hundreds does not fill the layer list.
MOST_SHOWN = 16
_VIEW = "synthetic"
#: Room between cubes beside each other, as a part of their size.
_GAP = 0.05
_OPACITY = 0.9
_YELLOW = "#F0E442"  # that of drafts and of inside prompts


def read_samples(folder: Path, count: int, condition: str = "", since: float = 0.0) -> list[Crop]:
    """Read the first `count` synthetic cubes of a folder, or of those in it that were made from one condition.

    Parameters
    ----------
    folder : pathlib.Path
        In crops form.
    count : int
    condition : str
        Stem of the file that they were asked to show; empty for all.
    since : float
        Those written after this moment, in seconds since 1970, come first.

    Raises
    ------
    InputError
        If there are none, or one cannot be read.
    """
    records = [
        record for record in read_crops_index(folder) if not condition or Path(record.condition).stem == condition
    ]
    if since:
        records.sort(key=lambda record: _written(folder / record.file) < since)  # stable
    return [read_crop(folder, record) for record in records[:count]]


def _written(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # deleted meanwhile: reading it says so
        return 0.0


def show_samples(viewer: Any, samples: Sequence[Crop], near: Sequence[Layer] = ()) -> list[Image]:
    """Add cubes to the viewer at the right of all others and look at them; those that are shown already stay.

    Parameters
    ----------
    viewer : napari.Viewer
    samples : sequence of Crop
    near : sequence of Layer
        What is to be seen beside them.

    Returns
    -------
    list of Image
        The layers that were added.
    """
    names = [f"{sample.cube.name} · {_VIEW}" for sample in samples]
    there = {layer.name for layer in viewer.layers}
    missing = [sample for sample, name in zip(samples, names, strict=True) if name not in there]
    new = [add_cube(viewer, sample.cube, view=_VIEW) for sample in missing]
    lay_beside(new, viewer.layers)
    for sample, image in zip(missing, new, strict=True):
        if sample.record.mask_source == "conditioning":
            _outline(viewer, sample, image)
    viewer.reset_view(layers=[*near, *(layer for layer in viewer.layers if layer.name in names)])
    return new


def _outline(viewer: Any, sample: Crop, image: Image) -> None:
    """Draw the border of the mask that a cube was made from over it."""
    active = viewer.layers.selection.active
    layer = viewer.add_labels(
        sample.mask.astype(np.uint8),
        opacity=_OPACITY,
        colormap=mask_colours(sample.record.diagnosis),
        # no regions either: the curves of a set would bury all others
        metadata={METADATA: {"asked": True}, NO_REGIONS: (1,)},
    )
    layer.contour = 1
    lay_over(viewer, layer, image, "mask", above=1)
    viewer.layers.selection.active = active


def mask_colours(diagnosis: str) -> DirectLabelColormap:
    """Return the colours of a mask: that of its diagnosis, but yellow where that is grey, as cubes are."""
    grey = DIAGNOSIS_COLOURS[Diagnosis.OTHER]
    colour = DIAGNOSIS_COLOURS[Diagnosis(diagnosis)] if diagnosis in set(Diagnosis) else grey
    return DirectLabelColormap(color_dict={None: _YELLOW if colour == grey else colour, 0: "transparent"})


def lay_beside(new: Sequence[Layer], layers: Sequence[Layer]) -> None:
    """Lay new layers in a near-square block at the right of all others, so that none hides another."""
    if not new:
        return
    borders = [layer.extent.world[:, -2:] for layer in layers if layer not in new]
    borders = [border for border in borders if np.isfinite(border).all()]
    top = min((border[0, 0] for border in borders), default=0.0)
    right = max((border[1, 1] for border in borders), default=None)
    heights, widths = np.max([np.ptp(layer.extent.world[:, -2:], axis=0) for layer in new], axis=0) * (1 + _GAP)
    left = 0.0 if right is None else right + _GAP * widths
    columns = math.ceil(math.sqrt(len(new)))
    for number, layer in enumerate(new):
        row, column = divmod(number, columns)
        place = np.array([top + row * heights, left + column * widths])
        layer.translate = (*layer.translate[:-2], *(place - layer.extent.world[0, -2:] + layer.translate[-2:]))
