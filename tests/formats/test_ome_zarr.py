"""OME-Zarr and plain Zarr: ours, other programs', and hostile ones."""

import json
import shutil
import threading

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import AmbiguousVariableError, format_of, parts_of, read_cube, write_cube
from napari_hsisynth.lazy_array import LazyArray

VALUES = np.random.default_rng(0).normal(size=(5, 70, 90)).astype(np.float32)


@pytest.fixture
def ours(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write_cube(path, Cube(VALUES, [500.5, 510, 530, 560, 600], name="a", provenance={"b": {"c": [1]}}))
    return path


def foreign(path, values, axes, *, version=2, labels=None, level="0", **how):
    """Write what another program would, by the zarr library and by hand."""
    group = zarr.create_group(path, zarr_format=version)
    group.create_array(level, data=values, chunks=tuple(min(s, 32) for s in values.shape), **how)
    meta = {"multiscales": [{"axes": axes, "datasets": [{"path": level}, {"path": "1"}]}]}
    if labels is not None:
        meta["omero"] = {"channels": [{"label": label} for label in labels]}
    group.attrs.update(meta if version == 2 else {"ome": {"version": "0.5", **meta}})
    return path


def axes_of(letters):
    return [{"name": letter, "type": "space"} for letter in letters]


def test_the_zarr_library_reads_ours_and_the_metadata_are_those_of_ome(ours):
    group = zarr.open_group(ours, mode="r")
    np.testing.assert_array_equal(group["0"][:], VALUES)
    found = json.loads((ours / "zarr.json").read_text())["attributes"]["ome"]
    assert found["version"] == "0.5"
    scales = found["multiscales"][0]
    assert [axis["name"] for axis in scales["axes"]] == list(
        json.loads((ours / "0/zarr.json").read_text())["dimension_names"]
    )
    assert [channel["label"] for channel in found["omero"]["channels"]][:2] == ["500.5 nm", "510 nm"]
    assert found["omero"]["channels"][3]["window"]["max"] == pytest.approx(float(VALUES[3].max()))
    assert set(parts_of(ours)) == {file for file in ours.rglob("*") if file.is_file()}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("letters", ["cyx", "yxc", "tczyx", "zyx"])
def test_images_of_other_programs_whatever_the_order_of_their_axes(tmp_path, version, letters):
    order = letters.replace("z", "c") if letters == "zyx" else letters.replace("t", "").replace("z", "")
    values = VALUES.transpose(["cyx".index(letter) for letter in order])
    if letters == "tczyx":
        values = values[None, :, None]
    labels = None if letters == "zyx" else ["500 nm", "510 nm", "530 nm", "560nm", "0.6 um"]
    path = foreign(tmp_path / "b.zarr", values, axes_of(letters), version=version, labels=labels)
    for lazy in (False, True):
        cube = read_cube(path, lazy=lazy)
        assert cube.is_lazy is lazy
        np.testing.assert_array_equal(np.asarray(cube.data), VALUES)
        if labels:
            np.testing.assert_allclose(cube.wavelengths_nm, [500, 510, 530, 560, 600])
        else:
            assert any("planes along z" in note for note in cube.notes)


def test_plain_arrays_and_groups_with_wavelengths_beside(tmp_path):
    zarr.create_array(tmp_path / "plain.zarr", data=np.moveaxis(VALUES, 0, -1))
    cube = read_cube(tmp_path / "plain.zarr")
    np.testing.assert_array_equal(cube.data, VALUES)
    group = zarr.create_group(tmp_path / "group.zarr")
    group.create_array("scan/cube", data=VALUES.astype("<u2"), dimension_names=("wavelength", "y", "x"))
    group.create_array("scan/wavelengths", data=np.array([400.0, 450, 500, 550, 600]))
    cube = read_cube(tmp_path / "group.zarr")
    np.testing.assert_array_equal(cube.wavelengths_nm, [400, 450, 500, 550, 600])
    assert cube.provenance["dtype"] == "uint16"
    group.create_array("other", data=VALUES)
    with pytest.raises(AmbiguousVariableError, match="--variable"):
        read_cube(tmp_path / "group.zarr")
    np.testing.assert_array_equal(read_cube(tmp_path / "group.zarr", variable="other").data, VALUES)


def test_the_neighbours_of_a_pixel_are_those_of_the_array_from_any_thread(ours):
    lazy, wrong = read_cube(ours, lazy=True).data, []

    def hover(seed):
        rng = np.random.default_rng(seed)
        for _ in range(60):
            y, x, b = rng.integers(70), rng.integers(90), rng.integers(5)
            keys = ((slice(None), y, x), (slice(1, 4, 2), y, x), (b, y, x), (b, y), (b, slice(None), x))
            wrong.extend(key for key in keys if not np.array_equal(lazy[key], VALUES[key]))

    threads = [threading.Thread(target=hover, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_lazy_cube_is_written_piece_by_piece(tmp_path, ours):
    stored = np.moveaxis(np.tile(VALUES, (1, 3, 2)), 0, -1)
    write_cube(tmp_path / "c.zarr", Cube(LazyArray(stored, (2, 0, 1)), np.arange(500, 505)))
    np.testing.assert_array_equal(read_cube(tmp_path / "c.zarr").data, np.tile(VALUES, (1, 3, 2)))


def test_ours_is_replaced_as_a_whole_and_nothing_else_is(tmp_path, ours, monkeypatch):
    write_cube(ours, Cube(VALUES[:2], [500, 600]))
    assert read_cube(ours).bands == 2
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "notes.txt").write_text("mine")
    foreign(tmp_path / "theirs.zarr", VALUES, axes_of("cyx"))
    for name in ("mine.zarr", "theirs.zarr"):
        before = sorted(file for file in (tmp_path / name).rglob("*"))
        with pytest.raises(InputError, match="in the way"):
            write_cube(tmp_path / name, Cube(VALUES))
        assert sorted(file for file in (tmp_path / name).rglob("*")) == before

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zarr.Array.__setitem__", full)
    with pytest.raises(InputError, match="No space left"):
        write_cube(ours, Cube(VALUES))
    assert read_cube(ours).bands == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.ome.zarr", "mine.zarr", "theirs.zarr"]


# --- damaged and hostile folders


def change(path, **fields):
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, **fields}))


def test_what_would_unpickle_or_run_is_refused_before_anything_is_decoded(tmp_path):
    path = foreign(tmp_path / "p.zarr", VALUES, axes_of("cyx"))
    change(path / "0/.zarray", filters=[{"id": "pickle"}])
    with pytest.raises(InputError, match="'pickle', which is not read"):
        read_cube(path)
    path = foreign(tmp_path / "q.zarr", VALUES, axes_of("cyx"), version=3)
    change(path / "0/zarr.json", codecs=[{"name": "sharding_indexed", "configuration": {"codecs": ["json2"]}}])
    with pytest.raises(InputError, match="'json2', which is not read"):
        read_cube(path)


@pytest.mark.parametrize("lazy", [False, True])
def test_absurd_claims_are_refused_or_cost_nothing(tmp_path, ours, lazy):
    for shape, chunks, what in (
        ([2**40, 2**41, 2**42], [5, 64, 64], "damaged|too large|5 wavelengths for 1099511627776 bands"),
        ([5, 70, 90], [2**30, 2**10, 64], "pieces of"),
        ([-1, 70, 90], [5, 64, 64], "damaged"),
        (["5", 70, 90], [5, 64, 64], "damaged"),
        ([5, 70], [5, 64, 64], "damaged"),
    ):
        grid = {"name": "regular", "configuration": {"chunk_shape": chunks}}
        change(ours / "0/zarr.json", shape=shape, chunk_grid=grid)
        with pytest.raises(InputError, match=what):
            read_cube(ours, lazy=lazy)


def test_paths_in_the_metadata_do_not_lead_out(tmp_path, ours):
    secret = zarr.create_array(tmp_path / "secret.zarr", data=VALUES)
    assert secret.shape == VALUES.shape
    for level in ("../secret.zarr", str(tmp_path / "secret.zarr"), "0/../../secret.zarr"):
        scales = [{"axes": axes_of("cyx"), "datasets": [{"path": level}]}]
        change(ours / "zarr.json", attributes={"ome": {"multiscales": scales}})
        with pytest.raises(InputError, match="not there"):
            read_cube(ours)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"zarr_format": 3}', "[" * 100_000])
def test_metadata_that_are_none(ours, text):
    (ours / "0/zarr.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.ome\.zarr: "):
        read_cube(ours)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(data=st.data())
def test_changed_bytes_give_a_cube_or_one_error(tmp_path, data):
    path = tmp_path / "f.zarr"
    shutil.rmtree(path, ignore_errors=True)
    write_cube(path, Cube(VALUES[:, :9, :9], np.arange(500, 505)))
    file = data.draw(st.sampled_from(parts_of(path)))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]) if data.draw(st.booleans()) else content)
    try:
        found = str(read_cube(path).data.ndim)
    except InputError as error:
        found = str(error)
    assert found == "3" or "f.zarr" in found


def test_a_folder_of_something_else_is_none(tmp_path):
    with pytest.raises(InputError, match="folder"):
        format_of(tmp_path)
