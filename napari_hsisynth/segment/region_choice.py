"""Which regions the prompts mean, and the shape that those are of together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.segment.regions import Cell, Region

Box = tuple[int, int, int, int]

# How much of a region's likeness the prompts outweigh.
_OFF_CENTRE = 0.5
_SHALLOW = 1.2
_MISSED_FIRST = 2.0
_MISSED = 2.0
_BOX_FIT = 4.0
_DEEPEST = 0.7  # of the radius; in an ordinary lesion no cell is much deeper than that
_UPSET = 0.4
_SHALLOWEST = 0.5  # cells; depth of a mistake that the grid just shows

_TOLERANCE = 0.2  # of fit; regions that fit worse by this much count e times less
_MOST = 10  # regions of one shape


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a lesion before its outline is chosen; positions in cells of the working grid.

    Parameters
    ----------
    cells : tuple of (row, column)
        Clicked cells, in the order of the clicks.
    labels : tuple of int
        1 inside, 0 outside.
    box : (row0, column0, row1, column1) or None
        Ends exclusive.
    seen : ndarray of bool, shape (rows, columns), or None
        The mask that the last click was meant to mend.
    depth : float
        How deep that click lay in what was wrong.
    """

    cells: tuple[Cell, ...] = ()
    labels: Sequence[int] = ()
    box: Box | None = None
    seen: NDArray[np.bool_] | None = None
    depth: float = 0.0

    @property
    def first_inside(self) -> Cell | None:
        """The click that says which lesion is meant."""
        return next((cell for cell, label in zip(self.cells, self.labels, strict=True) if label), None)


def fits(regions: Sequence[Region], evidence: Evidence) -> NDArray[np.float64]:
    """Return how well each region fits what is known: its likeness to a lesion less what it leaves unexplained.

    - People click into the middle first: the first inside click is deep in the lesion and near its centre, unless a box
      says where that is.
    - Every later click is on its own side of the outline.
    - The box is that of the lesion.
    - A click mends the largest mistake: where it was shallow, the mask that was seen is nearly right everywhere.
    """
    fit = np.array([region.likeness for region in regions])
    if not regions:
        return fit
    first = evidence.first_inside
    if first is None:  # people hold the camera over the lesion, but may click into another one
        fit -= np.array([region.off_centre for region in regions])
    for number, region in enumerate(regions):
        for cell, label in zip(evidence.cells, evidence.labels, strict=True):
            if cell != first:
                beyond = region.depth(cell)
                fit[number] -= _MISSED * max(0.0, -beyond if label else beyond) / region.radius
        if first is not None:
            fit[number] -= 0.0 if region.mask[first] else _MISSED_FIRST
            if evidence.box is None:
                distance = np.hypot(first[0] - region.centre[0], first[1] - region.centre[1])
                depth = max(region.depth(first), 0.5) / (_DEEPEST * region.radius)
                fit[number] -= _OFF_CENTRE * distance / region.radius - _SHALLOW * np.log(min(depth, 1.0))
        if evidence.box is not None:
            fit[number] += _BOX_FIT * np.log(max(_box_overlap(region.box, evidence.box), 1e-2))
    if evidence.seen is not None and evidence.seen.any():
        radii = np.array([region.radius for region in regions])
        fit -= _UPSET * (1 - overlaps(regions, evidence.seen)) * radii / (2 * max(evidence.depth, _SHALLOWEST))
    return fit


def mean_shape(regions: Sequence[Region], fit: NDArray[np.float64], best: int) -> NDArray[np.float64]:
    """Return the mean of the signed distances of one region and of those that overlap it and fit about as well.

    One level of one contrast has its accidents along the outline; the mean over all that are plausible has fewer, and a
    small change of the prompts changes it little.
    """
    likely = (fit <= fit[best]) & (fit > fit[best] - 4 * _TOLERANCE)
    order = [int(number) for number in np.argsort(-fit, kind="stable") if likely[number]]
    akin = [number for number in order if (regions[number].mask & regions[best].mask).any()][:_MOST]
    weights = np.exp((fit[akin] - fit[best]) / _TOLERANCE)
    return np.tensordot(weights / weights.sum(), np.array([regions[number].distances for number in akin]), axes=1)


def overlaps(regions: Sequence[Region], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union of every region with a mask."""
    area = int(mask.sum())
    both = np.array([np.count_nonzero(region.mask & mask) for region in regions])
    return both / np.maximum(area + np.array([region.area for region in regions]) - both, 1)


def _box_overlap(one: Box, other: Box) -> float:
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0, height) * max(0, width)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)
