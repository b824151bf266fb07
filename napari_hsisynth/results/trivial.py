"""Generators that learn nothing: what a trained one has to beat, and what a copying one looks like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError


def mean_plus_noise(train: NDArray[np.float32], n: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Draw the mean training image with noise of the training set's covariance between bands in every pixel.

    Mean spectrum, contrast and correlation of the bands are right; there is no lesion but the average one, and no
    texture. A generator that is no nearer to real patches than this one is broken.

    Parameters
    ----------
    train : ndarray, shape (k, bands, y, x)
        Training cubes.
    n : int
        Cubes to draw.
    seed : int
        Of the noise.

    Returns
    -------
    ndarray of float32, shape (n, bands, y, x)
        Never clipped.
    """
    train = _checked(train, n)
    bands = train.shape[1]
    mean = train.mean(axis=0, dtype=np.float64)
    pixels = np.moveaxis(train, 1, 0).reshape(bands, -1).astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(pixels).reshape(bands, bands))
    factor = vectors * np.sqrt(np.maximum(values, 0))  # unlike Cholesky's, it exists for dependent bands too
    noise = np.random.default_rng(seed).normal(size=(n, *train.shape[2:], bands)) @ factor.T
    return (mean + np.moveaxis(noise, -1, 1)).astype(np.float32)


def shifted_copies(
    train: NDArray[np.float32], n: int, *, seed: int = 0, max_shift: float = 1 / 8
) -> NDArray[np.float32]:
    """Draw training cubes, shifted and mirrored at random: what a generator does that has learned them by heart.

    Parameters
    ----------
    train : ndarray, shape (k, bands, y, x)
        Training cubes; each is taken once before one is taken again.
    n : int
        Cubes to draw.
    seed : int
        Of choice, shifts and flips.
    max_shift : float
        Largest shift in both directions, as a fraction of the side; borders are mirrored.

    Returns
    -------
    ndarray of float32, shape (n, bands, y, x)
    """
    train = _checked(train, n)
    if not 0 <= max_shift < 1:
        raise InputError(f"a shift of {max_shift:g} sides", where="max_shift", fix="use 0 or more, below 1")
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(train)) for _ in range(-(-n // len(train)))])[:n]
    height, width = train.shape[2:]
    reach_y, reach_x = int(height * max_shift), int(width * max_shift)
    copies = np.empty((n, *train.shape[1:]), np.float32)
    for copy, number in zip(copies, order, strict=True):
        y0, x0 = rng.integers(2 * reach_y + 1), rng.integers(2 * reach_x + 1)
        padded = np.pad(train[number], ((0, 0), (reach_y, reach_y), (reach_x, reach_x)), mode="reflect")
        flips = tuple(axis for axis in (1, 2) if rng.random() < 0.5)
        copy[:] = np.flip(padded[:, y0 : y0 + height, x0 : x0 + width], flips)
    return copies


def _checked(train: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    train = np.asarray(train)
    if train.ndim != 4 or not len(train) or n < 1:
        raise InputError(f"{n} cubes cannot be drawn from training cubes of shape {train.shape}")
    return train
