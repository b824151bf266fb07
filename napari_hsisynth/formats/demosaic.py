"""Demosaicing of snapshot-mosaic frames: every band at the full size of the frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.mosaic import MosaicLayout

#: For the provenance of cubes.
METHOD = "pseudo-panchromatic image difference, edge-aware (after Mihoubi et al. 2017)"

#: The eight nearest places that see the same band, in patterns (rows, columns).
_NEIGHBOURS = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
#: Differences below this fraction of the mean value tell no edge.
_NO_EDGE = 0.01
#: Weight of the smooth estimate at the pixel itself, as a fraction of its neighbours' together.
_OWN_WEIGHT = 0.3
#: Detail is measured in windows of so many pixels, and one window in five is taken to show noise only.
_DETAIL_WINDOW, _NOISE_PERCENTILE = 7, 20.0


def demosaic(frame: NDArray[Any], layout: MosaicLayout) -> NDArray[np.float32]:
    """Estimate all bands at every pixel of a frame.

    The bands of one place are much alike. A pseudo-panchromatic image (PPI), the mean of all bands, is therefore
    estimated at the full resolution first; the differences of the bands from it are smooth, and survive interpolation.

    1. The bands are brought to a common mean, so that the pattern of their gains is no texture.
    2. PPI, smooth: the mean over one pattern about each pixel; of an even pattern, half of both outermost lines [1]_.
    3. PPI, edge-aware: the pixel's own value plus the difference of smooth PPI and value at the eight nearest pixels of
       the same band, weighted by how little the frame changes towards each of them [1]_.
    4. Detail that the second has and the first has not is kept as far as it exceeds the noise (Wiener's factor, local):
       our own step, without which a noisy frame becomes noisier than by bilinear interpolation.
    5. Each band: PPI plus its difference from it, interpolated linearly between the pixels that measured it [1]_.

    Parameters
    ----------
    frame : ndarray, shape (y, x)
        Raw counts, of any real dtype; at least one pattern. The last patterns may be cut off.
    layout : MosaicLayout
        The pattern, of any size.

    Returns
    -------
    ndarray, float32, shape (bands, y, x)
        In the layout's order of bands; aligned, since every band is estimated on the same grid. Measured pixels stay
        exactly as they are. Where a measured value is not finite, its surroundings are not either.

    Raises
    ------
    InputError
        If the frame is not 2-D or smaller than the pattern.

    References
    ----------
    .. [1] S. Mihoubi, O. Losson, B. Mathon, L. Macaire, "Multispectral demosaicing using pseudo-panchromatic image",
       IEEE Transactions on Computational Imaging 3 (2017) 982-995, doi:10.1109/TCI.2017.2691553.

    Examples
    --------
    >>> demosaic(np.full((6, 9), 7, np.uint8), MosaicLayout.plain(2, 3)).shape
    (6, 6, 9)
    """
    _check(frame, layout)
    measured = frame.astype(np.float32)
    scaled, gains = _alike(measured, layout)
    pan = _panchromatic(scaled, layout)
    difference = scaled - pan
    bands = np.empty((len(layout.positions), *frame.shape), np.float32)
    for band, gain, (row, col) in zip(bands, gains, layout.positions, strict=True):
        own = (slice(row, None, layout.rows), slice(col, None, layout.cols))
        _fill(band, difference[own], row, col, layout)
        band += pan
        band *= gain
        band[own] = measured[own]
    return bands


def bilinear(frame: NDArray[Any], layout: MosaicLayout) -> NDArray[np.float32]:
    """Interpolate each band linearly between its pixels, without a look at the others; the measure for `demosaic`.

    Parameters
    ----------
    frame : ndarray, shape (y, x)
    layout : MosaicLayout

    Returns
    -------
    ndarray, float32, shape (bands, y, x)

    Raises
    ------
    InputError
        As `demosaic`.
    """
    _check(frame, layout)
    bands = np.empty((len(layout.positions), *frame.shape), np.float32)
    for band, (row, col) in zip(bands, layout.positions, strict=True):
        _fill(band, frame[row :: layout.rows, col :: layout.cols].astype(np.float32), row, col, layout)
    return bands


def _check(frame: NDArray[Any], layout: MosaicLayout) -> None:
    if frame.ndim != 2 or frame.shape[0] < layout.rows or frame.shape[1] < layout.cols:
        raise InputError(
            f"a frame of {frame.shape} px does not hold one {layout.rows}x{layout.cols} pattern",
            fix="give the raw frame of the sensor",
        )


def _alike(frame: NDArray[np.float32], layout: MosaicLayout) -> tuple[NDArray[np.float32], list[np.float32]]:
    """Divide each band by its mean; return the frame and the means (1 where a band has none above zero)."""
    scaled, gains = frame.copy(), []
    for row, col in layout.positions:
        values = frame[row :: layout.rows, col :: layout.cols]
        finite = values[np.isfinite(values)]
        mean = float(finite.mean(dtype=np.float64)) if finite.size else 0.0
        gains.append(np.float32(mean if mean > 0 else 1.0))
        scaled[row :: layout.rows, col :: layout.cols] /= gains[-1]
    return scaled, gains


def _panchromatic(frame: NDArray[np.float32], layout: MosaicLayout) -> NDArray[np.float32]:
    """Return the PPI, shape (y, x): steps 2 to 4."""
    (height, width), down, across = frame.shape, 2 * layout.rows, 2 * layout.cols
    # about the frame, its outermost patterns are repeated, so that every pixel has a whole pattern about it
    padded = frame[_repeated(height, layout.rows, down)][:, _repeated(width, layout.cols, across)]
    smooth = _mean(padded, layout.rows, layout.cols)
    difference = smooth - padded

    def moved(image: NDArray[np.float32], dy: int = 0, dx: int = 0) -> NDArray[np.float32]:
        y, x = down + dy * layout.rows, across + dx * layout.cols
        return image[y : y + height, x : x + width]

    values = moved(padded)
    least = _NO_EDGE * float(np.mean(np.abs(values), where=np.isfinite(values), dtype=np.float64)) + 1e-20
    total, weights = np.zeros_like(frame), np.zeros_like(frame)
    for dy, dx in _NEIGHBOURS:
        change = _mean(np.abs(moved(padded, dy, dx) - values), 3, 3)
        weight = np.float32(0.5 if dy and dx else 1.0) / (change + np.float32(least))
        total += weight * moved(difference, dy, dx)
        weights += weight
    total += _OWN_WEIGHT * weights * moved(difference)
    detail = values + total / ((1 + _OWN_WEIGHT) * weights) - moved(smooth)
    energy = _mean(detail * detail, _DETAIL_WINDOW, _DETAIL_WINDOW)
    sample = energy[::3, ::3]
    sample = sample[np.isfinite(sample)]
    noise = np.float32(np.percentile(sample, _NOISE_PERCENTILE)) if sample.size else np.float32(0)
    detail *= np.maximum(energy - noise, 0) / np.maximum(energy, np.float32(1e-20))
    return moved(smooth) + detail


def _repeated(length: int, period: int, more: int) -> NDArray[np.intp]:
    """Return indices from `more` before the first to `more` behind the last that stay at their place in the pattern."""
    index = np.arange(-more, length + more)
    index = np.where(index < 0, index % period, index)
    return np.where(index >= length, length - period + (index - length) % period, index)


def _mean(image: NDArray[np.float32], rows: int, cols: int) -> NDArray[np.float32]:
    """Average over rows x cols pixels about each one; of even numbers, half of both outermost lines count."""
    smooth = correlate1d(image, _weights(rows), axis=0, mode="nearest")
    return correlate1d(smooth, _weights(cols), axis=1, mode="nearest")


def _weights(count: int) -> NDArray[np.float64]:
    if count % 2:
        return np.full(count, 1 / count)
    return np.array([0.5, *[1.0] * (count - 1), 0.5]) / count


def _fill(band: NDArray[np.float32], samples: NDArray[np.float32], row: int, col: int, layout: MosaicLayout) -> None:
    """Interpolate `samples` linearly over `band`; beyond the outermost samples they go on unchanged."""
    left, right, share = _between(samples.shape[1], col, layout.cols, band.shape[1])
    wide = samples[:, right] - samples[:, left]
    wide *= share
    wide += samples[:, left]
    above, below, share = _between(samples.shape[0], row, layout.rows, band.shape[0])
    np.subtract(wide[below], wide[above], out=band)
    band *= share[:, None]
    band += wide[above]


def _between(
    count: int, first: int, step: int, length: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each of `length` places, return the samples before and behind it, and how far it is from the former, 0-1."""
    place = (np.arange(length) - first) / step
    before = np.clip(np.floor(place), 0, max(count - 2, 0)).astype(np.intp)
    return before, np.minimum(before + 1, count - 1), np.clip(place - before, 0, 1).astype(np.float32)
