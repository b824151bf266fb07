"""Labels and shapes in the Spectra dock: which pixels they are, and what is shown of them."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from napari.layers import Labels, Shapes
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth.cube import Cube
from napari_hsisynth.lazy_array import LazyArray
from napari_hsisynth.widgets import region_spectra
from napari_hsisynth.widgets.layers import cube_layer_data
from napari_hsisynth.widgets.regions import MOST_REGIONS, label_regions, shape_regions

SHAPE = (40, 60)


def cube_layer(scale=(1.0, 1.0), translate=(0.0, 0.0)):
    from napari.layers import Image

    data, options, _ = cube_layer_data(Cube(np.ones((3, *SHAPE)), [500, 510, 520]))
    options["scale"] = (10.0, *scale)
    options["translate"] = (500.0, *translate)
    return Image(data, **options)


def masks_of(shapes, layer):
    return [region.on(SHAPE) for region in shape_regions(shapes, layer, "shape")[0]]


@settings(deadline=None, max_examples=40)
@given(
    middle=st.tuples(st.integers(-5, 45), st.integers(-5, 65)),
    radii=st.lists(st.floats(1.0, 30.0).map(lambda value: round(value, 1)), min_size=3, max_size=9),
)
def test_polygons_cover_what_napari_says(middle, radii):
    angles = 0.1 + 2 * np.pi * np.arange(len(radii)) / len(radii)  # a star: napari draws no crossed ones
    corners = np.array(middle) + np.array(radii)[:, None] * np.column_stack([np.sin(angles), np.cos(angles)])
    try:
        shapes = Shapes([corners], shape_type="polygon")
    except RuntimeError:  # a few stars with very thin arms are more than its triangulation can do
        reject()
    found = masks_of(shapes, cube_layer())
    np.testing.assert_array_equal(found[0] if found else np.zeros(SHAPE, bool), shapes.to_masks(SHAPE)[0])


def test_rectangle_ellipse_and_line_by_hand():
    box = np.array([[9.5, 19.5], [9.5, 29.5], [19.5, 29.5], [19.5, 19.5]])  # rows 10-19, columns 20-29
    shapes = Shapes(ndim=2)
    shapes.add_rectangles([box])
    shapes.add_ellipses([box])
    shapes.add_lines([np.array([[5.0, 3.0], [5.0, 12.0]])])
    shapes.add_paths([np.array([[1.0, 1.0], [1.0, 4.0], [3.0, 4.0]])])
    rectangle, ellipse, line, path = masks_of(shapes, cube_layer())
    expected = np.zeros(SHAPE, bool)
    expected[10:20, 20:30] = True
    np.testing.assert_array_equal(rectangle, expected)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    np.testing.assert_array_equal(ellipse, np.hypot(y - 14.5, x - 24.5) <= 5)
    assert np.argwhere(line).tolist() == [[5, column] for column in range(3, 13)]
    assert np.argwhere(path).tolist() == [[1, 1], [1, 2], [1, 3], [1, 4], [2, 4], [3, 4]]


def test_shapes_lie_where_they_are_seen_on_a_scaled_and_moved_cube():
    layer = cube_layer(scale=(2.0, 2.0), translate=(100.0, 50.0))
    box = np.array([[9.5, 19.5], [9.5, 29.5], [19.5, 29.5], [19.5, 19.5]])
    shapes = Shapes([box * 2 + np.array([100, 50])], shape_type="rectangle")
    expected = np.zeros(SHAPE, bool)
    expected[10:20, 20:30] = True
    np.testing.assert_array_equal(masks_of(shapes, layer)[0], expected)
    # as napari makes them beside a cube: with an axis for the bands, and the scale of the cube
    deep = Shapes([np.insert(box + np.array([50, 25]), 0, 5, axis=1)], shape_type="rectangle", ndim=3, scale=(10, 2, 2))
    np.testing.assert_array_equal(masks_of(deep, layer)[0], expected)
    outside = Shapes([box], shape_type="rectangle")
    assert masks_of(outside, layer) == []


def test_labels_lie_where_they_are_seen():
    layer = cube_layer(scale=(2.0, 2.0), translate=(0.5, 0.5))  # a cube binned 2 x 2
    image = np.zeros((80, 120), int)
    image[10:20, 40:60] = 7
    regions, left_out = label_regions(Labels(image), layer, "label")
    expected = np.zeros(SHAPE, bool)
    expected[5:10, 20:30] = True
    assert [region.name for region in regions] == ["label 7"]
    assert left_out == 0
    np.testing.assert_array_equal(regions[0].on(SHAPE), expected)
    # labels of another image that only happens to lie there
    assert label_regions(Labels(np.ones((30, 30), int)), cube_layer(), "label") == ([], 0)


def test_labels_painted_in_one_band_count_for_all():
    deep = np.zeros((3, *SHAPE), np.uint8)
    deep[1, 2:4, 3:6] = 4
    (region,), _ = label_regions(Labels(deep), cube_layer(), "label")
    assert region.n == 6
    assert region.middle == (2.5, 4.0)


def test_huge_and_many_labels():
    image = np.zeros(SHAPE, np.int64)
    image[0, :5] = 2**40
    image[2:, 0] = 3
    regions, _ = label_regions(Labels(image), cube_layer(), "label")
    assert {region.name: region.n for region in regions} == {f"label {2**40}": 5, "label 3": 38}
    image[:] = np.arange(image.size).reshape(SHAPE) // 60
    regions, left_out = label_regions(Labels(image), cube_layer(), "label")
    assert (len(regions), left_out) == (MOST_REGIONS, 39 - MOST_REGIONS)


# --- in the dock


def test_every_shape_has_its_curve_also_where_they_overlap(spectra, qtbot, make_cube):
    cube = make_cube()
    spectra.show(cube)
    boxes = [np.array([[y, x], [y, x + 9], [y + 9, x + 9], [y + 9, x]]) for y, x in ((4.5, 4.5), (9.5, 9.5))]
    shapes = spectra.viewer.add_shapes(
        boxes, shape_type="rectangle", edge_color=["#ff0000", "#00ff00"], features={"name": ["core", ""]}
    )
    first, second = spectra.wait_for("shape", 2)
    assert [curve.name for curve in (first, second)] == ["core", "shape 2"]
    assert [curve.colour for curve in (first, second)] == ["#ff0000", "#00ff00"]
    for curve, (rows, columns) in ((first, (slice(5, 14), slice(5, 14))), (second, (slice(10, 19), slice(10, 19)))):
        inside = cube.data[:, rows, columns].reshape(16, -1).astype(float)
        assert curve.n == 81
        np.testing.assert_allclose(curve.values, inside.mean(axis=1))
        np.testing.assert_allclose(curve.std, inside.std(axis=1))
    shapes.visible = False
    spectra.wait_for("shape", 0)


def test_curves_follow_a_shape_while_it_is_drawn_and_moved(spectra, qtbot, mouse, make_cube):
    spectra.show(make_cube())
    shapes = spectra.viewer.add_shapes(ndim=2)
    spectra.viewer.layers.selection.active = shapes
    spectra.viewer.reset_view()
    shapes.mode = "add_rectangle"
    hand = mouse(spectra.viewer)
    canvas, left, none = hand.canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier

    def drag(start, end, seen) -> None:
        hand.move(*start)
        QTest.mousePress(canvas, left, none, hand.place(*start))

        hand.move(*((np.array(start) + np.array(end)) / 2))

        def reached() -> bool:
            QTest.mouseMove(canvas, hand.place(*end))  # again and again, because moves in quick succession are dropped
            return seen()

        qtbot.waitUntil(reached)  # while the button is down
        QTest.mouseRelease(canvas, left, none, hand.place(*end))

    drag((5.5, 5.5), (15.5, 25.5), lambda: [curve.n for curve in spectra.of("shape")] == [200])
    shapes.mode = "select"
    shapes.selected_data = {0}
    drag((10, 15), (20, 25), lambda: [curve.place for curve in spectra.of("shape")] == [(20.5, 25.5)])


def test_median_and_quartiles_can_be_chosen_and_are_remembered(spectra, qtbot, make_cube):
    cube = make_cube()
    data = cube.data.copy()
    data[:, 0, 0] = 1e6  # what the median does not mind
    cube = cube.replace(data=data)
    spectra.show(cube)
    labels = spectra.viewer.add_labels(np.zeros(cube.shape_yx, np.uint8))
    labels.data_setitem(np.nonzero(np.ones((4, 5))), 3)
    spectra.wait_for("label")
    spectra.dock.tools.choose_quartiles(True)
    qtbot.waitUntil(lambda: spectra.of("label")[0].statistic == "median")
    curve = spectra.of("label")[0]
    lower, median, upper = np.percentile(cube.data[:, :4, :5].reshape(16, -1), (25, 50, 75), axis=1)
    np.testing.assert_allclose(curve.values, median)
    np.testing.assert_allclose(curve.spread, (lower, upper))
    assert type(spectra.dock.tools)(spectra.dock).quartiles
    spectra.dock.tools.choose_quartiles(False)
    spectra.dock.plot.fit()
    low, high = spectra.dock.plot.getPlotItem().getViewBox().viewRange()[1]
    curve = spectra.of("label")[0]
    assert low < (curve.values - curve.std).min() < (curve.values + curve.std).max() < high


def test_a_region_of_a_file_is_read_beside_the_window(spectra, qtbot, make_cube, monkeypatch):
    monkeypatch.setattr(region_spectra, "AT_ONCE_FROM_FILE", 100)
    whole = make_cube()
    cube = whole.replace(data=LazyArray(whole.data))
    spectra.show(cube)
    labels = spectra.viewer.add_labels(np.zeros(cube.shape_yx, np.uint8))
    go_on, compute = threading.Event(), region_spectra.region_curve
    monkeypatch.setattr(region_spectra, "region_curve", lambda *a, **k: go_on.wait(20) and compute(*a, **k))
    labels.data_setitem(np.nonzero(np.ones((10, 20))), 1)
    (curve,) = spectra.wait_for("label")
    assert curve.note == region_spectra.COMPUTING
    assert spectra.row("label 1").text(1) == region_spectra.COMPUTING
    go_on.set()
    qtbot.waitUntil(lambda: not spectra.of("label")[0].note)
    inside = whole.data[:, :10, :20].reshape(16, -1).astype(float)
    np.testing.assert_allclose(spectra.of("label")[0].values, inside.mean(axis=1))
    np.testing.assert_allclose(spectra.of("label")[0].std, inside.std(axis=1))


@pytest.mark.parametrize("transform", ["raw", "first derivative", "SNV"])
def test_a_large_region_has_the_statistics_of_a_small_one(make_cube, monkeypatch, transform):
    from napari_hsisynth.widgets import curves
    from napari_hsisynth.widgets.treatment import Treatment

    rng = np.random.default_rng(0)
    cube = make_cube().replace(data=rng.random((16, *SHAPE)), wavelengths_nm=(465.0 + 11.0 * np.arange(16))[::-1])
    image = np.zeros(SHAPE, int)
    image[3:33, 5:45] = 1
    (region,), _ = label_regions(Labels(image), cube_layer(), "label")
    treatment = Treatment(transform, window=3)
    at_once = curves.region_curve(cube, "real", region, treatment, quartiles=True)
    monkeypatch.setattr(curves, "GATHERED_VALUES", 0)
    in_blocks = curves.region_curve(cube, "real", region, treatment, quartiles=True)
    assert at_once.n == in_blocks.n == 1200
    for name in ("values", "std", "lower", "upper", "raw"):
        np.testing.assert_allclose(getattr(in_blocks, name), getattr(at_once, name), rtol=2e-5, atol=1e-7)


def test_too_many_shapes_are_said(spectra, qtbot, make_cube):
    spectra.show(make_cube())
    boxes = [np.array([[y, x], [y, x + 2], [y + 2, x + 2], [y + 2, x]]) for y, x in np.ndindex(4, 4)]
    spectra.viewer.add_shapes(boxes, shape_type="rectangle")
    curves = spectra.wait_for("shape", MOST_REGIONS)
    assert curves[-1].name == "shape 16"  # the newest are shown
    qtbot.waitUntil(lambda: "4 more regions not shown" in spectra.dock.arrangement.hint.full)
