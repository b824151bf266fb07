import json
import pickle

import numpy as np
import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import read_cube


@pytest.fixture
def values():
    """Return a cube's values, (bands, y, x), every one different."""
    return np.random.default_rng(0).normal(size=(16, 7, 9)).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 2])
def test_npy_with_bands_first_or_last(tmp_path, values, axis):
    np.save(tmp_path / "a.npy", np.moveaxis(values, 0, axis))
    cube = read_cube(tmp_path / "a.npy")
    np.testing.assert_array_equal(cube.data, values)
    assert any(("first" if axis == 0 else "last") in note for note in cube.notes)


@pytest.mark.parametrize("dtype", [">f8", ">u2", "<i4", "f2"])
@pytest.mark.parametrize("fortran", [False, True])
def test_npy_of_any_number_type_and_order(tmp_path, dtype, fortran):
    array = np.arange(16 * 7 * 9).reshape(16, 7, 9).astype(dtype)
    np.save(tmp_path / "a.npy", np.asfortranarray(array) if fortran else array)
    np.testing.assert_array_equal(read_cube(tmp_path / "a.npy").data, array.astype(np.float32))


def test_wavelengths_can_be_given(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    cube = read_cube(tmp_path / "a.npy", wavelengths_nm=range(500, 516))
    assert cube.wavelengths_known
    assert cube.wavelengths_nm[-1] == 515
    with pytest.raises(InputError, match=r"a\.npy: 3 wavelengths fit neither"):
        read_cube(tmp_path / "a.npy", wavelengths_nm=[1, 2, 3])
    with pytest.raises(InputError, match="must be numbers"):
        read_cube(tmp_path / "a.npy", wavelengths_nm=["red"])


def test_npz_of_another_program(tmp_path, values):
    np.savez_compressed(tmp_path / "a.npz", data=np.moveaxis(values, 0, -1), mask=np.ones((7, 9), bool), note="x")
    cube = read_cube(tmp_path / "a.npz")
    np.testing.assert_array_equal(cube.data, values)
    assert cube.provenance["variable"] == "data"


def test_npz_with_several_cubes_names_them(tmp_path, values):
    np.savez(tmp_path / "a.npz", one=values, two=values + 1)
    with pytest.raises(InputError, match=r"several 3-D numeric arrays: one 16x7x9 float32; two .*--variable"):
        read_cube(tmp_path / "a.npz")
    np.testing.assert_array_equal(read_cube(tmp_path / "a.npz", variable="two").data, values + 1)


def test_a_crop_is_read_with_its_id_and_provenance(tmp_path, values):
    meta = {"crop_id": "DN_1_2", "provenance": {"source": "x"}, "y0": 0}
    np.savez(
        tmp_path / "DN_1_2.npz",
        cube=values[:, :3, :2],  # a crop may be smaller than it has bands: its axes are known
        mask=np.ones((3, 2), bool),
        wavelengths_nm=np.linspace(465, 630, 16),
        meta=np.array(json.dumps(meta)),
    )
    cube = read_cube(tmp_path / "DN_1_2.npz")
    assert (cube.name, cube.provenance, cube.notes) == ("DN_1_2", {"source": "x"}, ())
    np.testing.assert_array_equal(cube.data, values[:, :3, :2])


class Bomb:
    """Pickles into a call that makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("shape", [(), (2, 3, 4)])
@pytest.mark.parametrize("name", ["a.npy", "a.npz", "b.npz"])
def test_pickles_are_never_opened(tmp_path, values, shape, name):
    trap = tmp_path / "trapped"
    bomb = np.full(shape, Bomb(trap), dtype=object)
    if name == "a.npy":
        np.save(tmp_path / name, bomb, allow_pickle=True)
    elif name == "a.npz":
        np.savez(tmp_path / name, cube=bomb)
    else:  # beside a good cube, where our own labels are looked for
        np.savez(tmp_path / name, cube=values, provenance=bomb, name=bomb, wavelengths_nm=bomb)
    with pytest.raises(InputError):
        read_cube(tmp_path / name)
    assert not trap.exists()


def test_a_bare_pickle_is_no_file_of_ours(tmp_path):
    (tmp_path / "a.npy").write_bytes(pickle.dumps(Bomb(tmp_path / "trapped")))
    with pytest.raises(InputError, match=r"not a NumPy \.npy file"):
        read_cube(tmp_path / "a.npy")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("provenance", ["{", "[1]", "3"])
def test_damaged_provenance_is_refused(tmp_path, values, provenance):
    np.savez(tmp_path / "a.npz", cube=values, wavelengths_nm=np.arange(500, 516), name="", provenance=provenance)
    with pytest.raises(InputError, match=r"a\.npz: damaged: its provenance"):
        read_cube(tmp_path / "a.npz")
