"""Distances between sets, their floors, intervals and tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import gamma
from scipy.stats import wasserstein_distance

from napari_hsisynth import metrics
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.angles import spectrum_angle
from napari_hsisynth.metrics.distributions import directions
from napari_hsisynth.metrics.features import Regions, measure, project
from napari_hsisynth.metrics.resampling import compare, interval_of_mean


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_sliced_wasserstein_is_the_mean_of_scipys_in_one_dimension(rng):
    a, b = rng.normal(size=(70, 5)), rng.gamma(2, size=(45, 5))  # of different sizes, on purpose
    expected = np.mean([wasserstein_distance(a @ line, b @ line) for line in directions(32, 5, seed=3)])
    assert metrics.sliced_wasserstein(a, b, n_projections=32, seed=3) == pytest.approx(expected)


@pytest.mark.parametrize("bands", [1, 2, 16])
def test_sliced_wasserstein_of_a_shifted_set_has_a_closed_form(bands, rng):
    a = rng.random((200, bands))
    shift = rng.normal(size=bands)
    expected = np.linalg.norm(shift) * gamma(bands / 2) / (math.sqrt(math.pi) * gamma((bands + 1) / 2))
    found = metrics.sliced_wasserstein(a, a + shift, n_projections=4000)
    assert float(found) == pytest.approx(expected, rel=0.03)


def test_sliced_wasserstein_is_zero_for_a_repeated_set_and_ignores_its_order(rng):
    a = rng.random((50, 4))
    assert float(metrics.sliced_wasserstein(a, rng.permutation(np.concatenate([a, a])))) == pytest.approx(0, abs=1e-12)


def test_sliced_wasserstein_leaves_out_rows_that_are_not_finite(rng):
    a, b = rng.random((40, 3)), rng.random((30, 3))
    spoiled = np.concatenate([a, [[np.nan, 0, 0], [np.inf, 1, 1]]])
    assert metrics.sliced_wasserstein(spoiled, b) == metrics.sliced_wasserstein(a, b)
    assert np.isnan(metrics.sliced_wasserstein(spoiled[-2:], b))


def test_sliced_wasserstein_of_tensors(rng):
    torch = pytest.importorskip("torch")
    a, b = rng.random((40, 3)), rng.random((30, 3))
    found = metrics.sliced_wasserstein(torch.tensor(a), torch.tensor(b))
    assert float(found) == pytest.approx(float(metrics.sliced_wasserstein(a, b)))


def test_cubes_count_by_their_pixels(rng):
    a, b = rng.random((2, 3, 5, 4, 6)), rng.random((3, 5, 7, 2))
    a_spectra = [a[i, j, :, y, x] for i in range(2) for j in range(3) for y in range(4) for x in range(6)]
    b_spectra = [b[i, :, y, x] for i in range(3) for y in range(7) for x in range(2)]
    expected = metrics.sliced_wasserstein(np.array(a_spectra), np.array(b_spectra))
    assert float(metrics.sliced_wasserstein(a, b)) == pytest.approx(float(expected))
    torch = pytest.importorskip("torch")
    assert float(metrics.sliced_wasserstein(torch.tensor(a), torch.tensor(b))) == pytest.approx(float(expected))


def test_sets_of_other_bands_are_refused():
    with pytest.raises(InputError, match="4 and 3 bands"):
        metrics.sliced_wasserstein(np.ones((4, 8, 8)), np.ones((3, 8, 8)))
    with pytest.raises(InputError, match="cannot be compared"):
        metrics.sliced_wasserstein(np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(InputError, match="cannot be compared"):
        metrics.class_mean_angle(np.ones((4, 3)), np.ones((4, 2)))


def cube_features(rng, n, offset, prefix):
    regions = Regions(np.ones((20, 20), bool), np.zeros((20, 20), bool))
    cubes = [Cube(offset + rng.random((4, 20, 20)), range(500, 540, 10), name=f"{prefix}{i}") for i in range(n)]
    return [measure(cube, regions, group=cube.name, seed=0) for cube in cubes]


def test_projected_distributions_give_the_sliced_distance(rng):
    real, synthetic = cube_features(rng, 6, 0.0, "a"), cube_features(rng, 5, 0.15, "b")
    projected = project(real, synthetic, seed=0)
    found = projected.distance(projected.real.mean(axis=0)[None], projected.synthetic.mean(axis=0)[None])[0]
    pixels = [np.concatenate([cube.pixels for cube in side]) for side in (real, synthetic)]
    exact = metrics.sliced_wasserstein(*pixels, n_projections=64, seed=0)
    assert found == pytest.approx(float(exact), rel=0.01)


def test_an_empty_cube_has_no_features_instead_of_zeros():
    features = measure(
        Cube(np.full((3, 4, 4), np.nan), [500, 510, 520], name="empty"),
        Regions(np.zeros((4, 4), bool), np.zeros((4, 4), bool)),
        group="empty",
        seed=0,
    )
    assert np.isnan(features.lesion).all()
    assert np.isnan(features.whole).all()
    assert np.isnan(features.total_variation)
    assert features.invalid == 16
    assert len(features.pixels) == 0


def spectra(rng, n, angle=0.0, noise=0.02):
    """Spectra in a plane, `angle` from the first axis on average."""
    angles = angle + noise * rng.normal(size=n)
    return np.stack([np.cos(angles), np.sin(angles), np.zeros(n)], axis=1)


def test_a_known_angle_is_found_beside_a_low_floor(rng):
    found = compare(spectra(rng, 40), spectra(rng, 30, angle=0.1), spectrum_angle)
    assert found.value == pytest.approx(0.1, abs=0.015)
    assert found.ci[0] < 0.1 < found.ci[1]
    assert found.ci[0] < found.value < found.ci[1]
    assert found.m == 20
    assert found.floor < 0.02
    assert found.value_at_m > found.floor_range[1]
    assert found.p_value < 0.01
    assert (found.n_real, found.n_synthetic) == (40, 30)


def test_without_a_difference_the_figure_lies_among_the_floors(rng):
    inside, p_values = 0, []
    for _ in range(30):
        found = compare(spectra(rng, 20), spectra(rng, 20), spectrum_angle, n_splits=60, n_draws=100)
        inside += found.value_at_m <= found.floor_range[1]
        p_values.append(found.p_value)
    assert inside >= 24
    assert 0.2 < np.mean(p_values) < 0.8  # uniform under the null, so 0.5 on average


def test_the_floor_is_that_of_two_halves(rng):
    """Two halves of m one-dimensional values differ by |N(0, 2 / m)| on average, up to the finite set."""
    real = rng.normal(size=(400, 1))
    found = compare(real, real[:200], lambda a, b: np.abs(a - b)[:, 0], n_splits=2000, n_draws=50)
    assert found.m == 200
    # splitting a fixed set of 2 m: the difference of the halves has variance 4 s^2 / (2 m)
    assert found.floor == pytest.approx(math.sqrt(2 / math.pi) * real.std() * math.sqrt(4 / 400), rel=0.08)


@pytest.mark.parametrize(
    ("n_real", "n_synthetic", "what"), [(3, 20, "3 real"), (20, 1, "1 synthetic cube:"), (1, 1, "1 real")]
)
def test_too_few_cubes_give_the_value_and_say_why_there_is_no_more(n_real, n_synthetic, what, rng):
    found = compare(spectra(rng, n_real), spectra(rng, n_synthetic, 0.3), spectrum_angle)
    assert found.value == pytest.approx(0.3, abs=0.1)
    assert found.ci is found.floor is found.floor_range is found.value_at_m is found.p_value is None
    assert what in found.note


def test_crops_of_one_patient_are_one_draw(rng):
    """Ten copies of every cube must not make the interval shorter."""
    real, synthetic = spectra(rng, 8, noise=0.1), spectra(rng, 40, 0.3)
    names = [str(i) for i in range(8)]
    once = compare(real, synthetic, spectrum_angle, groups=names)
    copied = np.repeat(real, 10, axis=0)
    grouped = compare(copied, synthetic, spectrum_angle, groups=np.repeat(names, 10))
    naive = compare(copied, synthetic, spectrum_angle)
    length = once.ci[1] - once.ci[0]
    assert grouped.ci[1] - grouped.ci[0] == pytest.approx(length, rel=0.15)
    assert naive.ci[1] - naive.ci[0] < 0.6 * length
    assert compare(copied, synthetic, spectrum_angle, groups=["one patient"] * 80).floor is None


def test_rows_that_are_not_finite_are_left_out_and_counted(rng):
    real = spectra(rng, 10)
    real[3] = np.nan
    found = compare(real, spectra(rng, 10), spectrum_angle)
    assert found.n_real == 9
    assert np.isfinite(found.value)
    nothing = compare(np.full((5, 3), np.nan), spectra(rng, 10), spectrum_angle)
    assert nothing.value is None
    assert "no real cube" in nothing.note


def test_the_same_seed_gives_the_same_figures(rng):
    real, synthetic = spectra(rng, 12), spectra(rng, 12)
    assert compare(real, synthetic, spectrum_angle, seed=4) == compare(real, synthetic, spectrum_angle, seed=4)
    assert compare(real, synthetic, spectrum_angle, seed=4) != compare(real, synthetic, spectrum_angle, seed=5)


def test_few_synthetic_cubes_shorten_the_halves_and_say_so(rng):
    found = compare(spectra(rng, 40), spectra(rng, 6), spectrum_angle)
    assert found.m == 6
    assert "6 cubes" in found.note


def test_interval_of_a_mean_covers_it_as_often_as_it_says(rng):
    covered = 0
    for seed in range(100):
        low, high = interval_of_mean(rng.normal(size=40), seed=seed, n_draws=300)
        covered += low < 0 < high
    assert covered >= 86
    assert interval_of_mean(np.array([1.0, 2.0, 3.0])) is None
