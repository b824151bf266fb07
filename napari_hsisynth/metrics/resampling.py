"""How certain a distance between two sets is: floor, bootstrap interval and permutation test, all over cubes.

Every statistic here compares the *mean features* of two sets of cubes, with one row of features per cube: mean spectra
for angles, cumulative distributions for Wasserstein distances, one number for total variation. Drawing cubes anew is
then drawing weights anew, and a thousand draws are one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Takes mean features of both sets, each (draws, features), and returns one value per draw, (draws,).
Statistic = Callable[[Floats, Floats], Floats]

#: A random half has at least two cubes; below, a floor would be the distance between two single cubes.
SMALLEST_HALF = 2

_AT_A_TIME = 100


@dataclass(frozen=True)
class Comparison:
    """A statistic between two sets of cubes, and what it would be without a difference.

    Parameters
    ----------
    value : float or None
        Between all cubes of both sets; None where it is not defined.
    ci : (float, float) or None
        95 % interval, from drawing cubes of both sets anew. Replicates are shifted so that their median is the value:
        drawing with repetition makes sets look further apart than they are.
    floor : float or None
        Mean over random splits of the statistic between two halves of the real set, `m` cubes each.
    floor_range : (float, float) or None
        2.5th and 97.5th percentile over these splits.
    value_at_m : float or None
        Mean of the statistic between `m` real and `m` synthetic cubes drawn at random: the one to hold against `floor`.
    m : int or None
        Cubes per side.
    p_value : float or None
        Of a permutation test: how often the statistic is at least as extreme when real and synthetic cubes are
        mixed at random.
    n_real, n_synthetic : int
        Cubes that had finite features; the others are left out.
    note : str
        Why something is None.
    """

    value: float | None
    ci: tuple[float, float] | None
    floor: float | None
    floor_range: tuple[float, float] | None
    value_at_m: float | None
    m: int | None
    p_value: float | None
    n_real: int
    n_synthetic: int
    note: str = ""


def compare(
    real: Floats,
    synthetic: Floats,
    statistic: Statistic,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    n_splits: int = 200,
    n_draws: int = 1000,
    extremeness: Callable[[Floats], Floats] | None = None,
) -> Comparison:
    """Compare two sets of cubes by the statistic between their mean features.

    Parameters
    ----------
    real, synthetic : ndarray, shape (n, features) and (m, features)
        One row per cube; rows that are not finite are left out and counted.
    statistic : callable
        See `Statistic`.
    groups : sequence of str, optional
        Patient or source cube of every real row: what is drawn as a whole, since crops of one patient are not
        independent. By default every row is its own.
    seed : int
        Of all draws.
    n_splits : int
        Random splits for the floor, and draws at `m`.
    n_draws : int
        Replicates of the bootstrap and of the permutation test.
    extremeness : callable, optional
        How far a value is from "no difference"; the value itself by default, which suits distances. A ratio wants the
        absolute value of its logarithm. The floor is then of the larger half over the smaller one.

    Returns
    -------
    Comparison
        With None and a note where there are too few cubes; never a made-up number.
    """
    real, synthetic = np.asarray(real, np.float64), np.asarray(synthetic, np.float64)
    names = np.asarray(groups if groups is not None else [str(i) for i in range(len(real))])
    kept = np.isfinite(real).all(axis=1)
    real, names = real[kept], names[kept]
    synthetic = synthetic[np.isfinite(synthetic).all(axis=1)]
    n, n_synthetic = len(real), len(synthetic)
    far = extremeness or (lambda values: values)
    if not (n and n_synthetic):
        side = "real" if not n else "synthetic"
        return Comparison(None, None, None, None, None, None, None, n, n_synthetic, f"no {side} cube can be measured")
    value = float(statistic(real.mean(axis=0)[None], synthetic.mean(axis=0)[None])[0])
    if not np.isfinite(value):
        return Comparison(None, None, None, None, None, None, None, n, n_synthetic, "not defined for these cubes")
    m = min(n // 2, n_synthetic)
    drawn_together = _Groups(names)
    independent = drawn_together.count
    if n < 2 * SMALLEST_HALF or m < SMALLEST_HALF or independent < 2 * SMALLEST_HALF:
        what = f"{n} real cubes" if independent == n else f"{n} real crops of {independent} patients or cubes"
        what = f"{n_synthetic} synthetic cube{'s' * (n_synthetic != 1)}" if n >= 4 and m < SMALLEST_HALF else what
        note = f"only {what}: too few for a floor and an interval (4 real and 2 synthetic at least)"
        return Comparison(value, None, None, None, None, None, None, n, n_synthetic, note)
    rng = np.random.default_rng(seed)
    pooled = np.concatenate([real, synthetic])
    all_together = _Groups(np.concatenate([names, [f"synthetic {i}" for i in range(n_synthetic)]]))

    def over(first: list[NDArray[np.intp]], second: list[NDArray[np.intp]]) -> Floats:
        """The statistic between two lists of draws, rows of `pooled`; some at a time, to bound the memory."""
        parts = [slice(start, start + _AT_A_TIME) for start in range(0, len(first), _AT_A_TIME)]
        values = np.concatenate([statistic(_means(pooled, first[p]), _means(pooled, second[p])) for p in parts])
        return values[np.isfinite(values)]

    shuffles = [drawn_together.shuffled(rng) for _ in range(n_splits)]
    halves = over([order[:m] for order in shuffles], [order[-m:] for order in shuffles])
    if extremeness is not None:
        halves = np.exp(far(halves))
    at_m = over(
        [drawn_together.shuffled(rng)[:m] for _ in range(n_splits)],
        [n + rng.permutation(n_synthetic)[:m] for _ in range(n_splits)],
    )
    drawn = over(
        [drawn_together.with_repetition(rng) for _ in range(n_draws)],
        [n + rng.integers(n_synthetic, size=n_synthetic) for _ in range(n_draws)],
    )
    mixed = [all_together.shuffled(rng) for _ in range(n_draws)]
    permuted = far(over([order[:n] for order in mixed], [order[n:] for order in mixed]))
    here = float(far(np.array([value]))[0])
    low, high = np.percentile(drawn, (2.5, 97.5)) - np.median(drawn) + value
    floor_low, floor_high = np.percentile(halves, (2.5, 97.5))
    notes = []
    if m < n // 2:
        notes.append(f"halves cut to {m} cubes, as many as are synthetic")
    return Comparison(
        value=value,
        ci=(max(float(low), 0.0), float(high)),
        floor=float(halves.mean()),
        floor_range=(float(floor_low), float(floor_high)),
        value_at_m=float(at_m.mean()),
        m=m,
        p_value=float((1 + np.sum(permuted >= here * (1 - 1e-12))) / (1 + len(permuted))),
        n_real=n,
        n_synthetic=n_synthetic,
        note="; ".join(notes),
    )


def interval_of_mean(
    values: Floats, *, groups: Sequence[str] | None = None, seed: int = 0, n_draws: int = 2000
) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of the mean of one number per cube; None for fewer than 4 groups.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Numbers that are not finite are left out.
    groups : sequence of str, optional
        Patient or cube of every value, drawn as a whole.
    seed, n_draws : int
        Of the draws.
    """
    values = np.asarray(values, np.float64)
    names = np.asarray(groups if groups is not None else [str(i) for i in range(len(values))])
    kept = np.isfinite(values)
    values, names = values[kept], names[kept]
    if len(np.unique(names)) < 2 * SMALLEST_HALF:
        return None
    together = _Groups(names)
    rng = np.random.default_rng(seed)
    low, high = np.percentile([values[together.with_repetition(rng)].mean() for _ in range(n_draws)], (2.5, 97.5))
    return float(low), float(high)


class _Groups:
    """Rows that are drawn together.

    Parameters
    ----------
    names : ndarray of str, shape (n,)
        Group of every row.
    """

    def __init__(self, names: NDArray[np.str_]) -> None:
        _, self.of_row = np.unique(names, return_inverse=True)
        self.count = int(self.of_row.max()) + 1
        self.rows = [np.flatnonzero(self.of_row == k) for k in range(self.count)]

    def shuffled(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """All rows in random order, those of one group beside each other: a cut then divides one group at most."""
        return np.lexsort((rng.random(len(self.of_row)), rng.permutation(self.count)[self.of_row]))

    def with_repetition(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """As many groups as there are, drawn with repetition, with all their rows."""
        return np.concatenate([self.rows[k] for k in rng.integers(self.count, size=self.count)])


def _means(rows: Floats, draws: list[NDArray[np.intp]]) -> Floats:
    """Mean of the drawn rows, (draws, features), as one product of weights and rows."""
    weights = np.stack([np.bincount(draw, minlength=len(rows)) / len(draw) for draw in draws])
    return weights @ rows
