"""Outlines along the corners of the pixels are exact; polygons of other tools follow a stated rule."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as pycoco
from scipy.ndimage import label

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.exchange.outlines import has_holes, outlines, slit_outlines
from napari_hsisynth.study.exchange.polygons import corners, filled

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def of(*rows):
    return np.array([[sign == "#" for sign in row] for row in rows])


RING = of("###", "#.#", "###")
HOLES = of("#######", "#.#.#.#", "#######", "#..#..#", "#######", "#.....#", "#.###.#", "#.#.#.#", "#######")
TOUCHING = of("#.#", ".#.", "#.#")
OPEN_AT_A_CORNER = of("###", "#.#", "##.")


def filled_with_holes(mask):
    """Fill the outer outlines and take the holes out again."""
    found = np.zeros(mask.shape, bool)
    for outer, *holes in outlines(mask):
        part = filled(np.array(outer), mask.shape)
        for hole in holes:
            inside = filled(np.array(hole), mask.shape)
            assert inside.any()
            part &= ~inside
        assert not (found & part).any(), "two parts share pixels"
        found |= part
    return found


@settings(max_examples=120, deadline=None)
@given(mask=MASKS)
@example(mask=RING)
@example(mask=HOLES)
@example(mask=TOUCHING)
@example(mask=OPEN_AT_A_CORNER)
@example(mask=np.ones((3, 4), bool))
@example(mask=np.zeros((3, 4), bool))
@example(mask=np.ones((1, 1), bool))
def test_outlines_filled_again_give_the_same_mask(mask):
    np.testing.assert_array_equal(filled_with_holes(mask), mask)
    slit = [filled(np.array(ring), mask.shape) for ring in slit_outlines(mask)]
    np.testing.assert_array_equal(np.any(slit, axis=0) if slit else np.zeros_like(mask), mask)
    assert len(outlines(mask)) == len(slit) == label(mask)[1]  # one part per group of pixels that share edges


@settings(max_examples=80, deadline=None)
@given(mask=MASKS)
@example(mask=HOLES)
def test_slit_outlines_filled_by_pycocotools_give_the_same_mask(mask):
    """An independent rasteriser, with holes: what a COCO tool sees is what was exported."""
    polygons = [np.array(ring, float).ravel().tolist() for ring in slit_outlines(mask)]
    if polygons:
        seen = pycoco.decode(pycoco.merge(pycoco.frPyObjects(polygons, *mask.shape)))
        np.testing.assert_array_equal(seen.astype(bool), mask)


def test_outlines_of_known_shapes():
    assert outlines(of("...", ".#.")) == [[[(1, 1), (2, 1), (2, 2), (1, 2)]]]
    ((outer, hole),) = outlines(RING)
    assert set(outer) == {(0, 0), (3, 0), (3, 3), (0, 3)}
    assert set(hole) == {(1, 1), (2, 1), (2, 2), (1, 2)}
    assert len(outlines(TOUCHING)) == 5
    assert [has_holes(mask) for mask in (RING, HOLES, TOUCHING, OPEN_AT_A_CORNER)] == [True, True, False, False]


def test_the_rule_for_polygons_is_the_centre_of_the_pixel():
    assert filled(np.array([(0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6)]), (2, 2)).tolist() == [[1, 0], [0, 0]]
    assert not filled(np.array([(0.6, 0.6), (1.4, 0.6), (1.4, 1.4), (0.6, 1.4)]), (2, 2)).any()
    half = filled(np.array([(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)]), (4, 4))  # centres on the outline
    assert np.argwhere(half).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    star = np.array([(5, 0), (8, 10), (0, 4), (10, 4), (2, 10)])
    assert not filled(star, (10, 10))[5, 4], "enclosed twice, so outside"
    beyond = filled(np.array([(-50, -50), (90, -50), (90, 90), (-50, 90)]), (3, 4))
    assert beyond.all()


@settings(max_examples=40, deadline=None)
@given(
    centre=st.tuples(st.floats(10, 40), st.floats(10, 40)),
    radii=st.lists(st.floats(4, 18), min_size=5, max_size=14),
)
def test_ordinary_polygons_differ_from_pycocotools_only_along_their_outline(centre, radii):
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    polygon = np.stack([centre[0] + np.array(radii) * np.cos(angles), centre[1] + np.array(radii) * np.sin(angles)], 1)
    ours = filled(polygon, (50, 52))
    theirs = pycoco.decode(pycoco.frPyObjects([polygon.ravel().tolist()], 50, 52))[..., 0].astype(bool)
    y, x = np.nonzero(ours != theirs)
    following = np.roll(polygon, -1, axis=0)
    for point in np.stack([x + 0.5, y + 0.5], 1):
        along = following - polygon
        part = np.clip(((point - polygon) * along).sum(1) / (along**2).sum(1), 0, 1)
        assert np.hypot(*(polygon + part[:, None] * along - point).T).min() <= 0.75
    assert abs(int(ours.sum()) - int(theirs.sum())) <= 0.05 * ours.sum() + 8


@pytest.mark.parametrize(
    "values",
    [
        *(None, "x", [], [1, 2, 3, 4], [1, 2, 3, 4, 5], [[0, 0], [1, 1]], [[0, 0], [1, 1], [2]], [{}, {}, {}]),
        *([0, 0, 1, 1, 2, wrong] for wrong in (None, True, "2", 1e9, 10**400)),
    ],
)
def test_what_is_no_polygon_is_refused(values):
    with pytest.raises(InputError, match="point"):
        corners(values)
