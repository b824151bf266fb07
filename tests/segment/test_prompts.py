"""Prompts are what was pointed at, whatever way it was pointed."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import Prompts, Proposals

_PIXELS = st.integers(0, 500)


@given(
    y0=_PIXELS, x0=_PIXELS, height=st.integers(1, 50), width=st.integers(1, 50), flips=st.tuples(*[st.booleans()] * 2)
)
def test_a_box_is_the_same_from_every_corner(y0, x0, height, width, flips):
    rows, columns = (y0, y0 + height), (x0, x0 + width)
    rows = rows[::-1] if flips[0] else rows
    columns = columns[::-1] if flips[1] else columns
    box = Prompts(box=(rows[0], columns[0], rows[1], columns[1])).box
    assert box == (y0, x0, y0 + height, x0 + width)


@given(st.lists(st.tuples(_PIXELS, _PIXELS, st.sampled_from([0, 1])), max_size=6))
def test_json_returns_the_same_prompts(clicks):
    prompts = Prompts([click[:2] for click in clicks], [click[2] for click in clicks], (9, 8, 3, 2))
    again = Prompts.from_json(json.loads(json.dumps(prompts.to_json())))
    assert (again.points, again.labels, again.box) == (prompts.points, prompts.labels, prompts.box)


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_any_json_is_read_or_refused_in_words(value):
    for candidate in (value, {"points": value}, {"points": [[1, 2]], "labels": value}, {"box": value}):
        with contextlib.suppress(InputError):  # and by no other error
            Prompts.from_json(candidate)


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ({"points": [(1, 2)], "labels": []}, "1 points but 0 labels"),
        ({"points": [(1, 2)], "labels": [2]}, "labels must be 1"),
        ({"points": [(1, float("nan"))], "labels": [1]}, "finite"),
        ({"points": [(1, 2, 3)], "labels": [1]}, "pairs"),
        ({"box": (3, 3, 3, 9)}, "empty"),
        ({"box": (1, 2, 3)}, "3 numbers"),
        ({"logits": np.zeros(4)}, "logits"),
    ],
)
def test_what_makes_no_sense_is_refused(prompts, words):
    with pytest.raises(InputError, match=words):
        Prompts(**prompts)


@pytest.mark.parametrize("prompts", [Prompts([(10, 0)], [1]), Prompts([(-1, 0)], [0]), Prompts(box=(0, 0, 11, 5))])
def test_prompts_outside_the_image_are_refused(prompts):
    with pytest.raises(InputError, match="10 x 20 px"):
        prompts.check_inside((10, 20))


def test_a_position_belongs_to_the_nearest_pixel():
    assert Prompts([(0.49, 1.5), (2.5, -0.5)], [1, 1]).points == ((0, 2), (3, 0))


def test_proposals_need_a_score_per_mask():
    with pytest.raises(ValueError, match="masks"):
        Proposals(np.zeros((2, 3, 3)), [0.5])
    assert len(Proposals.none((3, 4))) == 0
