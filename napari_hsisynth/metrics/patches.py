"""How alike two sets of cubes are in texture: patches of every level of a pyramid, no trained network needed."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.arrays import Array, as_floating
from napari_hsisynth.metrics.distributions import directions, wasserstein_of_columns
from napari_hsisynth.metrics.pyramid import laplacian_pyramid

PATCH_PX = 7
PATCHES_PER_CUBE = 128

#: Spread of each band at each level, see `level_spread`.
Spread = list[Array]


def sliced_wasserstein_patches(
    synthetic: Any,
    real: Any,
    *,
    n_levels: int | None = None,
    patch_px: int = PATCH_PX,
    patches_per_cube: int = PATCHES_PER_CUBE,
    n_projections: int = 128,
    seed: int = 0,
) -> Array:
    """Sliced 1-Wasserstein distance between patches of two sets of cubes, the mean over the levels of a pyramid.

    Parameters
    ----------
    synthetic, real : array or tensor, shape (n, bands, y, x) and (m, bands, y, x)
        Cubes of one size; how many may differ, but figures compare only at the same numbers.
    n_levels : int, optional
        Of the Laplacian pyramid; by default down to 16 px: 3 levels for 64 px, 5 for 256 px.
    patch_px : int
        Side of a patch at every level, px.
    patches_per_cube : int
        From every cube at every level, at random places.
    n_projections : int
        Random directions in the space of patches, all pixels of all bands of one.
    seed : int
        Of places and directions. Figures compare only with the same seed.

    Returns
    -------
    array or tensor, shape ()
        In standard deviations of the real cubes; 0 for equal sets.

    Notes
    -----
    After the appendix of [1]_, with two changes for measured spectra. There, patches of each set are normalised by
    their own mean and deviation, which hides wrong brightness, contrast and colour; here both sets are divided by the
    real set's deviation of each band at each level, so that dark bands and fine levels count as much as others and no
    difference is lost. And a direction covers a patch in all its bands, so that bands that do not fit together show.

    References
    ----------
    .. [1] T. Karras, T. Aila, S. Laine, J. Lehtinen, "Progressive growing of GANs for improved quality, stability, and
       variation", ICLR 2018, https://arxiv.org/abs/1710.10196

    Examples
    --------
    >>> import numpy as np
    >>> real = np.random.default_rng(0).normal(size=(4, 3, 32, 32))
    >>> float(sliced_wasserstein_patches(real, real))
    0.0
    """
    xp, synthetic = as_floating(synthetic, name="synthetic set", axes=4)
    other, real = as_floating(real, name="real set", axes=4)
    if xp is not other:
        raise InputError("one is an array and the other a tensor", fix="pass two of a kind")
    if tuple(synthetic.shape[1:]) != tuple(real.shape[1:]):
        raise InputError(
            f"cubes of {tuple(synthetic.shape[1:])} and {tuple(real.shape[1:])} cannot be compared",
            fix="bring them to the same bands and size",
        )
    spread = level_spread(real, n_levels=n_levels)
    options = {"patch_px": patch_px, "patches_per_cube": patches_per_cube, "n_projections": n_projections, "seed": seed}
    levels = zip(*(projected_patches(x, spread, **options) for x in (synthetic, real)), strict=True)
    flat = [[xp.reshape(x, (-1, n_projections)) for x in level] for level in levels]
    return sum(xp.mean(wasserstein_of_columns(a, b)) for a, b in flat) / len(flat)


def level_spread(real: Array, *, n_levels: int | None = None) -> Spread:
    """Standard deviation of every band at every level of a pyramid over a set of cubes, (bands,) each.

    A band that does not vary has 1.
    """
    xp = array_api_compat.array_namespace(real)
    spreads = [xp.std(level, axis=(0, 2, 3)) for level in laplacian_pyramid(real, n_levels=n_levels)]
    return [xp.where(spread > 0, spread, xp.ones_like(spread)) for spread in spreads]


def projected_patches(
    x: Array,
    spread: Spread,
    *,
    patch_px: int = PATCH_PX,
    patches_per_cube: int = PATCHES_PER_CUBE,
    n_projections: int = 128,
    seed: int = 0,
) -> list[Array]:
    """Random patches of every cube at every level of its pyramid, projected on random directions.

    Parameters
    ----------
    x : array or tensor, shape (n, bands, y, x)
        Cubes.
    spread : list of array or tensor, shape (bands,)
        Unit of each band at each level, from `level_spread` of the real set; its length is the number of levels.
    patch_px, patches_per_cube, n_projections, seed : int
        As in `sliced_wasserstein_patches`.

    Returns
    -------
    list of array or tensor, shape (n, patches_per_cube, n_projections)
        One for each level. A cube's patches depend on its position in the set, not on the other cubes.

    Raises
    ------
    InputError
        If a patch is larger than the coarsest level.
    """
    xp = array_api_compat.array_namespace(x)
    device = array_api_compat.device(x)
    projected = []
    for number, (level, unit) in enumerate(zip(laplacian_pyramid(x, n_levels=len(spread)), spread, strict=True)):
        bands, height, width = (int(side) for side in level.shape[1:])
        if not 1 <= patch_px <= min(height, width) or patches_per_cube < 1:
            raise InputError(
                f"patches of {patch_px} px cannot be taken from {height} x {width} px",
                where=f"level {number} of the pyramid",
                fix="use smaller patches, fewer levels or larger cubes",
            )
        lines = directions(n_projections, bands * patch_px**2, seed + number)
        lines = xp.asarray(lines, dtype=x.dtype, device=device)
        rows = []
        for position, cube in enumerate(level):
            places = np.random.default_rng([seed, number, position])
            y = places.integers(height - patch_px + 1, size=patches_per_cube)[:, None] + np.arange(patch_px)
            x0 = places.integers(width - patch_px + 1, size=patches_per_cube)[:, None] + np.arange(patch_px)
            y, x0 = (xp.asarray(one, device=device) for one in (y[:, :, None], x0[:, None, :]))
            patches = (cube / unit[:, None, None])[:, y, x0]  # (bands, patches, patch_px, patch_px)
            rows.append(xp.reshape(xp.moveaxis(patches, 1, 0), (patches_per_cube, -1)) @ lines.T)
        projected.append(xp.stack(rows))
    return projected
