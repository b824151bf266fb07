"""Measures and verdicts on sets whose faults are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_hsisynth.metrics import sliced_wasserstein_patches
from napari_hsisynth.results import mean_plus_noise, shifted_copies
from napari_hsisynth.results.measures import Cubes, measure
from napari_hsisynth.results.verdicts import MEAN_PLUS_NOISE, SHIFTED_COPIES, verdict


def blobs(n, seed):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(n, 1, 32, 32)), (0, 0, 3, 3), mode="wrap")
    return (0.5 + 2 * field * rng.uniform(0.5, 1.5, (n, 3, 1, 1)) + rng.normal(0, 0.01, (n, 3, 32, 32))).astype("f4")


def cubes(images):
    names = np.array([str(k) for k in range(len(images))])
    return Cubes(images, np.array(["melanoma", "nevus"] * (len(images) // 2)), names)


@pytest.fixture(scope="module")
def measured():
    train, real = blobs(60, 0), blobs(32, 1)
    made = {
        MEAN_PLUS_NOISE: mean_plus_noise(train, 32),
        SHIFTED_COPIES: shifted_copies(train, 32),
        "good": blobs(32, 2),
        "copying": shifted_copies(train, 32, seed=7),
        "white": np.random.default_rng(0).normal(0.5, 1, (32, 3, 32, 32)).astype("f4"),
        "flat": np.broadcast_to(real.mean(axis=(0, 2, 3), keepdims=True), real.shape).copy(),
        "collapsed": blobs(2, 3)[np.arange(32) % 2],
    }
    return measure(cubes(train), cubes(real), {name: cubes(images) for name, images in made.items()}), real, made


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good", "**passes**"),
        ("copying", "**memorising**"),
        ("white", "**broken**"),
        ("flat", "**coarse structure missing**"),
        ("collapsed", "**little diversity**"),
    ],
)
def test_each_fault_gets_its_word(measured, name, expected):
    (real, found), *_ = measured
    assert expected in verdict(found[name], real, found[MEAN_PLUS_NOISE], found[SHIFTED_COPIES])


def test_what_was_made_of_training_crops_is_not_said_to_have_learnt_them_by_heart(measured):
    (real, found), *_ = measured
    text = verdict(found["copying"], real, found[MEAN_PLUS_NOISE], found[SHIFTED_COPIES], redrawn=True)
    assert text == "**redrawn** from training crops in RGB"
    broken = verdict(found["white"], real, found[MEAN_PLUS_NOISE], found[SHIFTED_COPIES], redrawn=True)
    assert "**broken**" in broken


def test_where_copies_are_not_found_nothing_is_said_of_memorising(measured):
    (real, found), *_ = measured
    copies = found[SHIFTED_COPIES]
    blind = replace(copies, nearest=replace(copies.nearest, share=0.2))
    text = verdict(found["copying"], real, found[MEAN_PLUS_NOISE], blind)
    assert "cannot be told" in text
    assert "**memorising**" not in text


def test_coarse_structure_within_the_floor_is_not_held_against_a_model(measured):
    (real, found), *_ = measured
    good, noise = found["good"], found[MEAN_PLUS_NOISE]
    coarse = good.levels[-1]
    low = replace(noise, levels=(*noise.levels[:-1], replace(coarse, value_at_m=0.9 * coarse.value_at_m)))
    assert coarse.value_at_m < coarse.floor_range[1]  # a small set: noise happens to be nearer than good samples
    assert verdict(good, real, low, found[SHIFTED_COPIES]) == "**passes**"


def test_patches_agree_with_the_metric(measured):
    """The rows of distributions, from which intervals and floors are drawn, beside the exact distance."""
    (_, found), real, made = measured
    exact = sliced_wasserstein_patches(made["good"], real, patches_per_cube=64, n_projections=64)
    assert found["good"].patches.value == pytest.approx(float(exact), rel=0.05)
    levels = [level.value for level in found["good"].levels]
    assert np.mean(levels) == pytest.approx(found["good"].patches.value)


def test_class_means_are_those_of_the_diagnosis(measured):
    """Cubes whose diagnoses are exchanged have the right spectra, but not in the right class."""
    _, real, made = measured
    bent = np.array([1.0, 1.0, 0.5], "f4")[:, None, None]
    real, good = real[:12].copy(), made["good"][:12].copy()
    real[1::2] *= bent
    good[1::2] *= bent
    swapped = np.roll(good, 1, axis=0)
    found = measure(cubes(blobs(6, 0)), cubes(real), {"good": cubes(good), "swapped": cubes(swapped)})[1]
    assert found["swapped"].class_angle.value > 5 * found["good"].class_angle.value
    assert found["swapped"].spectra.value == pytest.approx(found["good"].spectra.value)


def test_floors_are_at_half_of_the_held_out(measured):
    (real, found), *_ = measured
    assert (real.n, real.m) == (32, 16)
    assert found["good"].patches.m == found["good"].class_angle.m == 16
    assert len({each.patches.floor for each in found.values()}) == 1  # one floor for all
    assert real.diversity.ci[0] < real.diversity.value < real.diversity.ci[1]
    assert real.share_range[0] <= 0.05 <= real.share_range[1]
