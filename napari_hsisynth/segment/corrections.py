"""Clicks as corrections: what is wrong where somebody clicked is wrong around it, as far as the mistake reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_hsisynth.segment.regions import Cell

_LEAST = 0.5  # cells; how far a click lies from the outline at least once it is obeyed
_REACH = 1.8  # sigma of a correction, in depths of the click in the wrongly labelled part
_SHORTEST_REACH = 1.0  # cells
_BLIND_DEPTH = 0.05  # of the image's diagonal: depth of a mistake whose outline nobody has seen
_RIDGE = 1e-3  # keeps the system solvable when two clicks fall into one cell


def mistake_depth(inside: NDArray[np.bool_], cell: Cell, label: int) -> float:
    """Return how deep a click lies in the part of a mask that it says is wrong, in cells; 0 if the mask agrees.

    People click into the middle of what is wrong. The true outline is therefore about as far from the click, on the
    other side, as the outline that they saw. The edge of the image ends a mistake as an outline does.
    """
    if inside[cell] == bool(label):
        return 0.0
    to_next_cell = ndi.distance_transform_edt(np.pad(inside == inside[cell], 1))[cell[0] + 1, cell[1] + 1]
    depth = float(to_next_cell) - 0.5  # outlines run between cells
    if inside.all() or not inside.any():
        return min(depth, _BLIND_DEPTH * float(np.hypot(*inside.shape)))
    return depth


def corrections(
    field: NDArray[np.float64], cells: Sequence[Cell], labels: Sequence[int], depths: Sequence[float]
) -> NDArray[np.float64]:
    """Return what to add to a field so that its outline runs where the clicks say.

    Each click is a bump as wide as its mistake was deep. The bumps are solved for together, so that a later click does
    not undo an earlier one.

    Parameters
    ----------
    field : ndarray, shape (rows, columns)
        Signed distance from the outline in cells, positive inside.
    cells : sequence of (row, column)
        Clicked cells.
    labels : sequence of int
        1 inside, 0 outside.
    depths : sequence of float
        As `mistake_depth` found them when each click was made, in cells.

    Returns
    -------
    ndarray, shape (rows, columns)
        Zero where no click was wrong.
    """
    change = np.zeros_like(field)
    if not cells:
        return change
    ys, xs = np.array(cells, int).T
    sign = np.where(np.array(labels) == 1, 1.0, -1.0)
    depth = np.array(depths, float)
    wanted = np.maximum(depth, _LEAST)
    before = field[ys, xs] * sign
    # a click that was right when it was made only has to stay right
    missing = np.where(before < np.where(depth > 0, wanted, 0.0), wanted - before, 0.0) * sign
    if not missing.any():
        return change
    reach = np.maximum(_SHORTEST_REACH, _REACH * depth)
    down = np.exp(-0.5 * ((np.arange(field.shape[0]) - ys[:, None]) / reach[:, None]) ** 2)
    across = np.exp(-0.5 * ((np.arange(field.shape[1]) - xs[:, None]) / reach[:, None]) ** 2)
    system = down[:, ys].T * across[:, xs].T
    weights = np.linalg.solve(system.T @ system + _RIDGE * np.eye(len(ys)), system.T @ missing)
    return (weights[:, None] * down).T @ across
