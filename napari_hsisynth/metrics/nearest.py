"""Whether a generator copies: how near its cubes come to one training cube, beside real cubes that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.arrays import Array, as_floating
from napari_hsisynth.metrics.thumbnails import band_scale, cell_px, squared_distances, thumbnails

#: Samples whose ratio is below this percentile of the held-out cubes' count as near copies.
NEAR_PERCENTILE = 5.0
#: Numbers per cell that are kept of all bands: three hold 98 % of skin's variance.
_COMPONENTS = 3
#: Largest shift that is undone, as a fraction of the side.
_MAX_SHIFT = 1 / 8


@dataclass(frozen=True, eq=False)
class NearestReal:
    """How near samples come to training cubes.

    Parameters
    ----------
    distance, held_out_distance : ndarray, shape (n,) and (m,)
        To the nearest training cube: root mean square difference per cell, in deviations of the training bands. Blurred
        cubes are near to everything, so that this alone convicts nobody.
    ratio, held_out_ratio : ndarray, shape (n,) and (m,)
        Of this distance to that from the nearest training cube of another group; 0 for a copy, near 1 where no training
        cube stands out.
    share : float
        Of the samples whose ratio is below the 5th percentile of the held-out cubes'; 0.05 is expected of a generator
        that does not copy.
    p_value : float
        One-sided, of a rank-sum test: the ratios of the samples are not below those of held-out cubes.
    nearest : ndarray of int, shape (n,)
        Position of each sample's nearest training cube, to look at the two together.
    """

    distance: NDArray[np.float64]
    held_out_distance: NDArray[np.float64]
    ratio: NDArray[np.float64]
    held_out_ratio: NDArray[np.float64]
    share: float
    p_value: float
    nearest: NDArray[np.intp]


def nearest_real(samples: Any, train: Any, held_out: Any, *, groups: Sequence[str] | None = None) -> NearestReal:
    """Search the training cube that each sample is nearest to, up to flips and shifts, and judge how near it is.

    Parameters
    ----------
    samples : array or tensor, shape (n, bands, y, x)
        What a generator made.
    train : array or tensor, shape (k, bands, y, x)
        What it learned from.
    held_out : array or tensor, shape (m, bands, y, x)
        Real cubes that it never saw, of the same kind.
    groups : sequence of str, optional
        Patient or source cube of every training cube: the second nearest is taken from another group, so that two crops
        of one lesion do not hide a copy of it. By default every cube is its own.

    Returns
    -------
    NearestReal
        NumPy arrays in any case.

    Raises
    ------
    InputError
        If the cubes do not fit each other, or all training cubes are of one group.

    Notes
    -----
    Cubes are compared as thumbnails of about 16 x 16 cells, in the three principal components of the training spectra.
    The outer eighth of a sample is left out, and what remains is compared with every training cube at all shifts of
    half a cell up to an eighth of the side, and with its three mirror images: a copy that augmentation has moved is
    found.

    A distance threshold calls a blurred sample a copy, because the blurred is near to everything; the ratio of the
    nearest to the second nearest does not, as in the matching of image features [1]_ and in studies of memorisation by
    diffusion models [2]_.

    References
    ----------
    .. [1] D. G. Lowe, "Distinctive image features from scale-invariant keypoints", International Journal of Computer
       Vision 60, 2004, section 7.1, https://doi.org/10.1023/B:VISI.0000029664.99615.94
    .. [2] T. Yoon, J. Y. Choi, S. Kwon, E. K. Ryu, "Diffusion probabilistic models generalize when they fail to
       memorize", ICML workshop on structured probabilistic inference and generative modeling, 2023

    Examples
    --------
    >>> import numpy as np
    >>> cubes = np.random.default_rng(0).normal(size=(9, 2, 16, 16))
    >>> train, held_out = cubes[:6], cubes[6:]
    >>> found = nearest_real(train[[4]][..., ::-1], train, held_out)
    >>> int(found.nearest[0]), round(float(found.ratio[0]), 3), found.share
    (4, 0.0, 1.0)
    """
    sets = [as_floating(x, name=name, axes=4) for x, name in ((samples, "samples"), (train, "training set"))]
    sets.append(as_floating(held_out, name="held-out set", axes=4))
    xp = sets[0][0]
    if any(other is not xp for other, _ in sets) or len({tuple(x.shape[1:]) for _, x in sets}) > 1:
        shapes = ", ".join(str(tuple(x.shape[1:])) for _, x in sets)
        raise InputError(f"samples, training and held-out cubes of {shapes} cannot be compared")
    train = sets[1][1]
    names = np.asarray(range(train.shape[0]) if groups is None else groups)
    if len(names) != train.shape[0] or len(np.unique(names)) < 2:
        raise InputError(
            f"{train.shape[0]} training cubes of {len(np.unique(names))} groups",
            where="groups",
            fix="pass one group for each, and training cubes of two groups at least",
        )
    space = _Space(xp, train)
    distance, ratio, nearest = _nearest(space.distances(sets[0][1]), names)
    held_out_distance, held_out_ratio, _ = _nearest(space.distances(sets[2][1]), names)
    return NearestReal(
        distance=distance,
        held_out_distance=held_out_distance,
        ratio=ratio,
        held_out_ratio=held_out_ratio,
        share=float(np.mean(ratio < np.percentile(held_out_ratio, NEAR_PERCENTILE))),
        p_value=float(mannwhitneyu(ratio, held_out_ratio, alternative="less").pvalue),
        nearest=nearest,
    )


class _Space:
    """Thumbnails of the training cubes at all shifts.

    Parameters
    ----------
    xp : namespace
        Of the arrays.
    train : array or tensor, shape (k, bands, y, x)
        Training cubes.
    """

    def __init__(self, xp: Any, train: Array) -> None:
        self.xp = xp
        height, width = train.shape[-2:]
        self.cell = cell_px((height, width))
        self.margins = [int(side * _MAX_SHIFT) for side in (height, width)]
        self.inner = [side - 2 * margin for side, margin in zip((height, width), self.margins, strict=True)]
        self.mean, self.spread = band_scale(xp, train)
        bands = train.shape[1]
        sparse = xp.reshape(xp.moveaxis(self._scaled(thumbnails(xp, train, self.cell)), 1, 0), (bands, -1))
        _, vectors = xp.linalg.eigh(sparse @ sparse.T)
        self.components = vectors[:, -_COMPONENTS:].T
        self.train = self._components_of(train)

    def _scaled(self, x: Array) -> Array:
        return (x - self.mean[:, None, None]) / self.spread[:, None, None]

    def _components_of(self, x: Array) -> Array:
        return self.xp.stack([self.xp.tensordot(self.components, cube, axes=1) for cube in self._scaled(x)])

    def distances(self, x: Array) -> NDArray[np.float64]:
        """Distance of every cube to every training cube, the least over flips and shifts, shape (n, k)."""
        xp, count = self.xp, x.shape[0]
        top, left = self.margins
        cells = self._cells(self._components_of(x), top, left)
        mirrored = [xp.flip(cells, axis=axes) if axes else cells for axes in ((), (-1,), (-2,), (-2, -1))]
        samples = xp.reshape(xp.concat(mirrored), (4 * count, -1))
        least = None
        step = max(1, self.cell // 2)
        for y0 in _shifts(top, step):
            for x0 in _shifts(left, step):
                moved = self._cells(self.train, y0, x0)
                found = squared_distances(samples, xp.reshape(moved, (moved.shape[0], -1)))
                found = xp.min(xp.reshape(found, (4, count, -1)), axis=0)
                least = found if least is None else xp.minimum(least, found)
        least = array_api_compat.to_device(least, "cpu") if hasattr(least, "cpu") else least
        return np.sqrt(np.asarray(least, np.float64) / samples.shape[1])

    def _cells(self, x: Array, y0: int, x0: int) -> Array:
        rows, columns = self.inner
        return thumbnails(self.xp, x[..., y0 : y0 + rows, x0 : x0 + columns], self.cell)


def _shifts(margin: int, step: int) -> list[int]:
    """Offsets from 0 to twice the margin, no shift among them."""
    return sorted({*range(margin, -1, -step), *range(margin, 2 * margin + 1, step)})


def _nearest(
    distances: NDArray[np.float64], names: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Distance to the nearest, its ratio to that of the nearest of another group, and which it is."""
    nearest = distances.argmin(axis=1)
    first = distances.min(axis=1)
    second = np.where(names[None, :] == names[nearest][:, None], np.inf, distances).min(axis=1)
    return first, np.where(second > 0, first / np.where(second > 0, second, 1), 1.0), nearest
