"""All figures of one data set: every generator's cubes and the real ones, measured alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.metrics.angles import spectrum_angle
from napari_hsisynth.metrics.cumulative import cumulative_rows
from napari_hsisynth.metrics.distributions import directions
from napari_hsisynth.metrics.diversities import pairwise_distances
from napari_hsisynth.metrics.nearest import NEAR_PERCENTILE, NearestReal, nearest_real
from napari_hsisynth.metrics.patches import level_spread, projected_patches
from napari_hsisynth.metrics.resampling import Comparison, Floats, Statistic, compare

_PIXELS_PER_CUBE, _PATCHES_PER_CUBE = 1024, 64
_N_PROJECTIONS, _N_LEVELS = 64, 64
_N_SPLITS, _N_DRAWS = 200, 400


@dataclass(frozen=True, eq=False)
class Cubes:
    """A set of cubes with what is known of each.

    Parameters
    ----------
    images : ndarray, shape (n, bands, y, x)
        In the camera's values.
    diagnoses : ndarray of str, shape (n,)
        Of a sample: the one that was asked for.
    groups : ndarray of str, shape (n,)
        Patient or source cube of real ones.
    """

    images: NDArray[np.float32]
    diagnoses: NDArray[np.str_]
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Diversity:
    """Mean distance between cubes of one set.

    Parameters
    ----------
    value : float
        See `metrics.diversity`, in deviations of the real set.
    ci : (float, float)
        95 % interval, from drawing cubes anew; of the real set, the range over its halves.
    """

    value: float
    ci: tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """The figures of one generator beside held-out real cubes.

    Parameters
    ----------
    n : int
        Cubes.
    spectra : Comparison
        Sliced Wasserstein distance of pixel spectra, in the camera's unit.
    patches : Comparison
        That of patches, mean over the levels of the pyramid, in deviations of the real set.
    levels : tuple of Comparison
        That of each level, the finest first.
    class_angle : Comparison
        Angle between mean spectra of the same diagnosis, mean over the diagnoses, rad.
    diversity : Diversity
    nearest : NearestReal
        See `metrics.nearest_real`.
    """

    n: int
    spectra: Comparison
    patches: Comparison
    levels: tuple[Comparison, ...]
    class_angle: Comparison
    diversity: Diversity
    nearest: NearestReal


@dataclass(frozen=True)
class RealFigures:
    """What held-out real cubes show of themselves.

    Parameters
    ----------
    n, m : int
        Cubes, and cubes in each of two random halves.
    diversity : Diversity
    share_range : (float, float)
        95 % range of `NearestReal.share` of one half beside the other.
    """

    n: int
    m: int
    diversity: Diversity
    share_range: tuple[float, float]


def measure(
    train: Cubes,
    real: Cubes,
    made: Mapping[str, Cubes],
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[RealFigures, dict[str, Measured]]:
    """Measure sets of cubes against held-out real ones.

    Parameters
    ----------
    train, real : Cubes
        Training and held-out split.
    made : mapping of str to Cubes
        What each generator made, as many of each diagnosis as are held out.
    seed : int
        Of pixels, patches, directions and draws.
    progress : callable
        Told (done, total) sets.

    Returns
    -------
    real : RealFigures
    made : dict of str to Measured
        In the order of `made`.
    """
    spectra = _spectra([real, *made.values()], seed)
    patches, n_levels = _patches([real, *made.values()], seed)
    found: dict[str, Measured] = {}
    for position, (name, cubes) in enumerate(made.items(), start=1):
        progress(position - 1, len(made))
        comparing = partial(compare, groups=list(real.groups), seed=seed, n_splits=_N_SPLITS, n_draws=_N_DRAWS)
        levels = np.split(np.arange(len(patches.widths)), n_levels)
        classes = sorted(set(real.diagnoses))
        found[name] = Measured(
            n=len(cubes),
            spectra=comparing(spectra.rows[0], spectra.rows[position], spectra.statistic()),
            patches=comparing(patches.rows[0], patches.rows[position], patches.statistic()),
            levels=tuple(
                compare(
                    patches.rows[0][:, level],
                    patches.rows[position][:, level],
                    patches.statistic(level, n_levels),
                    groups=list(real.groups),
                    seed=seed,
                    n_splits=_N_SPLITS,
                    n_draws=50,
                )
                for level in levels
            ),
            class_angle=comparing(_by_class(real, classes), _by_class(cubes, classes), partial(_angle, len(classes))),
            diversity=_diversity(cubes, real, seed),
            nearest=nearest_real(cubes.images, train.images, real.images, groups=list(train.groups)),
        )
    progress(len(made), len(made))
    return _real_figures(real, next(iter(found.values())).nearest, seed), found


@dataclass(frozen=True, eq=False)
class _Distributions:
    """Cumulative rows of each set, see `cumulative_rows`."""

    rows: list[Floats]
    widths: Floats

    def statistic(self, columns: NDArray[np.intp] | None = None, scale: float = 1.0) -> Statistic:
        """The sliced Wasserstein distance, of all columns or of some."""
        widths = self.widths if columns is None else self.widths[columns] * scale
        return partial(_area_between, widths)


def _area_between(widths: Floats, first: Floats, second: Floats) -> Floats:
    return np.asarray(np.abs(first - second) @ widths)


def _distributions(values: list[list[NDArray[np.float32]]]) -> _Distributions:
    """Rows of sets, each a list of the numbers of its cubes; the levels are the same for all."""
    rows, widths = cumulative_rows([one for cubes in values for one in cubes], _N_LEVELS)
    return _Distributions(np.split(rows, np.cumsum([len(cubes) for cubes in values])[:-1]), widths)


def _spectra(sets: list[Cubes], seed: int) -> _Distributions:
    lines = directions(_N_PROJECTIONS, sets[0].images.shape[1], seed).T.astype(np.float32)
    values = []
    for cubes in sets:
        pixels = cubes.images.reshape(*cubes.images.shape[:2], -1)
        places = [np.random.default_rng([seed, k]).permutation(pixels.shape[2]) for k in range(len(cubes))]
        chosen = [one[:, place[:_PIXELS_PER_CUBE]].T for one, place in zip(pixels, places, strict=True)]
        values.append([one @ lines for one in chosen])
    return _distributions(values)


def _patches(sets: list[Cubes], seed: int) -> tuple[_Distributions, int]:
    """Distributions of patches, level by level one after another in the rows, and how many levels there are."""
    spread = level_spread(sets[0].images)
    projected = [
        projected_patches(
            cubes.images, spread, patches_per_cube=_PATCHES_PER_CUBE, n_projections=_N_PROJECTIONS, seed=seed
        )
        for cubes in sets
    ]
    levels = [_distributions([list(one[number]) for one in projected]) for number in range(len(spread))]
    rows = [np.concatenate([level.rows[k] for level in levels], axis=1) for k in range(len(sets))]
    return _Distributions(rows, np.concatenate([level.widths for level in levels]) / len(levels)), len(levels)


def _by_class(cubes: Cubes, classes: list[str]) -> Floats:
    """A cube's mean spectrum and a one where its class stands, zeros elsewhere: the means of these rows hold all that
    the mean spectra of the classes need.
    """
    spectra = cubes.images.mean(axis=(2, 3), dtype=np.float64)
    one_hot = (cubes.diagnoses[:, None] == np.array(classes)).astype(np.float64)
    sums = (one_hot[:, :, None] * spectra[:, None, :]).reshape(len(cubes), -1)
    return np.concatenate([sums, one_hot], axis=1)


def _angle(classes: int, first: Floats, second: Floats) -> Floats:
    """Mean over the classes of the angle between their mean spectra; NaN where a draw has none of a class."""
    means = []
    for rows in (first, second):
        sums, counts = rows[:, :-classes].reshape(len(rows), classes, -1), rows[:, -classes:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append(sums / counts)
    return np.asarray(spectrum_angle(*means)).mean(axis=1)


def _diversity(cubes: Cubes, real: Cubes, seed: int) -> Diversity:
    distances = np.asarray(pairwise_distances(cubes.images, reference=real.images))
    rng, n = np.random.default_rng(seed), len(distances)
    weights = np.stack([np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(_N_DRAWS)]).astype(float)
    pairs = n**2 - (weights**2).sum(axis=1)  # of two different cubes: a cube drawn twice is no pair
    drawn = np.einsum("dn,nm,dm->d", weights, distances, weights, optimize=True) / pairs
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Diversity(float(distances.sum() / (n * (n - 1))), (float(low), float(high)))


def _real_figures(real: Cubes, nearest: NearestReal, seed: int) -> RealFigures:
    n = len(real)
    m = n // 2
    distances = np.asarray(pairwise_distances(real.images, reference=real.images))
    rng = np.random.default_rng(seed)
    halves, shares = [], []
    for _ in range(_N_SPLITS):
        order = rng.permutation(n)
        one, other = order[:m], order[-m:]
        halves.append(distances[np.ix_(one, one)].sum() / (m * (m - 1)))
        limit = np.percentile(nearest.held_out_ratio[other], NEAR_PERCENTILE)
        shares.append(float(np.mean(nearest.held_out_ratio[one] < limit)))
    low, high = np.percentile(halves, (2.5, 97.5))
    share_low, share_high = np.percentile(shares, (2.5, 97.5))
    value = float(distances.sum() / (n * (n - 1)))
    return RealFigures(n, m, Diversity(value, (float(low), float(high))), (float(share_low), float(share_high)))
