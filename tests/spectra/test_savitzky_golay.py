"""Smoothing and derivatives: against SciPy on even bands, against polynomials on uneven ones."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from napari_hsisynth.errors import InputError
from napari_hsisynth.spectra import derivative, first_derivative, second_derivative, smooth

UNEVEN_NM = np.array([465.0, 470.5, 482.0, 493.0, 502.0, 540.0, 611.0, 640.0])


CASES = [
    (bands, step_nm, window, degree, order)
    for bands, step_nm in [(16, 11.0), (5, 2.5), (224, 3.0)]
    for window, degree in [(3, 1), (5, 2), (5, 3), (5, 4), (9, 2), (15, 3)]
    for order in (0, 1, 2)
    if window <= bands and order <= degree
]


@pytest.mark.parametrize(("bands", "step_nm", "window", "degree", "order"), CASES)
def test_even_bands_give_what_scipy_gives_ends_included(bands, step_nm, window, degree, order):
    spectra = np.random.default_rng(2).normal(size=(bands, 3, 2))
    nm = 400 + step_nm * np.arange(bands)
    expected = savgol_filter(spectra, window, degree, deriv=order, delta=step_nm, axis=0, mode="interp")
    if order:
        found = derivative(spectra, nm, order=order, window=window, degree=degree)
    else:
        found = smooth(spectra, nm, window=window, order=degree)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 / step_nm**order)


def test_the_transforms_are_parabolas_through_five_bands():
    nm = np.linspace(465, 630, 16)
    spectrum = np.random.default_rng(0).uniform(0.1, 1, 16)
    for order, transform in ((1, first_derivative), (2, second_derivative)):
        expected = savgol_filter(spectrum, 5, 2, deriv=order, delta=11, mode="interp")
        np.testing.assert_allclose(transform(spectrum, nm), expected, rtol=1e-9, atol=1e-12)


@settings(deadline=None)
@given(
    coefficients=st.lists(st.floats(-2, 2), min_size=3, max_size=3),
    order=st.permutations(range(8)),
    window=st.sampled_from([3, 5, 7]),
)
def test_parabolas_are_exact_on_uneven_bands_in_any_order(coefficients, order, window):
    nm = UNEVEN_NM[list(order)]
    x = (nm - 550) / 100
    a, b, c = coefficients
    parabola = a * x**2 + b * x + c
    np.testing.assert_allclose(smooth(parabola, nm, window=window), parabola, atol=1e-10)
    np.testing.assert_allclose(derivative(parabola, nm, window=window), (2 * a * x + b) / 100, atol=1e-11)
    second = derivative(parabola, nm, order=2, window=window)
    np.testing.assert_allclose(second, np.full(8, 2 * a / 100**2), atol=1e-12)


def test_a_cubic_is_exact_with_degree_3_and_real_distances():
    nm = UNEVEN_NM
    cubic = ((nm - 550) / 100) ** 3
    found = derivative(cubic, nm, window=5, degree=3)
    np.testing.assert_allclose(found, 3 * ((nm - 550) / 100) ** 2 / 100, rtol=1e-8)
    as_if_even = savgol_filter(cubic, 5, 3, deriv=1, delta=np.diff(nm).mean(), mode="interp")
    assert np.abs(as_if_even - found).max() > 0.1 * np.abs(found).max(), "the bands are not uneven enough to tell"


def test_each_window_is_a_least_squares_fit_on_uneven_bands():
    values = np.random.default_rng(1).normal(size=8)
    found = smooth(values, UNEVEN_NM, window=5, order=1)
    slopes = derivative(values, UNEVEN_NM, window=5, degree=1)
    for band in range(8):
        start = min(max(band - 2, 0), 3)
        near = slice(start, start + 5)
        slope, offset = np.polyfit(UNEVEN_NM[near] - UNEVEN_NM[band], values[near], 1)
        assert found[band] == pytest.approx(offset, rel=1e-9)
        assert slopes[band] == pytest.approx(slope, rel=1e-9)


@pytest.mark.parametrize("window", [0, 1])
def test_smoothing_off_is_the_spectrum_itself_in_new_memory(window):
    spectrum = np.array([0.2, np.nan, 0.4])
    found = smooth(spectrum, [500, 510, 520], window=window)
    np.testing.assert_array_equal(found, spectrum)
    assert found is not spectrum


def test_smoothing_takes_away_noise_but_not_the_mean():
    noise = np.random.default_rng(0).normal(size=(64, 500))
    nm = np.arange(400, 464.0)
    found = smooth(noise, nm, window=9, order=2)
    # what is left of the variance is the middle weight of the filter, 59/231 for 9 bands (Savitzky & Golay, table I)
    assert found[10:-10].var() == pytest.approx(59 / 231, rel=0.03)
    np.testing.assert_allclose(smooth(np.full(64, 0.3), nm, window=9), 0.3, rtol=1e-12)


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_few_bands_make_one_window(bands):
    nm = np.array([500.0, 507.0, 530.0, 531.0])[:bands]
    line = 0.002 * nm + 1
    np.testing.assert_allclose(smooth(line, nm, window=9), line)
    if bands > 1:
        np.testing.assert_allclose(first_derivative(line, nm), 0.002)
    if bands > 2:
        np.testing.assert_allclose(second_derivative(line, nm), 0, atol=1e-12)


def test_one_missing_value_spoils_its_windows_only():
    spectra = np.ones((12, 2))
    spectra[6, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = first_derivative(spectra, np.arange(400, 412))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found[:, 0])), np.arange(4, 9))
    assert np.isfinite(found[:, 1]).all()


def test_what_has_no_derivative_is_refused():
    with pytest.raises(InputError, match="order 2 needs three bands"):
        second_derivative([1, 2], [500, 510])
    with pytest.raises(InputError, match="4 bands has no middle"):
        smooth([1, 2, 3], [500, 510, 520], window=4)
    with pytest.raises(InputError, match="-3 bands"):
        smooth([1, 2, 3], [500, 510, 520], window=-3)
    with pytest.raises(InputError, match="order of 0 or more"):
        smooth([1, 2, 3], [500, 510, 520], window=3, order=-1)
    with pytest.raises(InputError, match="order of 1 or more"):
        derivative([1, 2, 3], [500, 510, 520], order=0)
    with pytest.raises(InputError, match="share a wavelength"):
        smooth([1, 2, 3], [500, 500, 520], window=3)


def test_wavelengths_of_whole_numbers_do_as_well():
    np.testing.assert_allclose(derivative([0, 1, 4], np.array([0, 1, 2])), [0, 2, 4], atol=1e-12)
