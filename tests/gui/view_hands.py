"""What the tests of the View dock share: hands that choose and click, and a cube worth looking at."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth.cube import Cube
from napari_hsisynth.widgets.layers import add_cube


def lively_cube():
    """A cube in which no two bands look alike, with known wavelengths."""
    values = np.random.default_rng(0).uniform(0, 1, (16, 40, 60)) * np.linspace(0.2, 2, 16)[:, None, None]
    return Cube(values, 465.0 + 11.0 * np.arange(16), name="lively", provenance={"axes": "yxb", "dtype": "uint16"})


def show(viewer, dock, cube, qtbot):
    """Add a cube and wait until the dock looks at it."""
    layer = add_cube(viewer, cube)
    qtbot.waitUntil(lambda: dock._layer is layer)
    return layer


def choose(box, text):
    """Choose in a list by keyboard."""
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Home)
    for _ in range(box.count()):
        if box.currentText() == text:
            return
        QTest.keyClick(box, Qt.Key.Key_Down)
    raise AssertionError(f"{text} is not in the list")


def click(button):
    """Click on a button that can be clicked."""
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def names(viewer):
    """Names of the layers, the lowest first."""
    return [layer.name for layer in viewer.layers]
