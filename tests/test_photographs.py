"""Photographs from files: orientation, depth, transparency, profiles, and what is refused."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from napari_hsisynth.errors import InputError
from napari_hsisynth.photographs import files_in, linear_light, read_photograph, srgb, srgb_and_slope

PIXELS = np.random.default_rng(0).integers(1, 255, (5, 7, 3), dtype=np.uint8)


def as_read(pixels):
    """What a file of 8-bit pixels (y, x, 3) should be read as."""
    return np.moveaxis(pixels, 2, 0).astype(np.float32) / 255


def test_values_of_a_file_without_loss_are_kept(tmp_path):
    for name in ("a.png", "a.tif"):
        Image.fromarray(PIXELS).save(tmp_path / name)
        read = read_photograph(tmp_path / name)
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, as_read(PIXELS))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as stored:
        expected = as_read(np.asarray(ImageOps.exif_transpose(stored)))
    np.testing.assert_array_equal(read_photograph(tmp_path / "a.png"), expected)
    deep = PIXELS.astype(np.uint16) * 257
    tifffile.imwrite(
        tmp_path / "deep.tif", deep, photometric="rgb", extratags=[(0x0112, "H", 1, orientation, True)], metadata=None
    )
    np.testing.assert_allclose(read_photograph(tmp_path / "deep.tif"), expected, atol=1e-6)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_sixteen_bits_of_a_tiff_are_kept(tmp_path, planar):
    deep = np.random.default_rng(1).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    stored = deep if planar == "contig" else np.moveaxis(deep, 2, 0)
    tifffile.imwrite(tmp_path / "deep.tif", stored, photometric="rgb", planarconfig=planar)
    np.testing.assert_allclose(
        read_photograph(tmp_path / "deep.tif"), np.moveaxis(deep, 2, 0).astype(np.float64) / 65535, atol=1e-7
    )


def test_clear_pixels_have_no_colour(tmp_path):
    pixels = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)])
    pixels[1, 2, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = read_photograph(tmp_path / "a.png")
    assert np.isnan(read[:, 1, 2]).all()
    assert np.isnan(read).sum() == 3


def test_an_embedded_profile_is_applied(tmp_path):
    """A profile of another white and curve changes the values as Pillow's own engine says; that of sRGB does not."""
    image = Image.fromarray(PIXELS)
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(tmp_path / "a.png", icc_profile=own)
    assert np.abs(read_photograph(tmp_path / "a.png") - as_read(PIXELS)).max() <= 1.01 / 255


def test_grey_is_repeated_and_its_sixteen_bits_are_kept(tmp_path):
    deep = np.random.default_rng(2).integers(0, 65536, (5, 7), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    tifffile.imwrite(tmp_path / "deep.tif", deep)
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / "grey.png")
    for name in ("deep.png", "deep.tif"):
        np.testing.assert_allclose(read_photograph(tmp_path / name), np.stack([deep / 65535] * 3), atol=1e-7)
    np.testing.assert_array_equal(read_photograph(tmp_path / "grey.png"), as_read(PIXELS[..., [0, 0, 0]]))


def test_a_large_one_may_be_read_smaller(tmp_path):
    large = np.kron(PIXELS, np.ones((12, 12, 1), np.uint8))
    Image.fromarray(large).save(tmp_path / "a.png")
    read = read_photograph(tmp_path / "a.png", at_least_px=5)
    np.testing.assert_array_equal(read, as_read(PIXELS))
    assert read_photograph(tmp_path / "a.png", at_least_px=11).shape == (3, 12, 17)
    assert read_photograph(tmp_path / "a.png", at_least_px=31).shape == (3, 60, 84)


def test_what_is_no_photograph_is_refused(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    Image.fromarray(np.tile(PIXELS, (20, 20, 1))).save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    tifffile.imwrite(tmp_path / "float.tif", np.random.default_rng(0).random((16, 16)).astype(np.float32))
    cases = {"text.jpg": "not a photograph", "half.jpg": "cannot|can be read", "float.tif": "no known white"}
    for name, words in cases.items():
        with pytest.raises(InputError, match=words) as error:
            read_photograph(tmp_path / name)
        assert name in str(error.value)
    with pytest.raises(InputError, match="No such file"):
        read_photograph(tmp_path / "none.jpg")


def test_files_are_found_in_all_folders_but_hidden_ones(tmp_path):
    for name in ("b.JPG", "a/z.png", "a.txt", ".hidden.png", ".cache/c.png", "c/d/e.tiff", "m.npy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.relative_to(tmp_path).as_posix() for path in files_in(tmp_path)] == ["a/z.png", "b.JPG", "c/d/e.tiff"]
    assert files_in(tmp_path, (".npy",)) == [tmp_path / "m.npy"]
    assert files_in(tmp_path / "b.JPG") == [tmp_path / "b.JPG"]
    with pytest.raises(InputError, match="no such files"):
        files_in(tmp_path / "folder.png")
    with pytest.raises(InputError, match="no such file or folder"):
        files_in(tmp_path / "none")


@settings(max_examples=50)
@given(st.floats(-0.5, 3))
def test_encoding_is_undone(value):
    assert float(linear_light(srgb(value))) == pytest.approx(value, abs=1e-6)


def test_encoding_has_the_values_of_the_standard():
    """IEC 61966-2-1: 0.0031308 meets 12.92 times it; middle grey of 18 % is at .461."""
    np.testing.assert_allclose(srgb([0.0, 0.0031308, 0.18, 1.0]), [0, 0.040450, 0.46136, 1], atol=2e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_slope_of_srgb_is_that_of_its_curve(dtype):
    linear = np.array([-0.1, 0.0, 0.002, 0.01, 0.2, 0.9, 1.5], dtype)
    encoded, slope = srgb_and_slope(linear)
    assert encoded.dtype == slope.dtype == dtype
    np.testing.assert_array_equal(encoded, srgb(linear))
    step = 1e-6
    wide = linear.astype(np.float64)
    np.testing.assert_allclose(slope, (srgb(wide + step) - srgb(wide - step)) / (2 * step), rtol=1e-5)
