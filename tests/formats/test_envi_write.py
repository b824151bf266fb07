"""Cubes written as ENVI: for `spectral` and for ourselves, as one pair whatever happens meanwhile."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from envi_files import values_of, write_pair
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import envi_write, parts_of, read_cube, write_cube
from napari_hsisynth.formats.envi_header import read_header
from napari_hsisynth.lazy_array import LazyArray


def made(value, name="new"):
    """Make a cube all of whose values say which one it is."""
    return Cube(np.full((3, 4, 5), value, np.float32), [500.25, 600, 1 / 3 + 700], name=name, provenance={"of": name})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_spectral_reads_what_is_written(tmp_path):
    import spectral.io.envi

    values = np.random.default_rng(0).normal(size=(9, 4, 5)).astype(np.float32)
    provenance = {"fwhm_nm": [5.5] * 9, "bad_bands": [0, 7], "text": "{,}\n;= é"}
    cube = Cube(values, np.linspace(400, 700, 9) ** 1.01, name="a {name},\n= {é}", provenance=provenance)
    assert write_cube(tmp_path / "a.hdr", cube) == ()
    assert names(tmp_path) == ["a.dat", "a.hdr"]
    image = spectral.io.envi.open(str(tmp_path / "a.hdr"))
    np.testing.assert_array_equal(np.asarray(image.load()), values.transpose(1, 2, 0))
    assert image.bands.centers == cube.wavelengths_nm.tolist()
    assert image.bands.bandwidths == [5.5] * 9
    assert image.bands.band_unit == "Nanometers"
    assert image.metadata["bbl"] == [0, 1, 1, 1, 1, 1, 1, 0, 1]
    assert image.metadata["description"] == "a (name), = (?)"
    np.testing.assert_array_equal(np.fromfile(tmp_path / "a.dat", "<f4").reshape(9, 4, 5), values)
    back = read_cube(tmp_path / "a.dat")
    assert (back.name, back.provenance, back.notes) == (cube.name, provenance, ())


def test_bands_that_are_only_numbered_get_no_wavelengths(tmp_path):
    cube = Cube(np.ones((3, 4, 5)), provenance={"fwhm_nm": [1, 2, 3]})
    write_cube(tmp_path / "a.hdr", cube)
    header = read_header(tmp_path / "a.hdr")
    assert not {"wavelength", "wavelength units", "fwhm", "description"} & set(header.fields)
    back = read_cube(tmp_path / "a.hdr")
    assert (back.axis_label, back.wavelengths_known) == ("band", False)
    assert back.wavelengths_nm.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "provenance",
    [
        {"fwhm_nm": [1.0, 2.0], "bad_bands": [3]},
        {"fwhm_nm": ["a", "b", "c"], "bad_bands": [0.5]},
        {"fwhm_nm": 5, "bad_bands": "1"},
        {"fwhm_nm": [True, 1, 2], "bad_bands": [True]},
        {"fwhm_nm": {}, "bad_bands": [-1]},
        {"bad_bands": []},
    ],
)
def test_widths_and_bad_bands_that_do_not_fit_stay_in_the_provenance_only(tmp_path, provenance):
    write_cube(tmp_path / "a.hdr", made(1).replace(provenance=provenance))
    assert not {"fwhm", "bbl"} & set(read_header(tmp_path / "a.hdr").fields)
    assert read_cube(tmp_path / "a.hdr").provenance == provenance


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 5)),
    axes=st.permutations(range(3)),
    block=st.integers(1, 60),
)
def test_lazy_cubes_are_streamed_in_blocks(tmp_path, shape, axes, block):
    stored = np.random.default_rng(0).integers(0, 2**32, shape, dtype=np.uint32).view(np.float32)
    lazy = Cube(LazyArray(stored, tuple(axes)))
    real, asked = Cube.blocks, []

    def small(cube):
        for rows, values in real(cube, block):
            asked.append(values.size)
            yield rows, values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cube, "blocks", small)
        write_cube(tmp_path / "a.hdr", lazy)
    assert max(asked) <= max(block, lazy.bands * lazy.shape_yx[1])
    np.testing.assert_array_equal(
        np.fromfile(tmp_path / "a.dat", np.uint32).reshape(lazy.data.shape), stored.transpose(axes).view(np.uint32)
    )


def test_a_lazy_cube_may_be_written_over_its_own_file(tmp_path):
    image = values_of((4, 5, 3), 12)
    path = write_pair(tmp_path, image, interleave="bip")
    write_cube(path, read_cube(path, lazy=True))
    np.testing.assert_array_equal(read_cube(path).data, image.transpose(2, 0, 1))
    cube = read_cube(path, lazy=True)
    write_cube(path, cube.replace(name="again"))
    np.testing.assert_array_equal(read_cube(path).data, image.transpose(2, 0, 1))
    assert names(tmp_path) == ["a.dat", "a.hdr"]


@pytest.mark.parametrize(("header", "data"), [("A.HDR", "A.dat"), ("a.b.hdr", "a.b.dat"), ("a.img.hdr", "a.img")])
@pytest.mark.parametrize("stem", ["", "x" * 200, "é {1}  2 "])
def test_names_of_the_data_file(tmp_path, header, data, stem):
    path = tmp_path / (stem + header)
    for value in (1, 2):
        write_cube(path, made(value))
        assert names(tmp_path) == sorted([stem + header, stem + data])
        assert read_cube(path).data.max() == value
        assert parts_of(tmp_path / (stem + data)) == [path, tmp_path / (stem + data)]


def test_only_the_headers_name_chooses_the_format(tmp_path):
    for name in ("a.dat", "a.raw", "a.img"):
        with pytest.raises(InputError, match="no format to write has this suffix"):
            write_cube(tmp_path / name, made(1))


@pytest.mark.parametrize("other", ["a", "a.img", "a.RAW", "a.dat"])
@pytest.mark.parametrize("header", [None, b"#?RADIANCE\n", b"ENVI\nsamples = {"])
def test_other_peoples_files_are_not_overwritten_and_not_taken_for_the_data(tmp_path, other, header):
    (tmp_path / other).write_bytes(b"precious")
    if header is not None:
        (tmp_path / "a.hdr").write_bytes(header)
    before = names(tmp_path)
    with pytest.raises(
        InputError, match=rf"a\.hdr: {other} beside it would be taken for its data; choose another name"
    ):
        write_cube(tmp_path / "a.hdr", made(1))
    assert names(tmp_path) == before
    assert (tmp_path / other).read_bytes() == b"precious"


def test_folders_in_the_place_of_the_files(tmp_path):
    (tmp_path / "a.dat").mkdir()
    with pytest.raises(InputError, match=r"a\.dat beside it is no file"):
        write_cube(tmp_path / "a.hdr", made(1))
    assert names(tmp_path) == ["a.dat"]


def test_a_header_that_is_cut_off_is_refused_or_whole(tmp_path):
    cube = made(1)
    write_cube(tmp_path / "a.hdr", cube)
    text = (tmp_path / "a.hdr").read_bytes()
    for end in range(1, len(text)):
        (tmp_path / "a.hdr").write_bytes(text[:end])
        try:
            back = read_cube(tmp_path / "a.hdr")
        except InputError:
            continue
        if b"hsisynth provenance = " in text[:end]:  # before it, it is the header of another program
            assert end == len(text) - 1
            assert (back.provenance, back.wavelengths_nm.tolist()) == (cube.provenance, cube.wavelengths_nm.tolist())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"hsisynth provenance = ", b"hsisynth provenance = x", "'hsisynth provenance' is not text in quotes"),
        (b'\\"of\\"', b"of", "its provenance is not JSON"),
        (b'"new"', b"7", "'hsisynth name' is not text in quotes"),
        (b"bands = 3", b"bands = 2", "'wavelength' has 3 values, not 2"),
        (b"bands = 3", b"bands = 4", "truncated"),
    ],
)
def test_damaged_headers_of_ours(tmp_path, old, new, said):
    write_cube(tmp_path / "a.hdr", made(1))
    text = (tmp_path / "a.hdr").read_bytes()
    assert old in text
    (tmp_path / "a.hdr").write_bytes(text.replace(old, new))
    with pytest.raises(InputError, match=said):
        read_cube(tmp_path / "a.hdr")


@pytest.mark.parametrize("victim", ["b.npz", "../b.dat", "b.dat", "b.hsisynth-1234567.dat"])
def test_a_hostile_header_does_not_make_us_rename_or_remove_other_files(tmp_path, victim):
    folder = tmp_path / "in"
    folder.mkdir()
    write_cube(folder / "a.hdr", made(1))
    (folder / victim).write_bytes(b"precious")
    text = (folder / "a.hdr").read_text()
    start = text.index("hsisynth data = ")
    end = text.index("\n", start)
    (folder / "a.hdr").write_text(f'{text[:start]}hsisynth data = "{victim}"{text[end:]}')
    write_cube(folder / "a.hdr", made(2))
    assert read_cube(folder / "a.hdr").data.max() == 2
    assert (folder / victim).read_bytes() == b"precious"


def test_provenance_beyond_any_header_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.hdr: its provenance is too long for a header; write \.npz"):
        write_cube(tmp_path / "a.hdr", made(1).replace(provenance={"a": "x" * 2**22}))
    assert names(tmp_path) == []


@pytest.mark.parametrize("failing", [1, 2, 3])
@pytest.mark.parametrize("foreign", [False, True])
def test_a_rename_that_fails_leaves_the_old_pair(tmp_path, monkeypatch, failing, foreign):
    path = tmp_path / "a.hdr"
    if foreign:
        write_pair(tmp_path, np.full((4, 5, 3), 1, np.uint16))
    else:
        write_cube(path, made(1, "old"))
    before = {found.name: found.read_bytes() for found in tmp_path.iterdir()}
    real, calls = os.replace, []

    def replace(source, target):
        calls.append(target)
        if len(calls) == failing:
            raise OSError(13, "Permission denied")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        write_cube(path, made(2))
    monkeypatch.undo()
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == before


#: Writes one cube over a copy of a folder again and again, each time killed before one more of its file operations.
KILLER = """
import os, shutil, sys
import numpy as np
from napari_hsisynth.cube import Cube
from napari_hsisynth.formats import read_cube, write_cube

before, after = sys.argv[1:]
cube = Cube(np.full((3, 4, 5), 2, np.float32), [500.25, 600, 700], name="new", provenance={"of": "new"})
os.mkdir(os.path.join(after, "warm")), write_cube(os.path.join(after, "warm", "a.hdr"), cube)  # imports are done
shutil.rmtree(os.path.join(after, "warm"))
for step in range(200):
    folder = os.path.join(after, str(step))
    shutil.copytree(before, folder)
    if os.fork() == 0:
        left = [step]
        def hook(event, args):
            if event in ("open", "os.rename", "os.remove", "os.truncate"):
                if left[0] == 0:
                    os._exit(9)
                left[0] -= 1
        sys.addaudithook(hook)
        write_cube(os.path.join(folder, "a.hdr"), cube)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.wait()[1]) == 0:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("old", ["nothing", "ours", "foreign", "interrupted"])
def test_a_kill_at_any_moment_leaves_the_old_pair_or_the_new_one(tmp_path, old):
    import spectral.io.envi

    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    if old == "foreign":
        write_pair(before, np.full((4, 5, 3), 1, np.float32), description="{old}")
    elif old != "nothing":
        write_cube(before / "a.hdr", made(1, "old"))
    if old == "interrupted":  # as a kill of an earlier write leaves it
        own = envi_write.own_data_name(read_header(before / "a.hdr"))
        (before / "a.dat").rename(before / own)
        assert read_cube(before / "a.hdr").data.max() == 1
    subprocess.run([sys.executable, "-c", KILLER, str(before), str(after)], check=True)
    steps = sorted(after.iterdir(), key=lambda path: int(path.name))
    found, spectral_found = [], []
    for folder in steps:
        path = folder / "a.hdr"
        if old == "nothing" and not path.exists():
            found.append("old")
        else:
            cube = read_cube(path)
            assert cube.data.min() == cube.data.max()
            found.append({1: "old", 2: "new"}[cube.data.max()])
            assert cube.name == ({"foreign": "a"}.get(old, "old") if found[-1] == "old" else "new")
            if (folder / "a.dat").exists():
                np.testing.assert_array_equal(read_cube(folder / "a.dat").data, cube.data)
        try:
            image = spectral.io.envi.open(str(path))
        except Exception:  # whatever it says where there is no data file
            spectral_found.append("")
        else:
            assert image.metadata["description"] == {1: "old", 2: "new"}[np.asarray(image.load()).max()]
            spectral_found.append(image.metadata["description"])
        # and the next write finds nothing in its way
        shutil.copytree(folder, tmp_path / "next")
        write_cube(tmp_path / "next" / "a.hdr", made(3, "next"))
        assert read_cube(tmp_path / "next" / "a.hdr").data.max() == 3
        assert read_cube(tmp_path / "next" / "a.dat").name == "next"
        shutil.rmtree(tmp_path / "next")
    assert len(steps) > 8
    assert found == sorted(found, reverse=True)  # first the old one, from one moment on the new one
    assert found[-1] == spectral_found[-1] == "new"
    assert "old" in found
    assert names(steps[-1]) == ["a.dat", "a.hdr"]
