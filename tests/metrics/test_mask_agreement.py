"""Agreement of masks against closed forms, brute force and SciPy."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist, directed_hausdorff

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.mask_agreement import (
    boundary,
    boundary_distance,
    dice,
    iou,
    match_lesions,
)

SHAPE = (60, 80)


def square(top, left, side, shape=SHAPE):
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def disc(centre, radius, shape=SHAPE):
    y, x = np.indices(shape)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


masks = arrays(bool, (7, 9))
labels = arrays(np.uint8, (6, 8), elements=st.integers(0, 3))


# --- closed forms


@pytest.mark.parametrize("shift", [0, 1, 5, 12, 20, 30])
def test_overlap_of_shifted_squares(shift):
    side = 20
    shared, one, other = max(side - shift, 0) * side, square(10, 10, side), square(10, 10 + shift, side)
    assert dice(one, other) == pytest.approx(2 * shared / (2 * side**2))
    assert iou(one, other) == pytest.approx(shared / (2 * side**2 - shared))


@pytest.mark.parametrize("shift", [1, 4, 9])
def test_boundary_distance_of_shifted_squares(shift):
    # the end outside the other square lies `shift` off it, the rows there count down to 0, the other rows are shared
    side = 20
    found = boundary_distance(square(10, 10, side), square(10, 10 + shift, side))
    assert found.largest == shift
    assert found.percentile_95 == shift, "an end is side of 4 side - 4 pixels: over 5 %"
    ends = side - 2  # of the column inside the other square: to its nearest edge, row or column
    inside = sum(min(shift, row + 1, ends - row) for row in range(ends))
    rows = 2 * sum(range(1, shift + 1))
    assert found.mean == pytest.approx((rows + ends * shift + inside) / (4 * side - 4))


@pytest.mark.parametrize(("inner", "outer"), [(10, 14), (6, 20)])
def test_boundary_distance_of_discs_is_the_difference_of_their_radii(inner, outer):
    found = boundary_distance(disc((30, 40), inner), disc((30, 40), outer))
    assert found.mean == pytest.approx(outer - inner, abs=0.6)
    assert found.percentile_95 == pytest.approx(outer - inner, abs=1)
    assert found.largest == pytest.approx(outer - inner, abs=1)


def test_a_far_speck_moves_the_largest_distance_and_not_the_percentile():
    one = disc((20, 20), 12)
    other = one | square(55, 75, 1)
    found = boundary_distance(one, other)
    assert found.largest > 30
    assert found.percentile_95 == 0


def test_empty_masks():
    nothing, something = np.zeros(SHAPE, bool), square(3, 3, 4)
    assert (dice(nothing, nothing), iou(nothing, nothing)) == (1, 1)
    assert (dice(nothing, something), iou(something, nothing)) == (0, 0)
    for pair in ((nothing, nothing), (nothing, something), (something, nothing)):
        found = boundary_distance(*pair)
        assert math.isnan(found.mean)
        assert math.isnan(found.percentile_95)
        assert math.isnan(found.largest)


def test_the_edge_of_the_image_is_an_edge_of_the_mask():
    assert boundary(np.ones((4, 5), bool)).sum() == 2 * 4 + 2 * 5 - 4
    assert boundary([[0, 1, 0]]).tolist() == [[False, True, False]]


# --- invariants and independent references


@given(masks, masks)
@settings(max_examples=60, deadline=None)
def test_against_brute_force_and_scipy(one, other):
    assert dice(one, other) == dice(other, one)
    j = iou(one, other)
    assert dice(one, other) == pytest.approx(2 * j / (1 + j))
    found = boundary_distance(one, other)
    assert repr(found) == repr(boundary_distance(other, one))
    if not (one.any() and other.any()):
        return
    edge = []
    for mask in (one, other):
        around = np.pad(mask, 1)
        edge.append(
            [
                (y, x)
                for y, x in np.argwhere(mask)
                if not (around[y, x + 1] and around[y + 2, x + 1] and around[y + 1, x] and around[y + 1, x + 2])
            ]
        )
    distances = cdist(*edge)
    forth, back = distances.min(axis=1), distances.min(axis=0)
    assert found.mean == pytest.approx(np.concatenate([forth, back]).mean())
    assert found.percentile_95 == pytest.approx(max(np.percentile(forth, 95), np.percentile(back, 95)))
    assert found.largest == pytest.approx(max(directed_hausdorff(*edge)[0], directed_hausdorff(*edge[::-1])[0]))


@given(masks, st.integers(0, 4), st.integers(0, 4))
@settings(max_examples=25, deadline=None)
def test_where_in_the_image_does_not_matter(mask, down, right):
    other = np.roll(mask, 1, axis=0)
    moved = [np.pad(each, ((down, 4 - down), (right, 4 - right))) for each in (mask, other)]
    assert repr(boundary_distance(*moved)) == repr(boundary_distance(mask, other))
    assert iou(*moved) == iou(mask, other)
    assert iou(mask, mask) == dice(mask, mask) == 1


# --- lesions


def test_lesions_find_their_partner():
    first, second = np.zeros(SHAPE, int), np.zeros(SHAPE, int)
    first[square(5, 5, 10)], first[square(30, 30, 10)], first[square(5, 60, 6)] = 1, 2, 5
    second[square(30, 31, 10)], second[square(5, 5, 10)], second[square(50, 5, 4)] = 1, 4, 9
    found = match_lesions(first, second)
    assert [pair[:2] for pair in found.pairs] == [(1, 4), (2, 1)]
    assert [pair[2] for pair in found.pairs] == pytest.approx([1, 90 / 110])
    assert (found.only_first, found.only_second) == ((5,), (9,))


def test_a_touch_is_not_the_same_lesion():
    first, second = square(0, 0, 10).astype(int), square(9, 9, 10).astype(int)
    assert match_lesions(first, second).only_first == (1,)
    assert match_lesions(first, second, least_iou=0).pairs[0][2] == pytest.approx(1 / 199)


def test_no_lesions_at_all():
    nothing = np.zeros(SHAPE, int)
    assert match_lesions(nothing, nothing).pairs == ()
    assert match_lesions(square(1, 1, 3) * 7, nothing).only_first == (7,)


@given(labels, labels)
@settings(max_examples=40, deadline=None)
def test_no_other_pairing_overlaps_more(first, second):
    found = match_lesions(first, second, least_iou=0)
    of_first, of_second = ([number for number in np.unique(each) if number] for each in (first, second))
    paired = [number for pair in found.pairs for number in (("a", pair[0]), ("b", pair[1]))]
    assert sorted([*paired, *(("a", n) for n in found.only_first), *(("b", n) for n in found.only_second)]) == [
        *(("a", n) for n in of_first),
        *(("b", n) for n in of_second),
    ]
    padded = [*of_second, *[None] * len(of_first)]
    best = max(
        sum(iou(first == a, second == b) for a, b in zip(of_first, chosen, strict=True) if b is not None)
        for chosen in itertools.permutations(padded, len(of_first))
    )
    assert sum(pair[2] for pair in found.pairs) == pytest.approx(best)
    for a, b, overlap in found.pairs:
        assert overlap == pytest.approx(iou(first == a, second == b))


@pytest.mark.parametrize("measure", [dice, iou, boundary_distance, match_lesions])
def test_masks_of_two_images_are_refused(measure):
    with pytest.raises(InputError, match="not of one image"):
        measure(np.zeros((3, 4), bool), np.zeros((3, 5), bool))


def test_what_is_no_mask_is_refused():
    with pytest.raises(InputError, match="a mask is"):
        dice(np.zeros((2, 3, 4), bool), np.zeros((2, 3, 4), bool))
    with pytest.raises(InputError, match="a mask is"):
        iou(np.full((3, 4), 0.5), np.ones((3, 4), bool))
