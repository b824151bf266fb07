"""Photographs of any kind come as upright sRGB of a model's size."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.photographs import files_in, read_photograph


@pytest.fixture
def picture():
    """Colours of 16 x 16 px, no two rows or columns alike."""
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)


def as_read(picture):
    return picture.transpose(2, 0, 1).astype(np.float32) / 255


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
def test_a_picture_of_the_size_is_taken_as_it_is(tmp_path, picture, ending):
    Image.fromarray(picture).save(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(read_photograph(tmp_path / f"a.{ending}", 16), as_read(picture))


def test_a_jpeg_is_turned_as_it_says(tmp_path):
    half = np.zeros((32, 32, 3), np.uint8)
    half[:16] = 200
    for orientation, where in (
        (1, np.s_[:, 2:6]),
        (3, np.s_[:, 10:14]),
        (6, np.s_[:, :, 10:14]),
        (8, np.s_[:, :, 2:6]),
    ):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(half).save(tmp_path / "a.jpg", quality=95, exif=exif)
        np.testing.assert_allclose(read_photograph(tmp_path / "a.jpg", 16)[where], 200 / 255, atol=0.02)


def test_grey_is_repeated_and_sixteen_bits_are_kept(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (16, 16)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "grey.png")
    expected = np.repeat(deep[None].astype(np.float32) / 65535, 3, axis=0)
    np.testing.assert_allclose(read_photograph(tmp_path / "grey.png", 16), expected, rtol=1e-6)
    colours = np.random.default_rng(1).integers(0, 65536, (16, 16, 3)).astype(np.uint16)
    for name, kept in (
        ("a.tif", {"photometric": "rgb"}),
        ("b.tif", {"photometric": "rgb", "planarconfig": "separate"}),
    ):
        values = colours.transpose(2, 0, 1) if "planarconfig" in kept else colours
        tifffile.imwrite(tmp_path / name, values, **kept)
        read = read_photograph(tmp_path / name, 16)
        np.testing.assert_allclose(read, colours.transpose(2, 0, 1) / 65535, rtol=1e-6)
    Image.fromarray(np.full((16, 16), 51, np.uint8)).save(tmp_path / "l.png")
    np.testing.assert_allclose(read_photograph(tmp_path / "l.png", 16), 0.2, rtol=1e-6)


def test_what_is_transparent_is_black(tmp_path, picture):
    alpha = np.zeros((16, 16, 1), np.uint8)
    alpha[:8] = 255
    Image.fromarray(np.concatenate([picture, alpha], axis=-1)).save(tmp_path / "a.png")
    read = read_photograph(tmp_path / "a.png", 16)
    np.testing.assert_array_equal(read[:, :8], as_read(picture)[:, :8])
    assert not read[:, 8:].any()


@pytest.mark.parametrize("factor", [2, 5, 16])
def test_a_large_one_is_averaged_and_cut_at_the_centre(tmp_path, picture, factor):
    large = np.kron(picture, np.ones((factor, factor, 1), np.uint8))
    wide = np.concatenate([large[:, :factor], large, large[:, :factor]], axis=1)
    Image.fromarray(wide).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_photograph(tmp_path / "a.png", 16), as_read(picture), atol=1e-6)


def test_files_are_found_in_all_folders_but_hidden_ones(tmp_path):
    for name in ("b.JPG", "a/z.png", "a.txt", ".hidden.png", ".cache/c.png", "c/d/e.tiff"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in files_in(tmp_path)] == ["a/z.png", "b.JPG", "c/d/e.tiff"]
    assert files_in(tmp_path / "a.txt") == [tmp_path / "a.txt"]
    with pytest.raises(InputError, match="no such file or folder"):
        files_in(tmp_path / "none")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_a_torn_file_is_an_input_error(tmp_path, picture, name):
    Image.fromarray(np.kron(picture, np.ones((9, 9, 1), np.uint8))).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for length in (0, 6, len(whole) // 2):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(InputError, match=name):
            read_photograph(tmp_path / name, 16)


def test_values_without_a_known_white_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.random.default_rng(0).random((16, 16)).astype(np.float32))
    with pytest.raises(InputError, match="no known white"):
        read_photograph(tmp_path / "a.tif", 16)
