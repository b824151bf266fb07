"""Corrections of cubes: closed forms, invariances, and the same from memory as from a file."""

import doctest
import importlib
import itertools
import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.corrections import bin_bands, bin_pixels, crop_bands, drop_bands, flat_field, reorder
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import read_cube, write_cube
from napari_hsisynth.lazy_array import LazyArray

NM = np.array([465.0, 476, 487, 500, 530, 560, 611])


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.fixture
def cube(rng):
    return Cube(rng.uniform(10, 200, (7, 8, 9)), NM, name="raw", provenance={"source": "a.hdr"}, notes=("kept",))


def in_a_file(cube):
    """The same cube as one that stays in its file, stored with the bands last."""
    return cube.replace(data=LazyArray(np.ascontiguousarray(cube.data.transpose(1, 2, 0)), (2, 0, 1)))


def steps(cube):
    json.dumps(cube.provenance, allow_nan=False)
    return cube.provenance["processing"]


@pytest.mark.parametrize("module", ["bands", "flat_field", "pixels"])
def test_examples_in_the_docs_are_true(module):
    result = doctest.testmod(importlib.import_module(f"napari_hsisynth.corrections.{module}"))
    assert result.attempted
    assert not result.failed


# --- flat field


def test_flat_field_gives_back_what_lamp_and_offset_were_put_on(rng):
    reflectance = rng.uniform(0, 1.3, (7, 8, 9))
    lamp, offset = rng.uniform(50, 100, (7, 8, 9)), rng.uniform(1, 5, (7, 8, 9))
    raw = Cube(offset + lamp * reflectance, NM)
    found = flat_field(raw, Cube(offset + lamp, NM), Cube(offset, NM))
    np.testing.assert_allclose(found.data, reflectance, atol=1e-5)
    assert found.data.max() > 1.1, "values above white must not be clipped"
    np.testing.assert_array_equal(found.wavelengths_nm, NM)


def test_one_line_and_several_lines_stand_for_every_line(cube, rng):
    lamp = rng.uniform(250, 300, (7, 1, 9))
    several = lamp + np.array([-2.0, 0.0, 2.0])[:, None]
    dark = rng.uniform(1, 5, (7, 1, 9))
    expected = (cube.data - dark) / (lamp - dark)
    np.testing.assert_allclose(flat_field(cube, Cube(lamp, NM), Cube(dark, NM)).data, expected, rtol=1e-5)
    np.testing.assert_allclose(flat_field(cube, Cube(several, NM), Cube(dark, NM)).data, expected, rtol=1e-5)


def test_a_spectrum_and_no_dark(cube, rng):
    white = rng.uniform(250, 300, 7)
    found = flat_field(cube, white)
    np.testing.assert_allclose(found.data, cube.data / white[:, None, None], rtol=1e-6)
    (step,) = steps(found)
    assert step["step"] == "flat field"
    assert "dark" not in step
    np.testing.assert_allclose(step["white"], white, rtol=1e-6)


def test_the_white_reference_itself_becomes_1_and_the_dark_one_0(cube):
    dark = Cube(np.full((7, 1, 9), 3.0), NM, name="dark")
    for seen, value in ((cube, 1), (Cube(np.full((7, 8, 9), 3.0), NM), 0)):
        found = flat_field(seen, cube.replace(name="white"), dark)
        np.testing.assert_allclose(found.data, value, atol=1e-6)
    assert steps(found) == [
        {
            "step": "flat field",
            "white": {"cube": "white", "lines": 8, "samples": 9},
            "dark": {"cube": "dark", "lines": 1, "samples": 9},
        }
    ]


def test_what_cannot_divide_is_nan_and_counted(cube):
    white = np.full((7, 8, 9), 250.0)
    white[0, 0, 0], white[1, 2, 3], white[2, 0, 5] = 5.0, 1.0, np.nan  # as dark as dark, darker, broken
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = flat_field(cube, Cube(white, NM), np.full(7, 5.0))
    assert np.argwhere(np.isnan(found.data)).tolist() == [[0, 0, 0], [1, 2, 3], [2, 0, 5]]
    assert found.notes == ("kept", "flat field: 3 of 504 values of white - dark are not positive; they give NaN")


@pytest.mark.parametrize(
    ("white", "dark", "message"),
    [
        (np.ones(6), None, "white: 6 bands for a cube of 7"),
        (np.ones((7, 2)), None, "white: must be a cube or the spectrum of one"),
        (Cube(np.ones((7, 8, 5)), NM), None, "white: 8 x 5 px do not fit a cube of 8 x 9 px"),
        (Cube(np.ones((7, 8, 9)), NM + 20), None, "white: its wavelengths are up to 20.0 nm"),
        (np.ones(7), np.full(7, 2.0), "nowhere brighter than the dark one"),
        (np.full(7, 9.0), Cube(np.ones((3, 1, 9))), "dark: 3 bands"),
    ],
)
def test_references_that_do_not_fit_are_refused(cube, white, dark, message):
    with pytest.raises(InputError, match=message):
        flat_field(cube, white, dark)


# --- bands


@settings(deadline=None)
@given(factor=st.integers(1, 7), descending=st.booleans())
def test_binned_bands_are_means_of_neighbours_and_of_their_wavelengths(factor, descending):
    nm = NM[::-1] if descending else NM
    data = np.random.default_rng(0).normal(size=(7, 3, 4)).astype(np.float32)
    found = bin_bands(Cube(data, nm), factor)
    groups = [range(start, min(start + factor, 7)) for start in range(0, 7, factor)]
    np.testing.assert_allclose(found.data, [data[list(group)].mean(axis=0) for group in groups], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.wavelengths_nm, [nm[list(group)].mean() for group in groups])
    assert any("no multiple" in note for note in found.notes) == bool(7 % factor)
    assert steps(found) == [{"step": "bin bands", "factor": factor}]


def test_bands_of_a_mosaic_are_binned_by_wavelength_not_by_place(rng):
    order = rng.permutation(7)
    data = rng.normal(size=(7, 3, 4))
    found = bin_bands(Cube(data[order], NM[order]), 2)
    expected = bin_bands(Cube(data, NM), 2)
    np.testing.assert_array_equal(found.data, expected.data)
    np.testing.assert_array_equal(found.wavelengths_nm, expected.wavelengths_nm)
    assert any("ascending order" in note for note in found.notes)


def test_cropped_bands_are_those_in_the_range_both_ends_included(cube):
    found = crop_bands(cube, 476, 530)
    np.testing.assert_array_equal(found.data, cube.data[1:5])
    np.testing.assert_array_equal(found.wavelengths_nm, NM[1:5])
    assert steps(found) == [{"step": "crop bands", "low_nm": 476.0, "high_nm": 530.0}]
    assert found.provenance["source"] == "a.hdr"
    for low, high in ((300, 400), (501, 502), (530, 476), (np.nan, 600)):
        with pytest.raises(InputError, match="no band lies in"):
            crop_bands(cube, low, high)


def test_dropped_bands_are_gone_and_the_others_untouched(cube):
    found = drop_bands(cube, [4, 0, 4])
    np.testing.assert_array_equal(found.data, cube.data[[1, 2, 3, 5, 6]])
    np.testing.assert_array_equal(found.wavelengths_nm, NM[[1, 2, 3, 5, 6]])
    assert steps(found) == [{"step": "drop bands", "bands": [0, 4]}]
    for indices, message in (
        ([7], "no band 7"),
        ([-1], "whole number"),
        ([1.5], "whole number"),
        (range(7), "no band would"),
    ):
        with pytest.raises(InputError, match=message):
            drop_bands(cube, indices)


def test_bands_that_only_have_numbers_are_numbered_again():
    cube = Cube(np.arange(5.0).reshape(5, 1, 1))
    assert cube.axis_label == "band"
    for found, values in (
        (drop_bands(cube, [0]), [1, 2, 3, 4]),
        (crop_bands(cube, 2, 3), [2, 3]),
        (bin_bands(cube, 2), [0.5, 2.5, 4]),
    ):
        assert found.data[:, 0, 0].tolist() == values
        assert found.wavelengths_nm.tolist() == list(range(len(values)))
        assert found.axis_label == "band"
        assert not found.wavelengths_known
        assert not any("the 5 bands are numbered" in note for note in found.notes)
        assert found.notes[-1] == f"the {len(values)} bands are numbered from 0 again, since no wavelengths are known"


def test_the_assumed_grid_stays_an_assumption():
    cube = Cube(np.zeros((16, 1, 1)))
    found = crop_bands(cube, 500, 600)
    assert not found.wavelengths_known
    np.testing.assert_array_equal(found.wavelengths_nm, cube.wavelengths_nm[4:13])
    assert found.notes == cube.notes


# --- pixels and axes


@settings(deadline=None)
@given(factor=st.integers(1, 5), height=st.integers(5, 12), width=st.integers(5, 12))
def test_binned_pixels_are_means_of_squares(factor, height, width):
    data = np.random.default_rng(0).normal(size=(2, height, width)).astype(np.float32)
    found = bin_pixels(Cube(data, [500, 600]), factor)
    assert found.shape_yx == (height // factor, width // factor)
    for y, x in np.ndindex(*found.shape_yx):
        square = data[:, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        np.testing.assert_allclose(found.data[:, y, x], square.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    rest = (height % factor, width % factor)
    expected = [f"binning by {factor} px left over {rest[0]} rows and {rest[1]} columns, which were cut off"]
    assert list(found.notes) == (expected if any(rest) else [])


@pytest.mark.parametrize("factor", [0, -2, 1.5, "two", True, 9])
def test_factors_that_do_not_work_are_refused(cube, factor):
    for function in (bin_pixels, bin_bands):
        with pytest.raises(InputError):
            function(cube, factor)


@pytest.mark.parametrize("axes", ["".join(axes) for axes in itertools.permutations("byx")])
@pytest.mark.parametrize("lazy", [False, True])
def test_reorder_undoes_a_wrong_reading(axes, lazy, rng):
    truth = rng.normal(size=(3, 4, 5)).astype(np.float32)
    wrong = Cube(truth.transpose(["byx".index(axis) for axis in axes]))
    found = reorder(in_a_file(wrong) if lazy else wrong, axes)
    assert found.is_lazy == lazy
    np.testing.assert_array_equal(np.asarray(found.data), truth)
    assert steps(found) == [{"step": "reorder", "axes": axes}]
    assert [note for note in found.notes if "numbered" in note] == [
        "no wavelengths given: the 3 bands are numbered from 0"
    ]


def test_reorder_keeps_wavelengths_that_fit_and_says_what_does_not(cube):
    swapped = reorder(cube, "bxy")
    np.testing.assert_array_equal(swapped.data, cube.data.transpose(0, 2, 1))
    np.testing.assert_array_equal(swapped.wavelengths_nm, NM)
    assert swapped.wavelengths_known
    assert swapped.notes == ("kept",)
    turned = reorder(cube, "ybx")
    assert turned.data.shape == (8, 7, 9)
    assert not turned.wavelengths_known
    assert turned.notes[1:] == (
        "7 wavelengths do not fit 8 bands and were left out",
        "no wavelengths given: the 8 bands are numbered from 0",
    )
    for axes in ("bbx", "xy", None, "BYX"):
        with pytest.raises(InputError, match="not an order"):
            reorder(cube, axes)


# --- all of them

CORRECTIONS = {
    "flat field": lambda cube: flat_field(cube, np.arange(300.0, 307), Cube(np.ones((7, 3, 9)), NM)),
    "flat field by a cube": lambda cube: flat_field(cube, in_a_file(Cube(np.full((7, 8, 9), 300.0), NM))),
    "bin bands": lambda cube: bin_bands(cube, 3),
    "bin mosaic bands": lambda cube: bin_bands(cube.replace(wavelengths_nm=NM[[3, 0, 5, 6, 1, 2, 4]]), 2),
    "crop bands": lambda cube: crop_bands(cube, 480, 600),
    "drop bands": lambda cube: drop_bands(cube, [1, 4]),
    "bin pixels": lambda cube: bin_pixels(cube, 2),
    "reorder": lambda cube: reorder(cube, "xby"),
}
KEYS = st.tuples(
    *[st.one_of(st.integers(0, 1), st.builds(slice, st.integers(0, 3), st.integers(0, 9), st.integers(1, 3)))] * 3
)


@pytest.mark.parametrize("name", list(CORRECTIONS))
@settings(deadline=None, max_examples=40)
@given(key=KEYS)
def test_a_cube_in_its_file_stays_there_and_every_part_is_that_of_the_loaded_one(name, key):
    data = np.random.default_rng(0).uniform(10, 200, (7, 8, 9)).astype(np.float32)
    data[2, 3, 4] = np.nan
    cube = Cube(data, NM, name="raw")
    lazy, loaded = CORRECTIONS[name](in_a_file(cube)), CORRECTIONS[name](cube)
    assert (lazy.is_lazy, loaded.is_lazy) == (True, False)
    np.testing.assert_array_equal(lazy.data[key], loaded.data[key], strict=True)
    np.testing.assert_array_equal(np.asarray(lazy.data), loaded.data, strict=True)
    np.testing.assert_array_equal(lazy.wavelengths_nm, loaded.wavelengths_nm)
    assert (lazy.notes, lazy.provenance, lazy.name) == (loaded.notes, loaded.provenance, "raw")
    np.testing.assert_array_equal(cube.data, data)


def test_steps_add_up_in_their_order_and_travel_in_a_file(cube, tmp_path):
    found = bin_pixels(crop_bands(flat_field(cube, np.full(7, 300.0)), 470, 600), 2)
    assert [step["step"] for step in steps(found)] == ["flat field", "crop bands", "bin pixels"]
    assert "processing" not in cube.provenance
    write_cube(tmp_path / "a.npz", found)
    again = read_cube(tmp_path / "a.npz")
    assert again.provenance["processing"] == steps(found)
    np.testing.assert_array_equal(again.data, found.data)


def test_binning_bands_and_cropping_in_another_order_is_the_same_where_groups_are(cube):
    one = bin_bands(drop_bands(cube, [6]), 2)
    other = drop_bands(bin_bands(cube, 2), [3])
    np.testing.assert_array_equal(one.data, other.data)


def test_what_is_said_band_by_band_follows_the_bands_or_is_left_out(cube):
    said = {"bad_bands": [1, 6], "fwhm_nm": [1.0, 2, 3, 4, 5, 6, 7], "envi": {"default bands": ["1"], "sensor": "x"}}
    cube = cube.replace(provenance=said)
    cropped = drop_bands(cube, [0, 2])
    assert cropped.provenance["bad_bands"] == [0, 4]
    assert cropped.provenance["fwhm_nm"] == [2, 4, 5, 6, 7]
    assert cropped.provenance["envi"] == {"sensor": "x"}
    binned = bin_bands(cube, 2)
    assert binned.provenance["bad_bands"] == [0, 3]
    assert "fwhm_nm" not in binned.provenance
    assert drop_bands(cube, [1, 6]).provenance["bad_bands"] == []
    assert flat_field(cube, np.full(7, 300.0)).provenance["fwhm_nm"] == said["fwhm_nm"]
    assert reorder(cube, "bxy").provenance["bad_bands"] == [1, 6]
    turned = reorder(cube, "yxb").provenance
    assert (turned["bad_bands"], "fwhm_nm" in turned, turned["envi"]) == ([], False, {"sensor": "x"})
    assert cube.provenance == said
