"""Do the phantoms keep what they promise? Class means, overlap of the classes, ranges, and how fast they are made."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics.phantom import lesion_phantom, phantom_series
from napari_hsisynth.optics.sensor import SENSORS, WAVELENGTHS_NM
from napari_hsisynth.optics.tables import table

POSITIVE, NEGATIVE = "melanoma", "dysplastic_nevus"
#: Where the area under the curve of a linear classifier on mean lesion spectra shall lie.
WANTED_AUC = (0.77, 0.83)
SPEED_BASELINE = "numpy.random.Generator.standard_normal: the same number of float32 values, nothing else"


def linear_auc(positive: ArrayLike, negative: ArrayLike, *, folds: int = 5) -> float:
    """Area under the ROC curve of a cross-validated linear classifier.

    Fisher's discriminant with its within-class covariance shrunk by 1e-4 of its mean variance; what it scores was never
    in what it learned from.

    Parameters
    ----------
    positive, negative : array_like, shape (n, features)
        The two classes, in random order: every `folds`-th one is left out in turn.
    folds : int
        2 or more.

    Returns
    -------
    float
        Mean over the folds; .5 is chance, 1 is no overlap. Ties count half.

    Raises
    ------
    InputError
        If a class has too few examples for that many folds.

    Examples
    --------
    >>> apart = np.arange(20.0)[:, None]
    >>> linear_auc(apart + 100, apart)
    1.0
    """
    groups = [np.asarray(each, np.float64) for each in (positive, negative)]
    if folds < 2 or min(map(len, groups)) < 2 * folds:
        raise InputError(f"{folds} folds need {2 * max(folds, 2)} examples or more of each class")
    areas = []
    for fold in range(folds):
        left_out = [np.arange(len(each)) % folds == fold for each in groups]
        known = [each[~out] for each, out in zip(groups, left_out, strict=True)]
        within = (np.atleast_2d(np.cov(known[0].T)) + np.atleast_2d(np.cov(known[1].T))) / 2
        within = within + 1e-4 * np.trace(within) / len(within) * np.eye(len(within))
        direction = np.linalg.solve(within, known[0].mean(0) - known[1].mean(0))
        hits, misses = (each[out] @ direction for each, out in zip(groups, left_out, strict=True))
        ahead = hits[:, None] - misses
        areas.append(np.mean(ahead > 0) + np.mean(ahead == 0) / 2)
    return float(np.mean(areas))


def phantom_figures(
    per_class: int = 200,
    shape: tuple[int, int] = (64, 96),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure phantoms of melanoma and dysplastic nevus against the published figures of the real data.

    Parameters
    ----------
    per_class : int
        Phantoms of each kind, 10 or more. With 200 the standard error of the areas is about .02.
    shape : tuple of int
        Height and width, px. Spectra hardly depend on it, the time does.
    seed : int
        Of the series.
    progress : callable, optional
        Called with phantoms done and in all.

    Returns
    -------
    dict
        JSON types. ``auc``: `linear_auc` of mean spectra of the first lesion, by sensor; ``auc_wanted``: where it shall
        lie. ``means``: a row per class and band under ``sensor="hsidermoscopy"`` with ``class``, ``wavelength_nm``,
        ``mean``, ``published_mean``, ``published_std``, ``off`` (in published standard deviations) and ``within``
        (true up to 1). ``ranges``: a row per band with ``p1``, ``p99`` and ``max`` of the pixels beside the published
        ones, which are of crops round the lesions. ``shares``: of cubes with hair, with several lesions and with values
        below 0, and of pixels that shine.
    """
    kinds = (POSITIVE, NEGATIVE)
    total, done = per_class * len(kinds) * len(SENSORS), 0
    lesions: dict[tuple[str, str], NDArray[np.float64]] = {}
    skin: list[NDArray[np.float64]] = []
    pixels: list[NDArray[np.float32]] = []
    facts: list[list[float]] = []
    for sensor in SENSORS:
        for kind in kinds:
            spectra = []
            for _, made in phantom_series(per_class, shape, seed, sensor, [kind]):
                spectra.append(made.cube.data[:, made.instances == 1].mean(axis=1, dtype=np.float64))
                if sensor != "ideal":
                    skin.append(made.cube.data[:, ~made.mask].mean(axis=1, dtype=np.float64))
                    pixels.append(made.cube.data[:, ::2, ::2].reshape(len(WAVELENGTHS_NM), -1))
                    shines = float((made.specular > 0.5).mean())
                    found = (bool(made.hair.any()), len(made.kinds) > 1, bool(made.cube.data.min() < 0))
                    facts.append([*map(float, found), shines])
                done += 1
                if progress is not None:
                    progress(done, total)
            lesions[sensor, kind] = np.array(spectra)
    camera = SENSORS[-1]
    measured = {"skin": np.array(skin)} | {kind: lesions[camera, kind] for kind in kinds}
    shares = np.mean(facts, axis=0)
    return {
        "per_class": per_class,
        "shape": list(shape),
        "seed": seed,
        "auc": {each: linear_auc(*(lesions[each, kind] for kind in kinds)) for each in SENSORS},
        "auc_wanted": list(WANTED_AUC),
        "means": [row for name, spectra in measured.items() for row in _rows_of(name, spectra)],
        "ranges": _ranges(np.concatenate(pixels, axis=1)),
        "shares": dict(zip(("hair", "several_lesions", "below_0", "specular_pixels"), shares.tolist(), strict=True)),
    }


def _rows_of(name: str, spectra: NDArray[np.float64]) -> list[dict[str, Any]]:
    published = table("hsidermoscopy")
    rows = []
    for band, wavelength in enumerate(WAVELENGTHS_NM):
        centre, spread = float(published[f"{name}_mean"][band]), float(published[f"{name}_std"][band])
        mean = float(spectra[:, band].mean())
        off = (mean - centre) / spread
        row: dict[str, Any] = {"class": name, "band": band, "wavelength_nm": float(wavelength)}
        row |= {"mean": mean, "std": float(spectra[:, band].std()), "published_mean": centre, "published_std": spread}
        rows.append(row | {"off": off, "within": abs(off) <= 1})
    return rows


def _ranges(pixels: NDArray[np.float32]) -> list[dict[str, float]]:
    published = table("hsidermoscopy")
    low, high = np.percentile(pixels, (1, 99), axis=1)
    found = {"p1": low, "p99": high, "max": pixels.max(axis=1)}
    rows = []
    for band, wavelength in enumerate(WAVELENGTHS_NM):
        row = {"band": band, "wavelength_nm": float(wavelength)}
        for name, values in found.items():
            row |= {name: float(values[band]), f"published_{name}": float(published[name][band])}
        rows.append(row)
    return rows


def phantom_speed(shape: tuple[int, int] = (256, 512), seconds: float = 3.0) -> dict[str, Any]:
    """Measure how many phantoms are made in a second, beside filling an array of the same size with noise.

    Parameters
    ----------
    shape : tuple of int
        Height and width, px.
    seconds : float
        How long to measure each of the three, wall time. They take turns, so that a busy moment hits all.

    Returns
    -------
    dict
        JSON types. ``cubes_per_cpu_s`` and ``cubes_per_wall_s``: by sensor and of the ``baseline``, of this process
        with all its threads; ``baseline``: what it is; ``times_baseline``: CPU time of a cube over that of the
        baseline; ``cubes``: how many were made.
    """
    rng, values = np.random.default_rng(0), np.empty((len(WAVELENGTHS_NM), *shape), np.float32)

    def make(name: str, number: int) -> None:
        if name == "baseline":
            rng.standard_normal(out=values, dtype=np.float32)
        else:
            lesion_phantom((POSITIVE, NEGATIVE)[number % 2], shape, number, name)

    jobs = (*SENSORS, "baseline")
    counts, cpu, wall = dict.fromkeys(jobs, 0), dict.fromkeys(jobs, 0.0), dict.fromkeys(jobs, 0.0)
    for name in jobs:
        make(name, 0)  # tables and plans
    while min(wall.values()) < seconds:
        for name in jobs:
            began, cpu_began = time.perf_counter(), time.process_time()
            make(name, counts[name])
            cpu[name] += time.process_time() - cpu_began
            wall[name] += time.perf_counter() - began
            counts[name] += 1
    rates = {name: counts[name] / cpu[name] for name in jobs}
    return {
        "shape": list(shape),
        "cubes": counts,
        "cubes_per_cpu_s": rates,
        "cubes_per_wall_s": {name: counts[name] / wall[name] for name in jobs},
        "baseline": SPEED_BASELINE,
        "times_baseline": {each: rates["baseline"] / rates[each] for each in SENSORS},
    }
