"""The View dock, driven by clicks and keys: contrast, corrections, and how it gets on with others."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog
from view_hands import choose, click, lively_cube, names, show

from napari_hsisynth.corrections import flat_field
from napari_hsisynth.cube import Cube
from napari_hsisynth.formats import write_cube
from napari_hsisynth.lazy_array import LazyArray
from napari_hsisynth.widgets import npe2
from napari_hsisynth.widgets.comparison import Comparison
from napari_hsisynth.widgets.layers import add_cube, layer_cube, set_band
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


# --- contrast


def test_contrast_follows_the_band_and_comes_back(viewer, dock, qtbot, lively):
    layer = show(viewer, dock, lively, qtbot)
    layer.contrast_limits = (0.0, 1.5)
    choose(dock.contrast, "per band")
    for band in (0, 15, 4):
        set_band(viewer, layer, band)
        np.testing.assert_allclose(
            layer.contrast_limits, np.percentile(lively.data[band], (0.5, 99.5)), rtol=1e-5, atol=1e-6
        )
    np.testing.assert_array_equal(layer.data, lively.data)
    again = ViewDock(viewer)
    assert again.contrast.currentText() == "per band"
    with qtbot.waitSignal(again.destroyed):
        again.deleteLater()
    choose(dock.contrast, "common")
    assert tuple(layer.contrast_limits) == (0.0, 1.5)
    set_band(viewer, layer, 0)
    assert tuple(layer.contrast_limits) == (0.0, 1.5)


def test_limits_of_a_band_are_looked_for_once(viewer, dock, qtbot, lively, monkeypatch):
    class Counted:
        dtype, shape, reads = np.dtype(np.float32), lively.data.shape, 0

        def __getitem__(self, key):
            type(self).reads += 1
            return lively.data[key]

    stored = Counted()
    layer = show(viewer, dock, Cube(LazyArray(stored), lively.wavelengths_nm, name="lazy"), qtbot)
    found = dock.band_contrast.limits_of(layer, 3)
    before = Counted.reads
    assert dock.band_contrast.limits_of(layer, 3) == found
    assert Counted.reads == before


# --- corrections


def test_flat_field_makes_a_new_layer_and_leaves_the_cube(viewer, dock, qtbot, lively):
    white = show(viewer, dock, Cube(np.full((16, 40, 60), 4.0), lively.wavelengths_nm, name="white"), qtbot)
    layer = show(viewer, dock, lively, qtbot)
    dock.show_corrections("flat field")
    qtbot.waitUntil(dock.corrections.white.isVisible)
    assert not dock.corrections.flat_button.isEnabled()
    assert "white reference first" in dock.corrections.flat_button.toolTip()
    dock.corrections.white.setFocus()
    QTest.keyClick(dock.corrections.white, Qt.Key.Key_Down)
    assert dock.corrections.white.currentText() == "white · cube"
    click(dock.corrections.flat_button)
    assert names(viewer) == ["white · cube", "lively · cube", "lively · flat-fielded"]
    made = layer_cube(viewer.layers[-1])
    np.testing.assert_array_equal(made.data, flat_field(lively, layer_cube(white)).data)
    assert made.provenance["processing"][0]["step"] == "flat field"
    np.testing.assert_array_equal(layer.data, lively.data)
    viewer.layers.selection.active = layer
    qtbot.waitUntil(lambda: dock._layer is layer)
    viewer.layers.remove(white)
    qtbot.waitUntil(lambda: dock.corrections.white.cube is None)


def test_references_come_from_files_and_bad_ones_are_named(
    viewer, dock, qtbot, lively, tmp_path, monkeypatch, messages
):
    show(viewer, dock, lively, qtbot)
    write_cube(tmp_path / "w.npz", Cube(np.full((16, 1, 60), 4.0), lively.wavelengths_nm, name="line"))
    (tmp_path / "bad.mat").write_bytes(b"no cube")
    box = dock.corrections.white
    files = iter(["bad.mat", "", "w.npz"])
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_, **__: (str(tmp_path / f) if (f := next(files)) else "", "")
    )
    dock.show_corrections("flat field")
    for expected in ("choose …", "choose …", "line (file)"):
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_End)
        assert box.currentText() == expected
    assert any("bad.mat" in message for message in messages)
    click(dock.corrections.flat_button)
    np.testing.assert_allclose(viewer.layers[-1].data, lively.data / 4, rtol=1e-6)


def test_bands_and_pixels_are_binned_cropped_and_dropped(viewer, dock, qtbot, lively):
    bad = lively.replace(provenance={**lively.provenance, "bad_bands": [0, 15]})
    layer = show(viewer, dock, bad, qtbot)
    dock.show_corrections("bands")
    form = dock.corrections
    qtbot.waitUntil(form.drop_button.isVisible)

    def made_by(button):
        viewer.layers.selection.active = layer
        qtbot.waitUntil(lambda: dock._layer is layer)
        click(button)
        return viewer.layers[-1]

    binned = made_by(form.bin_bands_button)
    assert (binned.name, binned.data.shape) == ("lively · bands binned by 2", (8, 40, 60))
    np.testing.assert_allclose(layer_cube(binned).wavelengths_nm, 470.5 + 22 * np.arange(8))
    qtbot.waitUntil(lambda: dock._layer is binned)
    assert layer_cube(binned).provenance["bad_bands"] == [0, 7]  # each holds a bad one
    dropped = made_by(form.drop_button)
    qtbot.waitUntil(lambda: dock._layer is dropped)
    assert not form.drop_button.isVisible()  # none is left
    np.testing.assert_array_equal(dropped.data, lively.data[1:-1])
    viewer.layers.selection.active = layer
    qtbot.waitUntil(lambda: dock._layer is layer)
    form.low.setFocus()
    form.low.selectAll()
    QTest.keyClicks(form.low, "500")
    QTest.keyClick(form.low, Qt.Key.Key_Tab)
    assert "Keep 12 of 16" in form.crop_button.toolTip()
    cropped = made_by(form.crop_button)
    assert cropped.name == "lively · 500-630 nm"
    np.testing.assert_array_equal(cropped.data, lively.data[4:])
    small = made_by(form.bin_pixels_button)
    np.testing.assert_allclose(small.data[:, 0, 0], lively.data[:, :2, :2].mean(axis=(1, 2)), rtol=1e-6)
    # a new pixel lies over the middle of those that it was made of
    np.testing.assert_allclose(small.data_to_world((0, 0, 0))[-2:], (0.5, 0.5))
    np.testing.assert_allclose(small.extent.world[:, -2:], layer.extent.world[:, -2:] + [[0.5, 0.5], [-0.5, -0.5]])


def test_a_correction_that_cannot_be_says_why(viewer, dock, qtbot, lively):
    show(viewer, dock, Cube(np.full((16, 7, 9), 4.0), lively.wavelengths_nm, name="small"), qtbot)
    show(viewer, dock, lively, qtbot)
    dock.show_corrections("flat field")
    QTest.keyClick(dock.corrections.white, Qt.Key.Key_Down)
    click(dock.corrections.flat_button)
    assert "do not fit" in dock.task.status.text()
    assert len(viewer.layers) == 2


def test_lazy_cubes_are_corrected_without_being_loaded(viewer, dock, qtbot, lively):
    show(viewer, dock, Cube(LazyArray(lively.data), lively.wavelengths_nm, name="lazy"), qtbot)
    dock.show_corrections("bands")
    click(dock.corrections.bin_bands_button)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=10_000)
    assert isinstance(viewer.layers[1].data, LazyArray)


def test_menu_commands_open_the_dock_at_the_corrections(viewer, qtbot, lively):
    add_cube(viewer, lively)
    npe2.open_flat_field(viewer)
    _, dock = viewer.window.add_plugin_dock_widget("napari-hsisynth", "View")
    assert isinstance(dock, ViewDock)
    assert dock.fold.is_open
    window = viewer.window._qt_window
    qtbot.waitUntil(lambda: window.focusWidget() is dock.corrections.white)
    npe2.open_fewer_bands(viewer)
    qtbot.waitUntil(lambda: window.focusWidget() is dock.corrections.band_factor)
    from napari._app_model import get_app_model

    app = get_app_model()
    dock.fold.set_open(False)
    app.commands.execute_command("napari-hsisynth.flat_field").result()
    assert dock.fold.is_open


# --- others


def test_the_pair_of_compare_is_left_alone(viewer, dock, qtbot, lively):
    comparison = Comparison(viewer, dock)
    comparison.show(lively, lively.replace(name="made", provenance={"synthetic": True}))
    qtbot.waitUntil(lambda: dock._layer is not None)
    for button in (dock.add_button, dock.facts.swap_button, dock.corrections.bin_bands_button):
        assert not button.isEnabled()
        assert "Compare" in button.toolTip() or "pair" in button.toolTip()
    comparison.leave()


def test_the_dock_is_usable_at_360_px_and_low(viewer, dock, qtbot, lively):
    show(viewer, dock, lively, qtbot)
    choose(dock.chooser.box, "three bands")
    dock.show_corrections("flat field")
    assert dock.minimumSizeHint().width() <= 360
    viewer.window._qt_window.resizeDocks([dock.parentWidget()], [1], Qt.Orientation.Horizontal)
    area = dock._full
    qtbot.waitUntil(lambda: dock.width() <= 360 and area.widget().width() <= area.viewport().width())


def test_a_closed_dock_no_longer_listens(viewer, qtbot, lively):
    dock = ViewDock(viewer)
    dock.contrast.setCurrentText("per band")
    layer = add_cube(viewer, lively)
    with qtbot.waitSignal(dock.destroyed):
        dock.deleteLater()
    limits = tuple(layer.contrast_limits)
    set_band(viewer, layer, 0)
    assert tuple(layer.contrast_limits) == limits
