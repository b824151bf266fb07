"""Other sizes in closed form: what is flat stays flat, means are kept, masks stay binary and never vanish."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.study.resizing import resized, resized_mask, size_with_shorter_side

sides = st.integers(1, 40)
shapes = st.tuples(sides, sides)


def noise(shape_yx, seed=0, bands=2):
    return np.random.default_rng(seed).random((bands, *shape_yx), dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(shapes, shapes)
def test_flat_spectra_stay_and_no_value_leaves_the_range(before, after):
    flat = np.broadcast_to(np.float32([0.2, 1.7])[:, None, None], (2, *before))
    assert resized(flat, after) == pytest.approx(np.broadcast_to(flat[:, :1, :1], (2, *after)), rel=1e-6)
    made = resized(noise(before), after)
    assert made.shape == (2, *after)
    assert made.dtype == np.float32
    assert noise(before).min() - 1e-6 <= made.min() <= made.max() <= noise(before).max() + 1e-6


@settings(max_examples=40, deadline=None)
@given(shapes, st.data())
def test_shrinking_keeps_the_mean_by_any_factor(before, data):
    after = tuple(data.draw(st.integers(1, side)) for side in before)
    made = resized(noise(before), after)
    np.testing.assert_allclose(made.mean(axis=(1, 2)), noise(before).mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrinking_by_a_whole_factor_averages_blocks(factor):
    data = noise((6 * factor, 4 * factor))
    expected = data.reshape(2, 6, factor, 4, factor).mean(axis=(2, 4))
    np.testing.assert_allclose(resized(data, (6, 4)), expected, rtol=1e-6)


def test_parts_of_pixels_count_as_parts():
    row = np.float32([[[1, 2, 4]]])  # to two pixels of 1.5: 1 + 2/2 and 2/2 + 4, over 1.5
    np.testing.assert_allclose(resized(row, (1, 2))[0, 0], [2 / 1.5, 5 / 1.5])


def test_growing_interpolates_between_centres():
    row = np.float32([[[0, 1]]])  # centres at 0.25 and 0.75 of the row; four new ones at 1/8, 3/8, 5/8, 7/8
    np.testing.assert_allclose(resized(row, (1, 4))[0, 0], [0, 0.25, 0.75, 1])


@given(st.integers(2, 30), st.integers(2, 30))
def test_a_ramp_keeps_its_slope(before, after):
    """It has the values of the new centres; means of whole and parts of pixels are off by a quarter of a step."""
    ramp = np.arange(before, dtype=np.float32)[None, None]
    centres = (np.arange(after) + 0.5) * before / after - 0.5
    inside = (centres >= 0) & (centres <= before - 1)
    made = resized(ramp, (1, after))[0, 0]
    np.testing.assert_allclose(made[inside], centres[inside], atol=0.26 if after < before else 1e-4)


def test_pixels_that_are_not_finite_are_left_out_of_their_band_only():
    data = np.ones((2, 4, 4), np.float32)
    data[0, 0, 0], data[0, 1, 1] = np.nan, np.inf
    data[0, 2:, 2:] = np.nan
    made = resized(data, (2, 2))
    assert made[0].tolist()[0] == [1, 1]
    assert np.isnan(made[0, 1, 1])
    assert (made[1] == 1).all()


def test_the_same_size_is_the_same_array():
    data, mask = noise((5, 7)), np.eye(4, dtype=bool)
    assert resized(data, (5, 7)) is data
    assert resized_mask(mask, (4, 4)) is mask


@settings(max_examples=60, deadline=None)
@given(shapes, shapes, st.data())
def test_a_mask_is_empty_only_if_it_was(before, after, data):
    mask = np.zeros(before, bool)
    for _ in range(data.draw(st.integers(0, 3))):
        mask[data.draw(st.integers(0, before[0] - 1)), data.draw(st.integers(0, before[1] - 1))] = True
    made = resized_mask(mask, after)
    assert made.shape == after
    assert made.dtype == bool
    assert made.any() == mask.any()
    assert resized_mask(~np.zeros(before, bool), after).all()


def test_a_mask_goes_by_the_majority():
    mask = np.zeros((4, 4), bool)
    mask[:2, :2] = True
    mask[2, 2:], mask[0, 2] = True, True  # half of the lower right, a quarter of the upper right
    assert resized_mask(mask, (2, 2)).tolist() == [[True, False], [False, True]]
    grown = resized_mask(mask, (12, 12))
    assert grown[1::3, 1::3].tolist() == mask.tolist()  # the middle pixel of each block lies on the old centre


@given(shapes, st.integers(1, 300))
def test_the_shorter_side_gets_the_size(shape, side):
    height, width = size_with_shorter_side(shape, side)
    assert min(height, width) == side
    assert abs(max(height, width) - max(shape) * side / min(shape)) <= 0.5
