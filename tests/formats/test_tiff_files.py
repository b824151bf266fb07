"""TIFF files of other programs: pages, planes, samples, channels, and where their wavelengths come from."""

import os
from importlib.util import find_spec

import numpy as np
import pytest
import tifffile

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import AmbiguousVariableError, describe, format_of, read_cube

LAZY = pytest.mark.parametrize("lazy", [False, True], ids=["loaded", "lazy"])
COMPRESSED = pytest.mark.parametrize("how", [{}, {"compression": "zlib"}], ids=["plain", "zlib"])


def stack(*shape, dtype=np.float32, seed=0):
    values = np.random.default_rng(seed).integers(0, 60_000, shape)
    return values.astype(dtype)


def write(path, values, **fields):
    """Write a TIFF; photometric is always said, so that tifffile takes nothing for a colour picture."""
    tifffile.imwrite(path, values, **{"photometric": "minisblack", **fields})
    return path


def looked_at(cube, values):
    """Compare whole cube, bands, spectra and patches with an array (bands, y, x)."""
    assert cube.data.shape == values.shape
    for part in (
        ...,
        1,
        (slice(None), 3, 2),
        (slice(None), slice(2, 7, 2), slice(None, None, -1)),
        (0, slice(1, 3), 4),
    ):
        np.testing.assert_array_equal(np.asarray(cube.data[part]), values[part])
    np.testing.assert_array_equal(np.asarray(cube.data), values)


# --- where the values lie


@LAZY
@pytest.mark.parametrize("dtype", ["<u1", "<u2", ">u2", "<i4", ">f4", "<f8", "<f2"])
def test_pages_of_every_number_type_and_byte_order(tmp_path, lazy, dtype):
    values = stack(6, 20, 31, dtype=dtype)
    path = write(tmp_path / "a.tif", values, byteorder=dtype[0])
    cube = read_cube(path, lazy=lazy)
    assert cube.is_lazy == lazy
    looked_at(cube, values.astype(np.float32))
    assert cube.provenance["dtype"] == np.dtype(dtype).newbyteorder("=").name


@LAZY
@COMPRESSED
@pytest.mark.parametrize("parts", [{}, {"rowsperstrip": 7}, {"tile": (16, 32)}], ids=str)
def test_pages_in_strips_and_tiles(tmp_path, lazy, how, parts):
    values = stack(5, 45, 50, dtype=np.uint16)
    looked_at(read_cube(write(tmp_path / "a.tif", values, **how, **parts), lazy=lazy), values)


@LAZY
@COMPRESSED
@pytest.mark.parametrize("parts", [{}, {"rowsperstrip": 7}, {"tile": (16, 32)}], ids=str)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("bands", [3, 16])
def test_one_page_with_all_bands_in_its_pixels_or_in_planes(tmp_path, lazy, how, parts, planar, bands):
    values = stack(bands, 45, 50, dtype=np.uint16)
    stored = np.moveaxis(values, 0, -1) if planar == "contig" else values
    path = write(tmp_path / "a.tif", stored, planarconfig=planar, **how, **parts)
    assert len(tifffile.TiffFile(path).pages) == 1
    looked_at(read_cube(path, lazy=lazy), values)


@LAZY
def test_pages_with_other_things_between_them(tmp_path, lazy):
    values = stack(4, 20, 30, dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in values:  # each with its own directory before it, so that the stack is no single run
            writer.write(page, contiguous=False, photometric="minisblack", description="x" * 99)
    looked_at(read_cube(tmp_path / "a.tif", lazy=lazy), values)


def test_a_lazy_cube_reads_little_of_an_uncompressed_file(tmp_path, monkeypatch):
    values = stack(8, 64, 100)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in values:
            writer.write(page, contiguous=False, photometric="minisblack")
    cube = read_cube(tmp_path / "a.tif", lazy=True)
    from napari_hsisynth.formats.tiff_pages import TiffPages

    asked = []
    rows = TiffPages.rows
    monkeypatch.setattr(
        TiffPages, "rows", lambda self, page, a, b: asked.append((page.number, a, b)) or rows(self, page, a, b)
    )
    np.testing.assert_array_equal(cube.data[:, 20, 30], values[:, 20, 30])
    assert asked == [(band, 20, 21) for band in range(8)]


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be removed")
def test_a_lazy_cube_outlives_the_removal_of_its_file(tmp_path):
    values = stack(4, 20, 30)
    for name, how in (("a.tif", {}), ("b.tif", {"compression": "zlib"})):
        cube = read_cube(write(tmp_path / name, values, **how), lazy=True)
        (tmp_path / name).unlink()
        looked_at(cube, values)


def test_strips_that_the_file_leaves_out_hold_its_value_for_nothing(tmp_path):
    values = np.zeros((3, 64, 64), np.uint8)
    values[1, :16] = 9
    path = write(tmp_path / "a.tif", values, tile=(16, 16), compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[1].tags[325]  # TileByteCounts
        at = tag.valueoffset
        size = {3: 2, 4: 4}[tag.dtype]
    content[at : at + size] = bytes(size)
    path.write_bytes(content)
    expected = values.copy()
    expected[1, :16, :16] = 0
    np.testing.assert_array_equal(read_cube(path).data, expected)


@pytest.mark.skipif(find_spec("imagecodecs") is not None, reason="imagecodecs is installed")
def test_a_compression_that_needs_another_package_says_which(tmp_path):
    path = write(tmp_path / "a.tif", stack(3, 20, 30, dtype=np.uint8))
    content = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        places = [page.tags[259].valueoffset for page in tif.pages]
    for at in places:
        content = content[:at] + (5).to_bytes(2, "little") + content[at + 2 :]  # LZW
    path.write_bytes(content)
    for lazy in (False, True):
        with pytest.raises(InputError, match=r"a\.tif: .*LZW.*pip install imagecodecs"):
            read_cube(path, lazy=lazy)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_pages_that_lead_back_to_earlier_ones_are_refused(tmp_path, target):
    path = write(tmp_path / "a.tif", stack(3, 20, 30, dtype=np.uint8))
    with tifffile.TiffFile(path) as tif:
        offsets = [page.offset for page in tif.pages]
        end = offsets[-1] + 2 + 12 * len(tif.pages[-1].tags)
    content = bytearray(path.read_bytes())
    content[end : end + 4] = offsets[target].to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tif: .*circle"):
        read_cube(path)


# --- pictures, masks, copies


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("samples", [3, 4])
def test_colour_pictures_are_left_to_others(tmp_path, planar, samples):
    shape = (20, 30, samples) if planar == "contig" else (samples, 20, 30)
    write(tmp_path / "a.tif", np.zeros(shape, np.uint8), photometric="rgb", planarconfig=planar)
    with pytest.raises(InputError, match=r"not a cube: its pages are .* a picture"):
        read_cube(tmp_path / "a.tif")


def test_grey_with_alpha_is_a_picture_too(tmp_path):
    write(tmp_path / "a.tif", np.zeros((20, 30, 2), np.uint8), planarconfig="contig", extrasamples=["unassalpha"])
    with pytest.raises(InputError, match="a picture"):
        read_cube(tmp_path / "a.tif")


def test_smaller_copies_and_pictures_are_left_out_and_said(tmp_path):
    values = stack(5, 40, 60, dtype=np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.moveaxis(values, 0, -1), photometric="minisblack", planarconfig="contig")
        writer.write(
            np.moveaxis(values, 0, -1)[::2, ::2], subfiletype=1, photometric="minisblack", planarconfig="contig"
        )
        writer.write(np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    cube = read_cube(tmp_path / "a.tif")
    looked_at(cube, values)
    assert any("2 pages were left out" in note for note in cube.notes)


# --- several cubes, and the order of axes


def test_pages_of_several_sizes_are_several_cubes(tmp_path):
    one, two = stack(5, 20, 30), stack(4, 10, 12, seed=1)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(one, photometric="minisblack")
        writer.write(two, photometric="minisblack")
    with pytest.raises(AmbiguousVariableError, match="pages0 5x20x30 float32; pages5 4x10x12 float32") as caught:
        read_cube(tmp_path / "a.tif")
    assert [choice.name for choice in caught.value.choices] == ["pages0", "pages5"]
    looked_at(read_cube(tmp_path / "a.tif", variable="pages5"), two)
    assert describe(tmp_path / "a.tif", variable="pages0")["shape"] == [5, 20, 30]


def test_many_sample_pages_are_a_cube_each(tmp_path):
    values = stack(2, 20, 30, 7)
    write(tmp_path / "a.tif", values, planarconfig="contig")
    with pytest.raises(AmbiguousVariableError):
        read_cube(tmp_path / "a.tif")
    looked_at(read_cube(tmp_path / "a.tif", variable="pages1"), np.moveaxis(values[1], -1, 0))


def test_an_array_of_four_axes_is_a_cube_for_each_place_of_the_first(tmp_path):
    values = stack(3, 5, 20, 30)
    write(tmp_path / "a.tif", values, metadata={"axes": "TCYX"})
    for time in range(3):
        looked_at(read_cube(tmp_path / "a.tif", variable=f"pages_t{time}"), values[time])
    write(tmp_path / "b.tif", np.moveaxis(values, 0, 1), metadata={"axes": "CTYX"})
    looked_at(read_cube(tmp_path / "b.tif", variable="pages_t2"), values[2])


@LAZY
def test_axes_can_be_said_and_are_guessed_where_pages_cannot_be_bands(tmp_path, lazy):
    values = stack(16, 20, 30)
    write(tmp_path / "a.tif", np.moveaxis(values, 0, -1))  # 20 pages of 30 x 16
    cube = read_cube(tmp_path / "a.tif", lazy=lazy)
    looked_at(cube, values)
    assert "the 16 columns of the pages were taken as the bands" in cube.notes[0]
    assert cube.provenance["axes"] == "yxb"
    looked_at(read_cube(tmp_path / "a.tif", axes="byx", lazy=lazy), np.moveaxis(values, 0, -1))
    write(tmp_path / "b.tif", values[:5])
    looked_at(read_cube(tmp_path / "b.tif", axes="ybx", lazy=lazy), np.moveaxis(values[:5], 1, 0))


def test_few_narrow_pages_stay_bands(tmp_path):
    values = stack(5, 20, 16)
    looked_at(read_cube(write(tmp_path / "a.tif", values)), values)


# --- ImageJ


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}], ids=str)
def test_channels_of_an_imagej_hyperstack_are_bands(tmp_path, how):
    values = stack(2, 3, 4, 20, 30, dtype=np.uint16)  # T Z C Y X
    write(tmp_path / "a.tif", values, imagej=True, metadata={"axes": "TZCYX"}, **how)
    assert tifffile.TiffFile(tmp_path / "a.tif").is_imagej
    for time in range(2):
        for depth in range(3):
            cube = read_cube(tmp_path / "a.tif", variable=f"pages_z{depth}_t{time}")
            looked_at(cube, values[time, depth])
            assert cube.provenance["format"] == "imagej"
    with pytest.raises(AmbiguousVariableError):
        read_cube(tmp_path / "a.tif")


@pytest.mark.parametrize(("axes", "word"), [("ZYX", "slice of a stack in depth"), ("TYX", "time")])
def test_without_channels_depth_or_time_is_bands_and_it_is_said(tmp_path, axes, word):
    values = stack(6, 20, 30, dtype=np.uint16)
    write(tmp_path / "a.tif", values, imagej=True, metadata={"axes": axes})
    cube = read_cube(tmp_path / "a.tif")
    looked_at(cube, values)
    assert any(word in note for note in cube.notes)


def test_labels_of_imagej_give_wavelengths(tmp_path):
    labels = [f"{nm} nm" for nm in (500, 550.5, 600)]
    write(
        tmp_path / "a.tif",
        stack(3, 20, 30, dtype=np.uint8),
        imagej=True,
        metadata={"axes": "CYX", "Labels": labels},
    )
    cube = read_cube(tmp_path / "a.tif")
    assert cube.wavelengths_nm.tolist() == [500, 550.5, 600]
    assert cube.wavelengths_known


@LAZY
def test_planes_behind_the_only_page_of_a_large_imagej_stack(tmp_path, lazy):
    values = stack(5, 20, 30, dtype=">u2")
    text = "ImageJ=1.53\nimages=5\nslices=5\n"
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=">") as writer:
        writer.write(values[0], photometric="minisblack", description=text, metadata=None, software="ImageJ")
    with open(tmp_path / "a.tif", "ab") as file, tifffile.TiffFile(tmp_path / "a.tif") as tif:
        at = tif.pages[0].dataoffsets[0]
        assert tif.is_imagej
        file.truncate(at + values[0].nbytes)
        file.write(values[1:].tobytes())
    looked_at(read_cube(tmp_path / "a.tif", lazy=lazy), values.astype(np.float32))


# --- wavelengths


def test_names_of_pages_give_wavelengths(tmp_path):
    values = stack(3, 20, 30)
    for name, tags in (
        ("a.tif", lambda nm: {"extratags": [(285, 2, 0, f"band {nm} nm", True)]}),
        ("b.tif", lambda nm: {"description": f"exposure=12ms\nwavelength={nm}nm"}),
        ("c.tif", lambda nm: {"description": f"Wavelength: {nm}"}),
        ("d.tif", lambda nm: {"extratags": [(285, 2, 0, f"{nm / 1000:.4f} um", True)]}),
    ):
        with tifffile.TiffWriter(tmp_path / name) as writer:
            for page, nm in zip(values, (465.0, 550.3, 612.5), strict=True):
                writer.write(page, photometric="minisblack", metadata=None, contiguous=False, **tags(nm))
        cube = read_cube(tmp_path / name)
        assert cube.wavelengths_nm.tolist() == [465.0, 550.3, 612.5], name
        assert cube.wavelengths_known


@pytest.mark.parametrize("names", [["465 nm", "band 2", "600 nm"], ["1", "2", "3"], ["5 nm", "6 nm", "7 nm"]])
def test_names_that_do_not_all_give_a_wavelength_give_none(tmp_path, names):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page, name in zip(stack(3, 20, 30), names, strict=True):
            writer.write(page, photometric="minisblack", metadata=None, extratags=[(285, 2, 0, name, True)])
    cube = read_cube(tmp_path / "a.tif")
    assert cube.axis_label == "band"
    assert "numbered from 0" in cube.notes[-1]


def test_descriptions_of_gdal_name_the_samples(tmp_path):
    items = "".join(
        f'<Item name="DESCRIPTION" sample="{n}" role="description">{500 + 10 * n} nm</Item>' for n in range(5)
    )
    xml = f"<GDALMetadata>{items}</GDALMetadata>"
    write(tmp_path / "a.tif", stack(20, 30, 5), planarconfig="contig", extratags=[(42112, 2, 0, xml, True)])
    assert read_cube(tmp_path / "a.tif").wavelengths_nm.tolist() == [500, 510, 520, 530, 540]


def test_wavelengths_beside_tifffiles_shape(tmp_path):
    write(tmp_path / "a.tif", stack(3, 20, 30), metadata={"axes": "CYX", "wavelengths_nm": [500, 512.25, 530]})
    assert read_cube(tmp_path / "a.tif").wavelengths_nm.tolist() == [500, 512.25, 530]


def test_what_the_user_says_wins(tmp_path):
    write(tmp_path / "a.tif", stack(3, 20, 30), metadata={"axes": "CYX", "wavelengths_nm": [500, 512.25, 530]})
    assert read_cube(tmp_path / "a.tif", wavelengths_nm=[1, 2, 3]).wavelengths_nm.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="2 wavelengths for 3 bands"):
        read_cube(tmp_path / "a.tif", wavelengths_nm=[500, 600])


def test_a_tiff_is_known_by_its_first_bytes(tmp_path):
    path = write(tmp_path / "a.dat", stack(3, 20, 30))
    assert format_of(path).name == "tiff"
