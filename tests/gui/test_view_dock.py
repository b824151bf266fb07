"""The View dock, driven by clicks and keys: what it says of a cube, the views it makes."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog
from view_hands import choose, click, lively_cube, names, show

from napari_hsisynth.composite import band_mean, pca3, rgb_bands, rgb_cie1931
from napari_hsisynth.cube import Cube
from napari_hsisynth.formats import write_cube
from napari_hsisynth.lazy_array import LazyArray
from napari_hsisynth.widgets import view_chooser, view_dock
from napari_hsisynth.widgets.layers import front_cube_layer, layer_cube, set_band, shown_band
from napari_hsisynth.widgets.view_dock import ViewDock


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1200, 900)
    return viewer


@pytest.fixture
def dock(viewer, qtbot):
    dock = ViewDock(viewer)
    viewer.window.add_dock_widget(dock, name="View", area="right")
    qtbot.waitExposed(dock)
    return dock


@pytest.fixture
def lively():
    return lively_cube()


# --- what it says


def test_one_line_says_what_the_cube_is(viewer, dock, qtbot, lively):
    noted = lively.replace(notes=("the last of the three axes was taken as the bands",))
    show(viewer, dock, noted, qtbot)
    text = dock.facts.line.text()
    assert text.startswith(
        "40 x 60 px · 16 bands 465-630 nm · uint16 · axes of the file y, x, band (inferred) · values "
    )
    assert "read from the file" not in text
    show(viewer, dock, Cube(LazyArray(np.ones((5, 4, 3), np.uint8)), name="lazy"), qtbot)
    expected = "4 x 3 px · 5 bands, wavelengths unknown · float32 · values 1 to 1 · read from the file as needed"
    assert dock.facts.line.text() == expected


def test_without_a_cube_it_offers_one(viewer, dock, qtbot, tmp_path, lively, monkeypatch):
    assert dock._pages.currentWidget() is dock.empty
    write_cube(tmp_path / "a.npz", lively)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([str(tmp_path / "a.npz")], ""))
    button = next(b for b in dock.empty.findChildren(type(dock.add_button)) if b.text() == "Open a cube")
    click(button)
    qtbot.waitUntil(lambda: dock._pages.currentWidget() is dock._full)
    viewer.layers[0].visible = False
    qtbot.waitUntil(lambda: "hidden" in dock.empty.text.text())
    viewer.layers.clear()
    qtbot.waitUntil(lambda: "No cube" in dock.empty.text.text())


# --- swapping axes


@pytest.mark.parametrize("axes", ["yxb", "bxy", "xby", "ybx", "xyb"])
def test_axes_are_swapped_in_place_and_back(axes, viewer, dock, qtbot, lively):
    layer = show(viewer, dock, lively, qtbot)
    layer.contrast_limits = (0.1, 0.7)
    before = {key: getattr(layer, key) for key in ("data", "metadata", "units", "axis_labels", "contrast_limits")}
    before |= {"scale": tuple(layer.scale), "translate": tuple(layer.translate)}
    dock.facts.swap(axes)
    order = [axes.index(axis) for axis in "byx"]
    np.testing.assert_array_equal(layer.data, before["data"].transpose(order))
    cube = layer_cube(layer)
    assert cube.wavelengths_known == (axes[0] == "b")
    assert viewer.dims.nsteps[0] == layer.data.shape[0]
    qtbot.waitUntil(lambda: f"{layer.data.shape[0]} bands" in dock.facts.line.text())
    back = "".join("byx"["".join(axes).index(axis)] for axis in "byx")
    dock.facts.swap(back)
    np.testing.assert_array_equal(layer.data, before["data"])
    for key in ("metadata", "units", "axis_labels", "contrast_limits"):
        assert getattr(layer, key) == before[key], key
    assert (tuple(layer.scale), tuple(layer.translate)) == (before["scale"], before["translate"])
    np.testing.assert_array_equal(layer_cube(layer).wavelengths_nm, lively.wavelengths_nm)


def test_the_menu_names_every_other_order_and_the_line_follows(viewer, dock, qtbot, lively):
    show(viewer, dock, lively, qtbot)
    actions = dock.facts.swap_menu.actions()
    assert len({action.text() for action in actions}) == 5
    turn = next(action for action in actions if action.text().endswith("16 bands of 60 x 40 px"))
    assert turn.text().startswith("x, y, band")
    turn.trigger()
    qtbot.waitUntil(lambda: "axes of the file x, y, band ·" in dock.facts.line.text())
    assert "16 bands 465-630 nm" in dock.facts.line.text()  # as many bands: the wavelengths still fit


def test_a_plain_stack_of_the_users_gets_back_what_it_had(viewer, dock, qtbot):
    stack = viewer.add_image(np.arange(24.0).reshape(2, 3, 4), name="mine", metadata={"own": 1})
    qtbot.waitUntil(lambda: dock._layer is stack)
    dock.facts.swap("yxb")
    assert stack.data.shape == (4, 2, 3)
    assert stack.metadata["own"] == 1
    dock.facts.swap("xby")
    assert stack.data.shape == (2, 3, 4)
    assert stack.metadata == {"own": 1}


def test_axes_of_a_lazy_cube_swap_without_reading_it(viewer, dock, qtbot):
    stored = np.random.default_rng(0).uniform(size=(5, 8, 9)).astype(np.float32)
    layer = show(viewer, dock, Cube(LazyArray(stored), name="lazy"), qtbot)
    dock.facts.swap("yxb")
    assert isinstance(layer.data, LazyArray)
    np.testing.assert_array_equal(np.asarray(layer.data), stored.transpose(2, 0, 1))


# --- views


@pytest.mark.parametrize(
    ("view", "picture"),
    [("CIE RGB", rgb_cie1931), ("three bands", rgb_bands), ("PCA-3", pca3), ("mean grey", band_mean)],
)
def test_a_view_comes_above_the_cube_and_is_updated_in_place(view, picture, viewer, dock, qtbot, lively):
    layer = show(viewer, dock, lively, qtbot)
    labels = viewer.add_labels(np.zeros((40, 60), int), name="mine")
    viewer.layers.selection.active = layer
    choose(dock.chooser.box, view)
    click(dock.add_button)
    assert names(viewer) == ["lively · cube", f"lively · {view}", "mine"]
    made = viewer.layers[1]
    expected = picture(lively)
    if made.rgb:
        np.testing.assert_allclose(made.data, expected * 255, atol=0.51)
    else:
        np.testing.assert_array_equal(made.data, expected)
    assert viewer.layers.selection.active is layer
    assert front_cube_layer(viewer) is layer
    assert labels in viewer.layers
    assert dock.add_button.text() == "Update view"
    made.data = np.zeros_like(made.data)
    made.visible = False
    click(dock.add_button)
    assert names(viewer) == ["lively · cube", f"lively · {view}", "mine"]
    assert made.data.any()
    assert made.visible


def test_a_view_lies_over_a_cube_that_was_moved_and_scaled(viewer, dock, qtbot, lively):
    layer = show(viewer, dock, lively, qtbot)
    layer.scale, layer.translate = (11, 2, 3), (465, 100, -50)
    click(dock.add_button)
    made = viewer.layers["lively · CIE RGB"]
    assert (tuple(made.scale), tuple(made.translate)) == ((2, 3), (100, -50))


def test_the_view_asked_for_last_is_seen(viewer, dock, qtbot, lively):
    layer = show(viewer, dock, lively, qtbot)
    viewer.add_labels(np.zeros((40, 60), int), name="mine")
    viewer.layers.selection.active = layer
    for view, order in (
        ("CIE RGB", ["CIE RGB"]),
        ("PCA-3", ["CIE RGB", "PCA-3"]),
        ("mean grey", ["CIE RGB", "PCA-3", "mean grey"]),
        ("CIE RGB", ["PCA-3", "mean grey", "CIE RGB"]),
        ("CIE RGB", ["PCA-3", "mean grey", "CIE RGB"]),
    ):
        choose(dock.chooser.box, view)
        click(dock.add_button)
        assert names(viewer) == ["lively · cube", *(f"lively · {one}" for one in order), "mine"]
        assert viewer.layers.selection.active is layer


def test_layers_of_the_user_are_never_taken(viewer, dock, qtbot, lively):
    mine = viewer.add_image(np.zeros((40, 60)), name="lively · CIE RGB")
    layer = show(viewer, dock, lively, qtbot)
    click(dock.add_button)
    first = next(one for one in viewer.layers if one.name.startswith("lively · CIE RGB") and one is not mine)
    click(dock.add_button)
    assert len(viewer.layers) == 3
    assert not mine.data.any()
    first.name = "kept"  # renamed: the user's now
    kept = first.data.copy()
    choose(dock.chooser.illuminant, "A: incandescent lamp")
    click(dock.add_button)
    assert len(viewer.layers) == 4
    np.testing.assert_array_equal(first.data, kept)
    # a second cube of the same name has views of its own
    other = show(viewer, dock, lively.replace(data=lively.data * 0.5), qtbot)
    click(dock.add_button)
    assert len(viewer.layers) == 6
    assert dock.views.of(other) != dock.views.of(layer)
    viewer.layers.remove(layer)
    viewer.layers.remove(other)
    qtbot.waitUntil(lambda: dock._layer is None)


def test_illuminant_and_bands_are_chosen_and_remembered(viewer, dock, qtbot, lively):
    layer = show(viewer, dock, lively, qtbot)
    choose(dock.chooser.illuminant, "A: incandescent lamp")
    click(dock.add_button)
    expected = np.round(rgb_cie1931(lively, "A") * 255)
    np.testing.assert_array_equal(viewer.layers[1].data, expected)
    choose(dock.chooser.box, "three bands")
    assert [box.currentText() for box in dock.chooser.band_boxes] == ["630 nm", "542 nm", "465 nm"]
    QTest.keyClick(dock.chooser.band_boxes[0], Qt.Key.Key_Up)
    click(dock.add_button)
    made = viewer.layers["lively · three bands"]
    np.testing.assert_array_equal(made.data, np.round(rgb_bands(lively, bands=(14, 7, 0)) * 255))
    assert made.metadata["hsisynth"]["options"] == {"bands": [14, 7, 0]}
    show(viewer, dock, lively.replace(name="other"), qtbot)
    assert dock.chooser.three_bands == (15, 7, 0)
    viewer.layers.selection.active = layer
    qtbot.waitUntil(lambda: dock.chooser.three_bands == (14, 7, 0))
    again = ViewDock(viewer)
    assert (again.chooser.view, again.chooser.illuminant.currentData()) == ("three bands", "A")
    again.deleteLater()


def test_a_view_that_cannot_be_made_says_why(viewer, dock, qtbot):
    show(viewer, dock, Cube(np.ones((5, 4, 3)), name="numbered"), qtbot)
    click(dock.add_button)
    assert "needs wavelengths" in dock.task.status.text()
    assert len(viewer.layers) == 1
    choose(dock.chooser.box, "PCA-3")
    click(dock.add_button)
    assert not dock.task.status.text()


def test_the_single_band_is_the_cube_itself(viewer, dock, qtbot, lively):
    layer = show(viewer, dock, lively, qtbot)
    click(dock.add_button)
    mine = viewer.add_image(np.zeros((40, 60)), name="mine")
    viewer.layers.selection.active = layer
    choose(dock.chooser.box, "single band")
    assert dock.add_button.text() == "Show the cube"
    click(dock.add_button)
    assert [one.visible for one in viewer.layers] == [True, False, True]
    assert mine.visible
    dock.chooser.slider.setFocus()
    before = shown_band(viewer, layer)
    QTest.keyClick(dock.chooser.slider, Qt.Key.Key_Right)
    assert shown_band(viewer, layer) == before + 1
    set_band(viewer, layer, 3)
    assert dock.chooser.slider.value() == 3
    assert dock.chooser.slider_text.text() == "498 nm"


def test_a_large_cube_is_worked_on_in_a_thread_and_can_be_cancelled(viewer, dock, qtbot, lively, monkeypatch):
    monkeypatch.setattr(view_dock, "_AT_ONCE_VALUES", 100)
    show(viewer, dock, lively, qtbot)
    click(dock.add_button)
    qtbot.waitUntil(lambda: "lively · CIE RGB" in names(viewer), timeout=10_000)
    np.testing.assert_array_equal(viewer.layers[1].data, np.round(rgb_cie1931(lively) * 255))

    def endless(cube, tick):
        while True:
            tick(1, 40)
            time.sleep(0.001)

    monkeypatch.setattr(view_chooser, "pca3", endless)
    choose(dock.chooser.box, "PCA-3")
    click(dock.add_button)
    assert not dock.add_button.isEnabled()
    qtbot.waitUntil(lambda: dock.task.status.text() == "PCA-3 of lively: 1 of 40 rows", timeout=10_000)
    click(dock.task.cancel_button)
    qtbot.waitUntil(lambda: "cancelled" in dock.task.status.text(), timeout=10_000)
    assert names(viewer) == ["lively · cube", "lively · CIE RGB"]
    qtbot.waitUntil(dock.add_button.isEnabled)


def test_a_cube_that_is_gone_when_its_view_is_ready_leaves_no_view(viewer, dock, qtbot, lively, monkeypatch):
    monkeypatch.setattr(view_dock, "_AT_ONCE_VALUES", 100)
    gone = threading.Event()

    def slow(cube, tick):
        assert gone.wait(10)
        return band_mean(cube)

    monkeypatch.setattr(view_chooser, "band_mean", slow)
    layer = show(viewer, dock, lively, qtbot)
    choose(dock.chooser.box, "mean grey")
    click(dock.add_button)
    viewer.layers.remove(layer)
    gone.set()
    qtbot.waitUntil(lambda: not dock.task.active, timeout=10_000)
    assert not len(viewer.layers)
    assert "no longer there as it was" in dock.task.status.text()
