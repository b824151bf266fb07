"""`BoxGrip`: the part of a box that the mouse has taken hold of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

#: (y0, x0, y1, x1), ends exclusive.
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class BoxGrip:
    """A box held by a corner, an edge or its inside.

    Parameters
    ----------
    box : (y0, x0, y1, x1)
        As it was taken, px; ends exclusive.
    start : (y, x)
        Where; pixels are centred on whole numbers.
    sides : tuple of int
        Which of the four numbers follow the mouse; all four for the inside.
    """

    box: Box
    start: tuple[float, float]
    sides: tuple[int, ...]

    @classmethod
    def at(cls, box: Box, at: Any, reach_px: float) -> BoxGrip | None:
        """Take hold of a box at a place (y, x); None if it is further than `reach_px` away.

        Edges reach less far inwards than outwards, so that a small box has an inside to take.
        """
        edges = np.array(box) - 0.5
        y, x = float(at[0]), float(at[1])
        outside = max(edges[0] - y, y - edges[2], edges[1] - x, x - edges[3])
        if outside > reach_px:
            return None
        sides = []
        for axis, where in enumerate((y, x)):
            low, high = edges[axis], edges[axis + 2]
            inwards = min(reach_px, (high - low) / 4)
            if where - low <= inwards:
                sides.append(axis)
            elif high - where <= inwards:
                sides.append(axis + 2)
        return cls(box, (y, x), tuple(sides) or (0, 1, 2, 3))

    def dragged(self, here: Any, shape_yx: tuple[int, int]) -> Box:
        """Return the box when the mouse is at `here` (y, x): at least one pixel large, and within the image.

        An edge that is drawn over the opposite one turns the box over; its inside is moved as it is.
        """
        shift = np.floor(np.array(here, float) - self.start + 0.5).astype(int)
        box, sizes = np.array(self.box), np.array(shape_yx)
        if len(self.sides) == 4:
            shift = np.clip(shift, -box[:2], sizes - box[2:])
            return _as_box(box + np.tile(shift, 2))
        for side in self.sides:
            axis = side % 2
            box[side] = np.clip(box[side] + shift[axis], 0, sizes[axis])
            if box[axis] == box[axis + 2]:
                # drawn together: one pixel is left, on the side where there is one
                box[side] += 1 if (side == axis + 2 and box[side] < sizes[axis]) or box[side] == 0 else -1
        return _as_box(np.concatenate((np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:]))))


def _as_box(numbers: Any) -> Box:
    y0, x0, y1, x1 = (int(number) for number in numbers)
    return y0, x0, y1, x1
