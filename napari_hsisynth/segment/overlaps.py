"""How much masks overlap, and where a lesion meets those that are there already: each pixel belongs to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError

#: Less than this part of a lesion is only a scrap of it.
_SCRAP = 0.1


@dataclass(frozen=True, eq=False)
class Placed:
    """A label image into which a lesion was put.

    Parameters
    ----------
    labels : ndarray of uint16, shape (y, x)
    number : int
        Of the lesion.
    taken : mapping
        Pixels that it took from others, by their numbers.
    swallowed : tuple of int
        Those of which it would have left only a scrap: they are gone, with the scrap.
    left : mapping
        Pixels that others kept, by their numbers.
    """

    labels: NDArray[np.uint16]
    number: int
    taken: Mapping[int, int] = field(default_factory=dict)
    swallowed: tuple[int, ...] = ()
    left: Mapping[int, int] = field(default_factory=dict)

    @property
    def area_px(self) -> int:
        """Pixels of the lesion."""
        return int(np.count_nonzero(self.labels == self.number))

    def text(self) -> str:
        """Say what happened to others: ``took 312 px from lesion 1``; empty if nothing did."""
        said = [f"took {count:,} px from lesion {number}" for number, count in self.taken.items()]
        said += [f"lesion {number} is gone: hardly anything of it was left" for number in self.swallowed]
        said += [f"left {count:,} px to lesion {number}" for number, count in self.left.items()]
        return "; ".join(said)


def overlap(one: ArrayLike, other: ArrayLike) -> float:
    """Return the intersection of two masks over their union, 0..1; 1 for two empty ones.

    Examples
    --------
    >>> overlap([[1, 1, 0]], [[0, 1, 1]])
    0.3333333333333333
    """
    first, second = of_one_shape(one, other)
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0


def of_one_shape(one: ArrayLike, other: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return two masks as bool, shape (y, x); InputError if they are not of one shape."""
    first, second = np.asarray(one, dtype=bool), np.asarray(other, dtype=bool)
    if first.ndim != 2 or first.shape != second.shape:
        raise InputError(f"masks of shapes {first.shape} and {second.shape} cannot be compared")
    return first, second


def placed(labels: NDArray[np.uint16], mask: NDArray[np.bool_], number: int, *, takes_overlaps: bool) -> Placed:
    """Make `mask` the pixels of lesion `number`, instead of those it had.

    Parameters
    ----------
    labels : ndarray of uint16, shape (y, x)
        Lesions as they are; not changed.
    mask : ndarray of bool, shape (y, x)
    number : int
        1..65535.
    takes_overlaps : bool
        Whether it takes pixels that belong to other lesions, and swallows those of which only scraps would be left;
        else they keep what they have.
    """
    after = labels.copy()
    after[after == number] = 0
    before = np.bincount(after.ravel(), minlength=1)
    met = np.bincount(after[mask], minlength=len(before))
    met[0] = 0
    counts = {int(other): int(met[other]) for other in np.flatnonzero(met)}
    if not takes_overlaps:
        after[mask & (after == 0)] = number
        return Placed(after, number, left=counts)
    swallowed = tuple(other for other, count in counts.items() if before[other] - count < _SCRAP * before[other])
    after[np.isin(after, swallowed)] = 0
    after[mask] = number
    taken = {other: count for other, count in counts.items() if other not in swallowed}
    return Placed(after, number, taken, swallowed)
