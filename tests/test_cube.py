import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hsisynth.cube import Cube, even_wavelengths_nm
from napari_hsisynth.errors import InputError


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, napari_hsisynth.cube; print(sorted({'torch','scipy','qtpy','napari','h5py'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_values_are_kept_unclipped_as_float32():
    data = np.array([[[-0.5, 1.72]], [[np.nan, np.inf]]])
    cube = Cube(data, [500, 600])
    assert cube.data.dtype == np.float32
    np.testing.assert_array_equal(cube.data, data.astype(np.float32))
    assert cube.valid().tolist() == [[False, False]]
    assert cube.wavelengths_known
    assert cube.notes == ()


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((0, 4, 4)), np.zeros((2, 3, 4, 5)), 1.0, "text"])
def test_what_is_no_cube_is_refused(bad):
    with pytest.raises(InputError, match="not a cube"):
        Cube(bad)


@pytest.mark.parametrize("dtype", [np.complex64, object, "datetime64[s]", "U3"])
def test_values_that_are_no_real_numbers_are_refused(dtype):
    with pytest.raises(InputError, match="not real numbers"):
        Cube(np.zeros((2, 3, 4)).astype(dtype))


@pytest.mark.parametrize(
    ("wavelengths", "message"),
    [
        ([500], "1 wavelengths for 2 bands"),
        ([500, 510, 520], "3 wavelengths for 2 bands"),
        ([500, np.nan], "finite"),
        ([500, -1], "finite"),
        (["a", "b"], "numbers"),
        ([[1, 2], [3]], "numbers"),
        ([None, "x"], "numbers"),
    ],
)
def test_wavelengths_that_do_not_fit_are_refused_by_name(wavelengths, message):
    with pytest.raises(InputError, match=f"lesion: .*{message}"):
        Cube(np.zeros((2, 3, 4)), wavelengths, name="lesion")


def test_sixteen_bands_without_wavelengths_are_the_even_grid_and_say_so():
    cube = Cube(np.zeros((16, 2, 2)))
    np.testing.assert_allclose(cube.wavelengths_nm, 465 + 11 * np.arange(16))
    assert not cube.wavelengths_known
    assert "465-630" in " ".join(cube.notes)
    assert cube.axis_label == "wavelength (nm)"


def test_any_other_number_of_bands_is_numbered_and_says_so():
    cube = Cube(np.zeros((3, 2, 2)))
    assert cube.wavelengths_nm.tolist() == [0, 1, 2]
    assert cube.axis_label == "band"
    assert not cube.wavelengths_known
    assert "numbered" in " ".join(cube.notes)


def test_assumed_wavelengths_are_never_taken_for_known():
    cube = Cube.with_assumed_wavelengths(np.zeros((16, 2, 2)), np.arange(16), notes=("said",))
    assert (cube.wavelengths_known, cube.axis_label, cube.notes) == (False, "band", ("said",))
    copy = cube.replace(name="other").crop(0, 0, 1, 1)
    assert (copy.wavelengths_known, copy.axis_label, copy.name) == (False, "band", "other")
    assert copy.replace(wavelengths_nm=even_wavelengths_nm(16)).wavelengths_known


@given(box=st.tuples(*[st.integers(-1, 6)] * 4))
def test_crop_cuts_exactly_or_refuses(box):
    y0, x0, y1, x1 = box
    data = np.arange(2 * 4 * 5, dtype=np.float32).reshape(2, 4, 5)
    cube = Cube(data, [500, 600], provenance={"a": 1})
    if 0 <= y0 < y1 <= 4 and 0 <= x0 < x1 <= 5:
        cut = cube.crop(*box)
        np.testing.assert_array_equal(cut.data, data[:, y0:y1, x0:x1])
        assert cut.provenance == {"a": 1}
    else:
        with pytest.raises(InputError, match="not inside"):
            cube.crop(*box)


def test_replace_checks_again():
    with pytest.raises(InputError):
        Cube(np.zeros((2, 3, 4)), [500, 600]).replace(data=np.zeros((3, 3, 4)))


def test_repr_names_range_and_size():
    assert repr(Cube(np.zeros((2, 3, 4)), [500, 600], name="a")) == "Cube('a', 2 bands 500-600 nm, 3 x 4 px)"
