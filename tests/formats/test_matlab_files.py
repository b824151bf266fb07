import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import format_of, read_cube, write_cube


@pytest.fixture
def values():
    """Return a cube's values, (bands, y, x), every one different."""
    return np.random.default_rng(0).normal(size=(16, 27, 33)).astype(np.float32)


def save_v73(path, **arrays):
    """Write as MATLAB does: user block, axes reversed, class in an attribute."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            kind = {"float32": "single", "float64": "double", "bool": "logical"}.get(str(array.dtype), str(array.dtype))
            made = file.create_dataset(name, data=array.astype("u1" if kind == "logical" else array.dtype).T)
            made.attrs["MATLAB_class"] = np.bytes_(kind)
    with open(path, "r+b") as handle:
        handle.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")


def save_v5(path, **arrays):
    scipy.io.savemat(path, arrays, do_compression=True)


SAVERS = pytest.mark.parametrize("save", [save_v5, save_v73])


@SAVERS
@pytest.mark.parametrize("name", ["DataCubeC", "cube", "data"])
def test_hsidermoscopy_layout_bands_last_under_any_name(tmp_path, values, save, name):
    path = tmp_path / "DN_001.mat"
    save(path, **{name: np.moveaxis(values, 0, -1)})
    cube = read_cube(path)
    np.testing.assert_array_equal(cube.data, values)
    assert cube.name == "DN_001"
    assert (cube.provenance["variable"], cube.provenance["dtype"]) == (name, "float32")
    assert any("last" in note and "bands" in note for note in cube.notes)
    assert any("465-630" in note for note in cube.notes)
    assert not cube.wavelengths_known


@SAVERS
def test_bands_first_is_seen_and_said(tmp_path, values, save):
    save(tmp_path / "a.mat", cube=values)
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.data, values)
    assert any("first" in note and "bands" in note for note in cube.notes)


@SAVERS
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((8, 9, 16), 2), ((16, 9, 8), 0), ((60, 50, 31), 2), ((31, 50, 60), 0), ((16, 9, 16), 2), ((7, 9, 7), 2)],
)
def test_axis_of_the_bands_by_shape(tmp_path, save, shape, axis):
    array = np.random.default_rng(0).normal(size=shape)
    save(tmp_path / "a.mat", cube=array)
    np.testing.assert_array_equal(read_cube(tmp_path / "a.mat").data, np.moveaxis(array, axis, 0).astype(np.float32))


@SAVERS
def test_stored_wavelengths_are_used_and_settle_the_axis(tmp_path, save):
    array = np.random.default_rng(0).normal(size=(40, 16, 30)).astype(np.float32)
    nm = np.linspace(400, 1000, 40)
    save(tmp_path / "a.mat", cube=array, wavelength=nm.reshape(1, -1))
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.data, array)
    np.testing.assert_array_equal(cube.wavelengths_nm, nm)
    assert cube.wavelengths_known


@SAVERS
@pytest.mark.parametrize("stored", [np.linspace(0.4, 1.0, 16), np.linspace(400, 1000, 5), np.full(16, np.nan)])
def test_stored_wavelengths_that_cannot_be_are_left_out_and_said(tmp_path, values, save, stored):
    save(tmp_path / "a.mat", cube=values, wavelengths=stored.reshape(1, -1))
    cube = read_cube(tmp_path / "a.mat")
    assert not cube.wavelengths_known
    assert any("left out" in note for note in cube.notes)


@SAVERS
def test_given_wavelengths_win_and_settle_the_axis(tmp_path, save):
    array = np.random.default_rng(0).normal(size=(40, 16, 30))
    save(tmp_path / "a.mat", cube=array, wavelengths=np.linspace(400, 1000, 30).reshape(1, -1))
    cube = read_cube(tmp_path / "a.mat", wavelengths_nm=np.linspace(500, 600, 40))
    assert cube.data.shape == (40, 16, 30)
    assert cube.wavelengths_nm[-1] == 600
    with pytest.raises(InputError, match=r"7 wavelengths fit neither .* \(40, 16, 30\)"):
        read_cube(tmp_path / "a.mat", wavelengths_nm=np.arange(7))


@SAVERS
def test_several_arrays_are_named_and_one_can_be_chosen(tmp_path, values, save):
    path = tmp_path / "a.mat"
    save(path, cube=values, white=values + 1, small=np.ones((2, 3)))
    with pytest.raises(InputError, match=r"a\.mat: several .*cube 16x27x33 single.*white.*--variable NAME"):
        read_cube(path)
    np.testing.assert_array_equal(read_cube(path, variable="white").data, values + 1)
    with pytest.raises(InputError, match=r"no variable 'dark'.*cube 16x27x33.*small 2x3"):
        read_cube(path, variable="dark")
    with pytest.raises(InputError, match="'small' is not a cube: small 2x3 double"):
        read_cube(path, variable="small")


@SAVERS
def test_logical_volumes_do_not_stand_beside_the_cube(tmp_path, values, save):
    save(tmp_path / "a.mat", cube=values, valid=values > 0)
    assert read_cube(tmp_path / "a.mat").provenance["variable"] == "cube"


@SAVERS
def test_no_3d_array_is_refused_with_what_there_is(tmp_path, save):
    save(tmp_path / "a.mat", image=np.ones((5, 6)))
    with pytest.raises(InputError, match=r"no 3-D numeric array \(it holds: image 5x6 double\)"):
        read_cube(tmp_path / "a.mat")


@SAVERS
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f8"])
def test_counts_are_kept_as_they_are(tmp_path, save, dtype):
    array = np.arange(16 * 20 * 21).reshape(20, 21, 16).astype(dtype)
    save(tmp_path / "a.mat", cube=array)
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.data, np.moveaxis(array, -1, 0).astype(np.float32))
    assert cube.provenance["dtype"] == str(np.dtype(dtype))


@SAVERS
def test_pixels_that_are_not_finite_are_kept_and_said(tmp_path, values, save):
    values[0, 0, 0], values[15, 1, 1] = np.nan, np.inf
    save(tmp_path / "a.mat", cube=values)
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.data, values)
    assert any("2 of 891 pixels are not finite" in note for note in cube.notes)


def test_complex_values_are_refused(tmp_path, values):
    save_v5(tmp_path / "a.mat", cube=values + 1j)
    with pytest.raises(InputError, match=r"a\.mat: .*no 3-D numeric array .*complex single"):
        read_cube(tmp_path / "a.mat")


def test_structs_cells_and_text_are_listed_but_never_built(tmp_path, values):
    save_v5(
        tmp_path / "a.mat", cube=values, info={"a": 1}, cells=np.array([[1, "x"]], dtype=object), wavelengths="none"
    )
    assert read_cube(tmp_path / "a.mat").data.shape == (16, 27, 33)
    found = {variable.name: variable.dtype for variable in format_of(tmp_path / "a.mat").variables(tmp_path / "a.mat")}
    assert found == {"cube": "single", "info": "struct", "cells": "cell", "wavelengths": "char"}


def test_big_endian_files_are_read(tmp_path):
    # one variable 'c', (2, 3, 2) uint8, written by hand in the byte order of old workstations
    import struct

    data = np.arange(12, dtype=np.uint8)
    body = struct.pack(">IIII", 6, 8, 9, 0) + struct.pack(">IIiiii", 5, 12, 2, 3, 2, 0)
    body += struct.pack(">IIB7x", 1, 1, ord("c")) + struct.pack(">II", 2, 12) + data.tobytes() + bytes(4)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    (tmp_path / "a.mat").write_bytes(header + struct.pack(">II", 14, len(body)) + body)
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(np.moveaxis(cube.data, 0, -1), data.reshape((2, 3, 2), order="F"))


def test_fields_of_a_v73_struct_are_found(tmp_path, values):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        made = file.create_dataset("scan/cube", data=np.moveaxis(values, 0, -1).T)
        made.attrs["MATLAB_class"] = np.bytes_("single")
        nm = file.create_dataset("scan/wavelengths", data=np.linspace(465, 630, 16).reshape(-1, 1))
        nm.attrs["MATLAB_class"] = np.bytes_("double")
        file.create_dataset("#refs#/a", data=np.ones((4, 4, 4)))
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.data, values)
    assert cube.provenance["variable"] == "scan/cube"
    assert cube.wavelengths_known


@pytest.mark.parametrize("stored", ["as MATLAB would", "bands last"])
def test_hdf5_without_a_matlab_class_is_told_by_where_its_bands_are(tmp_path, values, stored):
    y_x_bands = np.moveaxis(values, 0, -1)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["cube"] = y_x_bands.T if stored == "as MATLAB would" else y_x_bands
    cube = read_cube(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.data, values)
    assert cube.provenance["format"] == "hdf5"
    assert any("MATLAB's order" in note for note in cube.notes) == (stored == "as MATLAB would")


def test_v73_links_into_other_files_are_not_followed(tmp_path, values):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["cube"] = values
    values.tofile(tmp_path / "secret.raw")
    with h5py.File(tmp_path / "link.mat", "w") as file:
        file["cube"] = h5py.ExternalLink("secret.h5", "/cube")
    with pytest.raises(InputError, match="no 3-D numeric array"):
        read_cube(tmp_path / "link.mat")
    with h5py.File(tmp_path / "external.mat", "w") as file:
        file.create_dataset("cube", values.shape, "f4", external=[(str(tmp_path / "secret.raw"), 0, values.nbytes)])
    with pytest.raises(InputError, match="lies in another file"):
        read_cube(tmp_path / "external.mat")
    virtual = h5py.VirtualLayout(values.shape, "f4")
    virtual[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "cube", values.shape)
    with h5py.File(tmp_path / "virtual.mat", "w") as file:
        file.create_virtual_dataset("cube", virtual)
    with pytest.raises(InputError, match="lies in another file"):
        read_cube(tmp_path / "virtual.mat")


def test_what_we_write_is_what_matlab_users_expect(tmp_path, values):
    write_cube(tmp_path / "a.mat", Cube(values, np.linspace(465, 630, 16), name="DN_1", provenance={"a": "é"}))
    found = scipy.io.loadmat(tmp_path / "a.mat")
    np.testing.assert_array_equal(found["DataCubeC"], np.moveaxis(values, 0, -1))
    assert found["DataCubeC"].dtype == np.float32
    np.testing.assert_array_equal(found["wavelengths_nm"], [np.linspace(465, 630, 16)])
    assert found["name"] == ["DN_1"]
    assert found["provenance"] == ['{"a": "\\u00e9"}']


def test_too_large_for_matlab_5_says_npz(tmp_path, monkeypatch):
    from scipy.io.matlab import MatWriteError

    import napari_hsisynth.formats.matlab5 as matlab5

    def refuse(*args, **kwargs):  # a real cube of 4 GiB would take the memory of the test machine
        raise MatWriteError("Matrix too large to save with Matlab 5 format")

    monkeypatch.setattr(matlab5.scipy.io, "savemat", refuse)
    with pytest.raises(InputError, match=r"too large for a MATLAB 5 file.*npz"):
        write_cube(tmp_path / "a.mat", Cube(np.ones((2, 3, 4)), [500, 600]))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif("HSISYNTH_TEST_DATA" not in os.environ, reason="HSISYNTH_TEST_DATA is not set")
def test_matlab_files_in_the_wild_that_are_no_cubes():
    files = sorted((Path(os.environ["HSISYNTH_TEST_DATA"]) / "spectra").rglob("*.mat"))
    assert files
    for path in files:
        # two of them are MATLAB 4, which has no 3-D arrays at all
        with pytest.raises(InputError, match=r"no 3-D numeric array|not a MATLAB 5 \.mat or MATLAB 7\.3 \.mat file"):
            read_cube(path)
