"""Folders of bands: hostile images, and the folders that we write."""

import contextlib
import json
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import list_formats, parts_of, planes, read_cube, write_cube

LAZY = pytest.mark.parametrize("lazy", [False, True], ids=["loaded", "lazy"])


def stack(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def fill(folder, names, values):
    """Write one image file per name."""
    folder.mkdir(exist_ok=True)
    for name, plane in zip(names, values, strict=True):
        if name.lower().endswith(".png"):
            Image.fromarray(plane).save(folder / name, format="PNG")
        else:
            tifffile.imwrite(folder / name, plane)
    return folder


# --- hostile files


def png(width, height, depth=8, colour=0, data=b""):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content",
    [
        png(400_000, 400_000),
        png(2**31 - 1, 2**31 - 1),
        png(60_000, 60_000, data=bytes(60_000_000)),
        png(0, 5),
        png(8, 9, depth=1),
        png(8, 9, depth=16, colour=2),
        png(8, 9, colour=5),
        png(8, 9, data=b""),
        png(8, 9, data=b"\0" * 20),
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"x" * 100,
        b"",
    ],
)
@LAZY
def test_images_that_claim_what_they_do_not_hold(tmp_path, content, lazy):
    folder = fill(tmp_path / "s", ["b1.png"], stack(1, 9, 8))
    (folder / "b2.png").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"b2\.png"):
            np.asarray(read_cube(folder, lazy=lazy).data)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(hits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=5), cut=st.floats(0, 1), data=st.data())
def test_damaged_images_give_a_cube_or_one_clear_error(tmp_path, suffix, hits, cut, data):
    folder = tmp_path / "s"
    if not folder.exists():
        fill(folder, [f"b1{suffix}", f"b2{suffix}"], stack(2, 9, 8))
        (tmp_path / "good").write_bytes((folder / f"b2{suffix}").read_bytes())
    damaged = bytearray((tmp_path / "good").read_bytes())
    for place, value in hits:
        damaged[int(place * (len(damaged) - 1))] = value
    if data.draw(st.booleans()):
        del damaged[int(cut * len(damaged)) :]
    (folder / f"b2{suffix}").write_bytes(damaged)
    for lazy in (False, True):
        with contextlib.suppress(InputError):  # anything else that is raised fails the test
            np.asarray(read_cube(folder, lazy=lazy).data)


# --- what we write


def a_cube():
    values = np.random.default_rng(0).normal(size=(3, 12, 13)).astype(np.float32)
    values[1, 2, 3] = np.nan
    return Cube(values, [465, 1 / 3 + 500, 612.5], name="mole", provenance={"a": "\x01 é"})


def test_our_folder_holds_a_float_tiff_per_band_and_a_description(tmp_path):
    assert write_cube(tmp_path / "a.bands", a_cube()) == ()
    names = sorted(path.name for path in (tmp_path / "a.bands").iterdir())
    assert names == ["band_0001_465nm.tif", "band_0002_500.3333333nm.tif", "band_0003_612.5nm.tif", "cube.json"]
    for name, plane in zip(names, a_cube().data, strict=False):
        stored = tifffile.imread(tmp_path / "a.bands" / name)
        assert stored.dtype == np.float32
        np.testing.assert_array_equal(stored.view(np.uint32), plane.view(np.uint32))
    assert json.loads((tmp_path / "a.bands" / "cube.json").read_text())["wavelengths_nm"][1] == 1 / 3 + 500
    assert [part.name for part in parts_of(tmp_path / "a.bands")] == ["cube.json", *names[:3]]
    lazy = read_cube(tmp_path / "a.bands", lazy=True)
    assert lazy.is_lazy
    np.testing.assert_array_equal(np.asarray(lazy.data), a_cube().data)


@LAZY
def test_without_the_description_the_names_still_tell(tmp_path, lazy):
    write_cube(tmp_path / "a", a_cube(), format="series")
    (tmp_path / "a" / "cube.json").unlink()
    cube = read_cube(tmp_path / "a", lazy=lazy)
    np.testing.assert_array_equal(np.asarray(cube.data), a_cube().data)
    assert cube.wavelengths_nm.tolist() == [465, 500.3333333, 612.5]


def test_one_of_our_folders_is_replaced_and_no_other_is_touched(tmp_path):
    path = tmp_path / "a.bands"
    write_cube(path, a_cube())
    two = Cube(a_cube().data[:2], [500, 600])
    write_cube(path, two)
    assert read_cube(path).bands == 2
    assert len(list(path.iterdir())) == 3
    (path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match=r"a\.bands: the folder holds other things"):
        write_cube(path, a_cube())
    assert read_cube(path).bands == 2
    (tmp_path / "empty").mkdir()
    write_cube(tmp_path / "empty", two, format="series")
    (tmp_path / "file.bands").write_text("x")
    with pytest.raises(InputError, match="a file of this name is in the way"):
        write_cube(tmp_path / "file.bands", two)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.bands", "empty", "file.bands"]


def test_a_failed_write_leaves_the_old_folder(tmp_path, monkeypatch):
    path = tmp_path / "a.bands"
    write_cube(path, a_cube())
    monkeypatch.setattr(Cube, "blocks", lambda self: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match=r"a\.bands: cannot be written: No space left"):
        write_cube(path, a_cube().replace(name="new"))
    monkeypatch.undo()
    assert read_cube(path).name == "mole"
    assert [each.name for each in tmp_path.iterdir()] == ["a.bands"]


@pytest.mark.parametrize(
    "change",
    [
        {"files": ["../secret.tif"] * 3},
        {"files": ["/etc/passwd"] * 3},
        {"files": ["C:\\x.tif"] * 3},
        {"files": []},
        {"files": "x"},
        {"files": ["gone.tif"] * 3},
        {"wavelengths_nm": [1, 2]},
        {"wavelengths_nm": "x"},
        {"provenance": [1]},
    ],
)
def test_descriptions_that_lie_are_refused(tmp_path, change):
    path = tmp_path / "a.bands"
    write_cube(path, a_cube())
    tifffile.imwrite(tmp_path / "secret.tif", a_cube().data[0])
    meta = json.loads((path / "cube.json").read_text())
    (path / "cube.json").write_text(json.dumps(meta | change))
    with pytest.raises(InputError, match=r"a\.bands: "):
        read_cube(path)


def test_bands_of_many_images_are_not_all_kept(tmp_path):
    folder = fill(tmp_path / "s", [f"b{number}.png" for number in range(6)], stack(6, 9, 8))
    cube = read_cube(folder, lazy=True)
    source = cube.data._source
    assert isinstance(source, planes.PlaneSource)
    most = planes._CACHE_BYTES
    try:
        planes._CACHE_BYTES = 3 * 72
        np.testing.assert_array_equal(np.asarray(cube.data), stack(6, 9, 8))
        assert list(source._kept) == [3, 4, 5]
    finally:
        planes._CACHE_BYTES = most


def test_the_format_is_one_of_folders():
    known = next(known for known in list_formats() if known.name == "series")
    assert (known.folders, known.readable, known.writable, known.suffixes) == (True, True, True, (".bands",))
