"""Patches, diversity and nearest training cubes: closed forms and what each must notice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from napari_hsisynth import metrics
from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.distributions import wasserstein_of_columns
from napari_hsisynth.metrics.patches import level_spread, projected_patches


def blobs(n, seed, side=32, bands=4):
    """Smooth random cubes, each of its own."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(n, 1, side, side)), (0, 0, 3, 3), mode="wrap")
    gain = rng.uniform(0.5, 1.5, (n, bands, 1, 1))
    return 0.5 + 2 * field * gain + rng.normal(0, 0.01, (n, bands, side, side))


# --- the pyramid


@pytest.mark.parametrize("shape", [(64, 64), (33, 47), (3, 8), (16, 17)])
def test_details_are_what_the_coarser_level_cannot_show(shape):
    """Beside interpolation made another way: zeros put in between, and the filter at twice its weight."""
    x = np.random.default_rng(0).normal(size=(2, *shape))
    fine, coarse = metrics.laplacian_pyramid(x, n_levels=2)
    assert coarse.shape == (2, *(-(-side // 2) for side in shape))
    filled = np.zeros_like(x)
    filled[:, ::2, ::2] = coarse
    for axis in (1, 2):
        filled = ndimage.convolve1d(filled, np.array([1, 4, 6, 4, 1]) / 8, axis=axis, mode="mirror")
    assert fine + filled == pytest.approx(x)


def test_pyramid_of_a_constant_has_no_details():
    finest, finer, rest = metrics.laplacian_pyramid(np.full((3, 64, 65), 0.7))
    assert np.abs(finest).max() < 1e-12
    assert np.abs(finer).max() < 1e-12
    assert rest == pytest.approx(0.7)


def test_pyramid_halves_with_the_published_filter():
    x = np.random.default_rng(1).normal(size=(1, 20, 24))
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    smooth = ndimage.convolve1d(ndimage.convolve1d(x, kernel, axis=1, mode="mirror"), kernel, axis=2, mode="mirror")
    assert metrics.laplacian_pyramid(x, n_levels=2)[1] == pytest.approx(smooth[:, ::2, ::2])


def test_pyramid_separates_fine_from_coarse():
    y = np.arange(64)
    stripes = np.broadcast_to((-1.0) ** y, (1, 64, 64))  # the finest there are
    levels = metrics.laplacian_pyramid(stripes)
    assert np.abs(levels[0]).mean() == pytest.approx(1, abs=0.02)
    assert np.abs(levels[1]).max() < 0.02
    slow = np.broadcast_to(np.cos(2 * np.pi * y / 64), (1, 64, 64))
    levels = metrics.laplacian_pyramid(slow)
    assert np.abs(levels[0]).mean() < 0.01
    assert np.abs(levels[-1]).mean() > 0.5


def test_pyramid_refuses_more_levels_than_there_are():
    with pytest.raises(InputError, match="9 levels"):
        metrics.laplacian_pyramid(np.ones((1, 32, 32)), n_levels=9)


# --- patches


def test_patches_of_a_shifted_set_are_as_far_as_the_shift():
    """The same cubes, brighter by some deviations: the shift as projected on the directions, in closed form."""
    real = np.random.default_rng(0).normal(size=(6, 2, 16, 16))
    spread = level_spread(real, n_levels=1)[0]
    shifted = real + 0.3 * spread[:, None, None]
    found = float(metrics.sliced_wasserstein_patches(shifted, real, n_levels=1, patch_px=3, n_projections=4000))
    dimensions = 2 * 3 * 3
    length = 0.3 * math.sqrt(dimensions)
    expected = length * math.gamma(dimensions / 2) / (math.sqrt(math.pi) * math.gamma((dimensions + 1) / 2))
    assert found == pytest.approx(expected, rel=0.03)


def test_patches_have_no_unit():
    real, made = blobs(8, 0), blobs(8, 1)
    gains = np.array([3.0, 0.1, 20.0, 1.0])[:, None, None]
    plain = float(metrics.sliced_wasserstein_patches(made, real))
    assert float(metrics.sliced_wasserstein_patches(made * gains + 5, real * gains + 5)) == pytest.approx(plain)


def test_patches_notice_blur_noise_and_bands_that_do_not_fit():
    real, other = blobs(24, 0), blobs(24, 1)
    floor = float(metrics.sliced_wasserstein_patches(other, real))
    blurred = ndimage.gaussian_filter(other, (0, 0, 1.5, 1.5))
    noisy = other + np.random.default_rng(0).normal(0, 0.05, other.shape)
    mixed = other.copy()
    mixed[:, 0] = np.roll(other[:, 0], 1, axis=0)  # every band is right, but of another cube
    for wrong in (blurred, noisy, mixed):
        assert float(metrics.sliced_wasserstein_patches(wrong, real)) > 1.3 * floor


def test_patches_are_the_same_again_and_of_tensors():
    torch = pytest.importorskip("torch")
    real, made = blobs(5, 0), blobs(7, 1)  # not equally many
    here = float(metrics.sliced_wasserstein_patches(made, real, seed=3))
    assert here == float(metrics.sliced_wasserstein_patches(made, real, seed=3))
    assert here != float(metrics.sliced_wasserstein_patches(made, real, seed=4))
    there = metrics.sliced_wasserstein_patches(torch.tensor(made), torch.tensor(real), seed=3)
    assert float(there) == pytest.approx(here)


def test_patches_of_a_cube_do_not_depend_on_the_others():
    x = blobs(4, 0)
    spread = level_spread(x)
    alone, together = projected_patches(x[:2], spread), projected_patches(x, spread)
    assert all(np.allclose(a, b[:2]) for a, b in zip(alone, together, strict=True))


def test_patches_of_what_does_not_fit_are_refused():
    with pytest.raises(InputError, match="cannot be compared"):
        metrics.sliced_wasserstein_patches(np.ones((2, 3, 32, 32)), np.ones((2, 3, 16, 16)))
    with pytest.raises(InputError, match="patches of 9 px"):
        metrics.sliced_wasserstein_patches(np.ones((2, 3, 8, 8)), np.ones((2, 3, 8, 8)), patch_px=9)


def test_distance_of_columns_is_that_of_each():
    a, b = np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[1.0, 4.0]])
    assert wasserstein_of_columns(a, b).tolist() == [1.0, 3.0]


# --- diversity


def test_diversity_of_equal_cubes_is_none():
    assert float(metrics.diversity(np.repeat(blobs(1, 0), 4, axis=0), reference=blobs(4, 0))) == pytest.approx(
        0, abs=1e-6
    )


def test_diversity_of_levels_is_their_mean_difference():
    """Flat cubes at 0, 1 and 3: pairs are 1, 2 and 3 apart."""
    cubes = np.stack([np.full((2, 16, 16), value) for value in (0.0, 1.0, 3.0)])
    expected = 2.0 / np.std([0, 1, 3])
    assert float(metrics.diversity(cubes)) == pytest.approx(expected)


def test_diversity_does_not_grow_with_the_number_and_falls_with_collapse():
    many = blobs(60, 0)
    whole = float(metrics.diversity(many, reference=many))
    assert float(metrics.diversity(many[:30], reference=many)) == pytest.approx(whole, rel=0.15)
    collapsed = many[np.arange(60) % 2]
    assert float(metrics.diversity(collapsed, reference=many)) < 0.75 * whole


def test_noise_of_pixels_is_no_diversity():
    rng = np.random.default_rng(0)
    real = blobs(20, 0, side=64)
    noise = real.mean(axis=0) + rng.normal(0, real.std(), real.shape)
    assert float(metrics.diversity(noise, reference=real)) < 0.6 * float(metrics.diversity(real, reference=real))


def test_one_cube_has_no_diversity():
    with pytest.raises(InputError, match="2 or more"):
        metrics.diversity(blobs(1, 0))


# --- nearest training cube


@pytest.fixture(scope="module")
def known():
    cubes = blobs(48, 5)
    return cubes[:32], cubes[32:]


@pytest.mark.parametrize("flip", [(), (-1,), (-2,), (-2, -1)])
@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-4, 4)])
def test_a_moved_copy_is_found(known, flip, shift):
    train, held_out = known
    moved = np.flip(np.roll(train, shift, axis=(-2, -1)), flip)
    found = metrics.nearest_real(moved[:8], train, held_out)
    assert found.nearest.tolist() == list(range(8))
    assert found.share == 1
    assert found.p_value < 0.001


def test_a_copy_in_place_is_at_no_distance(known):
    train, held_out = known
    found = metrics.nearest_real(train[:3], train, held_out)
    assert found.distance == pytest.approx(0, abs=1e-5)
    assert found.ratio == pytest.approx(0, abs=1e-5)


def test_what_is_new_or_blurred_is_no_copy(known):
    train, held_out = known
    for samples in (blobs(16, 9), ndimage.gaussian_filter(blobs(16, 9), (0, 0, 4, 4))):
        found = metrics.nearest_real(samples, train, held_out)
        assert found.share < 0.4
        assert found.p_value > 0.001


def test_two_crops_of_one_lesion_do_not_hide_a_copy(known):
    train, held_out = known
    twice = np.concatenate([train, train + 1e-3])
    groups = [str(k) for k in range(len(train))] * 2
    assert metrics.nearest_real(train[:8], twice, held_out, groups=groups).share == 1


def test_nearest_of_tensors_is_that_of_arrays(known):
    torch = pytest.importorskip("torch")
    train, held_out = known
    here = metrics.nearest_real(held_out[:4], train, held_out)
    there = metrics.nearest_real(*(torch.tensor(x) for x in (held_out[:4], train, held_out)))
    assert there.distance == pytest.approx(here.distance)
    assert there.nearest.tolist() == here.nearest.tolist()


def test_nearest_of_one_training_cube_is_refused(known):
    train, held_out = known
    with pytest.raises(InputError, match="two groups"):
        metrics.nearest_real(held_out, train[:1], held_out)
