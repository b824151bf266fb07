"""Smoothing, transforms and comparison with a pin in the Spectra dock."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_hsisynth.spectra import TRANSFORMS, smooth
from napari_hsisynth.widgets.spectra_tools import SpectraTools
from napari_hsisynth.widgets.treatment import Relative, Treatment
from napari_hsisynth.widgets.value_range import value_range

NM = 465.0 + 11.0 * np.arange(16)


def spectra_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 1.0, (16, *shape))


@pytest.mark.parametrize("mode", ["difference", "ratio"])
@pytest.mark.parametrize("transform", ["raw", "optical density"])
def test_both_sides_of_a_comparison_are_treated_alike(mode, transform):
    reference, spectra = spectra_of(1), spectra_of(2, 5)
    found = Treatment(transform, 5, Relative("white", mode, NM, reference)).apply(spectra, NM)
    alone = TRANSFORMS[transform](smooth(spectra, NM, window=5), NM)
    beside = TRANSFORMS[transform](smooth(reference, NM, window=5), NM)[:, None]
    np.testing.assert_allclose(found, alone - beside if mode == "difference" else alone / beside)
    itself = Treatment(transform, 5, Relative("white", mode, NM, reference)).apply(reference, NM)
    np.testing.assert_allclose(itself, 0.0 if mode == "difference" else 1.0, atol=1e-12)


def test_a_reference_of_another_range_leaves_bands_without_values():
    half = Relative("half", "difference", NM[:8], spectra_of(1)[:8])
    treatment = Treatment(relative=half)
    assert treatment.bands(NM).tolist() == [True] * 8 + [False] * 8
    found = treatment.apply(spectra_of(2), NM)
    assert np.isfinite(found).tolist() == [True] * 8 + [False] * 8


def test_treatments_that_do_the_same_are_equal():
    values = spectra_of(1)
    first, second = (Treatment("raw", 3, Relative("a", "ratio", NM.copy(), values.copy())) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != Treatment("raw", 3, Relative("a", "ratio", NM, values + 1))
    assert str(first) == "smoothed over 3 bands, raw, ratio to a"
    assert first.label == "value ÷ a"
    derivative = Treatment("first derivative", relative=Relative("a", "difference", NM, values))
    assert derivative.label == "first derivative (1/nm) − a"
    assert Treatment("first derivative", relative=Relative("a", "ratio", NM, values)).label == "first derivative ÷ a"


def test_the_dock_smooths_and_the_axis_says_what_is_shown(spectra, qtbot, mouse, make_cube):
    cube = make_cube()
    cube = cube.replace(data=np.random.default_rng(0).uniform(0.2, 1.0, cube.data.shape))
    spectra.show(cube)
    mouse(spectra.viewer).move(10, 20)
    spectra.wait_for("cursor")
    spectra.dock.tools.smooth.setCurrentText("smooth 7")
    spectra.dock.tools.transform.setCurrentText("second derivative")
    smoothed = smooth(cube.data[:, 10, 20], cube.wavelengths_nm, window=7)
    expected = TRANSFORMS["second derivative"](smoothed, cube.wavelengths_nm)
    np.testing.assert_allclose(spectra.of("cursor")[0].values, expected)
    assert "1/nm²" in spectra.dock.plot.getPlotItem().getAxis("left").labelText
    again = SpectraTools(spectra.dock)
    assert (again.window, again.transform.currentText()) == (7, "second derivative")


def test_spectra_relative_to_a_pin_until_it_is_removed(spectra, qtbot, make_cube, monkeypatch):
    said = []
    monkeypatch.setattr("napari_hsisynth.widgets.spectra_dock.show_info", said.append)
    cube = make_cube()
    spectra.show(cube)
    tools = spectra.dock.tools
    assert not tools.relative.isEnabled()
    for y, x in ((1, 2), (30, 40)):
        spectra.dock.pin((0.0, y, x))
    spectra.wait_for("pin", 2)
    tools.relative.setCurrentIndex(tools.relative.findText("difference to pin 1"))
    first, second = spectra.of("pin")
    np.testing.assert_array_equal(first.values, 0)
    np.testing.assert_allclose(second.values, 10 * 29 + 38)  # 10 y + x in every band
    spectra.dock.pins.rename(0, "white")
    spectra.dock.pins.move(0, (1, 3))
    qtbot.waitUntil(lambda: tools.relative.currentText() == "difference to white")
    np.testing.assert_allclose(spectra.of("pin")[1].values, 10 * 29 + 37)
    assert "− white" in spectra.dock.plot.getPlotItem().getAxis("left").labelText
    spectra.select("white")
    QTest.keyClick(spectra.dock.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: tools.relative.currentText() == "not relative")
    assert len(said) == 1
    assert "white was removed" in said[0]
    np.testing.assert_array_equal(spectra.of("pin")[0].values, cube.data[:, 30, 40])


def test_the_reference_is_that_of_the_front_cube_for_all_cubes(spectra, qtbot, make_cube):
    spectra.show(make_cube(name="a"))
    other = make_cube(name="b")
    spectra.show(other.replace(data=other.data + 7))
    spectra.dock.pin((0.0, 1, 2))
    spectra.wait_for("pin", 2)
    tools = spectra.dock.tools
    tools.relative.setCurrentIndex(tools.relative.findText("difference to pin 1"))
    values = {curve.cube: curve.values for curve in spectra.of("pin")}
    np.testing.assert_array_equal(values["b"], 0)  # added last, active
    np.testing.assert_array_equal(values["a"], -7)


def test_what_is_switched_off_is_not_shown_and_stays_off(spectra, qtbot, mouse, make_cube):
    spectra.show(make_cube())
    spectra.viewer.add_labels(np.ones((40, 60), np.uint8))
    spectra.dock.pin((0.0, 1, 2))
    mouse(spectra.viewer).move(10, 20)
    for kind, name in (("cursor", "cursor"), ("pin", "pins"), ("label", "regions")):
        spectra.wait_for(kind)
        press(spectra.dock.tools.shown[name])
        spectra.wait_for(kind, 0)
        assert not SpectraTools(spectra.dock).shows(name)
        press(spectra.dock.tools.shown[name])
        spectra.wait_for(kind)


def press(button) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(6, button.height() // 2))


def test_the_range_of_a_cube_in_a_file_is_found_in_a_few_rows(make_cube):
    from napari_hsisynth.lazy_array import LazyArray

    class Counting:
        def __init__(self, values):
            self._values, self.read = values, 0
            self.shape, self.dtype = values.shape, values.dtype

        def __getitem__(self, key):
            found = self._values[key]
            self.read += found.size
            return found

    whole = make_cube(height=400, width=300)
    source = Counting(whole.data)
    cube = whole.replace(data=LazyArray(source))
    low, high = value_range(cube)
    assert source.read <= 0.02 * whole.data.size
    expected = value_range(whole)
    np.testing.assert_allclose((low, high), expected, rtol=0.15, atol=1000)
    value_range(cube, Treatment("SNV"))
    assert source.read <= 0.02 * whole.data.size  # looked at once
