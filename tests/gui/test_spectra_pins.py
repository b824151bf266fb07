"""Pins of the Spectra dock: moved, named, removed and put back, on the canvas and in the list."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLineEdit

from napari_hsisynth.widgets.pins import Pin, followed


def places(spectra):
    return [curve.place for curve in spectra.of("pin")]


def test_a_pin_dragged_on_the_canvas_takes_its_curve_along(spectra, qtbot, mouse, make_cube):
    cube = make_cube()
    spectra.show(cube)
    spectra.dock.pin((0.0, 10, 20))
    spectra.wait_for("pin")
    layer = spectra.dock.pins.layer
    spectra.viewer.layers.selection.active = layer
    layer.mode = "select"
    layer.selected_data = {0}
    spectra.viewer.reset_view()
    hand = mouse(spectra.viewer)
    canvas, left, none = hand.canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    hand.move(10, 20)
    QTest.mousePress(canvas, left, none, hand.place(10, 20))
    for y, x in ((13, 24), (20, 33)):

        def dragged_to(y=y, x=x) -> bool:
            QTest.mouseMove(canvas, hand.place(y, x))  # vispy drops moves in quick succession
            return places(spectra) == [(y, x)]

        qtbot.waitUntil(dragged_to)  # while the button is down
        np.testing.assert_array_equal(spectra.of("pin")[0].values, cube.data[:, y, x])
    QTest.mouseRelease(canvas, left, none, hand.place(20, 33))
    assert places(spectra) == [(20, 33)]


def test_a_place_typed_in_the_list_moves_the_pin(spectra, qtbot, make_cube):
    cube = make_cube()
    layer = spectra.show(cube)
    layer.translate = (*layer.translate[:1], 100, 50)  # what is typed are rows and columns of the cube
    spectra.dock.pin((0.0, 110, 70))
    spectra.wait_for("pin")
    listed, item = spectra.dock.list, spectra.row("pin 1")
    listed.editItem(item, 1)
    editor = listed.findChild(QLineEdit)
    assert editor.text() == "10, 20"
    editor.setText("12, 30")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: places(spectra) == [(12, 30)])
    np.testing.assert_allclose(spectra.dock.pins.layer.data[0], (112, 80))
    np.testing.assert_array_equal(spectra.of("pin")[0].values, cube.data[:, 12, 30])
    assert spectra.row("pin 1").text(1) == "12, 30"


@pytest.mark.parametrize("text", ["12", "", "a, b", "1, 2, 3", "12, 999"])
def test_a_place_that_is_none_changes_nothing_and_says_so(spectra, qtbot, make_cube, text, monkeypatch):
    said = []
    for module in ("curve_list", "pin_editor"):
        monkeypatch.setattr(f"napari_hsisynth.widgets.{module}.show_warning", said.append)
    spectra.show(make_cube())
    spectra.dock.pin((0.0, 10, 20))
    spectra.row("pin 1")
    spectra.dock.list.place_typed([curve.kind for curve in spectra.dock.list.curves].index("pin"), text)
    assert len(said) == 1
    assert places(spectra) == [(10, 20)]


def test_only_names_and_places_of_pins_can_be_edited(spectra, qtbot, mouse, make_cube):
    cube = make_cube()
    spectra.show(cube)
    mouse(spectra.viewer).move(10, 20)
    spectra.wait_for("cursor")
    spectra.dock.pin((0.0, 10, 20))
    listed = spectra.dock.list
    for name, column, editable in (("cursor", 0, False), ("cursor", 1, False), ("pin 1", 2, False), ("pin 1", 0, True)):
        listed.setCurrentItem(spectra.row(name), column)
        QTest.keyClick(listed, Qt.Key.Key_F2)
        assert bool(listed.findChildren(QLineEdit)) is editable, (name, column)


def test_arrows_with_alt_nudge_the_selected_pins(spectra, qtbot, make_cube):
    spectra.show(make_cube())
    for y, x in ((10, 20), (39, 0)):
        spectra.dock.pin((0.0, y, x))
    spectra.wait_for("pin", 2)
    spectra.select("pin 1", "pin 2")
    alt, shift = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(spectra.dock.list, Qt.Key.Key_Right, alt)
    qtbot.waitUntil(lambda: places(spectra) == [(10, 21), (39, 1)])
    QTest.keyClick(spectra.dock.list, Qt.Key.Key_Down, alt | shift)
    qtbot.waitUntil(lambda: places(spectra) == [(20, 21), (39, 1)])  # the edge of the image holds the second
    assert [curve.name for curve in spectra.dock.list.chosen] == ["pin 1", "pin 2"]


def test_removed_pins_are_put_back_wherever_they_were_removed(spectra, qtbot, make_cube):
    spectra.show(make_cube())
    for y, x in ((1, 2), (3, 4), (5, 6)):
        spectra.dock.pin((0.0, y, x))
    spectra.wait_for("pin", 3)
    before = {(pin.name, pin.colour, pin.position) for pin in spectra.dock.pins.pins}
    assert spectra.dock.tools.put_back_button.isHidden()
    spectra.select("pin 2")
    QTest.keyClick(spectra.dock.list, Qt.Key.Key_Delete)
    spectra.wait_for("pin", 2)
    QTest.keyClick(spectra.dock.list, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    spectra.wait_for("pin", 3)
    layer = spectra.dock.pins.layer
    layer.selected_data = {0, 1}
    layer.remove_selected()  # with the layer's own button
    spectra.wait_for("pin", 1)
    QTest.mouseClick(spectra.dock.tools.put_back_button, Qt.MouseButton.LeftButton)
    spectra.wait_for("pin", 3)
    spectra.viewer.layers.remove(layer)
    spectra.wait_for("pin", 0)
    QTest.mouseClick(spectra.dock.tools.put_back_button, Qt.MouseButton.LeftButton)
    spectra.wait_for("pin", 3)
    assert {(pin.name, pin.colour, pin.position) for pin in spectra.dock.pins.pins} == before
    qtbot.waitUntil(spectra.dock.tools.put_back_button.isHidden)
    spectra.dock.pin((0.0, 7, 8))
    qtbot.waitUntil(lambda: {pin.name for pin in spectra.dock.pins.pins} == {"pin 1", "pin 2", "pin 3", "pin 4"})


def test_two_pins_of_one_name_are_two(spectra, qtbot, make_cube):
    spectra.show(make_cube())
    for y, x in ((1, 2), (3, 4)):
        spectra.dock.pin((0.0, y, x))
    spectra.wait_for("pin", 2)
    spectra.dock.pins.rename(1, "pin 1")
    qtbot.waitUntil(lambda: [curve.name for curve in spectra.dock.list.curves] == ["pin 1", "pin 1"])
    spectra.dock.list.topLevelItem(1).setSelected(True)
    QTest.keyClick(spectra.dock.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: places(spectra) == [(1, 2)])


def test_a_new_pin_leaves_the_colours_of_selected_ones_alone(spectra, qtbot, make_cube):
    spectra.show(make_cube())
    spectra.dock.pin((0.0, 1, 2))
    colour = spectra.dock.pins.pins[0].colour
    spectra.dock.pins.layer.selected_data = {0}
    spectra.dock.pin((0.0, 3, 4))
    assert spectra.dock.pins.pins[0].colour == colour != spectra.dock.pins.pins[1].colour
    assert spectra.dock.pins.layer.selected_data == {0}


def test_a_pin_is_followed_through_changes():
    a, b = Pin("a", "#111111", (1.0, 2.0)), Pin("b", "#222222", (3.0, 4.0))
    moved, renamed = Pin("b", "#222222", (9.0, 4.0)), Pin("c", "#222222", (3.0, 4.0))
    assert followed(b, [a, b], [b]) is b
    assert followed(b, [a, b], [a, moved]) is moved
    assert followed(b, [a, b], [a, renamed]) is renamed
    assert followed(b, [a, b], [a]) is None
