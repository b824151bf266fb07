"""Embeddings on disk: found again, never wrong, never too many."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from napari_hsisynth.cube import Cube
from napari_hsisynth.segment.embedding_cache import EmbeddingCache, cube_digest

pytest.importorskip("safetensors")
KEY = {"cube": "abc", "view": "mean"}


def embedding(seed: int = 0, values: int = 1000):
    numbers = np.random.default_rng(seed).normal(size=(2, values // 2)).astype(np.float16)
    return {"level0": numbers, "level1": numbers[:, ::-1][:, :10]}


def same(found, expected) -> None:
    assert found is not None
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.fixture
def cache(tmp_path):
    return EmbeddingCache(tmp_path / "embeddings", most_bytes=7_500)


def test_what_was_put_is_found_by_any_process(cache):
    assert cache.get(KEY) is None
    cache.put(KEY, embedding())
    same(EmbeddingCache(cache.folder).get(dict(reversed(KEY.items()))), embedding())
    assert cache.get({**KEY, "view": "rgb"}) is None


def test_any_changed_byte_or_missing_end_is_noticed(cache):
    cache.put(KEY, embedding())
    (path,) = cache.folder.iterdir()
    whole = path.read_bytes()
    for place in [*range(0, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = cache.get(KEY)
        if found is not None:  # a byte of the header that means nothing
            same(found, embedding())
    for length in (0, 7, 20, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert cache.get(KEY) is None
    cache.put(KEY, embedding())
    same(cache.get(KEY), embedding())


def test_a_file_of_something_else_is_not_taken(cache):
    cache.put(KEY, embedding())
    (path,) = cache.folder.iterdir()
    os.replace(path, cache._path({"cube": "another"}))
    assert cache.get({"cube": "another"}) is None


def test_what_was_used_longest_ago_goes_first(cache):
    for number in range(3):
        cache.put({"cube": str(number)}, embedding(number))
        age = time.time() - 1000 + number
        os.utime(cache._path({"cube": str(number)}), (age, age))
    assert cache.get({"cube": "0"}) is not None  # used again just now
    cache.put({"cube": "3"}, embedding(3))
    there = [number for number in range(4) if cache.get({"cube": str(number)}) is not None]
    assert there == [0, 2, 3]
    assert sum(path.stat().st_size for path in cache.folder.iterdir()) <= cache.most_bytes


def test_a_single_one_beyond_the_limit_is_kept_until_the_next(tmp_path):
    cache = EmbeddingCache(tmp_path, most_bytes=10)
    cache.put(KEY, embedding())
    same(cache.get(KEY), embedding())
    cache.put({"cube": "next"}, embedding(1))
    assert cache.get(KEY) is None


def test_what_a_killed_process_left_behind_is_cleared_away(cache):
    cache.folder.mkdir()
    old, young = cache.folder / ".old.tmp.safetensors", cache.folder / ".young.tmp.safetensors"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.put(KEY, embedding())
    assert not old.exists()
    assert young.exists()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = EmbeddingCache(tmp_path / "file" / "folder")
    cache.put(KEY, embedding())
    assert cache.get(KEY) is None


def test_a_cube_is_known_by_its_values_and_wavelengths():
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    digest = cube_digest(Cube(data, [500, 600], name="a"))
    assert digest == cube_digest(Cube(data.copy(), [500, 600], name="b"))
    assert digest != cube_digest(Cube(data, [500, 601]))
    assert digest != cube_digest(Cube(data.reshape(2, 4, 3), [500, 600]))
    assert digest != cube_digest(Cube(data + np.eye(3, 4, dtype=np.float32) * 1e-3, [500, 600]))
