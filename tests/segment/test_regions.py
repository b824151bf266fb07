"""Regions, their distances and what clicks change, against closed forms and SciPy's slower ways to the same thing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage as ndi

from napari_hsisynth.segment.corrections import corrections, mistake_depth
from napari_hsisynth.segment.region_choice import Evidence, fits, mean_shape, overlaps
from napari_hsisynth.segment.regions import find_regions, signed_distance


def cone(shape, centre):
    y, x = np.indices(shape)
    return -np.hypot(y - centre[0], x - centre[1])


@settings(max_examples=30, deadline=None)
@given(noise=arrays(float, (18, 23), elements=st.floats(0, 1, width=16)))
def test_regions_are_filled_and_opened_parts_of_what_is_above_a_level(noise):
    contrast = ndi.gaussian_filter(noise, 1.0)
    for region in find_regions(contrast, None):
        padded = np.pad(region.mask, 3, mode="edge")  # the image's edge cuts nothing off
        assert (ndi.binary_opening(padded, np.ones((3, 3)))[3:-3, 3:-3] == region.mask).all()
        assert region.area == region.mask.sum()
        assert region.centre == pytest.approx(ndi.center_of_mass(region.mask))
        y0, x0, y1, x1 = region.box
        assert region.mask[y0:y1, x0:x1].sum() == region.area
        assert region.mask[y0].any()
        assert region.mask[:, x1 - 1].any()


def test_regions_of_a_cone_are_discs_about_its_tip():
    regions = find_regions(cone((61, 81), (30, 40)), None)
    assert len(regions) > 20
    assert [region.area for region in regions] == sorted((region.area for region in regions), reverse=True)
    assert all(region.centre == pytest.approx((30, 40), abs=0.1) for region in regions if region.area < 2500)


def test_only_regions_with_the_wanted_cell_are_looked_for():
    two = np.maximum(cone((50, 90), (25, 25)), cone((50, 90), (25, 65)))
    every = find_regions(two, None)
    held = find_regions(two, None, (25, 65))
    assert 0 < len(held) < len(every)
    assert [region.area for region in held] == [region.area for region in every if region.mask[25, 65]]


@settings(max_examples=40, deadline=None)
@given(mask=arrays(bool, (7, 9)), row=st.integers(0, 6), column=st.integers(0, 8))
def test_signed_distance_is_measured_from_the_outermost_cells(mask, row, column):
    padded = np.pad(mask, 1)
    rim = [
        (y, x)
        for y, x in np.argwhere(mask)
        if not padded[y : y + 3, x : x + 3].all()  # centred on (y, x)
    ]
    if not rim:
        assert (signed_distance(mask) < 0).all()
        return
    nearest = min(np.hypot(y - row, x - column) for y, x in rim)
    expected = nearest + 0.5 if mask[row, column] else 0.5 - nearest
    assert signed_distance(mask)[row, column] == pytest.approx(expected)


def test_the_depth_of_a_cell_is_its_signed_distance():
    for region in find_regions(cone((40, 50), (10, 12)), None)[::6]:
        depths = np.array([[region.depth((y, x)) for x in range(50)] for y in range(40)])
        assert ((depths > 0) == region.mask).all()
        assert np.allclose(depths, region.distances)


def test_a_mistake_ends_at_its_outline_and_at_the_edge_of_the_image():
    seen = np.ones((40, 60), bool)
    seen[:, 40:] = False
    assert mistake_depth(seen, (20, 10), 1) == 0
    assert mistake_depth(seen, (20, 10), 0) == 10.5
    assert mistake_depth(seen, (2, 20), 0) == 2.5  # a corner is shallow however much of the image is taken for lesion
    assert mistake_depth(seen, (20, 50), 1) == 9.5


def test_a_click_moves_the_outline_by_twice_its_depth_and_leaves_the_far_side():
    field = signed_distance(cone((80, 80), (40, 30)) > -15)
    click = (40, 49)  # the true outline lies as far beyond it as the seen one lies before it
    depth = mistake_depth(field > 0, click, 1)
    bent = field + corrections(field, [click], [1], [depth])
    edge = np.flatnonzero(bent[40] > 0)
    assert abs((edge[-1] + 0.5) - (click[1] + depth)) <= 1.5
    assert edge[0] == np.flatnonzero(field[40] > 0)[0]


def test_clicks_that_were_right_change_nothing():
    field = signed_distance(cone((30, 30), (15, 15)) > -8)
    assert not corrections(field, [(15, 15), (2, 2)], [1, 0], [0.0, 0.0]).any()
    assert not corrections(field, [], [], []).any()


def test_the_mean_shape_of_discs_is_a_disc_between_them():
    regions = find_regions(cone((61, 81), (30, 40)), None)
    regions = [region for region in regions if 5 < region.radius < 20]
    mean = mean_shape(regions, np.zeros(len(regions)), 0)
    area = (mean > 0).sum()
    assert regions[-1].area < area < regions[0].area
    assert overlaps(regions, mean > 0).max() > 0.85


def test_a_region_on_the_wrong_side_of_a_click_or_off_the_box_fits_worse():
    two = np.maximum(cone((50, 90), (25, 25)), cone((50, 90), (25, 65)))
    regions = [region for region in find_regions(two, None) if region.area < 500]
    right = np.array([region.mask[25, 65] for region in regions])
    plain = fits(regions, Evidence())
    for evidence in (
        Evidence(((25, 65),), (1,)),
        Evidence(((25, 25),), (0,)),
        Evidence(box=(15, 55, 36, 76)),
    ):
        gain = fits(regions, evidence) - plain
        assert gain[right].min() > gain[~right].max()
