"""Files that say nothing of the moment they were written at: the same cube makes the same bytes."""

import numpy as np
import pytest
import scipy.io

from napari_hsisynth import Cube, read_cube, write_cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.envi_write import write_new


@pytest.fixture
def cube():
    return Cube(np.arange(24.0).reshape(2, 3, 4), [500, 600], name="SYNTHETIC_ä\n1", provenance={"seed": 3})


def test_mat_says_the_name_where_scipy_says_the_time(cube, tmp_path):
    write_cube(tmp_path / "x.mat", cube)
    head = (tmp_path / "x.mat").read_bytes()[:128]
    assert head[:116].rstrip() == b"MATLAB 5.0 MAT-file, written by napari-hsisynth: SYNTHETIC_? 1"
    assert head[124:] == b"\x00\x01IM"
    np.testing.assert_array_equal(scipy.io.loadmat(tmp_path / "x.mat")["DataCubeC"], np.moveaxis(cube.data, 0, -1))
    write_cube(tmp_path / "long.mat", cube.replace(name="n" * 500))
    assert (tmp_path / "long.mat").read_bytes()[112:116] == b"nnnn"
    assert read_cube(tmp_path / "long.mat").name == "n" * 500


def test_a_new_envi_pair_names_no_file_of_the_write(cube, tmp_path):
    pairs = []
    for folder in ("one", "two"):
        data = write_new(tmp_path / folder / "x.hdr", cube)
        assert data == tmp_path / folder / "x.dat"
        pairs.append((data.read_bytes(), (tmp_path / folder / "x.hdr").read_bytes()))
    assert pairs[0] == pairs[1]
    back = read_cube(tmp_path / "one" / "x.hdr")
    np.testing.assert_array_equal(back.data, cube.data)
    assert (back.name, dict(back.provenance)) == (cube.name, dict(cube.provenance))
    with pytest.raises(InputError, match="file of this name"):
        write_new(tmp_path / "one" / "x.hdr", cube)
    write_cube(tmp_path / "one" / "x.hdr", cube.replace(data=-cube.data))  # it can be replaced as any other
    np.testing.assert_array_equal(read_cube(tmp_path / "one" / "x.hdr").data, -cube.data)
