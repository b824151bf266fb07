"""Similarity maps: against direct formulas, SciPy and the metrics room; invariances; cubes in files."""

import doctest
import importlib
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, pearsonr

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray
from napari_hsisynth.metrics import spectral_angle_map
from napari_hsisynth.spectra import MEASURES, similarity, similarity_map

NM = np.linspace(465, 630, 16)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def cube(rng):
    return Cube(rng.uniform(0.02, 1.2, (16, 9, 7)), NM, name="c")


@pytest.mark.parametrize(
    "module", ["continuum", "savitzky_golay", "similarity", "statistics", "transforms", "wavelengths"]
)
def test_examples_in_the_docs_are_true(module):
    result = doctest.testmod(importlib.import_module(f"napari_hsisynth.spectra.{module}"))
    assert result.attempted
    assert not result.failed


def test_angle_agrees_with_the_metric_also_for_obtuse_and_tiny_angles(rng):
    target = rng.uniform(0.1, 1, 16)
    data = rng.normal(size=(16, 20, 30))
    data[:, 0] = target[:, None] * (1 + 1e-5 * rng.normal(size=(16, 30)))
    data[:, 1] = -target[:, None] * (1 + 1e-5 * rng.normal(size=(16, 30)))
    cube = Cube(data, NM)
    found = similarity_map(cube, target, "spectral angle")
    exact = cube.data.astype(np.float64)
    expected = spectral_angle_map(exact, np.broadcast_to(target[:, None, None], exact.shape))
    assert np.abs(np.deg2rad(found.astype(np.float64)) - expected).max() < 1e-6
    assert 0 < found[0].min() < found[0].max() < 1e-3 * 180 / np.pi
    assert found.dtype == np.float32


def test_angle_of_known_directions():
    data = np.array([[1, 0, 1, -1, 0, 1e-30, 1e30], [0, 1, 1, 0, 0, 0, 0]], float).reshape(2, 1, 7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = similarity_map(Cube(data, [500, 600]), [1, 0], "spectral angle")[0]
    np.testing.assert_allclose(found, [0, 90, 45, 180, np.nan, 0, 0], atol=1e-5)


def test_sid_is_the_sum_of_both_relative_entropies(cube, rng):
    target = rng.uniform(0.02, 1, 16)
    found = similarity_map(cube, target, "SID")
    for y in range(9):
        for x in range(7):
            p = cube.data[:, y, x].astype(np.float64)
            assert found[y, x] == pytest.approx(entropy(p, target) + entropy(target, p), rel=1e-5)


def test_sid_in_closed_form():
    # p = (e, 1)/(e + 1) against (1, 1)/2: both differences are (e - 1)/(2 (e + 1)), the logarithms differ by 1
    found = similarity_map(Cube(np.array([math.e, 1.0]).reshape(2, 1, 1), [500, 600]), [5, 5], "SID")
    assert found[0, 0] == pytest.approx((math.e - 1) / (2 * (math.e + 1)), rel=1e-6)


def test_correlation_is_pearsons(cube, rng):
    target = rng.normal(size=16)
    found = similarity_map(cube, target, "correlation")
    for y, x in np.ndindex(9, 7):
        assert found[y, x] == pytest.approx(pearsonr(cube.data[:, y, x].astype(float), target).statistic, abs=1e-6)


@pytest.mark.parametrize("measure", list(MEASURES))
def test_a_spectrum_is_most_similar_to_itself_and_brightness_does_not_count(measure, cube):
    target = cube.data[:, 4, 3].astype(np.float64)
    found = similarity_map(cube, target, measure)
    about = MEASURES[measure]
    best = np.nanargmin(found) if about.similar == "low" else np.nanargmax(found)
    assert np.unravel_index(best, found.shape) == (4, 3)
    assert found[4, 3] == pytest.approx(about.lowest if about.similar == "low" else about.highest, abs=1e-5)
    assert found.min() >= about.lowest
    assert found.max() <= about.highest
    brighter = similarity_map(cube.replace(data=4 * cube.data), 0.25 * target, measure)
    np.testing.assert_allclose(brighter, found, rtol=1e-4, atol=1e-5)


def test_correlation_forgets_an_offset(cube):
    target = cube.data[:, 0, 0].astype(np.float64)
    shifted = similarity_map(cube.replace(data=cube.data + 3), target - 7, "correlation")
    np.testing.assert_allclose(shifted, similarity_map(cube, target, "correlation"), atol=1e-5)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), measure=st.sampled_from(list(MEASURES)))
def test_measures_are_symmetric(seed, measure):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0.01, 1, (2, 8)).astype(np.float32)
    one = similarity_map(Cube(a.reshape(8, 1, 1), np.arange(500, 508)), b, measure)[0, 0]
    other = similarity_map(Cube(b.reshape(8, 1, 1), np.arange(500, 508)), a, measure)[0, 0]
    assert one == pytest.approx(other, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("measure", "pixel", "exists"),
    [
        ("spectral angle", [0, 0, 0], False),
        ("spectral angle", [-1, 0, 0], True),
        ("SID", [1, 0, 1], False),
        ("SID", [1, -0.1, 1], False),
        ("SID", [1e-6, 1, 1], True),
        ("correlation", [0.1, 0.1, 0.1], False),
        ("correlation", [0, 0, 0], False),
        ("correlation", [0, 0, -1], True),
        ("spectral angle", [np.nan, 1, 1], False),
        ("SID", [np.inf, 1, 1], False),
        ("correlation", [np.inf, 1, 1], False),
        ("spectral angle", [np.inf, 1, 1], False),
    ],
)
def test_pixels_without_a_value_are_nan_and_say_nothing(measure, pixel, exists):
    data = np.array([pixel, [0.2, 0.4, 0.9]], np.float32).T.reshape(3, 1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = similarity_map(Cube(data, [500, 510, 520]), [0.3, 0.5, 0.6], measure)
    assert np.isfinite(found).tolist() == [[exists, True]]


@pytest.mark.parametrize("measure", list(MEASURES))
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_cubes_in_files_and_blocks_of_any_size_give_the_same(measure, axes, cube, monkeypatch, rng):
    target = rng.uniform(0.1, 1, 16)
    mask = rng.random((9, 7)) < 0.6
    mask[2:4] = False
    expected = similarity_map(cube, target, measure)
    lazy = cube.replace(data=LazyArray(np.ascontiguousarray(cube.data.transpose(np.argsort(axes))), axes))
    monkeypatch.setattr(similarity, "_READ_VALUES", 16 * 7 * 2)
    monkeypatch.setattr(similarity, "_CHUNK_VALUES", 16 * 5)
    np.testing.assert_allclose(similarity_map(lazy, target, measure), expected, rtol=1e-6)
    found = similarity_map(lazy, target, measure, mask)
    np.testing.assert_array_equal(np.isnan(found), ~mask)
    np.testing.assert_allclose(found[mask], expected[mask], rtol=1e-6)


@pytest.mark.parametrize("measure", list(MEASURES))
def test_bands_that_the_spectrum_lacks_do_not_count(measure, cube, rng):
    target = rng.uniform(0.1, 1, 16)
    target[[0, 7, 15]] = np.nan
    kept = np.isfinite(target)
    part = Cube(cube.data[kept], NM[kept])
    np.testing.assert_allclose(
        similarity_map(cube, target, measure), similarity_map(part, target[kept], measure), rtol=1e-6
    )


def test_values_are_not_changed(cube):
    kept = cube.data.copy()
    target = np.array(cube.data[:, 0, 0])
    for measure in MEASURES:
        similarity_map(cube, target, measure)
    np.testing.assert_array_equal(cube.data, kept)
    np.testing.assert_array_equal(target, kept[:, 0, 0])


@pytest.mark.parametrize(
    ("spectrum", "measure", "message"),
    [
        ([1, 2, 3], "euclidean", "no similarity called 'euclidean'"),
        ([1, 2], "SID", "2 bands for a cube of 3"),
        ([0, 0, 0], "spectral angle", "zeros"),
        ([np.nan, np.nan, 1], "spectral angle", "one band"),
        ([1, 0, 1], "SID", "positive values"),
        ([1, 1, 1], "correlation", "without spread"),
        ([np.nan, 1, 2], "correlation", "three bands"),
        ([np.nan, np.nan, np.nan], "correlation", "three bands"),
        ([np.nan, np.nan, np.nan], "SID", "two bands"),
    ],
)
def test_spectra_that_cannot_be_compared_are_refused(spectrum, measure, message):
    with pytest.raises(InputError, match=message):
        similarity_map(Cube(np.ones((3, 2, 2)), [500, 510, 520]), spectrum, measure)


def test_a_mask_of_another_size_is_refused(cube):
    with pytest.raises(InputError, match=r"mask of \(2, 2\)"):
        similarity_map(cube, np.ones(16), "SID", np.ones((2, 2)))
