"""Masks made better by hand: smooth, fill, largest part, grow, shrink. Distances are those of pixel centres, in px."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

Mask = NDArray[np.bool_]
#: From mask to mask.
Work = Callable[[Mask], Mask]


def smoothed(mask: Mask, radius_px: float) -> Mask:
    """Round off what is smaller than a disc: spikes, notches, specks and pinholes.

    A pixel then belongs to the lesion if most of its surroundings did, weighted by a Gaussian whose standard deviation
    is the radius: discs up to 1.18 times as large vanish. A straight edge stays where it is, also where the image cuts
    the lesion off; a round outline of radius R moves inwards by about ``radius_px**2 / (2 * R)``.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)
    radius_px : float
        Of the disc.
    """

    def blurred(part: Mask) -> Mask:
        return ndi.gaussian_filter(part.astype(np.float32), radius_px, mode="nearest", truncate=3.0) > 0.5

    return _near(mask, 3 * radius_px + 1, blurred)


def filled(mask: Mask) -> Mask:
    """Fill the holes: what the lesion encloses, not counting gaps at corners. Bays at the image's edge stay open."""
    return _near(mask, 1, ndi.binary_fill_holes)


def largest_part(mask: Mask) -> Mask:
    """Keep the largest connected part, corners counted as connected; of equals the first."""
    parts, count = ndi.label(mask, structure=np.ones((3, 3)))
    if count < 2:
        return mask.copy()
    return parts == 1 + int(np.bincount(parts.ravel())[1:].argmax())


def grown(mask: Mask, by_px: float) -> Mask:
    """Add all pixels that lie at most `by_px` from the mask."""
    return _near(mask, by_px + 1, lambda part: ndi.distance_transform_edt(~part) <= by_px)


def shrunk(mask: Mask, by_px: float) -> Mask:
    """Take away all pixels that lie at most `by_px` from the outside; the image's edge is not an outside."""
    # what lies beyond the box of the mask is outside: a frame of it is enough
    return _near(mask, 1, lambda part: ndi.distance_transform_edt(part) > by_px)


def _near(mask: Mask, reach_px: float, work: Work) -> Mask:
    """Do the work only around the mask: of a large image, a lesion is a small part.

    `reach_px` is at least 1, so that there is some of the outside around what is worked on, where there is any.
    """
    if not mask.any() or mask.all():
        return mask.copy()
    reach = int(np.ceil(reach_px))
    window = []
    for axis in (1, 0):
        touched = np.flatnonzero(mask.any(axis=axis))
        window.append(slice(max(0, int(touched[0]) - reach), int(touched[-1]) + reach + 1))
    result = np.zeros_like(mask)
    result[tuple(window)] = work(mask[tuple(window)])
    return result
