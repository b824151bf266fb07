"""Arrays that stay in their file give what NumPy gives of the same array in memory."""

import itertools
import os
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray, RawFile, Reversed

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 8))
DTYPES = st.sampled_from(["u1", "<i2", ">u2", "<f4", ">f4", ">f8", "<i4", ">u8"])


def parts(length):
    ends = st.none() | st.integers(-length - 2, length + 2)
    steps = st.sampled_from([None, 1, 2, 3, -1, -2])
    return st.integers(-length, length - 1) | st.builds(slice, ends, ends, steps)


@st.composite
def stored(draw):
    """Draw an array, an order of its axes, and a key into the array in that order."""
    shape, dtype = draw(SHAPES), draw(DTYPES)
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 200, shape).astype(dtype)
    axes = draw(st.permutations(range(3)))
    key = tuple(draw(parts(shape[axis])) for axis in axes)
    shorter = draw(st.sampled_from([key, key[:2], key[0], (..., key[2]), (key[0], ...), ...]))
    return values, tuple(axes), shorter


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(drawn=stored(), offset=st.integers(0, 20))
def test_every_part_of_a_file_is_that_of_the_array(tmp_path, drawn, offset):
    values, axes, key = drawn
    path = tmp_path / "a.raw"
    path.write_bytes(b"\xff" * offset + values.tobytes())
    lazy = LazyArray(RawFile(path, values.dtype, values.shape, offset), axes)
    expected = values.transpose(axes).astype(np.float32)
    assert lazy.shape == expected.shape
    np.testing.assert_array_equal(lazy[key], expected[key], strict=True)
    np.testing.assert_array_equal(np.asarray(lazy), expected, strict=True)
    for source in (values, values[::-1][::-1], Reversed(np.ascontiguousarray(values.T))):
        np.testing.assert_array_equal(LazyArray(source, axes)[key], expected[key], strict=True)
    path.write_bytes(b"\xff" * offset + b"".join(place.tobytes() + bytes(offset) for place in values))
    apart = RawFile(path, values.dtype, values.shape, offset, first_stride=values[0].nbytes + offset)
    np.testing.assert_array_equal(LazyArray(apart, axes)[key], expected[key], strict=True)


def test_scale_and_missing_value(tmp_path):
    values = np.array([[[0, 65535, 1000]]], dtype="<u2")
    found = LazyArray(values, scale=65535.0, missing=0)[:]
    np.testing.assert_array_equal(found, [[[np.nan, 1, np.float32(1000) / np.float32(65535)]]])
    assert LazyArray(np.array([[[2**31 - 1]]], dtype="<i4"), scale=2.0**31 - 1)[0, 0, 0] == 1
    for scale in (1.0, 65535.0):
        single = LazyArray(values, scale=scale, missing=0)
        assert np.isnan(single[0, 0, 0])
        assert single[0, 0, 1] == np.float32(65535 / scale)


def test_offset_is_added_without_losing_what_the_sum_cancels():
    values = np.array([[[20_000, -9999, 7, 20_001]]], dtype="<i2")
    found = LazyArray(values, scale=1e4, offset=-2.0, missing=(-9999, 7))[:]
    np.testing.assert_array_equal(found, np.array([[[0, np.nan, np.nan, 1e-4]]], np.float32))
    assert LazyArray(values, offset=1.5, missing=7)[0, 0, 3] == 20_002.5
    assert np.isnan(LazyArray(values, scale=2, missing=7)[0, 0, 2])


def test_what_would_read_everything_unasked_is_refused(tmp_path):
    lazy = LazyArray(np.zeros((2, 3, 4)))
    for key in (np.ones((3, 4), bool), [0, 1], (0, 0, 0, 0), 1.5):
        with pytest.raises(IndexError):
            lazy[key]
    with pytest.raises(IndexError, match="out of range"):
        lazy[2]
    with pytest.raises(ValueError, match="without reading"):
        np.asarray(lazy, copy=False)


def test_a_file_cut_short_after_it_was_opened_is_told(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(24))
    raw = RawFile(path, "<f4", (1, 2, 3))
    path.write_bytes(bytes(12))
    with pytest.raises(OSError, match="shorter"):
        raw[0, 1, 2]
    with pytest.raises(InputError, match=r"a\.raw: its values cannot be read .*shorter"):
        LazyArray(raw, where=path)[:]


@pytest.mark.parametrize("pread", [True, False])
@pytest.mark.parametrize("dtype", ["<f4", ">i2"])
def test_single_values_that_lie_far_apart_are_those_of_the_array(tmp_path, monkeypatch, dtype, pread):
    if not pread:
        monkeypatch.delattr(os, "pread", raising=False)  # as on Windows
    values = np.arange(5 * 90 * 70).reshape(5, 90, 70).astype(dtype)
    path = tmp_path / "a.raw"
    path.write_bytes(b"header" + values.tobytes())
    raw = RawFile(path, dtype, values.shape, 6)
    for key in ((slice(None), 89, 69), (slice(1, 5, 2), 0, 3), (slice(4, None), 7, slice(2, 3))):
        np.testing.assert_array_equal(raw[key], values[key], strict=True)
    path.write_bytes(b"header" + values.tobytes()[:-2])
    assert raw[:4, 89, 69].tolist() == values[:4, 89, 69].tolist()
    with pytest.raises(OSError, match="shorter"):
        raw[:, 89, 69]


def test_many_threads_read_one_file(tmp_path):
    values = np.arange(5 * 40 * 50, dtype="<f4").reshape(5, 40, 50)
    path = tmp_path / "a.raw"
    path.write_bytes(values.tobytes())
    lazy = LazyArray(RawFile(path, values.dtype, values.shape))
    wrong = []

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(200):
            y, x = rng.integers(40), rng.integers(50)
            if not np.array_equal(lazy[:, y, x], values[:, y, x]):
                wrong.append((y, x))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_a_cube_is_walked_over_in_blocks_of_any_size(axes):
    values = np.random.default_rng(1).normal(size=(3, 7, 5))
    values[1, 2, 3] = np.nan
    lazy = Cube(LazyArray(values, axes))
    loaded = lazy.loaded()
    assert (lazy.is_lazy, loaded.is_lazy) == (True, False)
    assert loaded.loaded() is loaded
    np.testing.assert_array_equal(loaded.data, values.transpose(axes).astype(np.float32))
    for most in (1, 20, 10**6):
        rebuilt = np.full(lazy.data.shape, -1, np.float32)
        for rows, block in lazy.blocks(most):
            rebuilt[:, rows] = block
        np.testing.assert_array_equal(rebuilt, loaded.data)
    np.testing.assert_array_equal(lazy.valid(), loaded.valid())
    assert np.count_nonzero(~lazy.valid()) == 1
    np.testing.assert_array_equal(lazy.crop(1, 1, 3, 3).data, loaded.data[:, 1:3, 1:3])
