"""Clicks as corrections: what is wrong where somebody clicked is wrong around it, as far as the mistake reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

_CERTAINTY = 0.5  # of a clicked cell; fields run from -1 to 1, positive inside
_REACH = 1.4  # sigma of a correction, in depths of the click in the wrongly labelled part
_SHORTEST_REACH = 1.5  # cells
_RIDGE = 1e-3  # keeps the system solvable when two clicks fall into one cell

Cell = tuple[int, int]


def corrected(field: NDArray[np.float64], cells: Sequence[Cell], labels: Sequence[int]) -> NDArray[np.float64]:
    """Bend a field so that it has the right sign at every click.

    People click into the middle of what is wrong. How far a click reaches is therefore told by how far it lies from the
    outline that was seen when it was made: the clicks are replayed in order. Their bumps are solved for together, so
    that a later click does not undo an earlier one.

    Parameters
    ----------
    field : ndarray, shape (rows, columns)
        Positive inside, -1..1.
    cells : sequence of (row, column)
        Clicked cells, in the order of the clicks.
    labels : sequence of int
        1 inside, 0 outside.

    Returns
    -------
    ndarray, shape (rows, columns)
        `field` where no click was wrong.
    """
    wanted = np.where(np.array(labels, int) == 1, _CERTAINTY, -_CERTAINTY)
    at = np.array(cells, int).reshape(-1, 2)
    bumps: list[NDArray[np.float64]] = []
    now = field
    for count, (cell, target) in enumerate(zip(cells, wanted, strict=True), 1):
        bumps.append(_bump(field.shape, cell, _reach(now > 0, cell, target > 0)))
        ys, xs = at[:count].T
        before, goal = field[ys, xs], wanted[:count]
        missing = np.where(before * np.sign(goal) < _CERTAINTY, goal - before, 0.0)
        if missing.any():
            stack = np.array(bumps)
            system = stack[:, ys, xs].T
            weights = np.linalg.solve(system.T @ system + _RIDGE * np.eye(count), system.T @ missing)
            now = field + np.tensordot(weights, stack, axes=1)
    return now


def _reach(inside: NDArray[np.bool_], cell: Cell, should_be_inside: bool) -> float:
    if inside[cell] == should_be_inside:
        return _SHORTEST_REACH
    depth = ndi.distance_transform_edt(inside == inside[cell])[cell]
    if inside.all() or not inside.any():  # no outline to measure from
        depth = 0.05 * np.hypot(*inside.shape)
    return max(_SHORTEST_REACH, _REACH * float(depth))


def _bump(shape: tuple[int, ...], cell: Cell, reach: float) -> NDArray[np.float64]:
    down = np.exp(-0.5 * ((np.arange(shape[0]) - cell[0]) / reach) ** 2)
    across = np.exp(-0.5 * ((np.arange(shape[1]) - cell[1]) / reach) ** 2)
    return down[:, None] * across
