"""Label images as runs: nothing is lost, and what is not one is refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.label_runs import LabelRuns


@given(arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.sampled_from([0, 1, 2, 65535])))
@settings(max_examples=60, deadline=None)
def test_every_image_comes_back_from_its_runs_and_from_json(image):
    runs = LabelRuns.of(image)
    again = LabelRuns.from_json(json.loads(json.dumps(runs.to_json())))
    assert again == runs
    assert np.array_equal(again.image(), image)
    assert np.array_equal(again.mask(), image > 0)
    assert runs.area_px == np.count_nonzero(image)
    assert (np.diff(runs.labels.astype(int)) != 0).all(), "neighbouring runs differ"


def test_a_mask_is_an_image_of_two_labels_and_takes_little():
    y, x = np.indices((272, 512))
    mask = (y - 130) ** 2 + (x - 250) ** 2 < 80**2
    runs = LabelRuns.of(mask)
    assert np.array_equal(runs.mask(), mask)
    assert runs.lengths.nbytes + runs.labels.nbytes < 2_500
    assert runs != LabelRuns.of(mask[:, :-1])
    assert LabelRuns.of(np.zeros((0, 5))).image().shape == (0, 5)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"shape": [2, 2], "lengths": [3], "labels": [1]},
        {"shape": [2, 2], "lengths": [4], "labels": [70000]},
        {"shape": [2, 2], "lengths": [5, -1], "labels": [1, 0]},
        {"shape": [2, 2], "lengths": [2, 2], "labels": [1]},
        {"shape": "ab", "lengths": [4], "labels": [1]},
        {"shape": [2, 2], "lengths": [1e99], "labels": [1]},
    ],
)
def test_what_is_no_image_is_refused(value):
    with pytest.raises(InputError):
        LabelRuns.from_json(value)
