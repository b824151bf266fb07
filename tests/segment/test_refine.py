"""Refining masks: against definitions that look at every pair of pixels, and by what must always hold."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from napari_hsisynth.segment import refine

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
quick = settings(max_examples=40, deadline=None)


def disc(shape=(60, 80), centre=(30, 40), radius=15.0):
    y, x = np.indices(shape)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


def within(mask, by):
    """Pixels at most `by` from a pixel of the mask, by looking at all of them."""
    where = np.argwhere(mask)
    squares = ((np.argwhere(np.ones_like(mask))[:, None] - where) ** 2).sum(axis=2)
    return (squares <= by**2).any(axis=1).reshape(mask.shape)


@given(MASKS)
@quick
def test_grow_and_shrink_are_what_distances_say(mask):
    for by in (1, 2.5):
        assert np.array_equal(refine.grown(mask, by), within(mask, by))
        assert np.array_equal(refine.shrunk(mask, by), ~within(~mask, by))


@given(MASKS)
@quick
def test_filling_and_parts(mask):
    full = refine.filled(mask)
    assert (full >= mask).all()
    assert np.array_equal(refine.filled(full), full)
    part = refine.largest_part(mask)
    assert (part <= mask).all()
    assert np.array_equal(refine.largest_part(part), part)
    assert part.any() == mask.any()


def test_a_disc_grows_and_shrinks_to_discs_also_where_the_image_cuts_it_off():
    for centre in ((30, 40), (2, 40), (59, 79)):
        grown = [disc(centre=centre, radius=radius) for radius in (10, 13, 16)]
        for smaller, larger in pairwise(grown):
            # discs of pixels are round to a pixel only
            assert np.mean(refine.grown(smaller, 3) != larger) < 0.01
            assert np.mean(refine.shrunk(larger, 3) != smaller) < 0.01
    everything = np.ones((5, 6), bool)
    assert np.array_equal(refine.shrunk(everything, 3), everything), "the image's edge is no outside"
    assert refine.grown(np.zeros((5, 6), bool), 3).sum() == 0


def test_a_hole_is_filled_a_bay_is_not():
    ring = disc() & ~disc(radius=6)
    assert np.array_equal(refine.filled(ring), disc())
    bay = ring.copy()
    bay[30, 40:] = False
    assert np.array_equal(refine.filled(bay), bay)


def test_smoothing_takes_specks_and_pinholes_and_leaves_the_lesion():
    rough = disc()
    rough[30, 40] = False
    rough[5, 5] = True
    rough[30, 55:62] = True  # a hair
    smooth = refine.smoothed(rough, 3)
    assert np.mean(smooth != disc()) < 0.01
    assert smooth[30, 40]
    assert not smooth[5, 5]
    assert not smooth[30, 58:].any()
    half = np.zeros((40, 50), bool)
    half[:, :20] = True
    assert np.array_equal(refine.smoothed(half, 4), half), "a straight edge stays where it is"


def test_only_the_largest_part_stays():
    several = disc(radius=10) | disc(centre=(5, 5), radius=3)
    assert np.array_equal(refine.largest_part(several), disc(radius=10))
    corners = np.eye(4, dtype=bool)
    assert np.array_equal(refine.largest_part(corners), corners), "corners connect"


@pytest.mark.parametrize("work", [refine.filled, refine.largest_part, lambda mask: refine.smoothed(mask, 2)])
def test_nothing_is_changed_in_place(work):
    mask = disc() & ~disc(radius=6)
    before = mask.copy()
    result = work(mask)
    result[:] = False
    assert np.array_equal(mask, before)
