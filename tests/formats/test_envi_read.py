"""ENVI files of other programs: read as the `spectral` package reads them, and as real cameras write them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from envi_files import TYPES, listed, values_of, write_pair
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_hsisynth.cli import main
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import describe, format_of, parts_of, read_cube, write_cube

REAL = sorted(kind for kind in TYPES if np.dtype(TYPES[kind]).kind != "c")


def said(cube, *parts):
    """Whether one note of a cube says all of this."""
    return any(all(part in note for part in parts) for note in cube.notes)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("interleave", ["bsq", "BIL", "bip"])
@pytest.mark.parametrize("kind", REAL)
def test_every_type_interleave_and_byte_order_is_read_as_spectral_reads_it(tmp_path, kind, interleave, order):
    import spectral.io.envi

    image = values_of((4, 5, 3), kind)
    path = write_pair(tmp_path, image, interleave=interleave, order=order, offset=7)
    reference = np.asarray(spectral.io.envi.open(str(path)).load())  # float32 (y, x, band)
    for lazy in (False, True):
        cube = read_cube(path, lazy=lazy)
        assert cube.is_lazy == lazy
        assert cube.data.shape == (3, 4, 5)
        np.testing.assert_array_equal(np.asarray(cube.data), reference.transpose(2, 0, 1))
        np.testing.assert_array_equal(np.asarray(cube.data), image.transpose(2, 0, 1).astype(np.float32))
        np.testing.assert_array_equal(cube.data[:, 2, 3], image[2, 3].astype(np.float32))


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("kind", [6, 9])
def test_complex_values_are_read_as_magnitudes(tmp_path, kind, interleave):
    image = values_of((4, 5, 3), kind)
    cube = read_cube(write_pair(tmp_path, image, interleave=interleave, order=1), lazy=True)
    np.testing.assert_allclose(np.asarray(cube.data), np.abs(image).transpose(2, 0, 1), rtol=1e-6)
    assert said(cube, "complex", "magnitude")
    assert cube.provenance["dtype"] == f">c{np.dtype(TYPES[kind]).itemsize}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    kind=st.sampled_from(REAL),
    interleave=st.sampled_from(["bsq", "bil", "bip"]),
    data=st.data(),
)
def test_gains_offsets_scale_and_missing_value(tmp_path, shape, kind, interleave, data):
    image = values_of(shape, kind)
    gains = data.draw(st.lists(st.floats(-3, 3), min_size=shape[2], max_size=shape[2]))
    offsets = data.draw(st.lists(st.floats(-3, 3), min_size=shape[2], max_size=shape[2]))
    scale = data.draw(st.sampled_from([1, 10000, 65535.0, 0.5]))
    ignored = data.draw(st.sampled_from(image.reshape(-1).tolist()))
    path = write_pair(
        tmp_path,
        image,
        interleave=interleave,
        data_gain_values=listed(gains),
        data_offset_values=listed(offsets),
        reflectance_scale_factor=scale,
        data_ignore_value=repr(ignored),
    )
    expected = (image.astype(np.float64) * gains + offsets) / scale
    # to float64 first, as the text of the header is
    expected[image.astype(np.float64) == float(ignored)] = np.nan
    cube = read_cube(path, lazy=True)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(np.asarray(cube.data), expected.transpose(2, 0, 1).astype(np.float32), rtol=1e-5)
    y, x, band = (data.draw(st.integers(0, length - 1)) for length in shape)
    np.testing.assert_array_equal(cube.data[band, y, x], np.asarray(cube.data)[band, y, x])
    np.testing.assert_array_equal(cube.data[:, y, x], np.asarray(cube.data)[:, y, x])
    np.testing.assert_array_equal(cube.data[::-1, y:, x], np.asarray(cube.data)[::-1, y:, x])
    assert cube.provenance["missing_value"] == float(ignored)


def test_what_was_done_to_the_values_is_said(tmp_path):
    image = np.array([[[0, 5000], [10000, 20000]]], np.uint16)
    path = write_pair(tmp_path, image, reflectance_scale_factor="10000.0", data_ignore_value=0)
    cube = read_cube(path)
    np.testing.assert_array_equal(cube.data, np.array([[[np.nan, 1]], [[0.5, 2]]], np.float32))
    assert said(cube, "divided by the reflectance scale factor 10000")
    assert said(cube, "0 mean 'no value'", "NaN")
    assert (cube.provenance["scale_factor"], cube.provenance["missing_value"]) == (10000.0, 0.0)
    assert cube.provenance["dtype"] == "uint16"
    path = write_pair(tmp_path, image, data_gain_values="{1, 1}", data_offset_values="{0, 0}")
    assert read_cube(path).notes == ("no wavelengths given: the 2 bands are numbered from 0",)


@pytest.mark.parametrize("ignored", ["NaN", "-1", "65536", "1e300", "0.5", "-1.7976931348623157e+308"])
def test_an_ignored_value_that_no_stored_value_can_be_changes_nothing(tmp_path, ignored):
    for image in (np.array([[[0, 65535]]], np.uint16), np.array([[[np.inf, 3.4e38]]], np.float32)):
        cube = read_cube(write_pair(tmp_path, image, data_ignore_value=ignored))
        np.testing.assert_array_equal(cube.data.reshape(-1), image.reshape(-1).astype(np.float32))


@pytest.mark.parametrize(
    ("data", "header"),
    [("a", "a.hdr"), ("a.b", "a.b.hdr"), ("a.dat.hdr"[:5], "a.dat.hdr"), ("a.RAW", "a.HDR"), ("a.cube", "a.hdr")]
    + [(f"a.{end}", "a.hdr") for end in ("dat", "raw", "img", "bsq", "bil", "bip", "bin", "hyspex")],
)
def test_either_file_may_be_named(tmp_path, data, header):
    image = values_of((2, 3, 4), 12)
    write_pair(tmp_path, image, data=data, header=header, wavelength="{500, 600, 700, 800}", wavelength_units="nm")
    for name in (data, header):
        cube = read_cube(tmp_path / name)
        np.testing.assert_array_equal(cube.data, image.transpose(2, 0, 1))
        assert cube.wavelengths_nm.tolist() == [500, 600, 700, 800]
        assert cube.name == ("a.b" if header == "a.b.hdr" else "a")
        assert parts_of(tmp_path / name) == [tmp_path / header, tmp_path / data]
        found = describe(tmp_path / name)
        assert found["bytes"] == sum((tmp_path / part).stat().st_size for part in (data, header))
        assert found["variables"] == [{"name": "data", "shape": [4, 2, 3], "dtype": "uint16"}]


def test_several_data_files(tmp_path):
    image = values_of((2, 3, 4), 12)
    path = write_pair(tmp_path, image, interleave="bil", data="a.bil")
    (tmp_path / "a.dat").write_bytes(bytes(10))
    cube = read_cube(path)  # called as its interleave
    np.testing.assert_array_equal(cube.data, image.transpose(2, 0, 1))
    assert said(cube, "a.bil", "there is also a.dat")
    (tmp_path / "a.bil").rename(tmp_path / "a.raw")
    assert said(read_cube(path), "a.raw", "there is also a.dat")  # the only one of the right size
    (tmp_path / "a.dat").write_bytes(bytes(48))
    with pytest.raises(InputError, match=r"several data files can belong .* a\.dat, a\.raw; open the data file"):
        read_cube(path)
    np.testing.assert_array_equal(read_cube(tmp_path / "a.raw").data, image.transpose(2, 0, 1))
    assert not read_cube(tmp_path / "a.dat").data.any()
    (tmp_path / "a").write_bytes((tmp_path / "a.raw").read_bytes())
    assert parts_of(path) == [path, tmp_path / "a"]
    write_pair(tmp_path, image, interleave="bil", data=None, data_file="a.dat")
    assert parts_of(path) == [path, tmp_path / "a.dat"]


@pytest.mark.parametrize("named", ["../secret.dat", "{root}/secret.dat", "..", ".", "gone.dat", "x\0y"])
def test_a_header_names_no_file_in_another_folder(tmp_path, named):
    (tmp_path / "secret.dat").write_bytes(bytes(1000))
    inner = tmp_path / "inner"
    inner.mkdir()
    path = write_pair(inner, values_of((2, 3, 4), 12), data=None, data_file=named.format(root=tmp_path))
    with pytest.raises(InputError, match=r"the data file beside a\.hdr is missing; put it there as a, a\.dat"):
        read_cube(path)


def test_a_shorter_file_is_refused_and_a_longer_one_told(tmp_path):
    image = values_of((2, 3, 4), 12)
    path = write_pair(tmp_path, image, offset=5)
    data = tmp_path / "a.dat"
    whole = data.read_bytes()
    data.write_bytes(whole[:-1])
    for name in ("a.hdr", "a.dat"):
        with pytest.raises(
            InputError, match=r"truncated: 2 lines x 3 samples x 4 bands of uint16 .* 53 bytes.* has 52"
        ):
            read_cube(tmp_path / name)
    data.write_bytes(whole + b"more")
    cube = read_cube(path)
    np.testing.assert_array_equal(cube.data, image.transpose(2, 0, 1))
    assert said(cube, "4 bytes at the end of a.dat")


@pytest.mark.parametrize("axes", ["byx", "yxb", "ybx", "bxy", "xyb", "xby"])
def test_the_users_order_of_the_axes_wins(tmp_path, axes):
    image = values_of((2, 3, 4), 4)  # (y, x, band)
    write_pair(tmp_path, image, interleave="bsq")
    (tmp_path / "a.dat").write_bytes(image.transpose(["yxb".index(axis) for axis in axes]).tobytes())
    cube = read_cube(tmp_path / "a.hdr", axes=axes)
    np.testing.assert_array_equal(cube.data, image.transpose(2, 0, 1))
    assert cube.provenance["axes"] == axes
    assert said(cube, f"given as {axes}", "'bsq'") == (axes != "byx")


def test_other_formats_keep_their_files_when_a_header_lies_beside(tmp_path):
    cube = Cube(np.random.default_rng(0).normal(size=(16, 4, 5)), np.arange(500, 516))
    for name in ("a.npz", "a.npy", "a.mat"):
        write_cube(tmp_path / name, cube)
    tifffile.imwrite(tmp_path / "a.tif", np.ones((3, 4, 5), np.uint8), photometric="minisblack")
    Image.new("RGB", (5, 4)).save(tmp_path / "a.png")
    write_pair(tmp_path, values_of((4, 5, 1), 1), data=None)
    shutil.copy(tmp_path / "a.hdr", tmp_path / "a.png.hdr")
    for name, format_name in (("a.npz", "npz"), ("a.npy", "npy"), ("a.mat", "matlab5"), ("a.tif", "tiff")):
        assert format_of(tmp_path / name).name == format_name
        assert read_cube(tmp_path / name).data.shape[1:] == (4, 5)
    with pytest.raises(InputError, match="a picture"):
        read_cube(tmp_path / "a.png")
    (tmp_path / "b.hdr").write_bytes(b"#?RADIANCE\n")
    with pytest.raises(InputError, match=r"b\.hdr: not an ENVI \.hdr \+ data file"):
        read_cube(tmp_path / "b.hdr")


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1), ("I;16", 1)])
def test_a_picture_in_the_place_of_the_raw_file(tmp_path, mode, channels):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60000 if mode == "I;16" else 256, (4, 5, channels)).astype(
        "u2" if mode == "I;16" else "u1"
    )
    Image.fromarray(pixels.squeeze(-1) if channels == 1 else pixels).save(tmp_path / "a.png")
    path = write_pair(tmp_path, values_of((4, 5, 1), 1), data=None)
    cube = read_cube(path)
    np.testing.assert_array_equal(cube.data, pixels.transpose(2, 0, 1))
    assert said(cube, "no raw data", "a.png")
    assert said(cube, "3 channels", "1 band") == (channels == 3)
    assert parts_of(path) == [path, tmp_path / "a.png"]
    path = write_pair(tmp_path, values_of((5, 4, 1), 1), data=None)
    with pytest.raises(InputError, match=r"the picture a\.png has 4 lines x 5 samples, not 5 x 4"):
        read_cube(path)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(InputError):
        read_cube(path)


def test_fields_of_the_header_are_kept(tmp_path):
    path = write_pair(
        tmp_path,
        values_of((2, 3, 4), 12),
        wavelength="{500, 600, 700, 800}",
        wavelength_units="Nanometers",
        description="{a line,\n  another = {line} }",
        sensor_type="Fenix",
        default_bands="{3,2, 1}",
        band_names="{one, two,\n three, four}",
        map_info="{UTM, 1.5, x}",
        lens="",
    )
    cube = read_cube(path)
    assert cube.notes == ()
    assert cube.provenance["envi"] == {
        "description": "a line, another = {line}",
        "sensor type": "Fenix",
        "default bands": [3, 2, 1],
        "band names": ["one", "two", "three", "four"],
        "map info": ["UTM", "1.5", "x"],
        "lens": "",
    }
    write_cube(tmp_path / "a.npz", cube)  # so it is JSON
    assert read_cube(tmp_path / "a.npz").provenance == cube.provenance


@pytest.mark.parametrize(
    ("kind", "fix"),
    [("ENVI Spectral Library", "library"), ("ENVI Meta File", "image"), ("TIFF", "image"), ("Virtual Mosaic", "image")],
)
def test_headers_of_other_things_are_refused(tmp_path, kind, fix):
    path = write_pair(tmp_path, values_of((2, 3, 4), 4), file_type=kind)
    with pytest.raises(InputError, match=f"not an image: its file type is '{kind}'; .*{fix}"):
        read_cube(path)


def test_compressed_and_gapped_data_are_refused(tmp_path):
    image = values_of((2, 3, 4), 4)
    with pytest.raises(InputError, match="compressed"):
        read_cube(write_pair(tmp_path, image, file_compression=1))
    with pytest.raises(InputError, match="'major frame offsets'"):
        read_cube(write_pair(tmp_path, image, major_frame_offsets="{0, 12}"))
    assert read_cube(write_pair(tmp_path, image, major_frame_offsets="{0, 0}", file_compression=0))
    assert said(read_cube(write_pair(tmp_path, image, file_type="ENVI Something")), "'ENVI Something' was read as raw")


def test_users_wavelengths_win(tmp_path):
    path = write_pair(tmp_path, values_of((2, 3, 2), 4), wavelength="{500, 600}", wavelength_units="nm")
    assert read_cube(path, wavelengths_nm=[510, 610]).wavelengths_nm.tolist() == [510, 610]
    with pytest.raises(InputError, match="no variable 'x'"):
        read_cube(path, variable="x")


def test_formats_do_not_load_spectral():
    code = "import sys, napari_hsisynth.formats as f; f.list_formats(); sys.exit('spectral' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.skipif("HSISYNTH_TEST_DATA" not in os.environ, reason="HSISYNTH_TEST_DATA is not set")
def test_files_of_real_cameras(capsys):
    import spectral.io.envi

    folder = Path(os.environ["HSISYNTH_TEST_DATA"]) / "envi"
    assert len(list(folder.iterdir())) == 10
    for path in folder.iterdir():
        if path.suffix == ".png":
            with pytest.raises(InputError, match="a picture"):
                read_cube(path)
            continue
        assert main(["info", str(path)]) == 0
        assert read_cube(path, lazy=True).loaded().data.shape == read_cube(path).data.shape
    hippo = read_cube(folder / "hippo_image.dat")
    reference = np.asarray(spectral.io.envi.open(str(folder / "hippo_image.hdr")).load()).transpose(2, 0, 1)
    np.testing.assert_array_equal(np.isnan(hippo.data), reference == 0)
    np.testing.assert_allclose(hippo.data[reference != 0], reference[reference != 0], rtol=1e-6)
    assert len(hippo.provenance["fwhm_nm"]) == 450
    assert hippo.provenance["envi"]["default bands"] == [287, 262, 244]
    corn = read_cube(folder / "plantcv_corn-kernel-hyperspectral.raw")
    assert (corn.data.shape, corn.wavelengths_nm[[0, -1]].tolist()) == ((580, 31, 43), [366.551, 1048.421])
    assert said(corn, "no 'byte order'", "little endian")
    assert corn.data.max() == 2887
    # a wrong interleave breaks the likeness of neighbouring bands
    assert np.corrcoef(corn.data[300:310].reshape(10, -1)).min() > 0.9
    dark = read_cube(folder / "plantcv_darkReference")
    assert (dark.data.shape, dark.data.min(), dark.data.max()) == ((978, 1, 1600), 2, 47)
    block = read_cube(folder / "hippo_block1.hdr")
    np.testing.assert_array_equal(block.data, np.asarray(Image.open(folder / "hippo_block1.png")).transpose(2, 0, 1))
    assert said(block, "3 channels", "1 band")
