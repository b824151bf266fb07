"""A folder with one image per band: which files belong together, at which wavelengths, and what is refused."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import (
    AmbiguousVariableError,
    describe,
    format_of,
    parts_of,
    read_cube,
)
from napari_hsisynth.formats.band_names import wavelength_in

LAZY = pytest.mark.parametrize("lazy", [False, True], ids=["loaded", "lazy"])


def stack(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def fill(folder, names, values):
    """Write one image file per name."""
    folder.mkdir(exist_ok=True)
    for name, plane in zip(names, values, strict=True):
        if name.lower().endswith(".png"):
            Image.fromarray(plane).save(folder / name, format="PNG")
        else:
            tifffile.imwrite(folder / name, plane)
    return folder


# --- what belongs together


@LAZY
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".png", "u1"), (".PNG", "u2"), (".tif", "u1"), (".tif", ">u2"), (".tiff", "u4"), (".tif", "f4"), (".tif", "f8")],
)
def test_numbered_images_are_bands_in_the_order_of_their_numbers(tmp_path, lazy, suffix, dtype):
    values = (stack(12, 9, 11).astype(np.int64) * (1 if dtype == "u1" else 200)).astype(dtype)
    folder = fill(tmp_path / "leaf", [f"b{number}{suffix}" for number in range(12)], values)
    cube = read_cube(folder, lazy=lazy)
    assert cube.is_lazy == lazy
    for part in (..., 3, (slice(None), 2, 5), (slice(2, 9, 3), slice(1, 7), slice(None, None, -2))):
        np.testing.assert_array_equal(np.asarray(cube.data[part]), values[part].astype(np.float32))
    np.testing.assert_array_equal(np.asarray(cube.data), values.astype(np.float32))
    assert (cube.name, cube.axis_label, cube.provenance["format"]) == ("leaf", "band", "series")
    assert cube.provenance["files"][-1] == f"b11{suffix}"
    assert [part.name for part in parts_of(folder)] == [f"b{number}{suffix}" for number in range(12)]
    assert describe(folder)["dtype"] == np.dtype(dtype).newbyteorder("=").name


@pytest.mark.parametrize("how", [{"compression": "zlib"}, {"rowsperstrip": 4}, {"tile": (16, 16)}], ids=str)
@LAZY
def test_tiffs_of_any_inner_form(tmp_path, how, lazy):
    values = stack(3, 40, 50, dtype=np.uint16)
    (tmp_path / "s").mkdir()
    for number, plane in enumerate(values):
        tifffile.imwrite(tmp_path / "s" / f"a_{number}.tif", plane, **how)
    cube = read_cube(tmp_path / "s", lazy=lazy)
    np.testing.assert_array_equal(cube.data[:, 17, 3:40], values[:, 17, 3:40])
    np.testing.assert_array_equal(np.asarray(cube.data), values)


def test_what_is_no_image_is_passed_over(tmp_path):
    folder = fill(tmp_path / "s", ["b1.png", "b2.png", "preview.png"], stack(3, 8, 9))
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", "._b1.png", "b3.jpg"):
        (folder / name).write_bytes(b"x")
    (folder / "b4.png").mkdir()
    assert read_cube(folder).bands == 2


def test_two_series_in_one_folder_ask_which(tmp_path):
    values = stack(9, 8, 9)
    folder = fill(tmp_path / "s", [f"left_{n}.png" for n in range(4)], values[:4])
    fill(folder, [f"right_{n}.png" for n in range(5)], values[4:])
    with pytest.raises(AmbiguousVariableError, match="left_# 4x8x9 uint8; right_# 5x8x9 uint8"):
        read_cube(folder)
    np.testing.assert_array_equal(read_cube(folder, variable="right_#").data, values[4:])
    assert len(parts_of(folder)) == 9


def test_a_number_that_tells_series_apart_is_not_the_running_one(tmp_path):
    names = [f"scan{scan}_b{band:02d}.tif" for scan in (1, 2) for band in range(5)]
    values = stack(10, 8, 9)
    folder = fill(tmp_path / "s", names, values)
    np.testing.assert_array_equal(read_cube(folder, variable="scan2_b#").data, values[5:])


def test_the_same_names_with_two_suffixes(tmp_path):
    values = stack(4, 8, 9)
    folder = fill(tmp_path / "s", ["a1.png", "a2.png", "a1.tif", "a2.tif"], values)
    np.testing.assert_array_equal(read_cube(folder, variable="a#.tif").data, values[2:])


def test_folders_without_a_series_are_no_cubes(tmp_path):
    folder = fill(tmp_path / "s", ["a.png", "b.png", "c1.png"], stack(3, 8, 9))
    (folder / "cube.json").write_text("{}")
    with pytest.raises(InputError, match=r"s: this is a folder, and not one that holds a cube"):
        read_cube(folder)
    (folder / "c2.txt").touch()
    with pytest.raises(InputError, match="not one that holds a cube"):
        format_of(folder)


def test_one_file_of_a_series_is_a_picture(tmp_path):
    folder = fill(tmp_path / "s", ["b1.png", "b2.png"], stack(2, 8, 9))
    with pytest.raises(InputError, match=r"b1\.png: not a cube: a picture; .*--mosaic 4x4.*give the folder"):
        read_cube(folder / "b1.png")
    fill(folder, ["b1.tif", "b2.tif"], stack(2, 8, 9))
    with pytest.raises(InputError, match=r"b1\.tif: not a cube"):
        read_cube(folder / "b1.tif")


# --- wavelengths


@pytest.mark.parametrize(
    ("name", "nm"),
    [
        ("b_465nm", 465),
        ("lam_612.5_nm", 612.5),
        ("0001_0550 nm", 550),
        ("550NM_dark", 550),
        ("Band at 0.55 µm", 550),
        ("wavelength=612.25", 612.25),
        ('"wavelength_nm": 700', 700),
        ("465", None),
        ("12nm", None),
        ("1nmi", None),
        ("465nm-500nm", None),
        ("465 nmol", None),
        ("9" * 300 + "nm", None),
        ("", None),
    ],
)
def test_wavelengths_in_names(name, nm):
    assert wavelength_in(name) == nm


@pytest.mark.parametrize(
    "pattern", ["b_{}nm.png", "img{} nm.tif", "00_x_{}nm_10ms.png", "2024-05-01_{}nm.png", "s1-{}nm.png"]
)
def test_names_with_nm_give_known_wavelengths(tmp_path, pattern):
    nm = [1000, 465, 550.5, 612.5]
    values = stack(4, 8, 9)
    cube = read_cube(fill(tmp_path / "s", [pattern.format(n) for n in nm], values))
    assert cube.wavelengths_nm.tolist() == sorted(nm)
    assert cube.wavelengths_known
    np.testing.assert_array_equal(cube.data, values[np.argsort(nm)])


def test_a_count_may_go_along_with_the_wavelength(tmp_path):
    names = [f"band_{number:04d}_{nm}nm.png" for number, nm in enumerate((700, 600, 500))]
    assert read_cube(fill(tmp_path / "s", names, stack(3, 8, 9))).wavelengths_nm.tolist() == [500, 600, 700]


@pytest.mark.parametrize(
    ("numbers", "taken"),
    [
        (["0465", "0476", "0487"], True),
        (["400.5", "401.5", "402.5"], True),
        (["450", "1000", "2400"], True),
        (["500", "501", "502"], False),
        (["500", "501", "600"], False),
        (["1", "2", "3"], False),
        (["100", "300", "500"], False),
        (["500", "1000", "3000"], False),
    ],
)
def test_numbers_that_can_be_wavelengths_are_assumed_to_be_and_it_is_said(tmp_path, numbers, taken):
    cube = read_cube(fill(tmp_path / "s", [f"img-{number}.tif" for number in numbers], stack(3, 8, 9)))
    assert not cube.wavelengths_known
    assert cube.wavelengths_nm.tolist() == ([float(number) for number in numbers] if taken else [0, 1, 2])
    assert ("taken as wavelengths in nm" in cube.notes[1]) == taken


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wavelengths.csv", "wavelength_nm\n500\n550.25\n600\n"),
        ("wavelengths.csv", "file;Wavelength;gain\nb0.png;500;1\nb1.png;550.25;2\nb2.png;600;1\n"),
        ("wavelengths.txt", "# measured\n500\n550.25\n\n600\n"),
        ("wavelengths.txt", "500, 550.25, 600"),
        ("wavelengths.txt", "\ufeff500\t550.25\t600"),
    ],
)
def test_a_table_beside_the_images(tmp_path, name, text):
    folder = fill(tmp_path / "s", [f"b{number}.png" for number in range(3)], stack(3, 8, 9))
    (folder / name).write_text(text, encoding="utf-8")
    cube = read_cube(folder)
    assert cube.wavelengths_nm.tolist() == [500, 550.25, 600]
    assert cube.wavelengths_known
    assert any(name in note for note in cube.notes)
    assert read_cube(folder, wavelengths_nm=[1, 2, 3]).wavelengths_nm.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "text", ["500\n600\n", "500\n600\nred\n", "5\n6\n7\n", "nan\n500\n600", "wavelength_nm\n1\n", "", "\udcff"]
)
def test_a_table_that_does_not_fit_is_refused_not_passed_over(tmp_path, text):
    folder = fill(tmp_path / "s", [f"b{number}.png" for number in range(3)], stack(3, 8, 9))
    (folder / "wavelengths.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"s: wavelengths\.txt (is not|does not give 3)"):
        read_cube(folder)


# --- images that are no band


def test_grey_images_may_be_stored_as_colours_and_colours_are_refused(tmp_path):
    values = stack(3, 8, 9)
    folder = tmp_path / "s"
    folder.mkdir()
    for number, (plane, mode) in enumerate(zip(values, ("RGB", "RGBA", "P"), strict=True)):
        Image.fromarray(plane).convert(mode).save(folder / f"b{number}.png")
    np.testing.assert_array_equal(read_cube(folder).data, values)
    pixels = np.stack([values[0], values[0], values[1]], axis=-1)
    Image.fromarray(pixels).save(folder / "b1.png")
    for lazy in (False, True):
        with pytest.raises(InputError, match=r"b1\.png: it is a colour picture"):
            np.asarray(read_cube(folder, lazy=lazy).data)
    tifffile.imwrite(folder / "c1.tif", pixels, photometric="rgb")
    tifffile.imwrite(folder / "c2.tif", pixels, photometric="rgb")
    with pytest.raises(InputError, match=r"c1\.tif: .* a picture"):
        read_cube(folder, variable="c#")


def test_sizes_and_types_that_differ_name_the_file(tmp_path):
    folder = fill(tmp_path / "s", ["b1.png", "b2.png", "b3.png"], [*stack(2, 8, 9), stack(8, 10)])
    with pytest.raises(InputError, match=r"b3\.png is 8 x 10 px, but b1\.png is 8 x 9"):
        read_cube(folder)
    fill(folder, ["b3.png"], [stack(8, 9, dtype=np.uint16)])
    with pytest.raises(InputError, match=r"b3\.png holds uint16, but b1\.png uint8"):
        read_cube(folder)


def test_files_of_several_pages_are_no_band(tmp_path):
    folder = fill(tmp_path / "s", ["b1.tif", "b2.tif"], stack(2, 8, 9))
    tifffile.imwrite(folder / "b2.tif", stack(4, 8, 9), photometric="minisblack")
    with pytest.raises(InputError, match=r"b2\.tif: it has 4 pages, not one band"):
        read_cube(folder)


# --- raw frames


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_frame_in_a_png_is_unfolded_like_one_in_a_tiff(tmp_path, dtype):
    frame = stack(16, 24, dtype=dtype) * (1 if dtype == np.uint8 else 200)
    Image.fromarray(frame).save(tmp_path / "f.png")
    tifffile.imwrite(tmp_path / "f.tif", frame)
    for demosaic in (False, True):
        one, other = (read_cube(tmp_path / name, mosaic="4x4", demosaic=demosaic) for name in ("f.png", "f.tif"))
        np.testing.assert_array_equal(one.data, other.data)
        assert one.provenance["format"] == "mosaic png"
        assert one.notes == other.notes
    assert describe(tmp_path / "f.png", mosaic="4x4")["shape"] == [16, 4, 6]
