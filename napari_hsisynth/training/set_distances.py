"""How far two sets of images are from each other, quickly enough to be asked at every checkpoint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.metrics import sliced_wasserstein

#: Side of a patch, px: small enough for a smooth image to have other ones than a grainy image.
PATCH_PX = 8
#: Spectra and patches that are taken of a set, at most.
_SPECTRA, _PATCHES = 16_384, 4_096


def set_distances(a: NDArray[np.float32], b: NDArray[np.float32], *, seed: int) -> dict[str, float]:
    """Sliced Wasserstein distances of pixel spectra and of patches between two sets of images.

    Parameters
    ----------
    a, b : ndarray, shape (n, bands, y, x) and (m, bands, y, x)
        Finite images.
    seed : int
        Of the pixels, patches and directions taken; figures compare only with the same seed.

    Returns
    -------
    dict
        ``spectra_distance`` and ``patch_distance``, in the unit of the images.
    """
    rng = np.random.default_rng(seed)
    spectra = [_some(np.moveaxis(images, 1, -1).reshape(-1, images.shape[1]), _SPECTRA, rng) for images in (a, b)]
    patches = [_patches(images, _PATCHES, rng) for images in (a, b)]
    return {
        "spectra_distance": float(sliced_wasserstein(*spectra, seed=seed)),
        "patch_distance": float(sliced_wasserstein(*patches, seed=seed)),
    }


def _some(rows: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return rows if len(rows) <= count else rows[rng.choice(len(rows), count, replace=False)]


def _patches(images: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Patches at random places, as many in every image, all bands in one row; shape (about count, values)."""
    n, bands, height, width = images.shape
    each = max(1, count // n)
    y, x = (rng.integers(0, side - PATCH_PX + 1, (n, each, 1, 1)) for side in (height, width))
    rows, columns = y + np.arange(PATCH_PX)[:, None], x + np.arange(PATCH_PX)
    taken = images[np.arange(n)[:, None, None, None], :, rows, columns]  # (n, each, y, x, bands)
    return taken.reshape(-1, PATCH_PX**2 * bands)
