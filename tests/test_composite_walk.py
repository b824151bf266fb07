"""Views of three bands, and every view of cubes whose values stay in their file."""

import numpy as np
import pytest

from napari_hsisynth.composite import (
    VIEWS,
    band_mean,
    colour,
    default_bands,
    pca3,
    principal,
    rgb_bands,
    rgb_cie1931,
    walk,
)
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray

EVEN_NM = np.linspace(465, 630, 16)


@pytest.fixture
def cube():
    return Cube(np.random.default_rng(1).uniform(0, 1.2, (16, 9, 11)), EVEN_NM)


class Counted:
    """A stored array that counts the values read from it, and knows the most that were asked for at once."""

    def __init__(self, values):
        self.values, self.read, self.most = values, 0, 0
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, key):
        found = self.values[key]
        self.read += found.size
        self.most = max(self.most, found.size)
        return found


# --- three bands


def test_three_bands_are_those_asked_for(cube):
    limits = [(0.0, 1.0), (0.2, 0.7), (-1.0, 2.0)]
    picture = rgb_bands(cube, bands=(15, 7, 0), limits=limits)
    for channel, (band, (low, high)) in enumerate(zip((15, 7, 0), limits, strict=True)):
        expected = np.clip((cube.data[band].astype(float) - low) / (high - low), 0, 1)
        np.testing.assert_allclose(picture[..., channel], expected, atol=1e-6)
    np.testing.assert_array_equal(rgb_bands(cube, (629, 543, 465), limits=limits), picture)


def test_three_bands_fill_the_range_of_each(cube):
    shifted = Cube(cube.data * np.linspace(1, 90, 16)[:, None, None], EVEN_NM)
    picture = rgb_bands(shifted, bands=(15, 7, 0))
    np.testing.assert_allclose(picture, rgb_bands(cube, bands=(15, 7, 0)), atol=1e-5)
    for channel in range(3):
        assert (picture[..., channel].min(), picture[..., channel].max()) == (0, 1)


def test_one_band_that_is_not_finite_makes_the_pixel_black(cube):
    data = cube.data.copy()
    data[7, 2, 3], data[4, 5, 5] = np.inf, np.nan  # band 4 is not shown
    picture = rgb_bands(cube.replace(data=data), bands=(15, 7, 0))
    assert not picture[2, 3].any()
    assert picture[5, 5].any()
    assert not rgb_bands(Cube(np.full((3, 2, 2), np.nan))).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bands": (0, 1)}, "three of 0 to 15"),
        ({"bands": (0, 1, 16)}, "three of 0 to 15"),
        ({"bands": (-1, 1, 2)}, "three of 0 to 15"),
        ({"wavelengths_nm": (900, 500, 480)}, "900 nm is not in"),
        ({"wavelengths_nm": (600, 500, 480), "bands": (0, 1, 2)}, "give one of them"),
        ({"bands": (0, 1, 2), "limits": [(0, 1)] * 2}, "three pairs"),
        ({"bands": (0, 1, 2), "limits": [(0, 1), (1, 1), (0, 1)]}, "three pairs"),
        ({"bands": (0, 1, 2), "limits": [(0, 1), (0, np.nan), (0, 1)]}, "three pairs"),
    ],
)
def test_bands_that_are_not_there_are_refused(cube, options, message):
    with pytest.raises(InputError, match=message):
        rgb_bands(cube, **options)


@pytest.mark.parametrize(
    ("bands", "nm", "header", "expected"),
    [
        (16, EVEN_NM, {}, (15, 7, 0)),
        (16, EVEN_NM[::-1], {}, (0, 8, 15)),
        (16, EVEN_NM, {"default bands": ["3", "2.0", 1]}, (2, 1, 0)),
        (16, EVEN_NM, {"default bands": [17, 2, 1]}, (15, 7, 0)),
        (16, EVEN_NM, {"default bands": "red"}, (15, 7, 0)),
        (6, None, {}, (5, 3, 1)),
        (6, [900, 1000, 1100, 1200, 1300, 1400], {}, (5, 3, 1)),
        (1, [500], {}, (0, 0, 0)),
        (2, [500, 600], {}, (1, 1, 0)),
    ],
)
def test_default_bands_are_those_of_the_file_else_red_green_and_blue(bands, nm, header, expected):
    cube = Cube(np.ones((bands, 2, 2)), nm, provenance={"envi": header})
    assert default_bands(cube) == expected
    assert rgb_bands(cube).shape == (2, 2, 3)


# --- block by block


@pytest.mark.parametrize("view", [*VIEWS.values(), rgb_bands], ids=[*VIEWS, "three bands"])
@pytest.mark.parametrize("turned", [False, True])
def test_views_of_a_cube_in_its_file_are_the_same(view, turned, cube, monkeypatch):
    data = cube.data.copy()
    data[3, 1, 2], data[0, 8, 10] = np.nan, np.inf
    nm = EVEN_NM[::-1] if turned else EVEN_NM
    expected = view(Cube(data, nm))
    monkeypatch.setattr(walk, "BLOCK_VALUES", 400)  # two rows at a time
    stored = Counted(data.transpose(1, 2, 0))
    lazy = Cube(LazyArray(stored, axes=(2, 0, 1)), nm)
    np.testing.assert_allclose(view(lazy), expected, atol=2e-6)
    assert stored.most <= 400


def test_only_the_bands_that_are_shown_are_read(monkeypatch):
    nm = np.linspace(400, 2500, 211)
    stored = Counted(np.random.default_rng(0).uniform(size=(211, 20, 10)).astype(np.float32))
    cube = Cube(LazyArray(stored), nm)
    rgb_cie1931(cube)
    assert stored.read == 31 * 200  # 400-700 nm
    stored.read = 0
    rgb_bands(cube, bands=(200, 100, 3), limits=[(0, 1)] * 3)
    assert stored.read == 3 * 200


@pytest.mark.parametrize("view", [rgb_cie1931, band_mean, pca3, rgb_bands])
def test_progress_is_told_and_may_end_the_work(view, cube, monkeypatch):
    monkeypatch.setattr(walk, "BLOCK_VALUES", 400)
    told = []
    view(cube, tick=lambda done, rows: told.append((done, rows)))
    assert told[0] == (0, 9)
    assert told[-1] == (9, 9)
    assert len(told) >= 3

    class Enough(Exception):
        pass

    def stop(done, rows):
        if done:
            raise Enough

    with pytest.raises(Enough):
        view(cube, tick=stop)


def test_pca_of_very_many_values_looks_at_some_rows_for_its_axes(monkeypatch):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 64, 64)) * np.array([5.0, 2.0, 0.7])[:, None, None]
    loadings, _ = np.linalg.qr(rng.normal(size=(16, 3)))
    stored = Counted((np.tensordot(loadings, scores, axes=1) + 3).astype(np.float32))
    cube = Cube(LazyArray(stored), EVEN_NM)
    whole = pca3(cube)
    monkeypatch.setattr(principal, "_MOST_PRODUCTS", 64 * 64 * 16**2 // 8)
    stored.read = 0
    some = pca3(cube)
    assert stored.read == stored.values.size * 9 // 8
    for component in range(3):
        match = np.corrcoef(whole[..., component].ravel(), some[..., component].ravel())[0, 1]
        assert match > 0.99


def test_overflow_in_a_sum_is_no_invalid_pixel(cube):
    data = cube.data.copy()
    data[:, 4, 4] = 3e38
    valid = walk.valid_pixels(data)
    assert valid.all()
    assert np.isfinite(rgb_cie1931(cube.replace(data=data))).all()
    assert colour._encoded(np.array([np.nan, -1, 2], np.float32)).tolist() == [0, 0, 1]
