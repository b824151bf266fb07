"""The robot user: where it clicks, and what it makes of segmenters whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import Prompts, Proposals
from napari_hsisynth.segment.click_robot import click_curve, next_click
from napari_hsisynth.segment.overlaps import overlap

CUBE = Cube(np.ones((2, 20, 30)))


class Brush:
    """A segmenter that paints a square around every inside click and rubs out one around every outside click."""

    name, model, weights_sha256 = "brush", "", ""

    def __init__(self, size: int = 3) -> None:
        self.size, self.asked = size, 0

    def set_cube(self, cube: Cube) -> None:
        self.shape = cube.shape_yx

    def predict(self, prompts: Prompts) -> Proposals:
        self.asked += 1
        mask = np.zeros(self.shape, bool)
        for (y, x), label in prompts.clicks:
            mask[max(0, y - self.size) : y + self.size + 1, max(0, x - self.size) : x + self.size + 1] = bool(label)
        return Proposals(mask[None], [1.0])

    def propose(self) -> Proposals:
        return Proposals.none(self.shape)


class Silent(Brush):
    def predict(self, prompts: Prompts) -> Proposals:
        return Proposals.none(self.shape)


def rectangle(y0, x0, y1, x1):
    mask = np.zeros((20, 30), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_the_click_goes_to_the_middle_of_the_larger_mistake():
    truth = rectangle(2, 2, 9, 9)
    assert next_click(truth, rectangle(0, 0, 0, 0)) == ((5, 5), 1)
    assert next_click(truth, truth | rectangle(10, 10, 19, 19)) == ((14, 14), 0)
    # what is missed and what is too much, equally deep: the missed one
    assert next_click(rectangle(2, 2, 5, 5), rectangle(10, 10, 13, 13)) == ((3, 3), 1)


def test_the_edge_of_the_image_is_an_edge():
    assert next_click(rectangle(0, 0, 7, 30), rectangle(0, 0, 0, 0))[0][0] == 3


_MASKS = arrays(bool, (7, 9))


@settings(max_examples=80, deadline=None)
@given(truth=_MASKS, guess=_MASKS)
def test_every_click_is_on_a_mistake_and_says_what_is_true(truth, guess):
    click = next_click(truth, guess)
    if click is None:
        assert (truth == guess).all()
    else:
        (y, x), label = click
        assert truth[y, x] == bool(label) != guess[y, x]


@settings(max_examples=50, deadline=None)
@given(one=_MASKS, other=_MASKS, shift=st.integers(0, 6))
def test_overlap_is_that_of_sets(one, other, shift):
    pixels = [set(map(tuple, np.argwhere(mask))) for mask in (one, other)]
    union = pixels[0] | pixels[1]
    expected = len(pixels[0] & pixels[1]) / len(union) if union else 1.0
    assert overlap(one, other) == overlap(other, one) == expected
    assert overlap(np.roll(one, shift, 0), np.roll(other, shift, 0)) == expected


def test_the_curve_follows_the_answers_and_ends_with_the_last_needed_click():
    # 7 x 14 px: two strokes of 7 x 7 px, the first in the middle of the left end of the ridge
    truth = rectangle(5, 5, 12, 19)
    brush = Brush()
    curve = click_curve(brush, CUBE, truth, clicks=5)
    assert curve.iou.tolist() == [0.5, 1, 1, 1, 1]
    assert brush.asked == 2
    assert np.isfinite(curve.seconds).tolist() == [True, True, False, False, False]
    assert (curve.seconds[:2] >= 0).all()
    assert curve.prompts.clicks == (((8, 8), 1), ((8, 15), 1))
    assert (curve.clicks_to(0.5), curve.clicks_to(0.9), curve.clicks_to(1.1)) == (1, 2, None)


def test_too_much_is_clicked_away():
    curve = click_curve(Brush(5), CUBE, rectangle(4, 4, 9, 9), clicks=2)
    assert [label for _, label in curve.prompts.clicks] == [1, 0]


def test_a_segmenter_that_finds_nothing_gets_no_overlap():
    curve = click_curve(Silent(), CUBE, rectangle(4, 4, 9, 9), clicks=3)
    assert curve.iou.tolist() == [0, 0, 0]


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InputError, match="empty"):
        click_curve(Brush(), CUBE, np.zeros((20, 30)))
    with pytest.raises(InputError, match="does not fit"):
        click_curve(Brush(), CUBE, np.ones((20, 31)))
    with pytest.raises(InputError, match="clicks"):
        click_curve(Brush(), CUBE, rectangle(4, 4, 9, 9), clicks=0)
    with pytest.raises(InputError, match="compared"):
        next_click(np.ones((3, 4)), np.ones((4, 3)))
