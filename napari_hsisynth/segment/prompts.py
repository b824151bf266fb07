"""`Prompts`: what a person points at; `Proposals`: the masks that a segmenter answers with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError


@dataclass(frozen=True, eq=False)
class Prompts:
    """Clicks and a box on one lesion, in pixels of the cube.

    Parameters
    ----------
    points : sequence of (y, x)
        Clicked positions; a position belongs to the pixel it is nearest to.
    labels : sequence of int
        One per point: 1 inside the lesion, 0 outside of it.
    box : (y0, x0, y1, x1), optional
        The lesion lies in it; ends exclusive. May come from a drag in any direction; stored with y0 < y1, x0 < x1.
    logits : array_like, shape (y, x) or (1, y, x), optional
        An earlier answer to start from (positive inside), stored as (y, x); not written to JSON.

    Raises
    ------
    InputError
        If points and labels do not match, a number is not finite, a label is not 0 or 1, or the box is empty.

    Examples
    --------
    >>> Prompts(points=[(4, 5)], labels=[1], box=(30, 40, 10, 20)).to_json()
    {'points': [[4, 5]], 'labels': [1], 'box': [10, 20, 30, 40]}
    """

    points: Sequence[tuple[float, float]] = ()
    labels: Sequence[int] = ()
    box: tuple[int, int, int, int] | None = None
    logits: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        points, labels = _numbers(self.points, "points", 2), _numbers(self.labels, "labels", 1)
        if len(points) != len(labels):
            raise InputError(f"{len(points)} points but {len(labels)} labels", fix="give one label per point")
        if not np.isin(labels, (0, 1)).all():
            raise InputError(f"labels must be 1 (inside) or 0 (outside), not {labels.tolist()}")
        object.__setattr__(self, "points", tuple((_nearest(y), _nearest(x)) for y, x in points))
        object.__setattr__(self, "labels", tuple(int(label) for label in labels))
        object.__setattr__(self, "box", None if self.box is None else _upright(self.box))
        if self.logits is not None:
            logits = np.asarray(self.logits, dtype=np.float32)
            if logits.ndim == 3 and len(logits) == 1:  # the proposals' own form, when there is one
                logits = logits[0]
            if logits.ndim != 2 or not np.isfinite(logits).all():
                raise InputError(f"logits of shape {logits.shape} are not a finite (y, x) array")
            object.__setattr__(self, "logits", logits)

    def __bool__(self) -> bool:
        """Whether there is anything to go by."""
        return bool(self.points) or self.box is not None or self.logits is not None

    @property
    def clicks(self) -> tuple[tuple[tuple[int, int], int], ...]:
        """The clicked pixels with their labels, in the order of the clicks."""
        return tuple(((int(y), int(x)), int(label)) for (y, x), label in zip(self.points, self.labels, strict=True))

    def of(self, label: int) -> tuple[tuple[int, int], ...]:
        """Points of one label: 1 inside, 0 outside."""
        return tuple(pixel for pixel, its in self.clicks if its == label)

    def check_inside(self, shape_yx: tuple[int, int], *, where: object = None) -> None:
        """Raise InputError if a point or the box leaves an image of `shape_yx`, or if the logits have another shape."""
        height, width = shape_yx
        image = f"the image of {height} x {width} px"
        for y, x in self.points:
            if not (0 <= y < height and 0 <= x < width):
                raise InputError(f"point ({y}, {x}) is outside {image}", where=where)
        if self.box is not None:
            y0, x0, y1, x1 = self.box
            if y0 < 0 or x0 < 0 or y1 > height or x1 > width:
                raise InputError(f"box {self.box} leaves {image}", where=where)
        if self.logits is not None and self.logits.shape != tuple(shape_yx):
            raise InputError(f"logits of shape {self.logits.shape} do not fit {image}", where=where)

    def to_json(self) -> dict[str, Any]:
        """Return points, labels and box as JSON types."""
        return {
            "points": [list(point) for point in self.points],
            "labels": list(self.labels),
            "box": None if self.box is None else list(self.box),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: object = None) -> Prompts:
        """Read what `to_json` wrote; missing keys mean none, other keys are not looked at."""
        if not isinstance(value, Mapping):
            raise InputError(f"prompts must be an object with points, labels and box, not {value!r}", where=where)
        points = value.get("points") or ()
        # points without labels are the most natural thing to write by hand, and can only mean one thing
        labels = value.get("labels")
        try:
            return cls(points, (1,) * len(points) if labels is None else labels, value.get("box"))
        except (InputError, TypeError) as error:
            raise InputError(getattr(error, "what", str(error)), where=where) from None


@dataclass(frozen=True, eq=False)
class Proposals:
    """Masks that a segmenter proposes, best first; none if it found nothing.

    Parameters
    ----------
    masks : array_like of bool, shape (k, y, x)
        From `predict`: alternatives for the one lesion that was prompted. From `propose`: one mask per lesion found,
        disjoint.
    scores : array_like, shape (k,)
        The segmenter's own estimate of the overlap (IoU) with the lesion, 0..1.
    logits : array_like, shape (k, y, x), optional
        Positive inside; to be handed back in `Prompts.logits`.
    """

    masks: NDArray[np.bool_]
    scores: NDArray[np.float64]
    logits: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        masks = np.asarray(self.masks, dtype=bool)
        scores = np.asarray(self.scores, dtype=np.float64).reshape(-1)
        if masks.ndim != 3 or len(masks) != len(scores):
            raise ValueError(f"masks of shape {masks.shape} with {len(scores)} scores")
        object.__setattr__(self, "masks", masks)
        object.__setattr__(self, "scores", scores)
        if self.logits is not None:
            object.__setattr__(self, "logits", np.asarray(self.logits, dtype=np.float32).reshape(masks.shape))

    def __len__(self) -> int:
        return len(self.masks)

    @classmethod
    def none(cls, shape_yx: tuple[int, int]) -> Proposals:
        """No mask, for an image of this shape."""
        return cls(np.zeros((0, *shape_yx), bool), np.zeros(0), np.zeros((0, *shape_yx), np.float32))


def _nearest(value: float) -> int:
    # not round(): that takes 0.5 to 0 and 1.5 to 2, so that a drag of constant speed would visit pixels unevenly
    return math.floor(value + 0.5)


def _numbers(values: ArrayLike | Sequence[Any], name: str, dimensions: int) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers, not {values!r}") from None
    if array.size == 0:
        return array.reshape((0, 2) if dimensions == 2 else (0,))
    if array.ndim != dimensions or (dimensions == 2 and array.shape[1] != 2):
        raise InputError(f"{name} must be a list of {'(y, x) pairs' if dimensions == 2 else 'numbers'}")
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite numbers")
    return array


def _upright(box: ArrayLike) -> tuple[int, int, int, int]:
    corners = _numbers(box, "box", 1)
    if len(corners) != 4:
        raise InputError(f"a box is (y0, x0, y1, x1), not {len(corners)} numbers")
    y0, x0, y1, x1 = (_nearest(value) for value in corners)
    y0, y1, x0, x1 = min(y0, y1), max(y0, y1), min(x0, x1), max(x0, x1)
    if y0 == y1 or x0 == x1:
        raise InputError(f"box {(y0, x0, y1, x1)} is empty", fix="drag it over at least one pixel")
    return y0, x0, y1, x1
