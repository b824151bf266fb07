"""Statistics of the spectra of regions, of arrays in memory and of those that stay in their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray

#: Of a larger region the quartiles are those of so many pixels drawn at random,
QUARTILE_PIXELS = 200_000
#: and of fewer where they have many bands, so that a dozen regions stay within some 200 MB.
_QUARTILE_VALUES = 2**22
_READ_VALUES = 2**22  # of a file at a time: 16 MiB
_CHUNK_VALUES = 2**17  # worked on at a time, so that they stay in the processor's cache
_SEED = 0


@dataclass(frozen=True, eq=False)
class SpectrumStatistics:
    """Mean and spread of the spectra of a region.

    Parameters
    ----------
    mean, std : ndarray, shape (bands,)
        Over the pixels, in the unit of the data; `std` is that of the population (divided by n). NaN where `n` is 0.
    n : int
        Pixels that are finite in every band; the others are left out.
    median, lower, upper : ndarray, shape (bands,), optional
        Median, first and third quartile (25 and 75 %, linear between values) per band. None unless asked for.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    n: int
    median: NDArray[np.float64] | None = None
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None


def roi_statistics(data: ArrayLike | LazyArray, mask: ArrayLike, *, quartiles: bool = False) -> SpectrumStatistics:
    """Mean and standard deviation of the spectra under a mask, and on demand median and quartiles.

    Parameters
    ----------
    data : array_like or LazyArray, shape (bands, y, x)
        Pixels with NaN or infinity in any band are left out. What stays in a file is read in blocks, and only where the
        mask is.
    mask : array_like, shape (y, x)
        Non-zero inside.
    quartiles : bool
        Also find `median`, `lower` and `upper`. Of a region of more than 200,000 pixels, or 4,194,304 / bands if that
        is fewer, they are those of so many of its pixels, drawn at random and always the same ones.

    Returns
    -------
    SpectrumStatistics
        With ``n == 0`` and NaN if nothing valid lies under the mask.

    Raises
    ------
    InputError
        If mask and data have different sizes.

    Examples
    --------
    >>> found = roi_statistics(np.arange(8.0).reshape(2, 2, 2), [[1, 0], [0, 1]])
    >>> found.mean, found.std, found.n
    (array([1.5, 5.5]), array([1.5, 1.5]), 2)
    """
    values, region = _checked(data, mask)
    found = _of_regions(values, (region != 0).astype(np.intp), 1, quartiles)
    return found[0]


def label_statistics(
    data: ArrayLike | LazyArray, labels: ArrayLike, *, quartiles: bool = False
) -> dict[int, SpectrumStatistics]:
    """Statistics of every label in an image of labels; 0 is background.

    Parameters
    ----------
    data : array_like or LazyArray, shape (bands, y, x)
        As for `roi_statistics`.
    labels : array_like of int, shape (y, x)
    quartiles : bool
        As for `roi_statistics`, for each label.

    Returns
    -------
    dict of int to SpectrumStatistics
        In ascending order; a label without any valid pixel is there with ``n == 0``.
    """
    values, image = _checked(data, labels)
    numbers, places = _numbered(image)
    found = _of_regions(values, places, len(numbers), quartiles)
    return {int(number): one for number, one in zip(numbers, found, strict=True)}


def _checked(data: ArrayLike | LazyArray, mask: ArrayLike) -> tuple[Any, NDArray[Any]]:
    values, region = data if isinstance(data, LazyArray) else np.asarray(data), np.asarray(mask)
    if values.ndim != 3 or region.shape != values.shape[1:]:
        raise InputError(
            f"a mask of {region.shape} does not fit data of {values.shape}",
            fix="the data are (bands, y, x), the mask (y, x)",
        )
    return values, region


def _numbered(image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Labels in ascending order without 0, and the image of their numbers from 1 in this order; 0 stays 0."""
    if image.dtype.kind in "ub" or (image.dtype.kind == "i" and image.size and image.min() >= 0):
        most = int(image.max(initial=0))
        if most < 2**20:  # a table instead of sorting, which would take longer than the statistics
            flat = image.reshape(-1).astype(np.intp)
            there = np.bincount(flat, minlength=most + 1).astype(bool)
            there[0] = False
            return np.flatnonzero(there), np.where(there, np.cumsum(there), 0)[flat].reshape(image.shape)
    numbers, places = np.unique(image, return_inverse=True)
    kept = numbers != 0
    return numbers[kept], np.where(kept, np.cumsum(kept), 0)[places].reshape(image.shape)


def _of_regions(values: Any, regions: NDArray[np.intp], count: int, quartiles: bool) -> list[SpectrumStatistics]:
    """Statistics of the regions 1..count."""
    bands = values.shape[0]
    moments = _Moments(bands, count)
    drawn = _drawn(regions, count, bands) if quartiles else None
    samples: list[list[NDArray[Any]]] = [[] for _ in range(count)]
    for pixels, members, places in _chunks(values, regions):
        moments.add(pixels, members - 1)
        if drawn is not None:
            taken = drawn[places]
            for region in np.unique(members[taken]).tolist():
                samples[region - 1].append(pixels[:, taken & (members == region)])
    found = []
    for number in range(count):
        mean, std, n = moments.of(number)
        between = _quartiles(samples[number], bands) if quartiles else (None, None, None)
        found.append(SpectrumStatistics(mean, std, n, between[1], between[0], between[2]))
    return found


def _chunks(
    values: Any, regions: NDArray[np.intp]
) -> Iterator[tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]]:
    """Walk over the valid pixels of the regions: spectra (bands, n), their regions, their places in the flat image."""
    bands, height, width = values.shape
    columns = np.flatnonzero(regions.any(axis=0))
    if not len(columns):
        return
    across = slice(int(columns[0]), int(columns[-1]) + 1)
    at_once = _READ_VALUES if isinstance(values, LazyArray) else _CHUNK_VALUES
    step = max(1, at_once // (bands * (across.stop - across.start)))
    inside: NDArray[np.bool_] = np.any(regions != 0, axis=1)
    for start in range(0, height, step):
        rows = np.flatnonzero(inside[start : start + step])
        if not len(rows):
            continue
        down = slice(start + int(rows[0]), start + int(rows[-1]) + 1)
        block = np.asarray(values[:, down, across])
        block = block.reshape(bands, -1)
        members = regions[down, across].reshape(-1)
        place = (np.arange(down.start, down.stop)[:, None] * width + np.arange(across.start, across.stop)).reshape(-1)
        most = max(1, _CHUNK_VALUES // bands)
        for first in range(0, len(members), most):
            part = slice(first, first + most)
            pixels, of, at = block[:, part], members[part], place[part]
            kept = np.isfinite(pixels).all(axis=0) & (of != 0)
            if not kept.all():
                pixels, of, at = pixels[:, kept], of[kept], at[kept]
            if len(of):
                yield pixels, of, at


class _Moments:
    """Number, mean and sum of squared deviations of several regions, gathered chunk by chunk.

    Chunks are joined by T. F. Chan, G. H. Golub and R. J. LeVeque's formula (Am. Stat. 37, 1983,
    doi:10.1080/00031305.1983.10483115), which keeps the digits where the mean is large beside the deviations.
    """

    def __init__(self, bands: int, regions: int) -> None:
        self._n = np.zeros(regions, np.int64)
        self._mean = np.zeros((bands, regions))
        self._squares = np.zeros((bands, regions))

    def add(self, pixels: NDArray[Any], regions: NDArray[np.intp]) -> None:
        """Take in spectra (bands, n), all finite, and the region of each, from 0."""
        if (regions[0] == regions).all():
            here, starts, n = regions[:1], np.zeros(1, np.intp), np.array([len(regions)])
        else:
            order = np.argsort(regions, kind="stable")
            pixels = pixels[:, order]
            here, starts, n = np.unique(regions[order], return_index=True, return_counts=True)
        sums = np.add.reduceat(pixels, starts, axis=1, dtype=np.float64)
        mean = sums / n
        away = pixels - np.repeat(mean, n, axis=1)
        away *= away
        squares = np.add.reduceat(away, starts, axis=1)
        total = self._n[here] + n
        apart = mean - self._mean[:, here]
        self._squares[:, here] += squares + apart**2 * (self._n[here] * n / total)
        self._mean[:, here] += apart * (n / total)
        self._n[here] = total

    def of(self, region: int) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Mean, standard deviation and number of a region."""
        n = int(self._n[region])
        if n == 0:
            nothing = np.full(len(self._mean), np.nan)
            return nothing, nothing.copy(), 0
        return self._mean[:, region].copy(), np.sqrt(self._squares[:, region] / n), n


def _drawn(regions: NDArray[np.intp], count: int, bands: int) -> NDArray[np.bool_]:
    """Pixels whose spectra give the quartiles, flat; all of a region, or as many as are allowed."""
    most = max(1, min(QUARTILE_PIXELS, _QUARTILE_VALUES // bands))
    flat = regions.reshape(-1)
    drawn = flat != 0
    for region, n in enumerate(np.bincount(flat, minlength=count + 1).tolist()):
        if region and n > most:
            places = np.flatnonzero(flat == region)
            drawn[places] = False
            drawn[np.random.default_rng(_SEED).choice(places, most, replace=False)] = True
    return drawn


def _quartiles(samples: list[NDArray[Any]], bands: int) -> NDArray[np.float64]:
    """First quartile, median and third quartile of spectra (bands, n), shape (3, bands)."""
    if not samples:
        return np.full((3, bands), np.nan)
    pixels = np.concatenate(samples, axis=1)
    last = pixels.shape[1] - 1
    at = np.array([0.25, 0.5, 0.75]) * last
    below = np.floor(at).astype(np.intp)
    above = np.minimum(below + 1, last)
    # twice as fast as np.percentile, which moves the axis first; the same otherwise
    ordered = np.partition(pixels, np.unique([below, above]), axis=1)
    low, high = ordered[:, below].astype(np.float64), ordered[:, above].astype(np.float64)
    return (low + (at - below) * (high - low)).T
