"""Generators that learn nothing have the statistics that they promise, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.results import mean_plus_noise, shifted_copies


@pytest.fixture
def train():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(3, 3))
    pixels = np.einsum("bc,ncyx->nbyx", mixing, rng.normal(size=(40, 3, 16, 12)))
    return (pixels + np.linspace(0, 5, 12)).astype(np.float32)


def test_noise_has_the_mean_of_every_pixel_and_the_covariance_of_the_bands(train):
    made = mean_plus_noise(train, 400)
    assert made.shape == (400, 3, 16, 12)
    of_bands = np.cov(np.moveaxis(train, 1, 0).reshape(3, -1))
    error = np.sqrt(of_bands.diagonal().max() / 400)
    assert np.abs(made.mean(axis=0) - train.mean(axis=0)).max() < 5 * error
    noise = made - made.mean(axis=0)
    assert np.cov(np.moveaxis(noise, 1, 0).reshape(3, -1)) == pytest.approx(of_bands, rel=0.02, abs=0.1)


def test_noise_of_neighbours_is_independent(train):
    noise = mean_plus_noise(train, 400) - train.mean(axis=0)
    assert abs(np.corrcoef(noise[..., :-1].ravel(), noise[..., 1:].ravel())[0, 1]) < 0.02


def test_noise_can_be_drawn_of_dependent_bands(train):
    made = mean_plus_noise(np.concatenate([train, train[:, :1]], axis=1), 5)
    residual = made - mean_plus_noise(np.concatenate([train, train[:, :1]], axis=1), 1000, seed=9).mean(axis=0)
    assert np.isfinite(made).all()
    assert np.corrcoef(residual[:, 0].ravel(), residual[:, 3].ravel())[0, 1] > 0.99


def test_copies_without_a_shift_are_training_cubes_or_their_mirror_images(train):
    made = shifted_copies(train, 40, max_shift=0)
    mirrored = {np.flip(cube, axes).tobytes() for cube in train for axes in ((), (1,), (2,), (1, 2))}
    assert all(np.ascontiguousarray(copy).tobytes() in mirrored for copy in made)


def test_copies_take_every_training_cube_once_before_any_twice(train):
    levels = train[:6] * 0 + np.arange(6, dtype=np.float32)[:, None, None, None]
    assert sorted(shifted_copies(levels, 6).mean(axis=(1, 2, 3))) == list(range(6))
    counts = np.bincount(shifted_copies(levels, 9).mean(axis=(1, 2, 3)).astype(int))
    assert counts.tolist() == sorted(counts, reverse=True) or (counts.min(), counts.max()) == (1, 2)


def test_copies_are_moved_no_farther_than_asked(train):
    ramp = np.broadcast_to(np.arange(32, dtype=np.float32), (1, 1, 8, 32))
    offsets = set()
    for row in shifted_copies(ramp, 60, max_shift=1 / 8)[:, 0, 0]:
        unflipped = row if row[15] < row[16] else row[::-1]
        offsets.add(int(unflipped[16]) - 16)
    assert offsets == set(range(-4, 5))


@pytest.mark.parametrize("make", [mean_plus_noise, shifted_copies])
def test_draws_depend_on_the_seed_alone(train, make):
    assert np.array_equal(make(train, 4, seed=2), make(train, 4, seed=2))
    assert not np.array_equal(make(train, 4, seed=2), make(train, 4, seed=3))
    with pytest.raises(InputError, match="0 cubes"):
        make(train, 0)
