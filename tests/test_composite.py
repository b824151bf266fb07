import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hsisynth.composite import (
    ILLUMINANTS,
    VIEWS,
    band_mean,
    colour_matching,
    illuminant_power,
    pca3,
    rgb_cie1931,
    single_band,
)
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError

EVEN_NM = np.linspace(465, 630, 16)


@pytest.fixture
def cube():
    return Cube(np.random.default_rng(1).uniform(0, 1.2, (16, 9, 11)), EVEN_NM)


@pytest.mark.parametrize(
    ("nm", "xyz"),
    # CIE 015:2018, table of the 1931 standard observer
    [
        (450, (0.3362, 0.0380, 1.7721)),
        (500, (0.0049, 0.3230, 0.2720)),
        (550, (0.4334, 0.9950, 0.0087)),
        (600, (1.0622, 0.6310, 0.0008)),
        (650, (0.2835, 0.1070, 0.0000)),
    ],
)
def test_colour_matching_is_near_the_cie_table(nm, xyz):
    np.testing.assert_allclose(colour_matching([nm])[:, 0], xyz, atol=0.03)


def test_colour_matching_follows_the_whole_table():
    if "HSISYNTH_TEST_DATA" not in os.environ:
        pytest.skip("HSISYNTH_TEST_DATA is not set")
    from scipy.io import loadmat

    table = loadmat(Path(os.environ["HSISYNTH_TEST_DATA"]) / "spectra" / "cie" / "T_xyz1931.mat")["T_xyz1931"]
    assert np.abs(colour_matching(np.arange(380, 781, 5)) - table).max() < 0.025


@pytest.mark.parametrize("illuminant", list(ILLUMINANTS))
@given(
    ends=st.tuples(st.floats(400, 500), st.floats(600, 700)),
    between=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=30),
    level=st.floats(0.02, 0.95),
    turned=st.booleans(),
)
def test_a_flat_spectrum_is_neutral_on_any_grid(illuminant, ends, between, level, turned):
    nm = np.array([ends[0], *(ends[0] + (ends[1] - ends[0]) * np.sort(between)), ends[1]])
    nm = nm[::-1] if turned else nm
    pixel = rgb_cie1931(Cube(np.full((len(nm), 1, 1), level), nm), illuminant, white=1.0)[0, 0]
    encoded = 12.92 * level if level <= 0.0031308 else 1.055 * level ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(pixel, encoded, atol=2e-3)


@pytest.mark.parametrize(("nm", "channel"), [(465, 2), (531, 1), (630, 0)])
def test_a_narrow_band_shows_its_own_colour(nm, channel):
    spectrum = 0.1 + 0.9 * np.exp(-(((EVEN_NM - nm) / 15) ** 2))
    pixel = rgb_cie1931(Cube(spectrum.reshape(-1, 1, 1), EVEN_NM), white=1.0)[0, 0]
    assert pixel.argmax() == channel


def test_denser_sampling_of_one_region_does_not_tint():
    def colour(nm):
        spectrum = 0.2 + 0.5 * (nm - 465) / 165
        return rgb_cie1931(Cube(spectrum.reshape(-1, 1, 1), nm), white=1.0)[0, 0]

    dense_blue = np.sort(np.concatenate([np.linspace(465, 630, 34), np.linspace(466, 500, 40)]))
    np.testing.assert_allclose(colour(dense_blue), colour(np.linspace(465, 630, 331)), atol=0.01)


def test_the_default_exposure_does_not_depend_on_the_unit(cube):
    counts = cube.replace(data=cube.data * 255)
    np.testing.assert_allclose(rgb_cie1931(counts), rgb_cie1931(cube), atol=1e-5)
    assert rgb_cie1931(cube, white=10.0).max() < 0.5


@pytest.mark.parametrize("name", list(VIEWS))
def test_invalid_pixels_are_black_and_change_no_other(name, cube):
    data = cube.data.copy()
    data[3, 0, 0], data[0, 8, 10], data[15, 4, 4] = np.nan, np.inf, -np.inf
    found = VIEWS[name](cube.replace(data=data))
    assert np.isfinite(found).all()
    other = data.copy()
    other[:, 0, 0] = np.nan
    other[:, 8, 10] = np.nan
    other[:, 4, 4] = np.nan
    np.testing.assert_allclose(found, VIEWS[name](cube.replace(data=other)))
    for y, x in ((0, 0), (8, 10), (4, 4)):
        assert not np.any(found[y, x])


@pytest.mark.parametrize("name", list(VIEWS))
def test_views_of_a_cube_without_any_valid_pixel_are_black(name):
    assert not VIEWS[name](Cube(np.full((16, 2, 3), np.nan), EVEN_NM)).any()


@pytest.mark.parametrize(
    ("nm", "message"),
    [
        (None, "only numbered"),
        ([700, 800, 900], "needs bands from 500 to 600 nm"),
        ([550, 600, 650], "needs bands"),
        ([450, 500, 550], "needs bands"),
        ([450, 650, 950], "needs bands"),
        ([450, 650, 650], "needs bands"),
    ],
)
def test_colour_is_refused_without_the_bands_for_it(nm, message):
    with pytest.raises(InputError, match=message):
        rgb_cie1931(Cube(np.ones((3, 2, 2)), nm))


def test_infrared_bands_do_not_count(cube):
    nm = np.append(EVEN_NM, [800.0, 900.0])
    data = np.concatenate([cube.data, np.full((2, 9, 11), 9.0, np.float32)])
    np.testing.assert_allclose(rgb_cie1931(Cube(data, nm)), rgb_cie1931(cube), atol=1e-6)


def test_options_of_colour_are_checked(cube):
    with pytest.raises(InputError, match="illuminant"):
        rgb_cie1931(cube, "F99")
    with pytest.raises(InputError, match="positive"):
        rgb_cie1931(cube, white=0.0)


def test_band_mean_is_the_mean(cube):
    np.testing.assert_allclose(band_mean(cube), cube.data.mean(axis=0), rtol=1e-6)


def test_single_band_is_the_nearest_and_refuses_far_ones(cube):
    np.testing.assert_array_equal(single_band(cube, 480), cube.data[1])
    np.testing.assert_array_equal(single_band(cube, 635), cube.data[15])
    with pytest.raises(InputError, match=r"700 nm is not in the cube's 465-630 nm"):
        single_band(cube, 700)


def test_pca_orders_components_by_variance_and_fixes_signs():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 40, 40)) * np.array([5.0, 2.0, 0.7])[:, None, None]
    loadings, _ = np.linalg.qr(rng.normal(size=(16, 3)))
    loadings *= np.sign(loadings.sum(axis=0))
    picture = pca3(Cube(np.tensordot(loadings, scores, axes=1) + 3, EVEN_NM))
    for component in range(3):
        inside = (picture[..., component] > 0) & (picture[..., component] < 1)
        match = np.corrcoef(picture[..., component][inside], scores[component][inside])[0, 1]
        assert match > 0.99
    assert picture.min() == 0
    assert picture.max() == 1


@pytest.mark.parametrize("bands", [1, 2])
def test_pca_of_few_bands_leaves_missing_components_black(bands):
    picture = pca3(Cube(np.random.default_rng(0).normal(size=(bands, 8, 8))))
    assert picture.shape == (8, 8, 3)
    assert picture[..., :bands].any(axis=(0, 1)).all()
    assert not picture[..., bands:].any()


def test_pca_does_not_blow_up_rounding_noise():
    ramp = np.linspace(0.1, 1, 64).reshape(1, 8, 8)
    picture = pca3(Cube(np.repeat(ramp, 16, axis=0), EVEN_NM))
    assert picture[..., 0].any()
    assert not picture[..., 1:].any()


def srgb(linear):
    """IEC 61966-2-1, the formula itself."""
    linear = np.clip(np.asarray(linear, np.float64), 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@given(level=st.floats(0, 1.25, width=32))
def test_gamma_is_that_of_the_formula(level):
    pixel = rgb_cie1931(Cube(np.full((16, 1, 1), level), EVEN_NM), white=1.0)[0, 0]
    assert np.abs(pixel - srgb(level)).max() < 0.05 / 255  # a flat spectrum is neutral


def test_colour_is_that_of_double_precision(cube):
    """X, Y, Z and sRGB worked out pixel by pixel in float64, from the definition."""
    nm, data = EVEN_NM, cube.data.astype(np.float64)
    interval = np.full(16, nm[1] - nm[0])
    interval[[0, -1]] /= 2
    weights = colour_matching(nm) * illuminant_power("D65", nm) * interval
    xyz = np.einsum("cb,byx->yxc", weights / weights.sum(axis=1, keepdims=True), data)
    xyz /= np.percentile(xyz[..., 1], 99.5)
    to_rgb = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    white = np.linalg.inv(to_rgb) @ np.ones(3)
    np.testing.assert_allclose(rgb_cie1931(cube), srgb((xyz * white) @ to_rgb.T), atol=1e-4)


def test_pca_is_that_of_double_precision(cube):
    spectra = cube.data.reshape(16, -1).astype(np.float64)
    spectra -= spectra.mean(axis=1, keepdims=True)
    vectors, _, _ = np.linalg.svd(spectra, full_matrices=False)
    for component in range(3):
        scores = np.sign(vectors[:, component].sum()) * vectors[:, component] @ spectra
        low, high = np.percentile(scores, [1, 99])
        expected = np.clip((scores - low) / (high - low), 0, 1).reshape(9, 11)
        np.testing.assert_allclose(pca3(cube)[..., component], expected, atol=1e-4)


# --- illuminants


def chromaticity(name):
    nm = np.arange(400.0, 701.0)
    xyz = (colour_matching(nm) * illuminant_power(name, nm)).sum(axis=1)
    return xyz[:2] / xyz.sum()


@pytest.mark.parametrize(
    ("name", "xy"),
    # white points of the 1931 observer, CIE 15:2004, table T.3
    [
        ("D50", (0.34567, 0.35851)),
        ("D55", (0.33243, 0.34744)),
        ("D65", (0.31272, 0.32903)),
        ("D75", (0.29903, 0.31488)),
        ("A", (0.44758, 0.40745)),
        ("E", (1 / 3, 1 / 3)),
    ],
)
def test_illuminants_have_the_white_points_of_the_cie(name, xy):
    np.testing.assert_allclose(chromaticity(name), xy, atol=3e-3)
    np.testing.assert_allclose(illuminant_power(name, [560.0]), [100.0])


def test_the_formula_of_daylight_gives_the_table_of_d65():
    from napari_hsisynth.composite import illuminants

    nm = np.arange(400.0, 701.0, 10.0)
    np.testing.assert_allclose(illuminants._daylight(6504.0), illuminant_power("D65", nm), atol=0.06)


def test_a_warm_light_weighs_the_red_of_a_camera_more():
    # two bands make the red primary: under lamp light the longer one counts more
    spectrum = np.where(EVEN_NM > 615, 1.0, 0.2).reshape(-1, 1, 1)
    daylight, lamp = (rgb_cie1931(Cube(spectrum, EVEN_NM), name, white=1.0)[0, 0] for name in ("D65", "A"))
    assert lamp[0] > daylight[0]
    with pytest.raises(InputError, match="use one of D65"):
        illuminant_power("F2", [500.0])
