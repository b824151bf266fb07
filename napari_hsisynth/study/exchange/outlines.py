"""From a mask to outlines along the corners of its pixels: exact, so that filling them gives the same mask.

Pixel (y, x) covers the square from (x, y) to (x + 1, y + 1). Outlines run clockwise on the screen around lesions, and
the other way around holes. Pixels that touch at a corner only belong to different outlines. Points are (x, y), the
order of all formats that have outlines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

Point = tuple[int, int]
Ring = list[Point]

_STEPS: tuple[Point, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))  # right, down, left, up: a turn to the right is +1


def outlines(mask: NDArray[np.bool_]) -> list[list[Ring]]:
    """Return the outlines of every part of a mask, shape (y, x): first the outer one, then those of its holes.

    Examples
    --------
    >>> outlines(np.array([[0, 1, 1]], bool))
    [[[(1, 0), (3, 0), (3, 1), (1, 1)]]]
    """
    return [[_corners(ring) for ring in part] for part in _parts(mask)]


def slit_outlines(mask: NDArray[np.bool_]) -> list[Ring]:
    """Return one outline for every part of a mask; holes are joined to it by slits of no width.

    A slit runs along edges of pixels, so that no centre of a pixel lies on it and filling is still exact.
    """
    return [_corners(_joined(part)) for part in _parts(mask)]


def has_holes(mask: NDArray[np.bool_]) -> bool:
    """Whether background is enclosed by the mask, seen with pixels that touch at a corner as apart."""
    return any(len(part) > 1 for part in _parts(mask))


def _parts(mask: NDArray[np.bool_]) -> list[list[Ring]]:
    """Return outlines in steps of one pixel: of every part the outer one, then its holes."""
    part_of, count = label(mask)
    edges = _edges(np.asarray(mask, dtype=bool))
    outer: list[Ring] = [[] for _ in range(count)]
    holes: list[list[Ring]] = [[] for _ in range(count)]
    while edges:
        (x, y), way = next(iter(edges))
        inside = part_of[edges[(x, y), way]] - 1
        ring: Ring = []
        while ((x, y), way) in edges:
            del edges[(x, y), way]
            ring.append((x, y))
            x, y = x + _STEPS[way][0], y + _STEPS[way][1]
            # to the right first: around the corner of the same pixel, where two touch at a corner only
            way = next((turn % 4 for turn in (way + 1, way, way + 3) if ((x, y), turn % 4) in edges), way)
        if _area(ring) > 0:
            outer[inside] = ring
        else:
            holes[inside].append(ring)
    return [[ring, *own] for ring, own in zip(outer, holes, strict=True)]


def _edges(mask: NDArray[np.bool_]) -> dict[tuple[Point, int], Point]:
    """Return the edges between lesion and background: start and direction, with the lesion's pixel on the right."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    found: dict[tuple[Point, int], Point] = {}
    sides = (
        (padded[:-2, 1:-1], 0, (0, 0)),
        (padded[1:-1, 2:], 1, (1, 0)),
        (padded[2:, 1:-1], 2, (1, 1)),
        (padded[1:-1, :-2], 3, (0, 1)),
    )
    for beyond, way, (right, down) in sides:
        for y, x in np.argwhere(inside & ~beyond).tolist():
            found[(x + right, y + down), way] = (y, x)
    return found


def _area(ring: Ring) -> int:
    """Twice the area, positive if the ring runs clockwise on the screen."""
    points = np.array(ring)
    following = np.roll(points, -1, axis=0)
    return int((points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]).sum())


def _joined(part: list[Ring]) -> Ring:
    """Make one outline of an outer one and its holes."""
    joined, *holes = part
    for hole in sorted(holes, key=_top):  # what lies above a hole has been joined before it
        x, y = _top(hole)[1], _top(hole)[0]
        first, there, above = hole.index((x, y)), set(joined), y
        while (x, above) not in there:
            above -= 1
        at = joined.index((x, above))
        slit = [(x, between) for between in range(above, y)]
        joined = joined[:at] + slit + hole[first:] + hole[:first] + [(x, y)] + slit[::-1] + joined[at + bool(slit) :]
    return joined


def _top(ring: Ring) -> Point:
    """The highest point, of these the one farthest to the left, as (y, x)."""
    return min((y, x) for x, y in ring)


def _corners(ring: Ring) -> Ring:
    """Leave out the points on straight lines."""
    points = np.array(ring)
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return [ring[place] for place in np.flatnonzero((before != after).any(axis=1))]
