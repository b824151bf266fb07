"""A robot user that clicks at the centre of the largest mistake: segmenters are compared by the clicks they need.

The way interactive segmentation is measured in the literature: the next click goes to the middle of what is most wrong
[1]_, [2]_, where the middle is the wrong pixel that lies deepest, as in [3]_.

References
----------
.. [1] P. Kohli, H. Nickisch, C. Rother and C. Rhemann, "User-centric learning and evaluation of interactive
   segmentation systems", International Journal of Computer Vision 100, 261-274, 2012. doi:10.1007/s11263-012-0537-4
.. [2] N. Xu, B. Price, S. Cohen, J. Yang and T. Huang, "Deep interactive object selection", CVPR 2016, 373-381.
   doi:10.1109/CVPR.2016.47
.. [3] K. Sofiiuk, I. A. Petrov and A. Konushin, "Reviving iterative training with mask guidance for interactive
   segmentation", ICIP 2022. arXiv:2102.06583
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage as ndi

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.overlaps import of_one_shape, overlap
from napari_hsisynth.segment.prompts import Prompts
from napari_hsisynth.segment.registry import Segmenter


@dataclass(frozen=True, eq=False)
class ClickCurve:
    """What the robot measured on one lesion.

    Parameters
    ----------
    iou : ndarray, shape (clicks,)
        Overlap of the best mask with the truth after each click, 0..1. Once a mask is perfect it stays at 1.
    seconds : ndarray, shape (clicks,)
        Wall-clock time of each answer; the first includes `set_cube`. NaN for clicks that were not needed any more.
    prompts : Prompts
        The clicks that were made.
    """

    iou: NDArray[np.float64]
    seconds: NDArray[np.float64]
    prompts: Prompts

    def clicks_to(self, iou: float) -> int | None:
        """Return the number of clicks after which the overlap first was at least this; None if it never was."""
        reached = np.flatnonzero(self.iou >= iou)
        return int(reached[0]) + 1 if len(reached) else None


def next_click(truth: ArrayLike, guess: ArrayLike) -> tuple[tuple[int, int], int] | None:
    """Return where a user would click next to mend a mask.

    Parameters
    ----------
    truth, guess : array_like of bool, shape (y, x)
        The lesion, and the mask so far.

    Returns
    -------
    ((y, x), label) or None
        The wrong pixel that is farthest from the edge of its error (the edge of the image counts as one), and 1 where
        the lesion was missed, 0 where the mask is too large. Of equally deep pixels it is a missed one, then the first
        in reading order. None if the masks are the same.

    Examples
    --------
    >>> truth = np.zeros((9, 9), bool)
    >>> truth[2:7, 2:7] = True
    >>> next_click(truth, np.zeros((9, 9), bool)), next_click(truth, truth)
    (((4, 4), 1), None)
    """
    truth, guess = of_one_shape(truth, guess)
    deepest, click = 0.0, None
    for wrong, label in ((truth & ~guess, 1), (guess & ~truth, 0)):
        depth = _depths(wrong)
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        if depth[y, x] > deepest:
            deepest, click = float(depth[y, x]), ((int(y), int(x)), label)
    return click


def click_curve(segmenter: Segmenter, cube: Cube, truth: ArrayLike, clicks: int = 10) -> ClickCurve:
    """Let the robot outline one lesion and note how good each answer was and how long it took.

    Parameters
    ----------
    segmenter : Segmenter
        Gets the cube, then all clicks so far after every one. Its first mask is the one that counts.
    cube : Cube
        Any cube.
    truth : array_like of bool, shape (y, x)
        The lesion in it.
    clicks : int
        How often the robot may click.

    Returns
    -------
    ClickCurve
        Of `clicks` values each.

    Raises
    ------
    InputError
        If the true mask is empty or does not fit the cube, or there is no click to make.

    Examples
    --------
    >>> from napari_hsisynth.optics import lesion_phantom
    >>> from napari_hsisynth.segment import load_segmenter
    >>> phantom = lesion_phantom("nevus", shape=(64, 64), seed=1)
    >>> curve = click_curve(load_segmenter("spectral"), phantom.cube, phantom.mask, clicks=3)
    >>> curve.iou.shape, bool(curve.iou[-1] > 0.8)
    ((3,), True)
    """
    truth = np.asarray(truth, dtype=bool)
    if truth.shape != cube.shape_yx:
        raise InputError(f"the true mask of shape {truth.shape} does not fit {cube.shape_yx}", where=cube.name or None)
    if not truth.any():
        raise InputError("the true mask is empty", where=cube.name or None, fix="use a cube with a lesion")
    if clicks < 1:
        raise InputError(f"{clicks} clicks cannot be measured", fix="allow one at least")
    start = time.perf_counter()
    segmenter.set_cube(cube)
    waited = time.perf_counter() - start

    overlaps, seconds = np.ones(clicks), np.full(clicks, np.nan)
    guess = np.zeros_like(truth)
    points: list[tuple[int, int]] = []
    labels: list[int] = []
    for number in range(clicks):
        click = next_click(truth, guess)
        if click is None:
            break
        points.append(click[0])
        labels.append(click[1])
        start = time.perf_counter()
        found = segmenter.predict(Prompts(points, labels))
        seconds[number] = time.perf_counter() - start + waited
        waited = 0.0
        guess = found.masks[0] if len(found) else np.zeros_like(truth)
        overlaps[number] = overlap(truth, guess)
    return ClickCurve(overlaps, seconds, Prompts(points, labels))


def _depths(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of every pixel of a mask to the nearest one outside of it or of the image, px."""
    return ndi.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
