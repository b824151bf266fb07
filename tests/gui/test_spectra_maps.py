"""Maps that the Spectra dock makes of a cube: likeness to a spectrum, melanin and blood."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.optics import lesion_phantom, skin_indices
from napari_hsisynth.spectra import similarity_map
from napari_hsisynth.widgets import maps
from napari_hsisynth.widgets.work_row import WorkRow


@pytest.fixture
def cube() -> Cube:
    return lesion_phantom("melanoma", shape=(40, 60), sensor="ideal", seed=3).cube.replace(name="skin")


def layer_named(spectra, qtbot, name):
    qtbot.waitUntil(lambda: name in spectra.viewer.layers)
    return spectra.viewer.layers[name]


def choose(spectra, start: str) -> None:
    """Take an entry of the menu Map by keyboard."""
    menu = spectra.dock.map_button.menu()
    menu.popup(QPoint(0, 0))
    action = next(action for action in menu.actions() if action.text().startswith(start))
    menu.setActiveAction(action)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    menu.close()


@pytest.mark.parametrize(
    ("entry", "measure", "title"),
    [
        ("Angle to pin 1", "spectral angle", "angle to pin 1"),
        ("SID to pin 1", "SID", "SID to pin 1"),
        ("Correlation with pin 1", "correlation", "correlation with pin 1"),
    ],
)
def test_the_likeness_of_every_pixel_to_a_pin(spectra, qtbot, cube, entry, measure, title):
    image = spectra.show(cube)
    image.translate = (*image.translate[:1], 5, 7)
    spectra.dock.pin((0.0, 25, 37))
    spectra.wait_for("pin")
    active = spectra.viewer.layers.selection.active
    choose(spectra, entry)
    layer = layer_named(spectra, qtbot, f"skin · {title}")
    np.testing.assert_array_equal(layer.data, similarity_map(cube, cube.data[:, 20, 30], measure))
    assert layer.data.dtype == np.float32
    assert layer.translate.tolist() == [5, 7]
    assert layer.metadata[maps.METADATA]["unit"] == ("°" if measure == "spectral angle" else "")
    low, high = layer.contrast_limits
    assert (high if measure == "correlation" else low) == (1 if measure == "correlation" else 0)
    alike, unlike = layer.colormap.map(np.array([high, low] if measure == "correlation" else [low, high]))
    assert alike[:3].sum() > unlike[:3].sum()  # bright is alike
    assert layer.colorbar.visible
    assert spectra.viewer.layers.selection.active is active
    assert [each.name for each in spectra.viewer.layers] == ["skin · cube", layer.name, "skin · pins"]
    assert [curve.cube for curve in spectra.of("pin")] == ["skin"]  # a map is no cube


def test_the_same_map_again_renews_its_layer(spectra, qtbot, cube):
    spectra.show(cube)
    spectra.dock.pin((0.0, 20, 30))
    spectra.wait_for("pin")
    choose(spectra, "Angle to pin 1")
    layer = layer_named(spectra, qtbot, "skin · angle to pin 1")
    layer.name = "mine"
    spectra.dock.pins.move(0, (1, 1))
    qtbot.waitUntil(lambda: spectra.of("pin")[0].place == (1, 1))
    choose(spectra, "Angle to pin 1")
    qtbot.waitUntil(lambda: layer.data[1, 1] == 0)
    assert len([each for each in spectra.viewer.layers if maps.METADATA in each.metadata]) == 1
    spectra.dock.pin((0.0, 5, 5))
    spectra.wait_for("pin", 2)
    spectra.select("pin 2")
    choose(spectra, "Angle to pin 2")
    assert layer_named(spectra, qtbot, "skin · angle to pin 2").data[5, 5] == 0


def test_without_a_single_selected_curve_only_reflectance_can_be_mapped(spectra, cube):
    spectra.show(cube)
    menu = spectra.dock.map_button.menu()
    spectra.dock.map_button.fill()
    enabled = {action.text(): action.isEnabled() for action in menu.actions() if action.text()}
    assert [text for text, on in enabled.items() if on] == ["Melanin and blood, values are reflectance"]


def test_the_newest_map_lies_on_the_others_and_has_the_colour_bar(spectra, qtbot, cube):
    spectra.show(cube)
    spectra.dock.pin((0.0, 20, 30))
    spectra.wait_for("pin")
    choose(spectra, "Angle to pin 1")
    layer_named(spectra, qtbot, "skin · angle to pin 1")
    choose(spectra, "Melanin and blood, values are reflectance")
    layer_named(spectra, qtbot, "skin · melanin index")
    titles = ["cube", "angle to pin 1", "blood index", "melanin index", "pins"]
    assert [layer.name for layer in spectra.viewer.layers] == [f"skin · {title}" for title in titles]
    assert [layer.colorbar.visible for layer in list(spectra.viewer.layers)[1:4]] == [False, False, True]


def test_melanin_and_blood_by_reflectance_and_by_normal_skin(spectra, qtbot, cube):
    spectra.show(cube)
    choose(spectra, "Melanin and blood, values are reflectance")
    melanin = layer_named(spectra, qtbot, "skin · melanin index")
    blood = layer_named(spectra, qtbot, "skin · blood index")
    expected = skin_indices(cube)
    np.testing.assert_allclose(melanin.data, expected.melanin_fraction, rtol=1e-5)
    np.testing.assert_allclose(blood.data, expected.blood_fraction, rtol=1e-5)
    assert "least squares" in melanin.metadata[maps.METADATA]["about"]
    spectra.dock.pin((0.0, 1, 1))
    spectra.wait_for("pin")
    before = melanin.data
    choose(spectra, "Melanin and blood, pin 1 is normal skin")
    qtbot.waitUntil(lambda: melanin.data is not before)
    relative = skin_indices(cube, reference=cube.data[:, 1, 1])
    np.testing.assert_allclose(melanin.data, relative.melanin_fraction, rtol=1e-5)
    assert "pin 1 taken for normal skin" in melanin.metadata[maps.METADATA]["about"]


def test_what_cannot_be_mapped_is_said(spectra, qtbot, make_cube, monkeypatch):
    said = []
    monkeypatch.setattr("napari_hsisynth.widgets.work_row.show_warning", said.append)
    spectra.show(make_cube(5, wavelengths_nm=[900.0, 950.0, 1000.0, 1100.0, 1200.0]))
    choose(spectra, "Melanin and blood, values are reflectance")
    qtbot.waitUntil(lambda: len(said) == 1)
    assert "250-1000 nm" in said[0]
    assert len(spectra.viewer.layers) == 1


# --- work beside the window


@pytest.fixture
def row(qtbot):
    row = WorkRow(None)
    qtbot.addWidget(row)
    return row


def test_long_work_shows_how_far_it_is_and_stops_when_asked(row, qtbot):
    going, asked, taken, dropped = threading.Event(), threading.Event(), [], []

    def work(told, cancelled):
        from napari_hsisynth.study import Cancelled

        told(1, 4)
        going.wait(10)
        while not cancelled():
            asked.wait(0.01)
        raise Cancelled

    row.begin("a map", work, taken.append, lambda: dropped.append(True))
    qtbot.waitUntil(lambda: row.isVisible() and row.text.text() == "a map: 25 %")
    going.set()
    QTest.mouseClick(row.cancel_button, Qt.MouseButton.LeftButton)
    assert row.text.text() == "a map: stopping ..."
    qtbot.waitUntil(lambda: dropped == [True])
    assert row.isHidden()
    assert not taken


def test_works_come_one_after_the_other_and_a_failure_is_said(row, qtbot, monkeypatch):
    said, taken = [], []
    monkeypatch.setattr("napari_hsisynth.widgets.work_row.show_warning", said.append)

    def fail(told, cancelled):
        raise InputError("too few bands", where="cube")

    for number, function in enumerate((lambda told, cancelled: 1, fail, lambda told, cancelled: 3)):
        row.begin(f"work {number}", function, taken.append)
    assert row.is_busy
    qtbot.waitUntil(lambda: not row.is_busy)
    assert taken == [1, 3]
    assert len(said) == 1
    assert said[0].startswith("work 1: ")
