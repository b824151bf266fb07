"""Taking hold of a box and dragging it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.widgets.box_grip import BoxGrip

BOX, SHAPE = (10, 20, 30, 60), (50, 80)


@pytest.mark.parametrize(
    ("at", "here", "expected"),
    [
        ((20, 40), (25, 30), (15, 10, 35, 50)),  # inside
        ((20, 40), (-90, 200), (0, 40, 20, 80)),  # inside, beyond the image
        ((9.5, 40), (5.5, 70), (6, 20, 30, 60)),  # upper edge
        ((20, 59.5), (0, 69.5), (10, 20, 30, 70)),  # right edge
        ((9, 19), (2, 25), (3, 26, 30, 60)),  # corner
        ((30, 60), (999, 999), (10, 20, 50, 80)),  # corner, beyond the image
        ((9.5, 40), (39.5, 40), (30, 20, 40, 60)),  # over the opposite edge
        ((9.5, 40), (29.5, 40), (29, 20, 30, 60)),  # onto it: one row is left
    ],
)
def test_what_is_held_follows_the_mouse(at, here, expected):
    grip = BoxGrip.at(BOX, at, reach_px=2)
    assert grip.dragged(here, SHAPE) == expected


def test_far_from_the_box_nothing_is_held_and_a_small_box_has_an_inside():
    assert BoxGrip.at(BOX, (5, 40), 2) is None
    assert BoxGrip.at(BOX, (20, 70), 2) is None
    assert len(BoxGrip.at((10, 10, 14, 14), (11.5, 11.5), 9).sides) == 4
    assert BoxGrip.at((10, 10, 14, 14), (9.5, 11.5), 9).sides == (0,)


PLACES = st.tuples(st.floats(-20, 100), st.floats(-20, 100))


@given(st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 20)] * 2), PLACES, PLACES)
@settings(max_examples=60, deadline=None)
def test_a_dragged_box_is_always_one_within_the_image(numbers, at, here):
    y0, x0, height, width = numbers
    box = (y0, x0, min(y0 + height, 21), min(x0 + width, 21))
    grip = BoxGrip.at(box, at, reach_px=3)
    if grip is not None:
        y0, x0, y1, x1 = grip.dragged(here, (21, 21))
        assert 0 <= y0 < y1 <= 21
        assert 0 <= x0 < x1 <= 21
        assert grip.dragged(grip.start, (21, 21)) == box
        if len(grip.sides) == 4:
            assert np.array_equal((y1 - y0, x1 - x0), (box[2] - box[0], box[3] - box[1]))
