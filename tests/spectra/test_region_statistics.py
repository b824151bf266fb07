"""Statistics of regions: quartiles, arrays in files, many regions; the plain ones are in tests/test_spectra.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_hsisynth.lazy_array import LazyArray, RawFile
from napari_hsisynth.spectra import label_statistics, roi_statistics, statistics


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def with_holes(rng, shape):
    data = rng.normal(size=shape).astype(np.float32)
    data[0, 1, 2], data[-1, 3, 1] = np.nan, np.inf
    return data


def test_quartiles_are_those_of_the_valid_pixels(rng):
    data = with_holes(rng, (5, 13, 11))
    mask = rng.random((13, 11)) < 0.7
    mask[1, 2] = mask[3, 1] = True
    found = roi_statistics(data, mask, quartiles=True)
    kept = data[:, mask & np.isfinite(data).all(axis=0)]
    assert found.n == kept.shape[1] == mask.sum() - 2
    expected = np.quantile(kept.astype(np.float64), [0.25, 0.5, 0.75], axis=1)
    np.testing.assert_allclose([found.lower, found.median, found.upper], expected, rtol=1e-6)
    plain = roi_statistics(data, mask)
    assert plain.lower is plain.median is plain.upper is None
    np.testing.assert_array_equal(plain.mean, found.mean)


@settings(deadline=None)
@given(n=st.integers(1, 9))
def test_quartiles_of_few_pixels_follow_the_linear_rule(n):
    values = np.random.default_rng(n).normal(size=(2, 1, n))
    found = roi_statistics(values, np.ones((1, n)), quartiles=True)
    expected = np.quantile(values[:, 0], [0.25, 0.5, 0.75], axis=1)
    np.testing.assert_allclose([found.lower, found.median, found.upper], expected, rtol=1e-12)


def test_quartiles_of_nothing_are_nan():
    data = np.full((3, 2, 2), np.nan)
    found = label_statistics(data, np.ones((2, 2), int), quartiles=True)[1]
    assert found.n == 0
    for values in (found.mean, found.std, found.lower, found.median, found.upper):
        assert values.shape == (3,)
        assert np.isnan(values).all()


def test_quartiles_of_a_large_region_come_from_a_fixed_sample_of_it(rng, monkeypatch):
    monkeypatch.setattr(statistics, "QUARTILE_PIXELS", 2_000)
    data = rng.normal(size=(3, 120, 150)).astype(np.float32)
    labels = np.where(np.arange(150) < 75, 1, 2) * np.ones((120, 1), int)
    labels[:3, :3] = 7  # small enough to be taken whole
    found = label_statistics(data, labels, quartiles=True)
    again = label_statistics(data, labels, quartiles=True)
    for number, one in found.items():
        inside = data[:, labels == number]
        assert one.n == inside.shape[1]
        np.testing.assert_allclose(one.mean, inside.mean(axis=1, dtype=np.float64), rtol=1e-9, atol=1e-9)
        exact = np.quantile(inside, [0.25, 0.5, 0.75], axis=1)
        assert np.abs(exact - [one.lower, one.median, one.upper]).max() < (0.15 if number < 7 else 1e-6)
        np.testing.assert_array_equal(one.median, again[number].median)
        alone = roi_statistics(data, labels == number, quartiles=True)
        np.testing.assert_array_equal(one.median, alone.median)
    assert not np.array_equal(found[1].median, np.median(data[:, labels == 1], axis=1)), "all pixels were taken"


@settings(deadline=None, max_examples=60)
@given(
    labels=arrays(np.int16, (9, 8), elements=st.integers(0, 3)),
    axes=st.permutations(range(3)),
    read=st.integers(1, 200),
    chunk=st.integers(1, 60),
)
def test_arrays_in_files_give_what_arrays_in_memory_give_in_blocks_of_any_size(labels, axes, read, chunk):
    values = np.random.default_rng(0).normal(size=(4, 9, 8)).astype(np.float32)
    values[2, 4, 4] = np.nan
    lazy = LazyArray(np.ascontiguousarray(values.transpose(np.argsort(axes))), tuple(axes))
    with pytest.MonkeyPatch.context() as patch:
        expected = label_statistics(values, labels, quartiles=True)
        patch.setattr(statistics, "_READ_VALUES", read)
        patch.setattr(statistics, "_CHUNK_VALUES", chunk)
        for data in (lazy, values):
            found = label_statistics(data, labels, quartiles=True)
            assert list(found) == list(expected)
            for number, one in found.items():
                other = expected[number]
                assert one.n == other.n
                for name in ("mean", "std", "lower", "median", "upper"):
                    np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-6)


def test_only_what_lies_around_a_region_is_read(tmp_path):
    read = []

    class Watched(RawFile):
        def __getitem__(self, key):
            found = super().__getitem__(key)
            read.append(found.size)
            return found

    values = np.random.default_rng(0).normal(size=(6, 60, 70)).astype("<f4")
    (tmp_path / "a.raw").write_bytes(values.tobytes())
    lazy = LazyArray(Watched(tmp_path / "a.raw", "<f4", values.shape))
    mask = np.zeros((60, 70), bool)
    mask[20:24, 30:35] = True
    found = roi_statistics(lazy, mask)
    np.testing.assert_allclose(found.mean, values[:, mask].mean(axis=1), rtol=1e-5)
    assert sum(read) == 6 * 4 * 5


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_labels_of_any_type(dtype, rng):
    data = rng.normal(size=(2, 3, 3))
    labels = np.array([[0, 1, 1], [0, 0, 1], [1, 0, 0]]).astype(dtype)
    found = label_statistics(data, labels)
    assert list(found) == [1]
    np.testing.assert_allclose(found[1].mean, data[:, labels != 0].mean(axis=1))


@pytest.mark.parametrize("numbers", [(-3, 0, 5), (1, 0, 2**40), (0, 70_000, 3)])
def test_labels_of_any_size_come_in_ascending_order(numbers, rng):
    data = rng.normal(size=(2, 4, 6))
    labels = rng.choice(np.array(numbers), (4, 6))
    found = label_statistics(data, labels)
    assert list(found) == sorted(set(numbers) - {0})
    for number, one in found.items():
        np.testing.assert_allclose(one.mean, data[:, labels == number].mean(axis=1))


def test_every_pixel_a_label_of_its_own(rng):
    data = rng.normal(size=(3, 40, 50))
    labels = 1 + np.arange(2000).reshape(40, 50)
    found = label_statistics(data, labels)
    assert len(found) == 2000
    np.testing.assert_array_equal(np.array([one.mean for one in found.values()]).T, data.reshape(3, -1))
    assert all(one.n == 1 and not one.std.any() for one in found.values())


def test_regions_far_apart_in_value_keep_their_digits():
    data = np.zeros((1, 2, 3000))
    data[0, 0] = 1e7 + np.tile([0.0, 1.0, 2.0], 1000)
    data[0, 1] = np.tile([0.0, 1.0, 2.0], 1000)
    found = label_statistics(data, np.array([1, 2])[:, None] * np.ones((1, 3000), int))
    assert found[1].std[0] == pytest.approx(np.sqrt(2 / 3), rel=1e-9)
    assert found[2].std[0] == pytest.approx(np.sqrt(2 / 3), rel=1e-12)
