"""Holding an answer to the prompts: what was clicked is so, whatever else speaks against it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.segment.prompts import Prompts

_BARELY = 1e-3  # logit of a pixel on the right side of the outline by command only


def obeying(logits: NDArray[np.float32], prompts: Prompts, spot_px: float) -> NDArray[np.float32]:
    """Return logits that are positive at every inside click, and negative at every outside one and outside the box.

    Parameters
    ----------
    logits : ndarray, shape (y, x)
        Positive inside.
    prompts : Prompts
    spot_px : float
        What is closer than this to a click that was not obeyed changes; less where a click of the other kind is near.

    Returns
    -------
    ndarray, float32, shape (y, x)
    """
    held = logits.copy()
    if prompts.box is not None:
        y0, x0, y1, x1 = prompts.box
        held = np.minimum(held, -_BARELY)
        held[y0:y1, x0:x1] = logits[y0:y1, x0:x1]
    for (y, x), label in prompts.clicks:
        sign = 1 if label else -1
        if sign * held[y, x] > 0:
            continue
        others = prompts.of(1 - label)
        radius = min([spot_px, *(0.5 * float(np.hypot(y - other[0], x - other[1])) for other in others)])
        reach = math.ceil(radius)
        rows, columns = slice(max(0, y - reach), y + reach + 1), slice(max(0, x - reach), x + reach + 1)
        spot = held[rows, columns]  # a view
        across_y, across_x = np.ogrid[: spot.shape[0], : spot.shape[1]]
        near = (across_y + rows.start - y) ** 2 + (across_x + columns.start - x) ** 2 < max(radius, 0.5) ** 2
        spot[near] = sign * np.maximum(np.abs(spot[near]), _BARELY)
    for (y, x), label in prompts.clicks:  # a box that excludes an inside click, or a spot over another click
        if (held[y, x] > 0) != bool(label):
            held[y, x] = _BARELY if label else -_BARELY
    return held
