"""Paired metrics against closed forms and independent references."""

from __future__ import annotations

import doctest
import importlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from napari_hsisynth import metrics
from napari_hsisynth.errors import InputError

PAIRED = {
    "rmse": metrics.rmse,
    "rase": metrics.rase,
    "spectral_angle": metrics.spectral_angle,
    "psnr": lambda a, b: metrics.psnr(a, b, data_range=1.5),
    "ssim": lambda a, b: metrics.ssim(a, b, data_range=1.5),
}


@pytest.fixture
def pair(rng):
    target = rng.random((3, 4, 20, 17)).astype(np.float32)
    return target + 0.1 * rng.normal(size=target.shape).astype(np.float32), target


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    "module",
    ["angles", "deviations", "structure", "distributions", "sizes", "findings", "pictures"],
)
def test_the_examples_in_the_docstrings_hold(module):
    result = doctest.testmod(importlib.import_module(f"napari_hsisynth.metrics.{module}"))
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("name", PAIRED)
def test_every_pair_has_its_own_figure(name, pair):
    together = PAIRED[name](*pair)
    assert together.shape == (3,)
    alone = [float(PAIRED[name](pair[0][k], pair[1][k])) for k in range(3)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("name", PAIRED)
def test_nothing_is_kept_between_calls(name, pair):
    first = PAIRED[name](*pair)
    PAIRED[name](pair[1] * 7, pair[1])
    np.testing.assert_array_equal(PAIRED[name](*pair), first)


@pytest.mark.parametrize("name", PAIRED)
def test_tensors_give_what_arrays_give(name, pair):
    torch = pytest.importorskip("torch")
    found = PAIRED[name](torch.tensor(pair[0]), torch.tensor(pair[1]))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), PAIRED[name](*pair), rtol=1e-4)


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("shape", [(4, 20, 17), (1, 4, 20, 17), (3, 4, 20, 16), (3, 1, 20, 17)])
def test_shapes_that_are_no_pairs_are_refused(name, shape, pair):
    with pytest.raises(InputError, match="not pairs"):
        PAIRED[name](np.ones(shape), pair[1])


@pytest.mark.parametrize("name", ["rmse", "rase", "psnr", "ssim"])
def test_nan_stays_nan_and_only_where_it_is(name, pair):
    prediction, target = pair
    prediction[1, 2, 9, 9] = np.nan
    found = PAIRED[name](prediction, target)
    assert np.isnan(found[1])
    assert np.isfinite(found[[0, 2]]).all()


@pytest.mark.parametrize("data_range", [0, -1, math.nan, math.inf])
def test_a_range_that_is_none_is_refused(data_range, pair):
    for metric in (metrics.psnr, metrics.ssim):
        with pytest.raises(InputError, match="data_range"):
            metric(*pair, data_range=data_range)


def test_the_range_has_no_default(pair):
    for metric in (metrics.psnr, metrics.ssim):
        with pytest.raises(InputError, match=r"ambiguous.*pass data_range"):
            metric(*pair)


def test_rase_of_a_known_offset_is_ten_percent():
    target = np.full((16, 64, 64), 0.5)
    assert metrics.rase(target + 0.05, target) == pytest.approx(10)


def test_rase_takes_the_mean_of_the_band_errors(rng):
    target = np.stack([np.full((8, 8), mean) for mean in (0.2, 0.4, 0.9)])
    offsets = np.array([0.01, 0.0, -0.02])
    expected = 100 / 0.5 * math.sqrt((0.01**2 + 0.02**2) / 3)
    assert metrics.rase(target + offsets[:, None, None], target) == pytest.approx(expected)


def test_rase_of_a_dark_target_is_not_a_number():
    assert np.isnan(metrics.rase(np.ones((2, 3, 3)), np.zeros((2, 3, 3))))


def test_psnr_of_equal_cubes_is_infinite(pair):
    assert np.isposinf(metrics.psnr(pair[1], pair[1], data_range=1.0)).all()


@pytest.mark.parametrize("data_range", [0.3, 1.0, 1.72])
def test_ssim_is_that_of_scikit_image(data_range, pair):
    expected = [
        structural_similarity(
            *(side[k].astype(np.float64) for side in pair),
            data_range=data_range,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for k in range(3)
    ]
    np.testing.assert_allclose(metrics.ssim(*pair, data_range=data_range), expected, atol=2e-6)


def test_ssim_keeps_its_digits_far_from_zero(pair):
    shifted = [(side + np.float32(100)).astype(np.float32) for side in pair]
    expected = metrics.ssim(*(side.astype(np.float64) for side in shifted), data_range=1.0)
    np.testing.assert_allclose(metrics.ssim(*shifted, data_range=1.0), expected, atol=1e-4)


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(InputError, match="11 x 11"):
        metrics.ssim(np.ones((2, 10, 40)), np.ones((2, 10, 40)), data_range=1.0)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, math.pi),
    st.floats(-30, 30).map(lambda power: 10.0**power),
    st.floats(-30, 30).map(lambda power: 10.0**power),
    st.integers(0, 2**31),
)
def test_the_angle_is_the_one_it_was_made_with(angle, scale_a, scale_b, seed):
    a, b = np.linalg.qr(np.random.default_rng(seed).normal(size=(16, 2)))[0].T
    turned = np.cos(angle) * a + np.sin(angle) * b
    found = metrics.spectrum_angle(scale_a * a, scale_b * turned)
    assert float(found) == pytest.approx(angle, abs=1e-14, rel=1e-9)


@pytest.mark.parametrize("angle", [1e-7, 1e-5, 1e-3, math.pi - 1e-4])
def test_float32_resolves_what_arccos_cannot(angle):
    # along axes, so that float32 holds the vectors themselves
    a, b = np.array([1, 0], np.float32), np.array([math.cos(angle), math.sin(angle)], np.float32)
    assert float(metrics.spectrum_angle(a, b)) == pytest.approx(angle, rel=1e-3)
    if angle < 1e-4:
        assert float(np.arccos(a @ b)) != pytest.approx(angle, rel=0.1)


def test_the_angle_of_a_cube_with_itself_is_zero_in_float32(pair):
    assert (metrics.spectral_angle(pair[1], pair[1]) == 0).all()


def test_pixels_without_a_direction_are_left_out_and_counted():
    target = np.ones((2, 2, 3))
    prediction = np.stack([np.ones((2, 3)), np.zeros((2, 3))])  # 45 degrees everywhere
    prediction[:, 0, 0] = 0
    target[1, 1, 1] = np.nan
    prediction[0, 1, 2] = np.inf
    angles = metrics.spectral_angle_map(prediction, target)
    assert np.isnan(angles).sum() == metrics.invalid_pixels(prediction, target) == 3
    assert metrics.spectral_angle(prediction, target) == pytest.approx(math.pi / 4)


def test_a_cube_without_a_valid_pixel_has_no_angle():
    assert np.isnan(metrics.spectral_angle(np.zeros((3, 2, 2)), np.ones((3, 2, 2))))


def test_lesion_and_skin_are_measured_apart():
    target, mask = np.ones((2, 4, 4)), np.zeros((4, 4), bool)
    mask[:2] = True
    prediction = target.copy()
    prediction[1][mask] = 0  # 45 degrees inside
    assert metrics.spectral_angle(prediction, target, mask=mask) == pytest.approx(math.pi / 4)
    assert metrics.spectral_angle(prediction, target, mask=~mask) == 0
    assert np.isnan(metrics.spectral_angle(prediction, target, mask=np.zeros((4, 4), bool)))
    with pytest.raises(InputError, match="mask"):
        metrics.spectral_angle(prediction, target, mask=np.ones((4, 5), bool))


@pytest.mark.parametrize(("height", "width", "bands", "n"), [(4, 8, 1, 1), (32, 8, 16, 1), (16, 64, 3, 5)])
def test_total_variation_of_a_ramp_is_its_slope_whatever_the_size(height, width, bands, n):
    y, x = np.mgrid[:height, :width]
    cubes = np.broadcast_to(0.3 * x - 0.1 * y, (n, bands, height, width))
    np.testing.assert_allclose(metrics.total_variation(cubes), np.full(n, 0.4))


def test_total_variation_does_not_add_up_over_the_batch(rng):
    cube = rng.random((4, 9, 9))
    np.testing.assert_allclose(metrics.total_variation(np.stack([cube] * 5)), [metrics.total_variation(cube)] * 5)


def test_whole_numbers_and_half_precision_are_widened():
    target = np.full((2, 12, 12), 200, np.uint8)
    assert metrics.rmse(target - 150, target) == pytest.approx(150)  # no wrap-around
    assert metrics.rmse(np.full((2, 2, 2), 300, np.float16), np.zeros((2, 2, 2), np.float16)) == pytest.approx(300)


@pytest.mark.parametrize("bad", [np.ones((3, 3)), np.ones((0, 3, 3)), np.ones((2, 3, 3), complex)])
def test_what_is_no_cube_is_refused(bad):
    with pytest.raises(InputError):
        metrics.total_variation(bad)


def test_an_array_and_a_tensor_do_not_mix():
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="tensor"):
        metrics.rmse(np.ones((2, 3, 3)), torch.ones((2, 3, 3)))
