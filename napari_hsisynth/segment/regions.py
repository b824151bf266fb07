"""Regions in which the contrast is above a level: the shapes a lesion can have, and how lesion-like each one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

_LEVELS = 32
_SMALLEST = 0.006  # of the image
_OPENING = 3  # cells; cuts off hairs that cross the outline


@dataclass(frozen=True, eq=False)
class Region:
    """A connected part of the image above one level of the contrast.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
        Its cells, without holes.
    level : float
        The contrast at its outline.
    likeness : float
        Sum of logarithms and penalties, higher for what looks like a lesion; at most about 1.
    centre : tuple of float
        Row and column.
    step : float
        Contrast inside less that of the ring around it, in units of optical density.
    """

    mask: NDArray[np.bool_]
    level: float
    likeness: float
    centre: tuple[float, float]
    step: float

    @property
    def area(self) -> int:
        """Number of cells."""
        return int(self.mask.sum())

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Bounding box, ends exclusive."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def find_regions(contrast: NDArray[np.float64], colour: NDArray[np.float64] | None) -> list[Region]:
    """Find the regions above evenly spaced levels.

    Their likeness adds up what separates lesions from what else is dark: the correlation of the mask with the contrast
    (how well this one outline explains the image), the step at the outline in contrast and in colour (vignetting has
    the first, not the second), less the share of the outline that the image cuts off and the distance from its centre.

    Parameters
    ----------
    contrast, colour : ndarray, shape (rows, columns)
        As in `WorkingImage`.

    Returns
    -------
    list of Region
        From the lowest level to the highest; empty for a constant image.
    """
    spread = float(contrast.std())
    low, high = np.percentile(contrast, [1, 99])
    if not spread > 1e-6 or not high > low:
        return []
    regions = []
    seen: set[bytes] = set()
    for level in np.linspace(low, high, _LEVELS + 2)[1:-1]:
        parts, _ = ndi.label(contrast > level)
        for number, window in enumerate(ndi.find_objects(parts), 1):
            if (window[0].stop - window[0].start) * (window[1].stop - window[1].start) < _SMALLEST * contrast.size:
                continue
            mask = _solid(parts, number, window)
            key = mask.tobytes()
            if mask.sum() < max(4, _SMALLEST * contrast.size) or mask.all() or key in seen:
                continue
            seen.add(key)
            regions.append(_described(mask, float(level), contrast, colour, spread))
    return regions


def _solid(parts: NDArray[np.int32], number: int, window: tuple[slice, slice]) -> NDArray[np.bool_]:
    """Return one part with its holes filled and its hairs cut off."""
    mask = np.zeros(parts.shape, bool)
    inside = parts[window] == number
    holes, count = ndi.label(~np.pad(inside, 1))
    inside = (holes != 1)[1:-1, 1:-1] if count else inside  # part 1 holds the padding: the outside
    # "nearest", so that the image's edge does not eat into a lesion that it cuts off
    mask[window] = inside
    eroded = ndi.minimum_filter(mask.view(np.uint8), size=_OPENING, mode="nearest")
    return ndi.maximum_filter(eroded, size=_OPENING, mode="nearest").view(bool) & mask


def _described(
    mask: NDArray[np.bool_],
    level: float,
    contrast: NDArray[np.float64],
    colour: NDArray[np.float64] | None,
    spread: float,
) -> Region:
    rows, columns = mask.shape
    area = int(mask.sum())
    share = area / mask.size
    width = max(2, int(0.2 * np.sqrt(area)))
    grown = ndi.maximum_filter(mask.view(np.uint8), size=2 * width + 1, mode="constant").view(bool)
    ring = grown & ~mask
    if not ring.any():
        ring = ~mask
    inside = float(contrast[mask].mean())
    correlation = np.sqrt(share * (1 - share)) * (inside - float(contrast[~mask].mean())) / spread
    step = inside - float(contrast[ring].mean())
    likeness = np.log(max(correlation, 0.02)) + np.log(max(step / spread, 0.05))
    if colour is not None:
        colour_step = float(colour[mask].mean()) - float(colour[ring].mean())
        likeness += 0.5 * np.log(max(colour_step / max(float(colour.std()), 1e-9), 0.05))
    outline = mask & ~ndi.minimum_filter(mask.view(np.uint8), size=3, mode="nearest").view(bool)
    cut_off = int(mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum())
    ys, xs = np.nonzero(mask)
    centre = (float(ys.mean()), float(xs.mean()))
    off_centre = np.hypot((centre[0] + 0.5) / rows * 2 - 1, (centre[1] + 0.5) / columns * 2 - 1)
    likeness -= cut_off / (cut_off + int(outline.sum())) + off_centre
    return Region(mask, level, float(likeness), centre, step)
