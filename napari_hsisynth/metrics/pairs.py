"""`evaluate_pairs`: how well reconstructions repeat their originals, cube by cube."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.angles import spectral_angle, spectral_angle_map
from napari_hsisynth.metrics.baselines import baseline_findings, beside
from napari_hsisynth.metrics.deviations import psnr, rase, rmse
from napari_hsisynth.metrics.evaluation import Evaluation, Measure, PairPicture, Picture, Spectrum, json_ready
from napari_hsisynth.metrics.findings import number, span
from napari_hsisynth.metrics.pictures import colours
from napari_hsisynth.metrics.resampling import interval_of_mean
from napari_hsisynth.metrics.structure import ssim, total_variation

#: name: label, unit, what is better
_MEASURES: dict[str, tuple[str, str, Any]] = {
    "spectral_angle": ("Spectral angle per pixel", "rad", "lower"),
    "spectral_angle_lesion": ("Spectral angle per pixel, lesion", "rad", "lower"),
    "spectral_angle_skin": ("Spectral angle per pixel, skin", "rad", "lower"),
    "psnr": ("PSNR", "dB", "higher"),
    "ssim": ("SSIM, mean over bands", "", "higher"),
    "rmse": ("RMSE", "", "lower"),
    "rase": ("RASE", "%", "lower"),
    "total_variation_ratio": ("Total variation, reconstruction / original", "", "one"),
}

_SMALLEST_FOR_SSIM_PX = 11

#: A reconstruction that is better than the trivial one by less than this share has learned nothing.
_NO_BETTER = 0.01


def evaluate_pairs(
    originals: ArrayLike,
    reconstructions: ArrayLike,
    wavelengths_nm: ArrayLike,
    masks: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    baselines: Mapping[str, ArrayLike] | None = None,
    trained_on: int = 0,
    notes: Sequence[str] = (),
    compared: Mapping[str, str] | None = None,
    phantom: bool = False,
    colour: str = "#999999",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure reconstructions against their originals.

    Beside every figure stands that of the trivial reconstruction, which gives every pixel the mean spectrum of all
    originals: a model worth its name beats it. Baselines are measured in the same way, and compared cube by cube.

    Parameters
    ----------
    originals, reconstructions : array_like, shape (n, bands, y, x)
        Pairs, at the size and in the unit of the data. The data range of PSNR and SSIM is that of the originals.
    wavelengths_nm : array_like, shape (bands,)
        Band centres, nm.
    masks : array_like of bool, shape (n, y, x), optional
        Lesions of the originals; lesion and skin are then also measured apart, of those whose mask is not empty.
    names, groups : sequence of str, optional
        Name of every pair, and its patient or source cube, drawn as a whole for the intervals.
    baselines : mapping of str to array_like, optional
        Other reconstructions of the same originals, by name: what the model has to beat.
    trained_on : int
        How many of the originals the model was trained on; the report says so.
    notes : sequence of str
        What else the reader must know.
    compared : mapping, optional
        In words, for the head of the report.
    phantom : bool
        The originals are simulated.
    colour : str
        Of the diagnosis.
    seed : int
        Of the bootstrap.
    progress : callable, optional
        Called with (done, total) pairs.

    Returns
    -------
    Evaluation
        Of kind "pairs".

    Raises
    ------
    InputError
        If there are no pairs, or the shapes do not match.
    """
    target, prediction = np.asarray(originals), np.asarray(reconstructions)
    wavelengths = np.asarray(wavelengths_nm, np.float64)
    if target.ndim != 4 or not len(target):
        raise InputError(f"originals of shape {target.shape}", fix="(n, bands, y, x) with n of 1 or more is needed")
    if prediction.shape != target.shape:
        raise InputError(
            f"originals {target.shape} and reconstructions {prediction.shape} are not pairs", fix="pass equal shapes"
        )
    if len(wavelengths) != target.shape[1]:
        raise InputError(f"{len(wavelengths)} wavelengths for {target.shape[1]} bands")
    inside = None if masks is None else np.asarray(masks, bool)
    if inside is not None and inside.shape != (len(target), *target.shape[2:]):
        raise InputError(f"masks of shape {inside.shape} for originals of {target.shape}")
    names = [f"pair {i + 1}" for i in range(len(target))] if names is None else list(names)
    finite = target[np.isfinite(target)]
    extent = float(finite.max() - finite.min()) if finite.size else 0.0
    if extent <= 0:
        raise InputError("the originals hold one value only", fix="check the cubes")
    average = np.asarray(np.nanmean(np.where(np.isfinite(target), target, np.nan), axis=(0, 2, 3), dtype=np.float64))
    trivial = np.broadcast_to(average[:, None, None], target.shape[1:]).astype(np.float32)
    others = {name: np.asarray(made) for name, made in (baselines or {}).items()}
    for name, made in others.items():
        if made.shape != target.shape:
            raise InputError(f"originals {target.shape} and {name} {made.shape} are not pairs", fix="pass equal shapes")
    rows: list[dict[str, float]] = []
    trivial_rows: list[dict[str, float]] = []
    other_rows: dict[str, list[dict[str, float]]] = {name: [] for name in others}
    for k in range(len(names)):
        mask = None if inside is None else inside[k]
        rows.append(_measured(prediction[k], target[k], mask, extent))
        trivial_rows.append(_measured(trivial, target[k], mask, extent))
        for name, made in others.items():
            other_rows[name].append(_measured(made[k], target[k], mask, extent))
        if progress is not None:
            progress(k + 1, len(names))
    metrics = {}
    for key in _MEASURES:
        if key in rows[0]:
            values = [row[key] for row in rows]
            theirs = {name: [row[key] for row in measured] for name, measured in other_rows.items()}
            metrics[key] = _summary(key, values, [row[key] for row in trivial_rows], theirs, groups, seed)
    notes = [f"data range of PSNR and SSIM: {extent:.4g}, maximum minus minimum of all originals", *notes]
    if min(target.shape[2:]) < _SMALLEST_FOR_SSIM_PX:
        notes.append("no SSIM: it needs images of 11 x 11 px at least")
    return Evaluation(
        kind="pairs",
        n_real=len(target),
        n_synthetic=len(target),
        metrics=metrics,
        compared={"pairs": f"{len(target)} originals and their reconstructions", **(compared or {})}
        | {"size": f"{target.shape[2]} x {target.shape[3]} px"},
        findings=(*_seen_in_training(trained_on, len(target)), *_findings(metrics), *baseline_findings(metrics)),
        notes=tuple(notes),
        phantom=phantom,
        colour=colour,
        wavelengths_nm=wavelengths,
        spectra=_spectra(target, prediction, inside),
        pair_pictures=_pictures(target, prediction, wavelengths, names, [row["spectral_angle"] for row in rows]),
        per_cube=tuple(
            {"cube": cube}
            | json_ready(rows[k])
            | {f"{name} {key}": value for name in others for key, value in json_ready(other_rows[name][k]).items()}
            for k, cube in enumerate(names)
        ),
    )


def _measured(
    prediction: NDArray[np.floating], target: NDArray[np.floating], mask: NDArray[np.bool_] | None, extent: float
) -> dict[str, float]:
    values = {
        "spectral_angle": float(spectral_angle(prediction, target)),
        "psnr": float(psnr(prediction, target, data_range=extent)),
        "rmse": float(rmse(prediction, target)),
        "rase": float(rase(prediction, target)),
    }
    if mask is not None:
        values["spectral_angle_lesion"] = float(spectral_angle(prediction, target, mask=mask))
        values["spectral_angle_skin"] = float(spectral_angle(prediction, target, mask=_skin(mask[None])[0]))
    if min(target.shape[1:]) >= _SMALLEST_FOR_SSIM_PX:
        values["ssim"] = float(ssim(prediction, target, data_range=extent))
    variation = float(total_variation(target))
    values["total_variation_ratio"] = float(total_variation(prediction)) / variation if variation > 0 else np.nan
    return values


def _skin(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What lies outside of lesions, (n, y, x); in a cube without a mask nobody knows what is skin: nothing."""
    skin: NDArray[np.bool_] = ~masks & masks.any(axis=(1, 2), keepdims=True)
    return skin


def _summary(
    key: str,
    values: list[float],
    trivial: list[float],
    others: Mapping[str, list[float]],
    groups: Sequence[str] | None,
    seed: int,
) -> Measure:
    label, unit, better = _MEASURES[key]
    taken = np.array(values)
    finite = taken[np.isfinite(taken)]
    notes = []
    if len(finite) < len(taken):
        notes.append(f"not defined for {len(taken) - len(finite)} of {len(taken)} pairs, which are left out")
    if not len(finite):
        return Measure(label, unit, None, 0, better=better, note="; ".join(notes))
    ci = interval_of_mean(taken, groups=groups, seed=seed)
    if ci is None:
        notes.append("fewer than 4 independent pairs: no interval")
    base = np.array(trivial)
    base = base[np.isfinite(base)]
    low, median, high = (float(v) for v in np.percentile(finite, (25, 50, 75)))
    more: dict[str, Any] = {
        "median": median,
        "iqr": (low, high),
        "trivial": float(base.mean()) if len(base) else None,
    }
    if others:
        more["baselines"] = beside(values, others, better=better, groups=groups, seed=seed)
    return Measure(label, unit, float(finite.mean()), len(finite), ci, None, better, "; ".join(notes), more)


def _seen_in_training(trained_on: int, count: int) -> tuple[str, ...]:
    if not trained_on:
        return ()
    which = f"All {count} cubes" if trained_on == count else f"{trained_on} of the {count} cubes"
    return (
        f"{which} were in the model's training split: the figures say how well it remembers them, not what it makes of "
        "new ones.",
    )


def _findings(metrics: dict[str, Measure]) -> tuple[str, ...]:
    said = []
    angle, noise, variation = metrics["spectral_angle"], metrics["psnr"], metrics["total_variation_ratio"]
    if angle.value is None:
        return ("No pair has a spectral angle: all pixels are zero or not finite.",)
    trivial = angle.more["trivial"]
    said.append(
        f"A reconstructed pixel's spectrum is {number(angle.value, 'rad')} from the original on average (median of the "
        f"{angle.n} cubes {number(angle.more['median'], 'rad')}, middle half {span(angle.more['iqr'], 'rad')}); giving "
        f"every pixel the mean spectrum of all originals would be {number(trivial, 'rad')} away."
    )
    lesion, skin = metrics.get("spectral_angle_lesion"), metrics.get("spectral_angle_skin")
    if lesion and skin and lesion.value is not None and skin.value is not None:
        said.append(f"Inside the lesions it is {number(lesion.value, 'rad')}, on skin {number(skin.value, 'rad')}.")
    if trivial is not None and angle.value > (1 - _NO_BETTER) * trivial:
        said.append("The model does not beat the trivial reconstruction in spectral angle.")
    if noise.value is not None:
        similar = metrics.get("ssim")
        also = (
            f", SSIM {number(similar.value)} (trivial {number(similar.more['trivial'])})"
            if similar and similar.value
            else ""
        )
        said.append(
            f"PSNR is {number(noise.value, 'dB')} (trivial {number(noise.more['trivial'], 'dB')}){also}, RASE "
            f"{number(metrics['rase'].value, '%')} (trivial {number(metrics['rase'].more.get('trivial'), '%')})."
        )
    if variation.value is not None:
        low, high = variation.ci or (variation.value, variation.value)
        word = "smoother" if high < 1 else "rougher" if low > 1 else "as rough"
        said.append(
            f"Reconstructions have {number(variation.value)} times the total variation of their originals: they are "
            + word
            + (" than these." if word != "as rough" else " as these, within the interval.")
        )
    return tuple(said)


def _spectra(
    target: NDArray[np.floating], prediction: NDArray[np.floating], masks: NDArray[np.bool_] | None
) -> tuple[Spectrum, ...]:
    every = np.ones((len(target), *target.shape[2:]), bool)
    regions = {"all": every} if masks is None else {"lesion": masks, "skin": _skin(masks)}
    spectra = []
    for region, where in regions.items():
        for data, synthetic in ((target, False), (prediction, True)):
            rows = np.stack(
                [
                    cube[:, inside & np.isfinite(cube).all(axis=0)].mean(axis=1, dtype=np.float64)
                    for cube, inside in zip(data, where, strict=True)
                    if (inside & np.isfinite(cube).all(axis=0)).any()
                ]
                or [np.full(data.shape[1], np.nan)]
            )
            if np.isfinite(rows).all():
                spectra.append(Spectrum(region, synthetic, rows.mean(axis=0), rows.std(axis=0), len(rows)))
    return tuple(spectra)


def _pictures(
    target: NDArray[np.floating],
    prediction: NDArray[np.floating],
    wavelengths_nm: NDArray[np.float64],
    names: Sequence[str],
    angles: Sequence[float],
) -> tuple[PairPicture, ...]:
    order = [int(k) for k in np.argsort(angles) if np.isfinite(angles[k])]
    if not order:
        return ()
    chosen = dict(zip(("best", "median", "worst"), (order[0], order[len(order) // 2], order[-1]), strict=True))
    if len(order) < 3:
        chosen = {"best": order[0], "worst": order[-1]} if len(order) == 2 else {"only": order[0]}
    cubes = [Cube(data[k], wavelengths_nm, name=names[k]) for k in chosen.values() for data in (target, prediction)]
    images = colours(cubes)
    return tuple(
        PairPicture(
            title=f"{word}: {names[k]}, {number(float(angles[k]), 'rad')}",
            original=Picture(names[k], images[2 * i]),
            reconstruction=Picture(f"reconstruction of {names[k]}", images[2 * i + 1]),
            error=np.degrees(spectral_angle_map(prediction[k], target[k])),
        )
        for i, (word, k) in enumerate(chosen.items())
    )
