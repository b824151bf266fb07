"""Cubes that stay in their files are the cubes that are read at once."""

import struct
import threading
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import read_cube, write_cube

VALUES = np.random.default_rng(0).normal(size=(16, 27, 33)).astype(np.float32)
VALUES[3, 4, 5] = np.nan
CUBE = Cube(VALUES, np.linspace(465, 630, 16), name="DN_1", provenance={"a": [1]})


def npy(path):
    np.save(path, VALUES.astype(">f8"))


def npy_fortran(path):
    np.save(path, np.asfortranarray(np.moveaxis(VALUES, 0, -1)))


def npz_ours(path):
    write_cube(path, CUBE)


def npz_foreign(path):
    np.savez(path, data=np.asfortranarray(np.moveaxis(VALUES, 0, -1)), wavelength=np.arange(500, 516))


def npz_packed(path):
    np.savez_compressed(path, cube=VALUES)


def mat_ours(path):
    write_cube(path, CUBE)


def mat_foreign(path):
    scipy.io.savemat(path, {"cube": np.moveaxis(VALUES, 0, -1), "wavelength": np.arange(500, 516)})


def mat_packed(path):
    scipy.io.savemat(path, {"cube": np.moveaxis(VALUES, 0, -1)}, do_compression=True)


def v73(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        made = file.create_dataset("cube", data=np.moveaxis(VALUES, 0, -1).T, compression="gzip", chunks=(4, 9, 10))
        made.attrs["MATLAB_class"] = np.bytes_("single")


def hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("cube", data=VALUES.astype(">f8"), chunks=(5, 10, 10), compression="lzf")
        file["wavelengths"] = np.linspace(465, 630, 16)


def netcdf3(path):
    with scipy.io.netcdf_file(path, "w") as file:
        for name, length in zip(("band", "y", "x"), (None, 27, 33), strict=True):
            file.createDimension(name, length)
        file.createVariable("cube", ">f4", ("band", "y", "x"))[:] = VALUES


def ome_zarr(path):
    write_cube(path, CUBE)


#: How the file is made, its name, and whether its values can stay there.
FILES = [
    (npy, "a.npy", True),
    (npy_fortran, "a.npy", True),
    (npz_ours, "a.npz", True),
    (npz_foreign, "a.npz", True),
    (npz_packed, "a.npz", False),
    (mat_ours, "a.mat", True),
    (mat_foreign, "a.mat", True),
    (mat_packed, "a.mat", False),
    (v73, "a.mat", True),
    (hdf5, "a.h5", True),
    (netcdf3, "a.nc", True),
    (ome_zarr, "a.zarr", True),
]
STAYING = [(make, name) for make, name, stays in FILES if stays]


@pytest.mark.parametrize(("make", "name", "stays"), FILES)
def test_a_cube_left_in_its_file_is_the_one_that_is_read(tmp_path, make, name, stays):
    path = tmp_path / name
    make(path)
    now, later = read_cube(path), read_cube(path, lazy=True)
    assert (now.is_lazy, later.is_lazy) == (False, stays)
    np.testing.assert_array_equal(np.asarray(later.data).view(np.uint32), VALUES.view(np.uint32))
    np.testing.assert_array_equal(now.data, VALUES)
    np.testing.assert_array_equal(later.data[2:9:3, 5, ::-2], VALUES[2:9:3, 5, ::-2])
    np.testing.assert_array_equal(now.wavelengths_nm, later.wavelengths_nm)
    assert (now.name, now.wavelengths_known) == (later.name, later.wavelengths_known)
    assert now.provenance == later.provenance
    assert later.notes == tuple(note for note in now.notes if stays is False or "finite" not in note)


@pytest.mark.parametrize(("make", "name"), [(npy, "a.npy"), (npz_foreign, "a.npz"), (mat_foreign, "a.mat")])
def test_the_users_order_of_the_axes_counts_for_lazy_cubes_too(tmp_path, make, name):
    path = tmp_path / name
    make(path)
    now, later = read_cube(path, axes="xby"), read_cube(path, axes="xby", lazy=True)
    stored = VALUES if make is npy else np.moveaxis(VALUES, 0, -1)
    np.testing.assert_array_equal(now.data, stored.transpose(1, 2, 0))
    np.testing.assert_array_equal(later.data[:], now.data)
    # those of the file fit another axis
    assert not later.wavelengths_known
    assert any("left out" in note for note in later.notes) == (make is not npy)


@pytest.mark.parametrize(("make", "name"), STAYING)
def test_several_threads_read_one_lazy_cube(tmp_path, make, name):
    path = tmp_path / name
    make(path)
    cube = read_cube(path, lazy=True)
    wrong = []

    def look(seed):
        rng = np.random.default_rng(seed)
        for _ in range(30):
            y, x = rng.integers(27), rng.integers(33)
            if not np.array_equal(cube.data[:, y, x], VALUES[:, y, x], equal_nan=True):
                wrong.append((y, x))

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(("make", "name"), [(npy, "a.npy"), (npy_fortran, "a.npy"), (mat_foreign, "a.mat")])
def test_a_truncated_file_is_refused_when_it_is_opened(tmp_path, make, name):
    path = tmp_path / name
    make(path)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(InputError, match=r"a\.\w+: .*truncated"):
        read_cube(path, lazy=True)


def test_a_member_that_its_archive_does_not_hold_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, cube=VALUES)
    content = bytearray(path.read_bytes())
    content[26:28] = struct.pack("<H", 60_000)  # length of the name in front of the values
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz: "):
        read_cube(path, lazy=True)


def test_a_claim_beyond_the_member_is_refused_though_the_archive_is_longer(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        text = "{'descr': '<f4', 'fortran_order': False, 'shape': (16, 27, 33), }".ljust(117) + "\n"
        archive.writestr("cube.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(400))
        archive.writestr("other", bytes(100_000))
    with pytest.raises(InputError, match=r"a\.npz: .*does not hold the values"):
        read_cube(path, lazy=True)


@pytest.mark.parametrize(("make", "name"), STAYING)
@pytest.mark.parametrize("suffix", [".npz", ".mat", ".zarr"])
def test_a_lazy_cube_is_written_whole_even_over_its_own_file(tmp_path, make, name, suffix):
    path = tmp_path / name
    make(path)
    cube = read_cube(path, lazy=True)
    target = path if path.suffix == suffix else tmp_path / f"b{suffix}"
    assert write_cube(target, cube) == ()
    np.testing.assert_array_equal(read_cube(target).data.view(np.uint32), VALUES.view(np.uint32))
