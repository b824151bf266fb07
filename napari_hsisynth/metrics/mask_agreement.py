"""How well two masks of one image agree: overlap, distance of their boundaries, and lesions found by both.

Masks are bool, shape (y, x). Distances are in px, between the centres of boundary pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError

Mask = NDArray[np.bool_]

#: Lesions that overlap less than this (IoU) are not taken for the same one.
LEAST_IOU = 0.1


def dice(first: Any, second: Any) -> float:
    r"""Dice coefficient of two masks, :math:`2|A\cap B|/(|A|+|B|)`.

    Parameters
    ----------
    first, second : array_like of bool, shape (y, x)

    Returns
    -------
    float
        0..1. Two empty masks agree: 1. One empty mask beside one that is not: 0.

    References
    ----------
    .. [1] L. R. Dice, "Measures of the amount of ecologic association between species", Ecology 26, 1945, pp. 297-302,
       doi:10.2307/1932409

    Examples
    --------
    >>> dice([[1, 1, 0, 0]], [[0, 1, 1, 0]])
    0.5
    """
    a, b = _pair(first, second)
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def iou(first: Any, second: Any) -> float:
    r"""Intersection over union of two masks (Jaccard index), :math:`|A\cap B|/|A\cup B|`.

    Parameters
    ----------
    first, second : array_like of bool, shape (y, x)

    Returns
    -------
    float
        0..1. Two empty masks agree: 1. One empty mask beside one that is not: 0.

    References
    ----------
    .. [1] P. Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912, pp. 37-50,
       doi:10.1111/j.1469-8137.1912.tb05611.x

    Examples
    --------
    >>> round(iou([[1, 1, 0, 0]], [[0, 1, 1, 0]]), 4)
    0.3333
    """
    a, b = _pair(first, second)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


@dataclass(frozen=True)
class BoundaryDistance:
    """How far the boundaries of two masks lie apart, px; NaN where a mask is empty, for then there is no boundary.

    Parameters
    ----------
    mean : float
        Mean symmetric surface distance: over the boundary pixels of both, the distance to the other's boundary.
    percentile_95 : float
        The larger of the 95th percentiles of both directions.
    largest : float
        Hausdorff distance: the larger of the largest distances of both directions.
    """

    mean: float = math.nan
    percentile_95: float = math.nan
    largest: float = math.nan


def boundary(mask: Any) -> Mask:
    """Pixels of a mask beside a pixel that is not of it, up, down, left or right; outside the image nothing is of it.

    Parameters
    ----------
    mask : array_like of bool, shape (y, x)

    Returns
    -------
    ndarray of bool, shape (y, x)
    """
    padded = np.pad(_checked(mask), 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return padded[1:-1, 1:-1] & ~inner


def boundary_distance(first: Any, second: Any) -> BoundaryDistance:
    """Measure how far the boundaries of two masks lie apart.

    Parameters
    ----------
    first, second : array_like of bool, shape (y, x)

    Returns
    -------
    BoundaryDistance
        px; all NaN if either mask is empty.

    References
    ----------
    .. [1] D. P. Huttenlocher, G. A. Klanderman and W. J. Rucklidge, "Comparing images using the Hausdorff distance",
       IEEE Transactions on Pattern Analysis and Machine Intelligence 15, 1993, pp. 850-863, doi:10.1109/34.232073.
       A percentile instead of the largest distance is their partial distance.
    .. [2] T. Heimann et al., "Comparison and evaluation of methods for liver segmentation from CT datasets", IEEE
       Transactions on Medical Imaging 28, 2009, pp. 1251-1265, doi:10.1109/TMI.2009.2013851. The mean symmetric
       surface distance.

    Examples
    --------
    >>> boundary_distance([[1, 0, 0, 0]], [[0, 0, 0, 1]]).mean
    3.0
    """
    from scipy.ndimage import distance_transform_edt

    a, b = _pair(first, second)
    if not (a.any() and b.any()):
        return BoundaryDistance()
    box = _box(a | b)  # every boundary pixel lies in it: nothing outside can change a distance
    edge_a, edge_b = boundary(a[box]), boundary(b[box])
    to_b = distance_transform_edt(~edge_b)[edge_a]
    to_a = distance_transform_edt(~edge_a)[edge_b]
    return BoundaryDistance(
        mean=float((to_a.sum() + to_b.sum()) / (len(to_a) + len(to_b))),
        percentile_95=float(max(np.percentile(to_a, 95), np.percentile(to_b, 95))),
        largest=float(max(to_a.max(), to_b.max())),
    )


@dataclass(frozen=True)
class LesionMatch:
    """Which lesions of two annotations are the same.

    Parameters
    ----------
    pairs : tuple of (int, int, float)
        Numbers of a lesion in the first and in the second annotation, and the IoU of their masks.
    only_first, only_second : tuple of int
        Numbers of the lesions without a partner.
    """

    pairs: tuple[tuple[int, int, float], ...] = ()
    only_first: tuple[int, ...] = ()
    only_second: tuple[int, ...] = ()


def match_lesions(first: Any, second: Any, *, least_iou: float = LEAST_IOU) -> LesionMatch:
    """Pair the lesions of two annotations of one image.

    Each has one partner at most, and the sum of the pairs' IoU is as large as it can be.

    Parameters
    ----------
    first, second : array_like of int, shape (y, x)
        Numbers of lesions; 0 is background.
    least_iou : float
        0..1. Lesions that overlap less are not the same; without any overlap they never are.

    Returns
    -------
    LesionMatch
        Sorted by number.

    References
    ----------
    .. [1] H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly 2, 1955,
       pp. 83-97, doi:10.1002/nav.3800020109

    Examples
    --------
    >>> match_lesions([[1, 1, 0, 2]], [[7, 7, 7, 0]])
    LesionMatch(pairs=((1, 7, 0.6666666666666666),), only_first=(2,), only_second=())
    """
    from scipy.optimize import linear_sum_assignment

    a, b = np.asarray(first), np.asarray(second)
    _same_shape(a, b)
    numbers_a, index_a = np.unique(a, return_inverse=True)
    numbers_b, index_b = np.unique(b, return_inverse=True)
    shape = (len(numbers_a), len(numbers_b))
    shared = np.bincount(index_a.ravel() * shape[1] + index_b.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    overlap = (shared / np.maximum(union, 1))[np.ix_(numbers_a != 0, numbers_b != 0)]
    lesions_a, lesions_b = numbers_a[numbers_a != 0].tolist(), numbers_b[numbers_b != 0].tolist()
    # what is not enough must not draw a lesion away from a partner with whom it is
    overlap = np.where((overlap > 0) & (overlap >= least_iou), overlap, 0)
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    pairs = tuple(
        (lesions_a[i], lesions_b[j], float(overlap[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if overlap[i, j] > 0
    )
    paired_a, paired_b = {i for i, _, _ in pairs}, {j for _, j, _ in pairs}
    return LesionMatch(
        pairs,
        tuple(number for number in lesions_a if number not in paired_a),
        tuple(number for number in lesions_b if number not in paired_b),
    )


def _checked(mask: Any) -> Mask:
    found = np.asarray(mask)
    if found.ndim != 2 or found.dtype.kind not in "bui":
        raise InputError(f"a mask is (y, x) and of bool, not {found.dtype} {found.shape}")
    return found.astype(bool)


def _pair(first: Any, second: Any) -> tuple[Mask, Mask]:
    a, b = _checked(first), _checked(second)
    _same_shape(a, b)
    return a, b


def _same_shape(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise InputError(f"masks of {a.shape} and {b.shape} px are not of one image")


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
