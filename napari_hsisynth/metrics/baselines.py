"""A model beside what it has to beat, on the same cubes: paired differences and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_hsisynth.metrics.evaluation import Interval, Measure
from napari_hsisynth.metrics.findings import number
from napari_hsisynth.metrics.resampling import interval_of_mean

#: Named in the finding, in this order, where they could be measured.
_IN_WORDS = {"spectral_angle": "spectral angle", "rmse": "RMSE", "ssim": "SSIM", "psnr": "PSNR"}


def beside(
    values: Sequence[float],
    baselines: Mapping[str, Sequence[float]],
    *,
    better: str,
    groups: Sequence[str] | None,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """One measure of a model and of its baselines.

    Parameters
    ----------
    values : sequence of float
        Of the model, one per cube.
    baselines : mapping of str to sequence of float
        Of each baseline, for the same cubes.
    better : {"lower", "higher", "one"}
        What a good figure is. Where 1 is best there is no difference: its sign would say nothing.
    groups : sequence of str, optional
        Patient or cube of every value, drawn as a whole.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to dict
        For each baseline its mean ``value`` with ``ci``, and ``difference`` with ``value`` (mean over the cubes of
        model minus baseline), ``ci`` and ``n``. Intervals are 95 % bootstraps over groups, None for fewer than 4.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, theirs in baselines.items():
        mean, ci, _ = _mean(theirs, groups, seed)
        found[name] = {"value": mean, "ci": ci}
        if better != "one":
            mean, ci, n = _mean(np.subtract(values, theirs), groups, seed)
            found[name]["difference"] = {"value": mean, "ci": ci, "n": n}
    return found


def verdict(measure: Measure, difference: Mapping[str, Any]) -> str:
    """Return "better" or "worse" where the interval of a difference leaves out 0, and else an empty text."""
    if difference["value"] is None or difference["ci"] is None:
        return ""
    low, high = difference["ci"]
    if low <= 0 <= high:
        return ""
    return "better" if (high < 0) == (measure.better == "lower") else "worse"


def baseline_findings(metrics: Mapping[str, Measure]) -> tuple[str, ...]:
    """Say for each baseline whether the model is better, worse, or not to be told from it."""
    names = next(iter(metrics.values())).more.get("baselines", {}) if metrics else {}
    return tuple(sentence for name in names if (sentence := _sentence(name, metrics)))


def signed(value: float | None, unit: str = "") -> str:
    """Write a difference: as `number`, with a sign that is not a hyphen.

    Examples
    --------
    >>> signed(-0.5, "rad"), signed(0.25)
    ('−28.6°', '0.250')
    """
    return number(value, unit) if value is None or value >= 0 else f"−{number(-value, unit)}"


def signed_span(interval: Interval | None, unit: str = "") -> str:
    """Write the interval of a difference."""
    return "–" if interval is None else f"{signed(interval[0], unit)} to {signed(interval[1], unit)}"


def _sentence(name: str, metrics: Mapping[str, Measure]) -> str:
    said = []
    for key, words in _IN_WORDS.items():
        if key in metrics and metrics[key].more.get("baselines"):
            said.append(_clause(words, metrics[key], metrics[key].more["baselines"][name]["difference"]))
    told = [one for one in said if one]
    return f"The model beside {name}, on the same cubes: {'; '.join(told)}." if told else ""


def _clause(words: str, measure: Measure, difference: Mapping[str, Any]) -> str:
    value, ci, unit = difference["value"], difference["ci"], measure.unit
    if value is None:
        return ""
    if ci is None:
        return f"{words} differs by {signed(value, unit)}, with too few independent cubes for an interval"
    word = verdict(measure, difference)
    if not word:
        return f"{words} not distinguishable (difference {signed(value, unit)}, 95 % interval {signed_span(ci, unit)})"
    low, high = sorted(abs(end) for end in ci)
    return f"{words} {word} by {number(abs(value), unit)} (95 % interval {number(low, unit)} to {number(high, unit)})"


def _mean(
    values: Sequence[float] | np.ndarray, groups: Sequence[str] | None, seed: int
) -> tuple[float | None, Interval | None, int]:
    taken = np.asarray(values, np.float64)
    finite = taken[np.isfinite(taken)]
    if not len(finite):
        return None, None, 0
    return float(finite.mean()), interval_of_mean(taken, groups=groups, seed=seed), len(finite)
