"""OME-Zarr: what is written is what the specification asks for, and what others write is read."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import (
    AmbiguousVariableError,
    describe,
    format_of,
    ome_zarr_writing,
    parts_of,
    read_cube,
    write_cube,
    zarr_values,
)
from napari_hsisynth.formats.zarr_tree import read_node
from napari_hsisynth.lazy_array import LazyArray

VALUES = np.random.default_rng(0).normal(size=(6, 27, 33)).astype(np.float32)
NM = np.linspace(465, 630, 6)
CUBE = Cube(VALUES, NM, name="DN_1", provenance={"a": [1, None]})


def image(root, values, axes="cyx", *, version=3, path="0", name="", labels=None, **create):
    """Write an OME-Zarr image as other programs do, with a second level that must not be taken for a cube."""
    group = zarr.open_group(root, mode="a", path=name, zarr_format=version)
    for level, data in ((path, values), (f"{path}half", values[..., ::2, ::2])):
        made = group.create_array(
            level, shape=data.shape, dtype=data.dtype, chunks=(1,) * (data.ndim - 2) + (16, 16), **create
        )
        made[...] = data
    kinds = {"c": "channel", "t": "time"}
    described = {
        "multiscales": [
            {
                "version": "0.4",
                "axes": [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes],
                "datasets": [{"path": path}, {"path": f"{path}half"}],
            }
        ]
    }
    if labels is not None:
        described["omero"] = {"channels": [{"label": label, "color": "FF0000"} for label in labels]}
    group.attrs.update(described if version == 2 else {"ome": {"version": "0.5", **described}})
    return group


# --- writing


def test_what_is_written_is_ome_zarr_0_5(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write_cube(path, Cube(np.where(VALUES > 3, np.inf, VALUES), NM, name="DN_1"))
    root, array = (json.loads((path / part / "zarr.json").read_text()) for part in ("", "0"))
    assert (root["zarr_format"], root["node_type"], root["attributes"]["ome"]["version"]) == (3, "group", "0.5")
    (multiscale,) = root["attributes"]["ome"]["multiscales"]
    assert [(axis["name"], axis["type"]) for axis in multiscale["axes"]] == [
        ("c", "channel"),
        ("y", "space"),
        ("x", "space"),
    ]
    assert multiscale["datasets"] == [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]}
    ]
    assert array["dimension_names"] == ["c", "y", "x"]
    assert (array["shape"], array["data_type"]) == ([6, 27, 33], "float32")
    channels = root["attributes"]["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["465 nm", "498 nm", "531 nm", "564 nm", "597 nm", "630 nm"]
    finite = np.where(np.isfinite(VALUES) & (VALUES <= 3), VALUES, np.nan)
    for channel, band in zip(channels, finite, strict=True):
        assert channel["window"]["min"] == np.nanmin(band)
        assert channel["window"]["max"] == np.nanmax(band)
    np.testing.assert_array_equal(zarr.open_group(path, mode="r")["0"][...], np.where(VALUES > 3, np.inf, VALUES))


@pytest.mark.parametrize(("bands", "side"), [(1, 128), (16, 128), (64, 128), (65, 64), (224, 64), (1000, 32)])
def test_blocks_hold_all_bands_of_a_square(tmp_path, bands, side):
    write_cube(tmp_path / "a.zarr", Cube(np.zeros((bands, 130, 129), np.float32)))
    (chunks,) = {zarr.open_array(tmp_path / "a.zarr" / "0", mode="r").chunks}
    assert chunks == (bands, side, side)
    assert 4 * bands * side * side <= 2**22


def test_zeros_are_written_too(tmp_path):
    write_cube(tmp_path / "a.zarr", Cube(np.full((4, 200, 3), -0.0, np.float32), NM[:4]))
    assert np.signbit(read_cube(tmp_path / "a.zarr").data).all()


def test_a_lazy_cube_is_written_in_blocks_of_whole_tiles(tmp_path, monkeypatch):
    monkeypatch.setattr(ome_zarr_writing, "BLOCK_VALUES", 6 * 33 * 300)
    values = np.random.default_rng(1).normal(size=(6, 900, 33)).astype(np.float32)
    asked = []

    class Watched:
        shape, dtype = values.shape, values.dtype

        def __getitem__(self, key):
            asked.append((key[1].start, key[1].stop))
            return values[key]

    write_cube(tmp_path / "a.zarr", Cube(LazyArray(Watched()), NM))
    assert asked == [(0, 256), (256, 512), (512, 768), (768, 900)]
    np.testing.assert_array_equal(read_cube(tmp_path / "a.zarr").data, values)


def test_ours_is_replaced_and_another_folder_is_not(tmp_path):
    path = tmp_path / "a.zarr"
    path.mkdir()  # an empty one is nobody's
    write_cube(path, CUBE)
    write_cube(path, CUBE.replace(name="second", data=VALUES[:, :5]))
    assert (read_cube(path).name, read_cube(path).shape_yx) == ("second", (5, 33))
    assert os.listdir(tmp_path) == ["a.zarr"]
    for other in ("photos.zarr", "foreign.zarr", "broken.zarr"):
        (tmp_path / other).mkdir()
    (tmp_path / "photos.zarr" / "a.png").write_text("x")
    image(tmp_path / "foreign.zarr", VALUES)
    (tmp_path / "broken.zarr" / "zarr.json").write_text("{")
    (tmp_path / "file.zarr").write_text("x")
    for other in ("photos.zarr", "foreign.zarr", "broken.zarr"):
        before = sorted(os.walk(tmp_path / other))
        with pytest.raises(InputError, match=rf"{other}: this folder was not written by napari-hsisynth"):
            write_cube(tmp_path / other, CUBE)
        assert sorted(os.walk(tmp_path / other)) == before
    with pytest.raises(InputError, match="a file is in the way"):
        write_cube(tmp_path / "file.zarr", CUBE)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("step", ["sync_files", "_attributes", "_labels"])
def test_a_writer_killed_on_the_way_leaves_the_old_cube(tmp_path, step):
    path = tmp_path / "a.zarr"
    write_cube(path, CUBE)
    code = (
        "import os, signal, sys, numpy as np\n"
        "from napari_hsisynth.cube import Cube\n"
        "from napari_hsisynth.formats import ome_zarr_writing, write_cube\n"
        "setattr(ome_zarr_writing, sys.argv[2], lambda *args: os.kill(os.getpid(), signal.SIGKILL))\n"
        "write_cube(sys.argv[1], Cube(np.ones((6, 27, 33)), name='new'))\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path), step]).returncode == -signal.SIGKILL
    assert read_cube(path).name == "DN_1"
    np.testing.assert_array_equal(read_cube(path).data, VALUES)


def test_the_old_cube_comes_back_where_folders_cannot_be_swapped(tmp_path):
    write_cube(tmp_path / "a.zarr", CUBE)
    (tmp_path / "a.zarr").rename(tmp_path / ".a.zarr-0123abcd.old")  # killed between the two renames
    assert read_cube(tmp_path / "a.zarr").name == "DN_1"


def test_names_of_channels_say_what_is_not_known(tmp_path):
    write_cube(tmp_path / "a.zarr", Cube(np.ones((16, 2, 2))))
    write_cube(tmp_path / "b.zarr", Cube(np.ones((3, 2, 2))))
    labels = [
        [channel["label"] for channel in read_node(tmp_path / name, "").attributes["ome"]["omero"]["channels"]]
        for name in ("a.zarr", "b.zarr")
    ]
    assert labels[0][0] == "465 nm (assumed)"
    assert labels[1] == ["band 0", "band 1", "band 2"]
    assert not read_cube(tmp_path / "a.zarr").wavelengths_known


# --- reading


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("axes", ["cyx", "yxc", "tczyx", "czyx"])
def test_images_of_other_programs(tmp_path, version, lazy, axes):
    values = VALUES.transpose(1, 2, 0) if axes == "yxc" else VALUES
    shape = {"t": 1, "z": 1, "c": 6, "y": 27, "x": 33}
    labels = [f"{nm:g} nm" for nm in NM]
    image(tmp_path / "a.ome.zarr", values.reshape([shape[axis] for axis in axes]), axes, version=version, labels=labels)
    cube = read_cube(tmp_path / "a.ome.zarr", lazy=lazy)
    assert cube.is_lazy == lazy
    np.testing.assert_array_equal(np.asarray(cube.data), VALUES)
    np.testing.assert_array_equal(cube.wavelengths_nm, NM)
    assert cube.wavelengths_known
    assert (cube.name, cube.notes) == ("a", ())
    assert describe(tmp_path / "a.ome.zarr")["variable"] == "0"


@pytest.mark.parametrize(
    ("labels", "known"),
    [(["0.5 µm", "0.55um", "600nm"], True), (["red", "550 nm", "600 nm"], False), ([None, 1, {}], False), ([], False)],
)
def test_wavelengths_from_labels(tmp_path, labels, known):
    image(tmp_path / "a.zarr", VALUES[:3], labels=labels)
    cube = read_cube(tmp_path / "a.zarr")
    assert cube.wavelengths_known == known
    if known:
        np.testing.assert_allclose(cube.wavelengths_nm, [500, 550, 600])


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(("axes", "shape"), [("tcyx", (2, 3, 4, 5)), ("czyx", (3, 2, 4, 5)), ("zyx", (3, 4, 5))])
def test_axes_that_a_cube_has_not_are_named(tmp_path, lazy, axes, shape):
    image(tmp_path / "a.zarr", np.zeros(shape, np.float32), axes)
    said = ", ".join(f"{axis} {length}" for axis, length in zip(axes, shape, strict=True))
    with pytest.raises(InputError, match=rf"a\.zarr: not a cube: the axes of '0' are {said};"):
        read_cube(tmp_path / "a.zarr", lazy=lazy)
    assert read_cube(tmp_path / "a.zarr" / "0").data.shape == shape if axes == "zyx" else True


def test_several_images_are_named_and_labels_are_none(tmp_path):
    path = tmp_path / "a.zarr"
    image(path, VALUES, name="one")
    image(path, VALUES + 1, name="deep/two")
    image(path, VALUES.astype(np.uint16), name="labels/mask").attrs["image-label"] = {}
    labels = zarr.open_group(path, mode="a", path="labels/mask")
    labels.attrs.put({"ome": {**labels.attrs["ome"], "image-label": {}}})
    with pytest.raises(AmbiguousVariableError) as caught:
        read_cube(path)
    assert [choice.name for choice in caught.value.choices] == ["one/0", "deep/two/0"]
    np.testing.assert_array_equal(read_cube(path, variable="deep/two/0").data, VALUES + 1)
    np.testing.assert_array_equal(read_cube(path / "one").data, VALUES)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("order", ["".join(order) for order in itertools.permutations("byx")])
def test_plain_groups_as_xarray_writes_them(tmp_path, version, order):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    names = [{"b": "wavelength", "y": "line", "x": "sample"}[axis] for axis in order]
    packed = np.round(VALUES * 1000).astype(np.int16)
    stored = packed.transpose(["byx".index(axis) for axis in order])
    for name, data, axes in (("cube", stored, names), ("wavelength", NM / 1000, ["wavelength"])):
        extra = {"dimension_names": axes} if version == 3 else {}
        made = group.create_array(name, shape=data.shape, dtype=data.dtype, **extra)
        made[...] = data
        if version == 2:
            made.attrs["_ARRAY_DIMENSIONS"] = axes
    group["cube"].attrs["scale_factor"] = 0.001
    group["wavelength"].attrs["units"] = "µm"
    for lazy in (False, True):
        cube = read_cube(tmp_path / "a.zarr", lazy=lazy)
        np.testing.assert_allclose(np.asarray(cube.data), packed / 1000, rtol=1e-6)
        np.testing.assert_allclose(cube.wavelengths_nm, NM)
        assert (cube.provenance["format"], cube.provenance["axes"]) == ("zarr", order)
        assert any("converted to nm" in note for note in cube.notes)


def test_a_plain_array_is_a_folder_too(tmp_path):
    zarr.save_array(tmp_path / "a.zarr", VALUES)
    cube = read_cube(tmp_path / "a.zarr", wavelengths_nm=NM)
    np.testing.assert_array_equal(cube.data, VALUES)
    assert format_of(tmp_path / "a.zarr").variables(tmp_path / "a.zarr")[0].name == "array"
    np.testing.assert_array_equal(read_cube(tmp_path / "a.zarr", axes="xby").data, VALUES.transpose(1, 2, 0))


def test_all_files_of_the_folder_are_its_parts(tmp_path):
    write_cube(tmp_path / "a.zarr", CUBE)
    found = {part.relative_to(tmp_path / "a.zarr").as_posix() for part in parts_of(tmp_path / "a.zarr")}
    assert found == {"zarr.json", "0/zarr.json", "0/c/0/0/0"}
    assert describe(tmp_path / "a.zarr")["bytes"] == sum(part.stat().st_size for part in parts_of(tmp_path / "a.zarr"))


# --- parts of arrays


def keys(length):
    ends = st.none() | st.integers(-length, length)
    return st.integers(0, length - 1) | st.builds(slice, ends, ends, st.sampled_from([1, 2, -3]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    chunks=st.tuples(*[st.integers(1, 5)] * 3),
    cache=st.sampled_from([0, 100, 10**6]),
    codec=st.sampled_from([None, BloscCodec(), GzipCodec(), ZstdCodec()]),
    kind=st.sampled_from(["2", "3", "shards"]),
    data=st.data(),
)
def test_every_part_of_an_array_is_that_of_the_values(tmp_path, shape, chunks, cache, codec, kind, data):
    values = np.random.default_rng(0).normal(size=shape).astype(">f4" if kind == "2" else "<f4")
    packed = {"compressors": codec} if kind != "2" else {}
    shards = {"shards": tuple(2 * n for n in chunks)} if kind == "shards" else {}
    made = zarr.create_array(
        tmp_path / "a.zarr",
        overwrite=True,
        shape=shape,
        chunks=chunks,
        dtype=values.dtype,
        zarr_format=2 if kind == "2" else 3,
        **packed,
        **shards,
    )
    made[: shape[0] - 1] = values[:-1]  # what is missing has the fill value
    expected = np.concatenate([values[:-1], np.zeros_like(values[-1:])])
    key = tuple(data.draw(keys(length)) for length in shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zarr_values, "CACHE_BYTES", cache)
        lazy = read_cube(tmp_path / "a.zarr", lazy=True, axes="byx").data
        for _ in range(2):
            np.testing.assert_array_equal(lazy[key], expected.astype(np.float32)[key], strict=True)
        np.testing.assert_array_equal(np.asarray(lazy), expected)


def test_a_pixel_in_the_same_block_is_not_unpacked_again(tmp_path, monkeypatch):
    write_cube(tmp_path / "a.zarr", Cube(np.random.default_rng(0).normal(size=(4, 300, 20)), NM[:4]))
    cube = read_cube(tmp_path / "a.zarr", lazy=True)
    read = []
    original = zarr_values.OpenArray._read
    monkeypatch.setattr(
        zarr_values.OpenArray, "_read", lambda self, place: (read.append(place), original(self, place))[1]
    )
    for y, x in [(0, 0), (127, 19), (3, 3), (128, 0), (0, 1)]:
        cube.data[:, y, x]
    assert [(place[1].start, place[1].stop) for place in read] == [(0, 128), (128, 256)]


def test_many_blocks_are_read_at_once_and_not_kept(tmp_path, monkeypatch):
    values = np.random.default_rng(3).normal(size=(2, 40, 40)).astype(np.float32)
    zarr.create_array(tmp_path / "a.zarr", shape=(2, 40, 40), chunks=(1, 1, 40), dtype="f4")[...] = values
    cube = read_cube(tmp_path / "a.zarr", lazy=True, axes="byx")
    monkeypatch.setattr(zarr_values, "_MOST_KEPT", 50)
    read = []
    original = zarr_values.OpenArray._read

    def watched(self, places):
        read.append(places)
        return original(self, places)

    monkeypatch.setattr(zarr_values.OpenArray, "_read", watched)
    np.testing.assert_array_equal(cube.data[:], values)
    assert len(read) == 1
    for _ in range(3):
        np.testing.assert_array_equal(cube.data[:, 3, 4], values[:, 3, 4])
    assert len(read) == 3


def test_several_threads_read_one_cube(tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_values, "CACHE_BYTES", 6 * 16 * 16 * 4 * 3)
    image(tmp_path / "a.zarr", VALUES)
    cube = read_cube(tmp_path / "a.zarr", lazy=True)
    wrong = []

    def look(seed):
        rng = np.random.default_rng(seed)
        for _ in range(40):
            y, x, b = rng.integers(27), rng.integers(33), rng.integers(6)
            if not np.array_equal(cube.data[:, y, x], VALUES[:, y, x]) or not np.array_equal(cube.data[b], VALUES[b]):
                wrong.append((y, x))

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_importing_the_formats_does_not_load_zarr():
    code = "import sys, napari_hsisynth.formats as f; f.list_formats(); print('zarr' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
