"""Damaged and hostile Zarr folders: one InputError that names the folder, quickly and without large allocations."""

import contextlib
import gzip
import json
import os
import shutil
import struct
import tracemalloc

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import read_cube, write_cube

VALUES = np.random.default_rng(0).normal(size=(4, 12, 13)).astype(np.float32)
#: No refused folder of this test may make us ask for more than this, bytes.
ALLOWED_PEAK = 50_000_000


def version_2(path):
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", shape=VALUES.shape, dtype="f4", chunks=(4, 8, 8))[...] = VALUES
    axes = [{"name": axis} for axis in "cyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]


def ours(path):
    write_cube(path, Cube(VALUES, [500, 510, 520, 530], name="a"))


def shards(path):
    made = zarr.create_array(
        path, shape=VALUES.shape, dtype="f4", chunks=(4, 4, 4), shards=(4, 8, 8), compressors=ZstdCodec()
    )
    made[...] = VALUES


KINDS = {"ours": ours, "version 2": version_2, "shards": shards}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Return a good folder of every kind."""
    folder = tmp_path_factory.mktemp("good")
    for kind, make in KINDS.items():
        make(folder / f"{kind}.zarr")
    return folder


def edit(path, **changes):
    """Change entries of a JSON file; names of inner ones are joined by two underscores."""
    found = json.loads(path.read_text())
    for name, value in changes.items():
        inner = found
        *outer, last = name.split("__")
        for part in outer:
            inner = inner[int(part) if part.isdigit() else part]
        inner[int(last) if last.isdigit() else last] = value
    path.write_text(json.dumps(found))


def refused(path, match, lazy=(False, True)):
    """Check that reading is refused, by both ways of reading, without asking for much memory."""
    for later in lazy:
        read_cube(path.with_name("warm.zarr"))  # the library's own memory is no concern of this
        tracemalloc.start()
        try:
            with pytest.raises(InputError, match=rf"{path.name}: .*{match}"):
                np.asarray(read_cube(path, lazy=later).data)
            assert tracemalloc.get_traced_memory()[1] < ALLOWED_PEAK
        finally:
            tracemalloc.stop()


@pytest.fixture
def path(tmp_path):
    """Return the place of a good folder of ours."""
    ours(tmp_path / "warm.zarr")
    ours(tmp_path / "a.zarr")
    return tmp_path / "a.zarr"


@pytest.mark.parametrize("kind", list(KINDS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(
    which=st.floats(0, 0.999),
    hits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.none() | st.floats(0, 1),
)
def test_flipped_and_lost_bytes_give_a_cube_or_one_clear_error(tmp_path, good, kind, which, hits, cut):
    path = tmp_path / "a.zarr"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(good / f"{kind}.zarr", path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    file = files[int(which * len(files))]
    damaged = bytearray(file.read_bytes())
    for place, value in hits:
        damaged[int(place * (len(damaged) - 1))] = value
    file.write_bytes(damaged if cut is None else damaged[: int(cut * len(damaged))])
    for lazy in (False, True):
        with contextlib.suppress(InputError):  # anything else that is raised fails the test
            np.asarray(read_cube(path, lazy=lazy).data)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value, path=()):
    """Walk over all places in a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


@pytest.mark.parametrize("kind", list(KINDS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=120)
@given(data=st.data(), junk=JUNK)
def test_metadata_of_any_form_give_a_cube_or_one_clear_error(tmp_path, good, kind, data, junk):
    path = tmp_path / "a.zarr"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(good / f"{kind}.zarr", path)
    names = ("zarr.json", ".zarray", ".zattrs", ".zgroup")
    files = sorted(file for file in path.rglob("*") if file.name in names)
    file = data.draw(st.sampled_from(files))
    found = {"": json.loads(file.read_text())}
    *outer, last = data.draw(st.sampled_from(list(places(found))[1:]))
    inner = found
    for key in outer:
        inner = inner[key]
    inner[last] = junk
    file.write_text(json.dumps(found[""]))
    for lazy in (False, True):
        with contextlib.suppress(InputError):
            cube = read_cube(path, lazy=lazy)
            if cube.data.size < 20_000:
                np.asarray(cube.data)


def test_no_folder_of_zarr_is_no_cube(tmp_path):
    for name in ("a.zarr", "a"):
        (tmp_path / name).mkdir()
        with pytest.raises(InputError, match=r"a(\.zarr)?: this is a folder, and not one that holds a cube"):
            read_cube(tmp_path / name)
    (tmp_path / "b.zarr").write_text("x")
    with pytest.raises(InputError, match=r"b\.zarr: not an OME-Zarr file|no known file format"):
        read_cube(tmp_path / "b.zarr")
    (tmp_path / "a" / ".zgroup").write_text("{}")
    with pytest.raises(InputError, match="no arrays inside"):
        read_cube(tmp_path / "a")


@pytest.mark.parametrize(
    "way", ["../secret.zarr/0", "/etc", "0/../../secret.zarr/0", "", ".", "..\\secret", None, 7, []]
)
def test_metadata_that_lead_out_of_the_folder_are_refused(path, way):
    ours(path.with_name("secret.zarr"))
    edit(path / "zarr.json", attributes__ome__multiscales__0__datasets__0__path=way)
    refused(path, "no place in the folder")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
@pytest.mark.parametrize("what", ["0", "0/zarr.json", "0/c/0/0/0", "0/c"])
def test_links_out_of_the_folder_are_not_followed(path, what):
    ours(path.with_name("secret.zarr"))
    target = path / what
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    target.symlink_to(path.with_name("secret.zarr") / what)
    refused(path, "link out of the folder")


class TestCodecs:
    @pytest.mark.parametrize("codec", ["numcodecs.pickle", "numcodecs.json2", "vlen-utf8", "mine.evil"])
    def test_codecs_that_could_run_anything_are_not_asked(self, path, codec):
        edit(path / "0" / "zarr.json", codecs__1={"name": codec, "configuration": {}})
        refused(path, "which is not read")

    def test_pickles_of_version_2_are_never_opened(self, tmp_path, path):
        target = tmp_path / "b.zarr"
        version_2(target)
        edit(target / "0" / ".zarray", filters=[{"id": "pickle", "protocol": 5}], compressor=None, dtype="|O")
        refused(target, "no 3-D numeric array")
        edit(target / "0" / ".zarray", dtype="<f4")
        refused(target, "the codec 'pickle', which is not read")

    def test_what_is_packed_twice_is_refused(self, path):
        zstd = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
        edit(path / "0" / "zarr.json", codecs=[{"name": "bytes"}, zstd, zstd])
        refused(path, "packed twice")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("codec", "bomb"),
    [
        (BloscCodec(), lambda: b"\2\1\1\4" + struct.pack("<III", 2**31 - 17, 2**18, 100) + bytes(84)),
        (ZstdCodec(), lambda: b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**40) + bytes(100)),
        (GzipCodec(), lambda: gzip.compress(bytes(2**28), 9)),
    ],
    ids=["blosc", "zstd", "gzip"],
)
def test_blocks_that_unpack_to_more_than_they_should_are_refused(tmp_path, path, version, codec, bomb):
    import numcodecs

    target = tmp_path / "b.zarr"
    name = type(codec).__name__.removesuffix("Codec")
    old = {"Blosc": numcodecs.Blosc, "Zstd": numcodecs.Zstd, "Gzip": numcodecs.GZip}[name]()
    made = zarr.create_array(
        target,
        shape=(4, 8, 8),
        dtype="f4",
        chunks=(4, 8, 8),
        zarr_format=version,
        compressors=old if version == 2 else codec,
    )
    made[...] = 1
    np.testing.assert_array_equal(read_cube(target).data, 1)
    (block,) = [file for file in target.rglob("*") if file.is_file() and not file.name.startswith((".z", "zarr"))]
    block.write_bytes(bomb())
    refused(target, "would unpack to more than its size")


@pytest.mark.parametrize(
    ("at", "value"), [(12, 2**31 - 1), (12, 20), (8, 0), (8, 2**31), (4, 0), (4, 20), (16, 2**31 - 1), (16, 0), (3, 0)]
)
def test_blosc_blocks_whose_lengths_do_not_agree_do_not_end_the_process(path, at, value):
    (block,) = [file for file in path.rglob("*") if file.is_file() and file.name != "zarr.json"]
    damaged = bytearray(block.read_bytes())
    damaged[at : at + (1 if at == 3 else 4)] = bytes([value]) if at == 3 else struct.pack("<I", value)
    block.write_bytes(damaged)
    refused(path, "damaged|not a usable|cannot be read")
    block.write_bytes(damaged[:9])
    refused(path, "a block is not whole")


def test_blocks_in_a_file_of_many_are_looked_at_too(tmp_path, path):
    target = tmp_path / "b.zarr"
    zarr.create_array(target, shape=(4, 8, 8), dtype="f4", chunks=(4, 4, 4), shards=(4, 8, 8), compressors=GzipCodec())
    bomb = gzip.compress(bytes(2**28), 9)
    index = struct.pack("<QQ", 0, len(bomb)) + b"\xff" * 48
    import google_crc32c

    index += struct.pack("<I", google_crc32c.value(index))
    (target / "c" / "0" / "0").mkdir(parents=True)
    (target / "c" / "0" / "0" / "0").write_bytes(bomb + index)
    refused(target, "would unpack to more than its size")


def test_absurd_shapes_are_refused_at_once_and_never_allocated_for_later(tmp_path, path):
    target = tmp_path / "b.zarr"
    zarr.create_array(target, shape=(16, 400_000, 400_000), dtype="f4", chunks=(16, 64, 64), fill_value=7)
    refused(target, "too large", lazy=[False])
    tracemalloc.start()
    cube = read_cube(target, lazy=True)
    np.testing.assert_array_equal(cube.data[:, 399_999, 5], np.full(16, 7, np.float32))
    assert tracemalloc.get_traced_memory()[1] < ALLOWED_PEAK
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"shape": [4, 30_000, 5000], "chunk_grid__configuration__chunk_shape": [1, 1, 1]},
            "cut into 600,000,000 blocks",
        ),
        ({"chunk_grid__configuration__chunk_shape": [4, 2**20, 2**20]}, "claims blocks"),
        ({"chunk_grid__configuration__chunk_shape": [4, 0, 8]}, "claims blocks"),
        ({"chunk_grid__configuration__chunk_shape": [4, 8]}, "claims blocks"),
        ({"shape": [4, -1, 8]}, "no usable shape"),
        ({"shape": [2**65, 3, 8]}, "no usable shape"),
        ({"shape": "big"}, "no usable shape"),
        ({"data_type": "complex64"}, "no 3-D numeric array|not a cube"),
        ({"data_type": {"name": "evil"}}, "no 3-D numeric array|not a cube"),
        ({"node_type": "group"}, "is missing"),
    ],
)
def test_metadata_that_cannot_be_are_refused(path, changes, match):
    edit(path / "0" / "zarr.json", **changes)
    refused(path, match, lazy=[False] if "cut" in match else [False, True])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b" " * (2**24 + 1), "longer than any metadata"),
    ],
)
def test_metadata_that_are_no_json_are_refused(path, content, match):
    (path / "zarr.json").write_bytes(content)
    refused(path, match)


def test_what_we_say_about_ourselves_is_checked(path):
    for name, value in [("wavelengths_nm", ["a"]), ("wavelengths_nm", [1, 2]), ("provenance", [1])]:
        ours(path)
        edit(path / "zarr.json", **{f"attributes__hsisynth__{name}": value})
        refused(path, "")


def test_thousands_of_arrays_are_not_walked_over(tmp_path, path):
    target = tmp_path / "b.zarr"
    array = (path / "0" / "zarr.json").read_text()
    for number in range(1100):
        (target / str(number)).mkdir(parents=True)
        (target / str(number) / "zarr.json").write_text(array)
    (target / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    refused(target, "more than 1000 arrays")
