import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_hsisynth.errors import InputError
from napari_hsisynth.spectra import (
    TRANSFORM_LABELS,
    TRANSFORMS,
    continuum_removed,
    derivative,
    label_statistics,
    optical_density,
    roi_statistics,
    snv,
)

UNEVEN_NM = np.array([465.0, 470.5, 482.0, 493.0, 502.0, 540.0, 611.0, 640.0])


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_statistics_leave_out_pixels_that_are_not_finite_in_any_band(rng):
    data = rng.normal(size=(4, 6, 7)).astype(np.float32)
    data[0, 0, 0], data[3, 5, 6], data[1, 2, 2] = np.nan, np.inf, -np.inf
    mask = np.ones((6, 7), bool)
    mask[:, 3] = False
    found = roi_statistics(data, mask)
    kept = [data[:, y, x] for y in range(6) for x in range(7) if mask[y, x] and np.isfinite(data[:, y, x]).all()]
    assert found.n == len(kept) == 6 * 6 - 3
    np.testing.assert_allclose(found.mean, np.mean(kept, axis=0, dtype=np.float64))
    np.testing.assert_allclose(found.std, np.std(kept, axis=0, dtype=np.float64))


def test_statistics_of_large_offsets_keep_their_digits():
    pixels = 1e6 + np.array([0.0, 1.0, 2.0])
    found = roi_statistics(pixels.reshape(1, 1, 3), np.ones((1, 3)))
    np.testing.assert_allclose(found.std, np.sqrt(2 / 3), rtol=1e-9)


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_nothing_under_the_mask_is_nan_with_n_0_without_a_warning(fill):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = roi_statistics(np.full((3, 2, 2), fill), np.full((2, 2), np.isnan(fill)))
    assert found.n == 0
    assert np.isnan(found.mean).all()
    assert np.isnan(found.std).all()


def test_mask_of_another_size_is_refused():
    with pytest.raises(InputError, match=r"\(3, 2\) does not fit data of \(4, 2, 2\)"):
        roi_statistics(np.zeros((4, 2, 2)), np.zeros((3, 2)))


@given(labels=arrays(np.int32, (5, 6), elements=st.integers(0, 4)))
def test_label_statistics_equal_those_of_each_mask(labels):
    data = np.random.default_rng(0).normal(size=(3, 5, 6))
    data[:, 0, 0] = np.nan
    found = label_statistics(data, labels)
    assert list(found) == sorted(set(labels.ravel().tolist()) - {0})
    for number, one in found.items():
        alone = roi_statistics(data, labels == number)
        assert one.n == alone.n
        np.testing.assert_allclose(one.mean, alone.mean)
        np.testing.assert_allclose(one.std, alone.std, atol=1e-12)


def test_optical_density_is_minus_log10_of_the_ratio_to_white():
    np.testing.assert_allclose(optical_density([2.0, 0.2, 0.02], reference=2.0), [0, 1, 2], atol=1e-15)
    assert np.isnan(optical_density([0.0, -0.1, np.nan])).all()
    with pytest.raises(InputError):
        optical_density([1.0], reference=0)


def test_snv_has_mean_0_and_sample_deviation_1_and_forgets_gain_and_offset(rng):
    spectra = rng.normal(size=(9, 4, 5))
    found = snv(spectra)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=0, ddof=1), 1)
    np.testing.assert_allclose(snv(3.7 * spectra - 0.4), found)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e-30, 1e6])
def test_snv_of_a_constant_spectrum_is_nan(constant):
    assert np.isnan(snv(np.full(16, constant))).all()


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1), [3, 1, 0, 7, 2, 6, 5, 4]])
def test_derivative_is_exact_for_parabolas_on_uneven_bands_in_any_order(order):
    nm = UNEVEN_NM[order]
    a, b, c = 2e-4, -0.03, 1.1
    np.testing.assert_allclose(derivative(a * nm**2 + b * nm + c, nm), 2 * a * nm + b, rtol=1e-9, atol=1e-12)


def test_derivative_refuses_bands_without_a_slope():
    with pytest.raises(InputError, match="share a wavelength"):
        derivative([1, 2, 3], [500, 500, 510])
    with pytest.raises(InputError, match="two bands"):
        derivative([1], [500])
    with pytest.raises(InputError, match="3 wavelengths for 2 bands"):
        derivative([1, 2], [500, 510, 520])


def brute_force_continuum(spectrum, nm):
    """Upper hull as the highest of all chords: independent of how the code walks it."""
    hull = spectrum.copy()
    for left in range(len(nm)):
        for right in range(len(nm)):
            for at in range(len(nm)):
                if nm[left] < nm[at] < nm[right]:
                    part = (nm[at] - nm[left]) / (nm[right] - nm[left])
                    hull[at] = max(hull[at], (1 - part) * spectrum[left] + part * spectrum[right])
    return hull


@given(spectra=arrays(np.float64, (8, 3), elements=st.floats(0.01, 2)), seed=st.integers(0, 99))
def test_continuum_is_the_highest_chord(spectra, seed):
    order = np.random.default_rng(seed).permutation(len(UNEVEN_NM))
    found = continuum_removed(spectra[order], UNEVEN_NM[order])
    for column, spectrum in enumerate(spectra.T):
        expected = spectrum / brute_force_continuum(spectrum, UNEVEN_NM)
        np.testing.assert_allclose(found[:, column], expected[order], rtol=1e-9)


def test_continuum_shows_an_absorption_band_on_a_slope():
    nm = np.linspace(465, 630, 16)
    slope = 0.2 + 0.002 * (nm - 465)
    dip = 1 - 0.4 * np.exp(-(((nm - 542) / 12) ** 2))
    found = continuum_removed(slope * dip, nm)
    assert abs(found.min() - (1 - 0.4)) < 0.02
    assert abs(nm[found.argmin()] - 542) <= 11
    assert found[0] == found[-1] == 1


def test_continuum_of_invalid_spectra_is_nan_and_leaves_the_others_alone():
    spectra = np.array([[1, 0.5, 1], [1, np.nan, 1], [-1, -2, -1], [1, np.inf, 1]]).T
    found = continuum_removed(spectra, [500, 510, 520])
    np.testing.assert_array_equal(found[:, 0], [1, 0.5, 1])
    assert np.isnan(found[:, 1:]).all()


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_every_transform_keeps_the_shape_and_treats_pixels_one_by_one(name, rng):
    spectra = rng.uniform(0.1, 1, (8, 3, 4))
    kept = spectra.copy()
    found = TRANSFORMS[name](spectra, UNEVEN_NM)
    assert found.shape == spectra.shape
    for y in range(3):
        for x in range(4):
            np.testing.assert_allclose(found[:, y, x], TRANSFORMS[name](spectra[:, y, x], UNEVEN_NM))
    np.testing.assert_allclose(
        TRANSFORMS[name](np.moveaxis(spectra, 0, -1), UNEVEN_NM, axis=-1), np.moveaxis(found, 0, -1)
    )
    np.testing.assert_array_equal(spectra, kept)
    assert TRANSFORM_LABELS[name]
