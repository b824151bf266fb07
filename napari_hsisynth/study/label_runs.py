"""`LabelRuns`: a label image or a mask as its runs of equal pixels: small in memory, and small as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError


@dataclass(frozen=True, eq=False)
class LabelRuns:
    """An image of labels, row by row from the upper left, as lengths of runs with the label of each.

    Lesions have few runs, two a row: a mask of 272 x 512 px that takes 139 kB as an array takes 2 kB like this.

    Parameters
    ----------
    shape_yx : (int, int)
        Of the image.
    lengths : ndarray of uint32, shape (n,)
        Pixels of each run, at least 1.
    labels : ndarray of uint16, shape (n,)
        Its label; neighbouring runs differ.

    Examples
    --------
    >>> LabelRuns.of([[0, 0, 3], [3, 3, 0]]).to_json()
    {'shape': [2, 3], 'lengths': [2, 3, 1], 'labels': [0, 3, 0]}
    """

    shape_yx: tuple[int, int]
    lengths: NDArray[np.uint32]
    labels: NDArray[np.uint16]

    @classmethod
    def of(cls, image: ArrayLike) -> LabelRuns:
        """Return the runs of an image of labels 0..65535 or of a mask, shape (y, x)."""
        pixels = np.asarray(image)
        flat = pixels.ravel()
        starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1]))) if flat.size else np.zeros(0, int)
        lengths = np.diff(starts, append=flat.size).astype(np.uint32)
        return cls((pixels.shape[0], pixels.shape[1]), lengths, flat[starts].astype(np.uint16))

    def image(self) -> NDArray[np.uint16]:
        """Return the labels, shape (y, x); an array of its own."""
        return np.repeat(self.labels, self.lengths).reshape(self.shape_yx)

    def mask(self) -> NDArray[np.bool_]:
        """Return where there is any label, shape (y, x)."""
        return np.repeat(self.labels > 0, self.lengths).reshape(self.shape_yx)

    @property
    def area_px(self) -> int:
        """Number of pixels with any label."""
        return int(self.lengths[self.labels > 0].sum())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LabelRuns)
            and self.shape_yx == other.shape_yx
            and np.array_equal(self.lengths, other.lengths)
            and np.array_equal(self.labels, other.labels)
        )

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"shape": list(self.shape_yx), "lengths": self.lengths.tolist(), "labels": self.labels.tolist()}

    @classmethod
    def from_json(cls, value: Any, *, where: object = None) -> LabelRuns:
        """Read what `to_json` wrote; InputError if the runs do not fill an image."""
        try:
            if not isinstance(value, Mapping):
                raise TypeError("an object is needed")
            height, width = (int(side) for side in value["shape"])
            lengths, labels = (np.array(value[key], dtype=np.int64).reshape(-1) for key in ("lengths", "labels"))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"not the runs of a label image ({type(error).__name__}: {error})", where=where) from None
        fill = height >= 0 and width >= 0 and int(lengths.sum()) == height * width and (lengths > 0).all()
        if not fill or len(lengths) != len(labels) or not ((labels >= 0) & (labels < 2**16)).all():
            raise InputError(f"the runs of a label image do not fill {height} x {width} px", where=where)
        return cls((height, width), lengths.astype(np.uint32), labels.astype(np.uint16))
