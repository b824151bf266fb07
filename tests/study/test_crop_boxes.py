import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hsisynth import InputError
from napari_hsisynth.study.boxes import bounding_box, crop_box

SHAPE = (60, 80)


@st.composite
def boxes(draw):
    height, width = SHAPE
    y0, x0 = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return y0, x0, draw(st.integers(y0 + 1, height)), draw(st.integers(x0 + 1, width))


margins = st.floats(0, 10)


@pytest.mark.parametrize(
    ("box", "margin", "square", "expected"),
    [
        ((20, 30, 30, 50), 0.0, False, (20, 30, 30, 50)),
        ((20, 30, 28, 50), 0.5, False, (18, 25, 30, 55)),  # 8 -> 12 rows, 20 -> 30 columns, 2 and 5 more on each side
        ((20, 30, 28, 50), 1.0, False, (16, 20, 32, 60)),
        ((20, 30, 28, 50), 0.5, True, (9, 25, 39, 55)),
        ((0, 0, 8, 20), 0.5, False, (0, 0, 10, 25)),  # clipped at the top and on the left
        ((52, 60, 60, 80), 0.5, False, (50, 55, 60, 80)),
        ((0, 30, 8, 50), 0.5, True, (0, 25, 30, 55)),  # moved inwards, still square
        ((0, 0, 60, 80), 0.5, False, (0, 0, 60, 80)),
        ((0, 0, 60, 80), 0.5, True, (0, 0, 60, 80)),
        ((30, 40, 31, 41), 0.5, False, (29, 39, 31, 41)),  # one pixel: 1.5 px is rounded up
    ],
)
def test_boxes_by_hand(box, margin, square, expected):
    assert crop_box(box, SHAPE, margin=margin, square=square) == expected


@given(box=boxes(), margin=margins, square=st.booleans())
def test_a_crop_holds_its_lesion_and_stays_in_the_image(box, margin, square):
    y0, x0, y1, x1 = crop_box(box, SHAPE, margin=margin, square=square)
    assert 0 <= y0 <= box[0] < box[2] <= y1 <= SHAPE[0]
    assert 0 <= x0 <= box[1] < box[3] <= x1 <= SHAPE[1]


@given(box=boxes(), margin=margins)
def test_without_borders_sides_grow_by_the_margin_about_the_centre(box, margin):
    far = 10_000  # so far from every border that nothing is clipped
    moved = tuple(value + far for value in box)
    found = crop_box(moved, (3 * far, 3 * far), margin=margin)
    for low, high in ((0, 2), (1, 3)):
        side = moved[high] - moved[low]
        assert abs((found[high] - found[low]) - side * (1 + margin)) <= 0.5
        assert abs((found[high] + found[low]) / 2 - (moved[high] + moved[low]) / 2) <= 0.5


@given(box=boxes(), margin=margins)
def test_clipping_is_all_that_borders_do(box, margin):
    free = crop_box(tuple(v + 1000 for v in box), (5000, 5000), margin=margin)
    y0, x0, y1, x1 = (v - 1000 for v in free)
    assert crop_box(box, SHAPE, margin=margin) == (max(0, y0), max(0, x0), min(SHAPE[0], y1), min(SHAPE[1], x1))


@given(box=boxes(), margin=margins)
def test_square_is_square_where_the_image_allows(box, margin):
    y0, x0, y1, x1 = crop_box(box, SHAPE, margin=margin, square=True)
    longest = max(round(side * (1 + margin) + 1e-9) for side in (box[2] - box[0], box[3] - box[1]))
    if longest < min(SHAPE):
        assert y1 - y0 == x1 - x0
    else:
        assert y1 - y0 == SHAPE[0] or y1 - y0 == x1 - x0


@pytest.mark.parametrize("margin", [-0.1, float("nan"), float("inf"), 11])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(InputError, match=r"not in 0\.\.10"):
        crop_box((0, 0, 1, 1), SHAPE, margin=margin)


@given(box=boxes())
def test_the_bounding_box_of_a_box_is_itself(box):
    mask = np.zeros(SHAPE, bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    assert bounding_box(mask) == box


def test_the_bounding_box_of_nothing_is_none():
    assert bounding_box(np.zeros(SHAPE, bool)) is None
