"""Spectra beside a reference: resampled, difference, ratio; and of unit length."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.spectra import TRANSFORM_LABELS, TRANSFORMS, difference, normalised, ratio, resample


def test_transforms_come_in_the_order_of_the_menu_with_their_units():
    assert list(TRANSFORMS) == [
        "raw",
        "normalised",
        "SNV",
        "optical density",
        "first derivative",
        "second derivative",
        "continuum removed",
    ]
    assert list(TRANSFORM_LABELS) == list(TRANSFORMS)
    assert TRANSFORM_LABELS["first derivative"] == "first derivative (1/nm)"
    assert TRANSFORM_LABELS["second derivative"] == "second derivative (1/nm²)"


@settings(deadline=None)
@given(gain=st.floats(1e-150, 1e150))
def test_normalised_spectra_have_length_1_whatever_the_gain(gain):
    spectra = np.random.default_rng(0).normal(size=(7, 5))
    found = normalised(gain * spectra)
    np.testing.assert_allclose((found**2).sum(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(found, spectra / np.linalg.norm(spectra, axis=0), rtol=1e-9)


def test_spectra_without_a_length_are_nan_and_leave_the_others_alone():
    spectra = np.array([[0.0, 0.0], [1.0, np.nan], [1.0, np.inf], [3.0, 4.0]]).T
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = normalised(spectra)
    assert np.isnan(found[:, :3]).all()
    np.testing.assert_allclose(found[:, 3], [0.6, 0.8])


@settings(deadline=None)
@given(seed=st.integers(0, 50), wanted=st.lists(st.floats(300, 900), min_size=1, max_size=20))
def test_resampling_is_linear_interpolation_inside_and_nothing_outside(seed, wanted):
    rng = np.random.default_rng(seed)
    nm = rng.permutation(np.array([465.0, 470.5, 482.0, 493.0, 540.0, 611.0]))
    values = rng.normal(size=(6, 2))
    found = resample(values, nm, wanted)
    order = np.argsort(nm)
    for column in range(2):
        expected = np.interp(wanted, nm[order], values[order, column], left=np.nan, right=np.nan)
        inside = np.isfinite(expected)
        np.testing.assert_allclose(found[inside, column], expected[inside], rtol=1e-9, atol=1e-12)
    outside = (np.array(wanted) < 464.9) | (np.array(wanted) > 611.1)
    assert np.isnan(found[outside]).all()


def test_resampling_to_the_same_wavelengths_changes_no_bit_and_keeps_nan_where_it_is():
    nm = np.array([630.0, 465.0, 500.0, 520.0])
    values = np.array([0.1, 1 / 3, np.nan, 0.7])
    np.testing.assert_array_equal(resample(values, nm, nm), values)
    # between a value and nothing there is nothing
    found = resample(values, nm, [480, 510, 575, 630.04, 630.06])
    np.testing.assert_allclose(found, [np.nan, np.nan, 0.4, 0.1, np.nan])


def test_resampling_along_any_axis_and_of_one_band():
    values = np.arange(12.0).reshape(3, 4)
    nm = [500, 510, 520, 530]
    np.testing.assert_allclose(resample(values, nm, [505, 525], axis=1), values[:, [0, 2]] + 0.5)
    np.testing.assert_array_equal(resample([2.0], [500], [500, 501]), [2, np.nan])
    with pytest.raises(InputError, match="2 wavelengths for 3 bands"):
        resample([1, 2, 3], [500, 510], [505])


@settings(deadline=None)
@given(seed=st.integers(0, 20), axis=st.sampled_from([0, 1, 2, -1]))
def test_difference_and_ratio_undo_sum_and_product(seed, axis):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(4, 4, 4))
    reference = rng.uniform(0.5, 2, 4)
    shape = [1, 1, 1]
    shape[axis] = 4
    beside = reference.reshape(shape)
    np.testing.assert_allclose(difference(values + beside, reference, axis=axis), values, atol=1e-12)
    np.testing.assert_allclose(ratio(values * beside, reference, axis=axis), values, rtol=1e-12)


def test_ratio_to_nothing_is_nan():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ratio([1.0, 1.0, 1.0, -1.0], [0.0, np.nan, np.inf, -2.0])
        np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 0.5])
        np.testing.assert_array_equal(difference([1.0, np.inf], [np.nan, np.inf]), [np.nan, np.nan])


@pytest.mark.parametrize("compare", [difference, ratio])
def test_a_reference_of_other_bands_is_refused(compare):
    with pytest.raises(InputError, match="3 bands, the spectrum 2"):
        compare([1.0, 2.0], [1.0, 2.0, 3.0])
