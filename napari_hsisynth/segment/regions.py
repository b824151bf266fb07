"""Regions in which the contrast is above a level: the shapes a lesion can have, and how lesion-like each one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

_LEVELS = 32
_SMALLEST = 0.006  # of the image

Cell = tuple[int, int]
Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Region:
    """A connected part of the image above one level of the contrast.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
        Its cells, without holes.
    area : int
        Number of cells.
    likeness : float
        Sum of logarithms and penalties, higher for what looks like a lesion; at most about 1.
    centre : tuple of float
        Row and column.
    off_centre : float
        Distance of that from the middle of the image, 1 at the middle of an edge.
    step : float
        Contrast inside less that of the ring around it, in units of the contrast.
    """

    mask: NDArray[np.bool_]
    area: int
    likeness: float
    centre: tuple[float, float]
    off_centre: float
    step: float
    _depths: dict[Cell, float] = field(default_factory=dict, repr=False)

    @property
    def radius(self) -> float:
        """Of a disc of the same area, cells."""
        return float(np.sqrt(self.area / np.pi))

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Bounding box, ends exclusive."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1

    @cached_property
    def outline(self) -> NDArray[np.intp]:
        """Rows and columns of its outermost cells, shape (2, cells)."""
        return np.array(np.nonzero(_rim(self.mask)))

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """`signed_distance` of its mask."""
        return signed_distance(self.mask)

    def depth(self, cell: Cell) -> float:
        """Return `signed_distance` of one cell; faster where only a few are wanted."""
        if cell not in self._depths:
            rows, columns = self.outline
            distance = float(np.sqrt(((rows - cell[0]) ** 2 + (columns - cell[1]) ** 2).min()))
            self._depths[cell] = distance + 0.5 if self.mask[cell] else 0.5 - distance
        return self._depths[cell]


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance from the outline in cells, positive inside; the edge of the image is part of an outline that meets it.

    Returns
    -------
    ndarray, shape (rows, columns)
        Half a cell in its outermost cells, and more by the distance from the nearest of them inside, less outside. For
        an empty mask, the negative diagonal of the image.
    """
    if not mask.any():
        return np.full(mask.shape, -float(np.hypot(*mask.shape)))
    # one transform for both sides: it is what a click has to wait for
    to_rim = ndi.distance_transform_edt(~_rim(mask))
    return np.where(mask, to_rim + 0.5, 0.5 - to_rim)


def _rim(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells of a mask that touch another cell, or the edge of the image."""
    return mask & ~_eroded(np.pad(mask, 1))[1:-1, 1:-1]


def find_regions(
    contrast: NDArray[np.float64], colour: NDArray[np.float64] | None, holding: Cell | None = None
) -> list[Region]:
    """Find the regions above evenly spaced levels.

    Their likeness adds up what separates lesions from what else is dark: the correlation of the mask with the contrast
    (how well this one outline explains the image), the step at the outline in contrast and in colour (vignetting has
    the first, not the second), less the share of the outline that the image cuts off and the distance from its centre.

    Parameters
    ----------
    contrast, colour : ndarray, shape (rows, columns)
        As in `WorkingImage`.
    holding : (row, column), optional
        Only regions with this cell in them.

    Returns
    -------
    list of Region
        From the lowest level to the highest; empty for a constant image.
    """
    spread = float(contrast.std())
    low, high = np.percentile(contrast, [1, 99])
    if not spread > 1e-6 or not high > low:
        return []
    describe = _Describer(contrast, colour, spread)
    least = max(4, _SMALLEST * contrast.size)
    regions = []
    seen: set[tuple[object, ...]] = set()
    for level in np.linspace(low, high, _LEVELS + 2)[1:-1]:
        for window, part in _parts(contrast > level, holding, least):
            solid = _solid(part, window, contrast.shape)
            area = int(solid.sum())
            if area < least or area == contrast.size:
                continue
            key = (window[0].start, window[1].start, solid.shape, solid.tobytes())
            if key not in seen:
                seen.add(key)
                region = describe(solid, area, window)
                if holding is None or region.mask[holding]:
                    regions.append(region)
    return regions


def _parts(above: NDArray[np.bool_], holding: Cell | None, least: float) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
    """Connected parts whose bounding box has at least so many cells: the box, and the part in it."""
    parts, _ = ndi.label(above)
    for number, window in enumerate(ndi.find_objects(parts), 1):
        rows, columns = window
        if (rows.stop - rows.start) * (columns.stop - columns.start) < least:
            continue
        if holding is None or (rows.start <= holding[0] < rows.stop and columns.start <= holding[1] < columns.stop):
            yield window, parts[window] == number


def _solid(part: NDArray[np.bool_], window: Window, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return one part with its holes filled and its hairs cut off: opened by a square of 3 cells."""
    holes, _ = ndi.label(~np.pad(part, 1))
    filled = holes != 1  # hole 1 holds the padding: the outside
    # the image's edge must not eat into a lesion that it cuts off, as the edges of the window do
    for axis, side in enumerate(window):
        lines = np.moveaxis(filled, axis, 0)
        if side.start == 0:
            lines[0] = lines[1]
        if side.stop == shape[axis]:
            lines[-1] = lines[-2]
    kept = _eroded(filled)[1:-1, 1:-1]
    return ~_eroded(~kept) & filled[1:-1, 1:-1]


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Erode by a square of 3 cells; the outermost rows and columns look at what there is."""
    down = mask.copy()
    down[1:] &= mask[:-1]
    down[:-1] &= mask[1:]
    across = down.copy()
    across[:, 1:] &= down[:, :-1]
    across[:, :-1] &= down[:, 1:]
    return across


class _Describer:
    """Describes regions of one image; what does not depend on the region is computed once."""

    def __init__(self, contrast: NDArray[np.float64], colour: NDArray[np.float64] | None, spread: float) -> None:
        self.contrast, self.colour, self.spread = contrast, colour, spread
        self.total = float(contrast.sum())
        self.colour_spread = 0.0 if colour is None else max(float(colour.std()), 1e-9)

    def __call__(self, solid: NDArray[np.bool_], area: int, window: Window) -> Region:
        """Describe a region of `area` cells that lies in `window`."""
        shape = self.contrast.shape
        share = area / self.contrast.size
        width = max(2, int(0.2 * np.sqrt(area)))
        # all that follows happens in the window and a margin around it
        rows, columns = (slice(max(0, side.start - width), side.stop + width) for side in window)
        mask = np.zeros(shape, bool)
        mask[window] = solid
        near = mask[rows, columns]
        grown = ndi.maximum_filter1d(near.view(np.uint8), 2 * width + 1, axis=0, mode="constant")
        ring = ndi.maximum_filter1d(grown, 2 * width + 1, axis=1, mode="constant").view(bool) & ~near
        contrast = self.contrast[rows, columns]
        within = float(contrast[near].sum())
        inside, elsewhere = within / area, (self.total - within) / (self.contrast.size - area)
        has_ring = bool(ring.any())
        around = float(contrast[ring].mean()) if has_ring else elsewhere
        correlation = np.sqrt(share * (1 - share)) * (inside - elsewhere) / self.spread
        step = inside - around
        likeness = np.log(max(correlation, 0.02)) + np.log(max(step / self.spread, 0.05))
        if self.colour is not None:
            colour = self.colour[rows, columns]
            beside = colour[ring].mean() if has_ring else self.colour[~mask].mean()
            likeness += 0.5 * np.log(max(float(colour[near].mean() - beside) / self.colour_spread, 0.05))
        cut_off = int(mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum())
        outline = area - int(_eroded(near).sum())
        down, across = near.sum(axis=1), near.sum(axis=0)
        centre = (
            float(down @ np.arange(len(down)) / area + rows.start),
            float(across @ np.arange(len(across)) / area + columns.start),
        )
        off_centre = float(np.hypot((centre[0] + 0.5) / shape[0] * 2 - 1, (centre[1] + 0.5) / shape[1] * 2 - 1))
        likeness -= cut_off / (cut_off + outline)
        return Region(mask, area, float(likeness), centre, off_centre, step)
