"""`evaluate`: how far a set of synthetic cubes is from the real ones, beside how far real cubes are from each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.angles import spectrum_angle
from napari_hsisynth.metrics.evaluation import Evaluation, Measure, Spectrum
from napari_hsisynth.metrics.features import (
    CubeFeatures,
    automatic_regions,
    measure,
    project,
    regions_of_mask,
)
from napari_hsisynth.metrics.findings import angle_finding, variation_finding, wasserstein_finding
from napari_hsisynth.metrics.pictures import pictures, spread
from napari_hsisynth.metrics.resampling import Comparison, Floats, compare
from napari_hsisynth.metrics.selection import select
from napari_hsisynth.metrics.sizes import fit, fit_mask
from napari_hsisynth.study import Collection, Crop

#: Band centres further apart than this are other wavelengths, nm.
_SAME_WAVELENGTH_NM = 0.05


def evaluate(
    real: Collection | str | Path,
    synthetic: Collection | str | Path,
    *,
    split: str = "held-out",
    diagnosis: str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Compare synthetic with real cubes.

    The cubes are not pairs, so only distances between sets are measured: angles between mean spectra, the sliced
    Wasserstein distance of pixel spectra, the ratio of total variation; each with a bootstrap interval over cubes, a
    permutation p-value, and the floor, the same statistic between two random halves of the real set.

    Parameters
    ----------
    real, synthetic : Collection or path
        A study, its ``crops/``, a ``synthetic/<run>``, or any folder in crops form. Real crops are brought to the size
        of the synthetic cubes as training does it.
    split : {"held-out", "train", "all"}
        Which of the real cubes, by the study's stored split.
    diagnosis : str, optional
        Only real cubes of this diagnosis; by default what the generator was trained on.
    seed : int
        Of everything random: pixels, directions, splits, draws.
    progress : callable, optional
        Called with (done, total) cubes.

    Returns
    -------
    Evaluation
        Of kind "sets".

    Raises
    ------
    InputError
        If nothing is left to compare, or bands or wavelengths differ.
    """
    chosen = select(real, synthetic, split=split, diagnosis=diagnosis)
    notes = list(chosen.notes)
    propose = None if chosen.stored_masks else automatic_regions()
    masks_are = (
        "the masks stored with real and synthetic cubes"
        if chosen.stored_masks
        else "automatic (spectral segmenter without prompts, real and synthetic alike)"
    )
    wavelengths_nm: NDArray[np.float64] | None = None
    total = len(chosen.real_records) + len(chosen.synthetic_records)
    sides: list[_Side] = []
    done = 0
    for collection, records, kind in (
        (chosen.real, chosen.real_records, "real"),
        (chosen.synthetic, chosen.synthetic_records, "synthetic"),
    ):
        shown = set(spread(len(records)))
        side = _Side([], [], [], 0)
        for position, record in enumerate(records):
            crop = collection.read(record)
            if wavelengths_nm is None:
                wavelengths_nm = crop.cube.wavelengths_nm
            _check_bands(crop, wavelengths_nm)
            cube = crop.cube.replace(data=fit(crop.cube.data, chosen.size_yx))
            regions = propose(cube) if propose else regions_of_mask(fit_mask(crop.mask, chosen.size_yx))
            # the synthetic side has no patients; each sample is a draw of its own
            group = (record.patient or record.cube_id) if kind == "real" else record.crop_id
            side.features.append(measure(cube, regions, group=group, seed=seed))
            side.phantoms += bool(crop.cube.provenance.get("phantom")) or record.cube_id.startswith("PHANTOM")
            if position in shown:
                side.shown.append(cube)
                side.outlines.append(regions.lesion)
            done += 1
            if progress is not None:
                progress(done, total)
        notes += _left_out(side.features, kind)
        sides.append(side)
    assert wavelengths_nm is not None  # select refuses empty sets
    real_side, synthetic_side = sides
    metrics, findings = _measures(real_side.features, synthetic_side.features, seed=seed)
    images = pictures(real_side.shown + synthetic_side.shown, real_side.outlines + synthetic_side.outlines)
    height, width = chosen.size_yx
    return Evaluation(
        kind="sets",
        n_real=len(real_side.features),
        n_synthetic=len(synthetic_side.features),
        metrics=metrics,
        compared=chosen.compared
        | {
            "size": f"{height} x {width} px; real crops: smaller side by area, then the centre, as for training",
            "lesion and skin": masks_are,
        },
        findings=findings,
        notes=tuple(dict.fromkeys(notes)),
        phantom=chosen.phantom or any(side.phantoms for side in sides),
        colour=chosen.colour,
        wavelengths_nm=wavelengths_nm,
        spectra=_spectra(real_side.features, synthetic_side.features),
        real_pictures=tuple(images[: len(real_side.shown)]),
        synthetic_pictures=tuple(images[len(real_side.shown) :]),
    )


@dataclass
class _Side:
    """What is collected of one of the two sets."""

    features: list[CubeFeatures]
    shown: list[Cube]
    outlines: list[NDArray[np.bool_] | None]
    phantoms: int


def _check_bands(crop: Crop, wavelengths_nm: NDArray[np.float64]) -> None:
    found = crop.cube.wavelengths_nm
    if len(found) != len(wavelengths_nm):
        raise InputError(
            f"{len(found)} bands, but the cubes before have {len(wavelengths_nm)}",
            where=crop.record.file,
            fix="compare cubes of the same bands",
        )
    if np.abs(found - wavelengths_nm).max() > _SAME_WAVELENGTH_NM:
        raise InputError(
            f"bands of {found.min():g}-{found.max():g} nm, but the cubes before have "
            f"{wavelengths_nm.min():g}-{wavelengths_nm.max():g} nm",
            where=crop.record.file,
            fix="compare cubes of the same wavelengths",
        )


def _left_out(features: list[CubeFeatures], kind: str) -> list[str]:
    notes = []
    without = sum(not np.isfinite(cube.lesion).all() for cube in features)
    if without:
        notes.append(
            f"{without} of {len(features)} {kind} cubes have no lesion mask and are left out of lesion and skin"
        )
    invalid = [cube.invalid for cube in features if cube.invalid]
    if invalid:
        notes.append(f"{sum(invalid)} pixels in {len(invalid)} {kind} cubes are not finite and are left out")
    return notes


def _measures(
    real: list[CubeFeatures], synthetic: list[CubeFeatures], *, seed: int
) -> tuple[dict[str, Measure], tuple[str, ...]]:
    groups = [cube.group for cube in real]
    metrics: dict[str, Measure] = {}
    findings: list[str] = []
    for region, name, label in (
        ("lesion", "class_mean_angle_lesion", "Angle between mean lesion spectra"),
        ("skin", "class_mean_angle_skin", "Angle between mean skin spectra"),
        ("whole", "class_mean_angle", "Angle between mean spectra, all pixels"),
    ):
        rows = [np.stack([getattr(cube, region) for cube in side]) for side in (real, synthetic)]
        found = compare(rows[0], rows[1], spectrum_angle, groups=groups, seed=seed)
        metrics[name] = _set_measure(label, "rad", found)
        if region != "whole":
            findings.append(angle_finding(metrics[name], region))
    if not any(metrics[f"class_mean_angle_{region}"].value is not None for region in ("lesion", "skin")):
        findings.append(angle_finding(metrics["class_mean_angle"], ""))
    projected = project(real, synthetic, seed=seed)
    found = compare(projected.real, projected.synthetic, projected.distance, groups=groups, seed=seed)
    metrics["sliced_wasserstein"] = _set_measure("Sliced Wasserstein distance of pixel spectra", "", found)
    intensity = float(np.nanmean([cube.whole.mean() for cube in real]))
    findings.append(wasserstein_finding(metrics["sliced_wasserstein"], intensity))
    rows = [np.array([[cube.total_variation] for cube in side]) for side in (real, synthetic)]
    found = compare(rows[0], rows[1], _ratio, groups=groups, seed=seed, extremeness=_log_size)
    metrics["total_variation_ratio"] = _set_measure(
        "Total variation, synthetic / real",
        "",
        found,
        better="one",
        values=[float(np.nanmean(r)) if np.isfinite(r).any() else None for r in rows],
    )
    findings.append(variation_finding(metrics["total_variation_ratio"]))
    return metrics, tuple(findings)


def _ratio(real: Floats, synthetic: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (synthetic / real)[:, 0]


def _log_size(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.abs(np.log(values))


def _set_measure(label: str, unit: str, found: Comparison, *, better: Any = "lower", values: Any = None) -> Measure:
    more = asdict(found)
    for taken in ("value", "ci", "floor", "n_real", "note"):
        more.pop(taken)
    if values is not None:
        more["mean_real"], more["mean_synthetic"] = values
    return Measure(label, unit, found.value, found.n_real, found.ci, found.floor, better, found.note, more)


def _spectra(real: list[CubeFeatures], synthetic: list[CubeFeatures]) -> tuple[Spectrum, ...]:
    spectra = []
    for region in ("lesion", "skin", "whole"):
        for side, is_synthetic in ((real, False), (synthetic, True)):
            rows = np.stack([getattr(cube, region) for cube in side])
            rows = rows[np.isfinite(rows).all(axis=1)]
            if len(rows):
                name = "all" if region == "whole" else region
                spectra.append(Spectrum(name, is_synthetic, rows.mean(axis=0), rows.std(axis=0), len(rows)))
    return tuple(spectra)
