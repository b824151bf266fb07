"""What is written comes back bit by bit, for any cube."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import parts_of, read_cube, write_cube

KEEP_EVERYTHING = [".npz", ".mat", ".hdr", ".tif", ".ome.tif", ".bands", ".zarr"]
SHAPES = st.tuples(st.one_of(st.just(16), st.integers(1, 20)), st.integers(1, 7), st.integers(1, 7))
#: No lone surrogates and no NUL: neither is text that a file could hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
JSON = st.dictionaries(
    TEXT,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**60), 2**60)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@st.composite
def cubes(draw):
    """Draw cubes with even, uneven, unordered, assumed or no wavelengths, and any float32 bits."""
    shape = draw(SHAPES)
    bits = draw(arrays(np.uint32, shape, elements=st.integers(0, 2**32 - 1)))
    labels = {"name": draw(TEXT), "provenance": draw(JSON)}
    kind = draw(st.sampled_from(["none", "even", "uneven", "numbered"]))
    data = bits.view(np.float32)
    if kind == "none":
        return Cube(data, **labels)
    if kind == "even":
        return Cube(data, np.linspace(465, 630, shape[0]), **labels)
    if kind == "numbered":
        return Cube.with_assumed_wavelengths(data, np.arange(shape[0]), **labels)
    centres = st.floats(200, 2500, allow_nan=False)
    return Cube(data, draw(st.lists(centres, min_size=shape[0], max_size=shape[0])), **labels)


@pytest.mark.parametrize("suffix", KEEP_EVERYTHING)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(cube=cubes())
def test_everything_comes_back(tmp_path, suffix, cube):
    path = tmp_path / f"a{suffix}"
    assert write_cube(path, cube) == ()
    back = read_cube(path)
    assert back.data.shape == cube.data.shape
    np.testing.assert_array_equal(back.data.view(np.uint32), cube.data.view(np.uint32))
    np.testing.assert_array_equal(back.wavelengths_nm, cube.wavelengths_nm)
    assert back.wavelengths_known == cube.wavelengths_known
    assert back.name == cube.name
    assert back.provenance == cube.provenance
    assert sorted(file for file in tmp_path.rglob("*") if file.is_file()) == sorted(parts_of(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(cube=cubes())
def test_a_npy_comes_back_with_the_same_bands_or_is_refused(tmp_path, cube):
    path = tmp_path / "a.npy"
    path.unlink(missing_ok=True)
    first, _, last = cube.data.shape
    if (last < first != 16) or (last == 16 != first):  # would be taken for bands last
        with pytest.raises(InputError, match="the wrong way round"):
            write_cube(path, cube)
        assert not path.exists()
        return
    assert "wavelengths" in write_cube(path, cube)[0]
    back = read_cube(path)
    np.testing.assert_array_equal(back.data.view(np.uint32), cube.data.view(np.uint32))
    assert not back.wavelengths_known


@pytest.mark.parametrize("suffix", KEEP_EVERYTHING)
def test_names_that_are_no_text_do_not_stop_a_file_from_being_written(tmp_path, suffix):
    cube = Cube(np.ones((2, 3, 4)), [500, 600], name="caf\udce9")  # a Latin-1 file name on Linux
    write_cube(tmp_path / f"a{suffix}", cube)
    assert read_cube(tmp_path / f"a{suffix}").name == "caf?"


@pytest.mark.parametrize("suffix", KEEP_EVERYTHING)
@pytest.mark.parametrize("bad", [{"a": float("nan")}, {"a": {1, 2}}, {"a": np.ones(2)}])
def test_provenance_that_is_not_json_is_refused_and_nothing_is_written(tmp_path, suffix, bad):
    with pytest.raises(InputError, match="provenance"):
        write_cube(tmp_path / f"a{suffix}", Cube(np.ones((2, 3, 4)), [500, 600], provenance=bad))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [*KEEP_EVERYTHING, ".NPZ", ".Mat", ".NPY", ".Hdr", ".OME.Tif"])
def test_suffixes_count_in_any_case(tmp_path, suffix):
    path = tmp_path / f"A.b{suffix}"
    write_cube(path, Cube(np.ones((2, 3, 4)), [500, 600]))
    assert sorted(file for file in tmp_path.rglob("*") if file.is_file()) == sorted(parts_of(path))
    assert path.exists()
    assert read_cube(path).data.shape == (2, 3, 4)
