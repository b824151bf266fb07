"""Cubes that are several files or a folder, in a study: added, copied, read, and noticed when they change."""

import numpy as np
import pytest

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import parts_of, write_cube
from napari_hsisynth.study import Study
from napari_hsisynth.study.adding import add_files
from napari_hsisynth.study.cube_files import content_sha256
from napari_hsisynth.study.storage import sha256_of

NM = np.linspace(465, 630, 16)
VALUES = np.random.default_rng(0).uniform(0, 1, (16, 20, 30)).astype(np.float32)


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "study", wavelengths_nm=NM)


@pytest.fixture(params=[".hdr", ".zarr", ".bands"])
def scan(request, tmp_path):
    path = tmp_path / "scans" / f"DN_1{request.param}"
    write_cube(path, Cube(VALUES, NM, name="scan", provenance={"camera": "a"}))
    return path


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("by", ["add", "add_files"])
def test_they_are_added_and_read(study, scan, copy, by):
    if by == "add":
        study.add("DN_1", scan, "dysplastic_nevus", copy=copy)
    else:
        assert add_files(study, [scan], "dysplastic_nevus", copy=copy) == ["DN_1"]
    again = Study.open(study.root)
    cube = again.read_cube("DN_1")
    np.testing.assert_array_equal(cube.data, VALUES)
    assert cube.provenance["camera"] == "a"
    path = again.cube_path("DN_1")
    assert (path == scan) is not copy
    assert (path.suffix == ".npz") is copy
    assert again.entry("DN_1").sha256 == content_sha256(path)


def test_the_hash_is_that_of_every_part_and_of_the_file_where_there_is_one(tmp_path, scan):
    before = content_sha256(scan)
    assert before == content_sha256(scan)
    for part in parts_of(scan):
        content = part.read_bytes()
        part.write_bytes(bytes([content[0] ^ 1]) + content[1:]) if part.suffix == ".dat" else part.write_bytes(content)
    changed = content_sha256(scan)
    assert (changed != before) == (scan.suffix == ".hdr")
    write_cube(scan, Cube(VALUES + 1, NM))
    assert content_sha256(scan) != before
    write_cube(tmp_path / "a.mat", Cube(VALUES, NM))
    assert content_sha256(tmp_path / "a.mat") == sha256_of(tmp_path / "a.mat")


def test_one_that_is_gone_is_named(study, scan):
    study.add("DN_1", scan, "dysplastic_nevus")
    for part in [*parts_of(scan), scan]:
        if part.is_file():
            part.unlink()
    with pytest.raises(InputError, match="DN_1"):
        study.read_cube("DN_1")
