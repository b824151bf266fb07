"""Weights of the bands in red, green and blue: the observer's as the viewer takes them, a camera's from its curves."""

import numpy as np
import pytest

from napari_hsisynth import Cube
from napari_hsisynth.composite import camera_rgb_weights, cie1931_rgb_weights, rgb_cie1931
from napari_hsisynth.errors import InputError

NM = np.linspace(465, 630, 16)


def written(tmp_path, text):
    file = tmp_path / "camera.csv"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("nm", [NM, np.array([420.0, 431, 470, 520, 555, 610, 690])])
def test_the_observers_weights_are_those_of_the_view(nm):
    weights = cie1931_rgb_weights(nm)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    cube = np.random.default_rng(0).uniform(0.3, 0.6, (len(nm), 4, 5))
    linear = np.clip(np.einsum("cb,byx->yxc", weights, cube), 0, 1)
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(rgb_cie1931(Cube(cube.astype(np.float32), nm), white=1.0), expected, atol=1e-4)


def test_bands_without_a_colour_have_no_weights():
    with pytest.raises(InputError, match="500 to 600 nm"):
        cie1931_rgb_weights(np.linspace(700, 900, 10))


def test_boxes_of_curves_take_the_mean_of_their_bands(tmp_path):
    # even bands: the trapezoid rule gives both ends half
    file = written(tmp_path, "wavelength_nm, r, g, b\n400,1,5,2\n700,1,5,2\n")
    weights = camera_rgb_weights(file, NM)
    expected = np.r_[0.5, np.ones(14), 0.5] / 15
    np.testing.assert_allclose(weights, [expected] * 3)


def test_curves_are_interpolated_and_zero_beyond_their_ends(tmp_path):
    file = written(tmp_path, "\ufeffWavelength_nm,R,G,B\n500,0,1,1\n600,10,1,1\n\n")
    nm = np.array([450.0, 500, 550, 600, 620])
    weights = camera_rgb_weights(file, nm)
    np.testing.assert_allclose(weights[0], np.array([0, 0, 5 * 50, 10 * 25, 0]) / 500)
    np.testing.assert_allclose(weights[1], [0, 0.25, 0.5, 0.25, 0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a table of camera curves"),
        ("nm,r,g,b\n1,2,3,4\n", "not a table of camera curves"),
        ("wavelength_nm,r,g,b\n400,1,1,1\n700,1,1\n", "row 2 is not four numbers"),
        ("wavelength_nm,r,g,b\n400,1,nan,1\n700,1,1,1\n", "row 1 is not four numbers"),
        ("wavelength_nm,r,g,b\n400,1,1,1\n400,1,1,1\n", "ascend"),
        ("wavelength_nm,r,g,b\n400,1,1,1\n", "two or more"),
        ("wavelength_nm,r,g,b\n400,1,1,1\n460,1,1,1\n", "the curve r sees none of the bands"),
        ("wavelength_nm,r,g,b\n400,1,1,0\n700,1,1,0\n", "the curve b sees none of the bands"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_error(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as caught:
        camera_rgb_weights(written(tmp_path, text), NM)
    assert "camera.csv" in str(caught.value)


def test_a_missing_or_binary_file_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="no such file of camera curves"):
        camera_rgb_weights(tmp_path / "camera.csv", NM)
    (tmp_path / "camera.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as CSV"):
        camera_rgb_weights(tmp_path / "camera.csv", NM)
