"""The Spectra dock, driven by mouse events on a real canvas."""

from __future__ import annotations

import numpy as np
import pytest
from pyqtgraph.functions import ndarray_from_qimage
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QImage, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_hsisynth.spectra import TRANSFORMS
from napari_hsisynth.widgets.layers import add_cube, set_band, shown_band
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.spectra_dock import SpectraDock


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1200, 900)
    return viewer


@pytest.fixture
def dock(viewer, qtbot):
    dock = SpectraDock(viewer)
    viewer.window.add_dock_widget(dock, name="Spectra", area="bottom")
    qtbot.waitExposed(dock)
    return dock


def cursor_of(dock):
    return [curve for curve in dock.curves if curve.kind == "cursor"]


def of_kind(dock, kind):
    return [curve for curve in dock.curves if curve.kind == kind]


def show(viewer, dock, cube, qtbot):
    layer = add_cube(viewer, cube)
    qtbot.waitUntil(lambda: layer in dock._layers)
    return layer


def test_the_curve_follows_the_mouse_without_a_key(viewer, dock, qtbot, mouse, make_cube):
    cube = make_cube()
    show(viewer, dock, cube, qtbot)
    hand = mouse(viewer)
    for y, x in ((10, 20), (30, 45)):
        hand.move(y, x)
        qtbot.waitUntil(lambda y=y, x=x: [curve.place for curve in cursor_of(dock)] == [(y, x)])
        np.testing.assert_array_equal(cursor_of(dock)[0].values, cube.data[:, y, x])
        np.testing.assert_array_equal(dock.plot._cursor[0].yData, cube.data[:, y, x])
    hand.move(20, -1.3)
    qtbot.waitUntil(lambda: not cursor_of(dock))
    assert not dock.plot._cursor[0].isVisible()


def test_every_visible_cube_has_a_curve_and_synthetic_ones_are_dashed(viewer, dock, qtbot, mouse, make_cube):
    show(viewer, dock, make_cube(name="a"), qtbot)
    hidden = show(viewer, dock, make_cube(name="hidden"), qtbot)
    show(viewer, dock, make_cube(name="made", provenance={"synthetic": True}), qtbot)
    hidden.visible = False
    mouse(viewer).move(10, 20)
    qtbot.waitUntil(lambda: {curve.cube for curve in cursor_of(dock)} == {"a", "made"})
    styles = {
        curve.cube: line.opts["pen"].style() for curve, line in zip(cursor_of(dock), dock.plot._cursor, strict=False)
    }
    assert styles == {"a": Qt.PenStyle.SolidLine, "made": Qt.PenStyle.DashLine}


def test_a_click_pins_and_changes_nothing_else(viewer, dock, qtbot, mouse, make_cube):
    cube = make_cube()
    layer = show(viewer, dock, cube, qtbot)
    hand = mouse(viewer)
    hand.drag((10, 20), (20, 30))
    hand.drag((10, 20), (20, 30), Qt.KeyboardModifier.ShiftModifier)
    hand.click(10, 20, Qt.KeyboardModifier.ControlModifier)
    assert len(viewer.layers) == 1
    before = viewer.layers.selection.active
    viewer.reset_view()
    hand.click(10, 20)
    hand.click(30, 45, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: [curve.place for curve in of_kind(dock, "pin")] == [(10, 20), (30, 45)])
    assert [each.name for each in viewer.layers] == ["numbers · cube", "numbers · pins"]
    assert viewer.layers.selection.active is before is layer
    np.testing.assert_array_equal(of_kind(dock, "pin")[1].values, cube.data[:, 30, 45])
    colours = [curve.colour for curve in of_kind(dock, "pin")]
    assert colours == ["#e69f00", "#cc79a7"]
    assert [pin.colour for pin in dock.pins.pins] == colours


def test_with_the_pin_button_up_only_shift_click_pins_also_next_time(viewer, dock, qtbot, mouse, make_cube):
    show(viewer, dock, make_cube(), qtbot)
    assert dock.arrangement.hint.full.startswith("Click: keep a spectrum")
    QTest.mouseClick(dock.pin_button, Qt.MouseButton.LeftButton)
    assert dock.arrangement.hint.full.startswith("Shift+click: keep a spectrum")
    hand = mouse(viewer)
    hand.click(12, 21)
    assert not dock.pins.pins
    hand.click(30, 45, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: [curve.place for curve in of_kind(dock, "pin")] == [(30, 45)])
    again = SpectraDock(viewer)
    assert not again.pin_button.isChecked()
    with qtbot.waitSignal(again.destroyed):
        again.deleteLater()


def test_a_click_that_means_something_else_does_not_pin(viewer, dock, qtbot, mouse, make_cube):
    layer = show(viewer, dock, make_cube(), qtbot)
    hand = mouse(viewer)
    labels = viewer.add_labels(np.zeros((40, 60), int))
    labels.mode = "paint"
    hand.click(10, 20)
    assert labels.data[10, 20]
    viewer.layers.remove(labels)
    shapes = viewer.add_shapes(np.array([[5, 5], [5, 30], [30, 30]]), shape_type="polygon")
    shapes.mode = "select"
    hand.click(10, 20)
    viewer.layers.remove(shapes)
    session = session_for(viewer)
    session.claim_clicks(viewer, "Another")
    assert "belong to Another" in dock.arrangement.hint.full
    hand.click(10, 20)
    session.release_clicks(viewer)
    layer.metadata = {"hsisynth": {**layer.metadata["hsisynth"], "borrowed": True}}  # as Compare's pair
    hand.click(10, 20)
    layer.metadata = {"hsisynth": {**layer.metadata["hsisynth"], "borrowed": False}}
    dock.hide()
    hand.click(10, 20)
    dock.show()
    assert not dock.pins.pins
    hand.click(12, 22)
    qtbot.waitUntil(lambda: [curve.place for curve in of_kind(dock, "pin")] == [(12, 22)])


def test_a_double_click_zooms_and_leaves_no_pin(viewer, dock, qtbot, mouse, make_cube):
    show(viewer, dock, make_cube(), qtbot)
    hand = mouse(viewer)
    hand.click(10, 20)
    qtbot.waitUntil(lambda: len(dock.pins.pins) == 1)
    before = viewer.scene.camera.zoom
    dock.pin_button._since.invalidate()  # as if that click were long ago
    hand.click(20, 30)
    assert len(dock.pins.pins) == 2
    QTest.mouseDClick(hand.canvas.native, Qt.MouseButton.LeftButton, pos=hand.place(20, 30))
    qtbot.waitUntil(lambda: viewer.scene.camera.zoom > before)
    assert [pin.position for pin in dock.pins.pins] == [pytest.approx((10, 20), abs=0.6)]


def test_pins_are_named_removed_and_follow_their_layer(viewer, dock, qtbot, make_cube):
    show(viewer, dock, make_cube(), qtbot)
    for y, x in ((1, 2), (3, 4), (5, 6)):
        dock.pin((0.0, y, x))
    qtbot.waitUntil(lambda: len(of_kind(dock, "pin")) == 3)
    dock.list.topLevelItem(1).setText(0, "melanoma core")
    qtbot.waitUntil(lambda: [curve.name for curve in of_kind(dock, "pin")] == ["pin 1", "melanoma core", "pin 3"])
    dock.list.topLevelItem(0).setSelected(True)
    QTest.keyClick(dock.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: [curve.place for curve in of_kind(dock, "pin")] == [(3, 4), (5, 6)])
    layer = dock.pins.layer
    layer.name = "mine"
    layer.data = np.array([[7.0, 8.0], [5.0, 6.0]])
    qtbot.waitUntil(lambda: [curve.place for curve in of_kind(dock, "pin")] == [(7, 8), (5, 6)])
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not of_kind(dock, "pin"))
    dock.pin((0.0, 1, 1))
    qtbot.waitUntil(lambda: len(of_kind(dock, "pin")) == 1)


def test_labels_give_mean_and_deviation_while_painting(viewer, dock, qtbot, make_cube):
    cube = make_cube()
    show(viewer, dock, cube, qtbot)
    labels = viewer.add_labels(np.zeros(cube.shape_yx, np.uint8), name="lesions")
    labels.data_setitem(np.nonzero(np.ones((4, 5))), 3)
    qtbot.waitUntil(lambda: [curve.n for curve in of_kind(dock, "label")] == [20])
    inside = cube.data[:, :4, :5].reshape(16, -1).astype(float)
    curve = of_kind(dock, "label")[0]
    assert curve.name == "label 3"
    np.testing.assert_allclose(curve.values, inside.mean(axis=1))
    np.testing.assert_allclose(curve.std, inside.std(axis=1))
    labels.undo()
    qtbot.waitUntil(lambda: not of_kind(dock, "label"))
    labels.paint((20, 20), 1)
    qtbot.waitUntil(lambda: len(of_kind(dock, "label")) == 1)
    labels.visible = False
    qtbot.waitUntil(lambda: not of_kind(dock, "label"))


def test_line_and_slider_move_each_other(viewer, dock, qtbot, make_cube):
    layer = show(viewer, dock, make_cube(), qtbot)
    set_band(viewer, layer, 3)
    assert dock.plot.band_line.value() == pytest.approx(498.0)
    assert dock.readout.text().startswith("498 nm") or "outside" in dock.readout.text()
    box = dock.plot.getPlotItem().getViewBox()

    def at(nm: float):
        return dock.plot.mapFromScene(box.mapViewToScene(QPointF(nm, np.mean(box.viewRange()[1]))))

    view, none, left = dock.plot.viewport(), Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton

    def send(kind: QEvent.Type, nm: float, button: Qt.MouseButton, buttons: Qt.MouseButton) -> None:
        # QTest.mouseMove forgets the pressed button, which pyqtgraph looks at
        place = QPointF(at(nm))
        there = QPointF(view.mapToGlobal(place.toPoint()))
        QApplication.sendEvent(view, QMouseEvent(kind, place, there, button, buttons, Qt.KeyboardModifier.NoModifier))

    send(QEvent.Type.MouseMove, 498.0, none, none)
    qtbot.waitUntil(lambda: dock.plot.band_line.mouseHovering)
    send(QEvent.Type.MouseButtonPress, 498.0, left, left)

    def dragged_to(nm: float) -> bool:
        send(QEvent.Type.MouseMove, nm, none, left)  # again and again, because moves in quick succession are dropped
        return abs(dock.plot.band_line.value() - nm) < 12

    for nm in (520.0, 560.0, 601.0):
        qtbot.waitUntil(lambda nm=nm: dragged_to(nm))
    qtbot.waitUntil(lambda: shown_band(viewer, layer) >= 11)
    wavelengths = 465.0 + 11.0 * np.arange(16)
    assert shown_band(viewer, layer) == np.argmin(np.abs(wavelengths - dock.plot.band_line.value()))
    send(QEvent.Type.MouseButtonRelease, 601.0, left, none)
    qtbot.waitUntil(lambda: dock.plot.band_line.value() == wavelengths[shown_band(viewer, layer)])  # snapped
    assert shown_band(viewer, layer) >= 11


def test_uneven_wavelengths_are_drawn_where_they_are(viewer, dock, qtbot, mouse, make_cube):
    nm = [400.0, 500.0, 510.0, 700.0]
    layer = show(viewer, dock, make_cube(4, wavelengths_nm=nm), qtbot)
    mouse(viewer).move(10, 20)
    qtbot.waitUntil(lambda: len(cursor_of(dock)) == 1)
    np.testing.assert_array_equal(cursor_of(dock)[0].wavelengths_nm, nm)
    for band in range(4):
        set_band(viewer, layer, band)
        assert dock.plot.band_line.value() == nm[band]
        assert viewer.canvas.overlays.text.text == f"{nm[band]:g} nm"


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_every_transform_is_drawn_and_named(viewer, dock, qtbot, mouse, make_cube, name):
    cube = make_cube()
    show(viewer, dock, cube, qtbot)
    dock.tools.transform.setCurrentText(name)
    mouse(viewer).move(10, 20)
    qtbot.waitUntil(lambda: len(cursor_of(dock)) == 1)
    expected = TRANSFORMS[name](cube.data[:, 10, 20].astype(float), cube.wavelengths_nm)
    np.testing.assert_allclose(cursor_of(dock)[0].values, expected, rtol=1e-6)


def test_nan_pixels_leave_gaps_and_say_so(viewer, dock, qtbot, mouse, make_cube):
    cube = make_cube()
    data = cube.data.copy()
    data[:, 10, 20] = np.nan
    data[4, 11, 20] = np.inf
    show(viewer, dock, cube.replace(data=data), qtbot)
    hand = mouse(viewer)
    hand.move(10, 20)
    qtbot.waitUntil(lambda: [curve.place for curve in cursor_of(dock)] == [(10, 20)])
    assert "no finite value" in cursor_of(dock)[0].detail
    hand.move(11, 20)
    qtbot.waitUntil(lambda: [curve.place for curve in cursor_of(dock)] == [(11, 20)])
    assert np.isnan(cursor_of(dock)[0].values).sum() == 1


def test_without_a_cube_it_offers_one(viewer, dock, qtbot, make_cube):
    assert dock.arrangement.empty.isVisibleTo(dock)
    viewer.add_image(np.zeros((30, 30)))
    viewer.add_image(np.zeros((30, 30, 3), np.uint8), rgb=True)
    viewer.add_points(np.zeros((1, 2)))
    dock.refresh()
    assert dock.arrangement.empty.isVisibleTo(dock)
    layer = show(viewer, dock, make_cube(), qtbot)
    assert not dock.arrangement.empty.isVisibleTo(dock)
    layer.name = "renamed"
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: dock.arrangement.empty.isVisibleTo(dock))


def test_plots_follow_the_theme(viewer, dock, qtbot, make_cube):
    show(viewer, dock, make_cube(), qtbot)
    seen = set()
    for theme in ("dark", "light"):
        viewer.theme = theme
        qtbot.waitUntil(lambda: dock.plot.backgroundBrush().color().name() not in seen)
        seen.add(dock.plot.backgroundBrush().color().name())


def test_two_selected_curves_show_their_angle(viewer, dock, qtbot, make_cube):
    flat = np.ones((2, 8, 8), np.float32)
    flat[1, :, 4:] = 0.0
    show(viewer, dock, make_cube().replace(data=flat, wavelengths_nm=[500.0, 600.0]), qtbot)
    dock.pin((0.0, 1, 1))
    dock.pin((0.0, 1, 6))
    qtbot.waitUntil(lambda: len(dock.curves) == 2)
    for row in range(2):
        dock.list.topLevelItem(row).setSelected(True)
    assert "spectral angle 45.00°" in dock.readout.text()


def test_a_closed_dock_lets_go_of_the_viewer(viewer, dock, qtbot, make_cube):
    show(viewer, dock, make_cube(), qtbot)
    with qtbot.waitSignal(dock.destroyed):
        viewer.window.remove_dock_widget(dock)
        dock.deleteLater()
    add_cube(viewer, make_cube(name="after"))
    viewer.dims.set_current_step(0, 2)
    slots = [*viewer.mouse_drag_callbacks, *viewer.mouse_double_click_callbacks]
    assert not [slot for slot in slots if getattr(slot, "__self__", None) in (dock, dock.pin_button)]


def test_what_does_not_move_is_seen_in_the_plot(viewer, dock, qtbot, make_cube):
    show(viewer, dock, make_cube(), qtbot)
    dock.pin((0.0, 10, 20))
    qtbot.waitUntil(lambda: len(of_kind(dock, "pin")) == 1)

    def seen() -> int:
        picture = ndarray_from_qimage(dock.plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB32))
        return int((np.abs(picture[..., 2::-1].astype(int) - [0xE6, 0x9F, 0x00]).max(axis=-1) < 40).sum())

    qtbot.waitUntil(lambda: seen() > 100)
