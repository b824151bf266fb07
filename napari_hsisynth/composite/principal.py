"""PCA-3: the three directions in which the spectra of a cube differ most, as a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.composite.walk import Tick, valid_pixels, walk
from napari_hsisynth.cube import Cube

#: With more products than this for the covariance, only each so-maniest row counts for it: a few seconds on one core.
_MOST_PRODUCTS = 2**34


def pca3(cube: Cube, *, tick: Tick | None = None) -> NDArray[np.float32]:
    """First three principal components of the spectra as a picture.

    Parameters
    ----------
    cube : Cube
    tick : callable, optional
        Told about the progress, ``tick(rows done, rows in all)``, twice from the start; what it raises ends the work.

    Returns
    -------
    ndarray of float32, shape (y, x, 3)
        Each component from its 1st to its 99th percentile brought to 0..1 and clipped; its sign is such that the
        loadings sum to a positive number. Components that do not exist (fewer than 3 bands) or are constant are 0.

    Notes
    -----
    The covariance is summed up block by block in float64, about the mean of the first block. Of cubes with very many
    values (224 bands of 600 x 600 px, say) it is that of evenly spaced rows; the scores are always of all pixels.
    """
    height, width = cube.shape_yx
    picture = np.zeros((height, width, 3), np.float32)
    every = max(1, -(-height * width * cube.bands**2 // _MOST_PRODUCTS))
    pixels, mean, covariance = _moments(cube, every, tick)
    if pixels < 2:
        return picture
    variances, vectors = np.linalg.eigh(covariance)
    loadings = vectors[:, ::-1][:, :3].T  # (at most 3, bands)
    loadings = np.where(loadings.sum(axis=1, keepdims=True) >= 0, loadings, -loadings)
    variances = variances[::-1][:3]
    # what is smaller is rounding noise, which the scaling would blow up
    shown = np.flatnonzero(variances > 1e-12 * max(variances[0], np.finfo(float).tiny))
    planes = np.empty((len(loadings), height, width), np.float32)
    valid = np.empty((height, width), bool)
    weights, middle = loadings.astype(np.float32), mean.astype(np.float32)[:, None]
    for rows, block in walk(cube, tick=tick):
        valid[rows] = valid_pixels(block)
        with np.errstate(invalid="ignore", over="ignore"):  # in pixels that are not valid
            scores = weights @ (block.reshape(cube.bands, -1) - middle)
        planes[:, rows] = scores.reshape(len(loadings), -1, width)
    all_valid = bool(valid.all())
    for component in shown:
        scores = planes[component]
        low, high = np.percentile(scores if all_valid else scores[valid], [1, 99])
        if high > low:
            scaled = np.clip((scores - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
            picture[..., component] = scaled if all_valid else np.where(valid, scaled, np.float32(0))
    return picture


def _moments(cube: Cube, every: int, tick: Tick | None) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Number of valid pixels in each `every`-th row, mean (bands,) and covariance (bands, bands) of their spectra."""
    count, about = 0, None
    sums, products = np.zeros(cube.bands), np.zeros((cube.bands, cube.bands))
    for _, block in walk(cube, tick=tick, every=every):
        spectra = block[:, valid_pixels(block)].astype(np.float64)
        if not spectra.shape[1]:
            continue
        if about is None:
            about = spectra.mean(axis=1)
        spectra -= about[:, None]
        count += spectra.shape[1]
        sums += spectra.sum(axis=1)
        products += spectra @ spectra.T
    if about is None:
        return 0, sums, products
    offset = sums / count
    return count, about + offset, products / count - np.outer(offset, offset)
