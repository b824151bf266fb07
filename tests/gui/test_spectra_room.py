"""The room that the Spectra dock takes and the room in it, at 1280 x 800."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_hsisynth.optics import lesion_phantom
from napari_hsisynth.widgets.app import fill
from napari_hsisynth.widgets.spectra_dock import SpectraDock

NAME = "PHANTOM_dysplastic_nevus_0001"


@pytest.fixture
def viewer(make_napari_viewer):
    """A viewer with Workflow and Spectra docked, on a cube with a long name and two layers of labels."""
    viewer = make_napari_viewer(show=True)
    phantom = lesion_phantom("dysplastic_nevus", shape=(60, 90))
    fill(viewer, None, [phantom.cube.replace(name=NAME)])
    viewer.window._qt_window.resize(1280, 800)
    viewer.add_labels(phantom.mask.astype(int), name=f"{NAME} · lesions")
    viewer.add_labels(phantom.mask.astype(int), name="a layer of the user's own")
    return viewer


@pytest.fixture
def dock(viewer, qtbot):
    (dock,) = viewer.window._qt_window.findChildren(SpectraDock)
    qtbot.waitUntil(lambda: len(dock.regions.curves) == 2)
    return dock


def test_no_layer_makes_the_window_taller(viewer, dock, qtbot):
    window = viewer.window._qt_window
    viewer.add_shapes()
    dock.pin((0.0, 5, 5))
    for layer in list(viewer.layers):
        viewer.layers.selection.active = layer
        qtbot.waitUntil(lambda: viewer.layers.selection.active is not None)
        assert window.minimumSizeHint().height() <= 740, layer.name  # of 800; napari alone asks for 600
    qtbot.waitUntil(lambda: window.height() == 800)


@pytest.mark.parametrize("narrow", [False, True])
def test_all_columns_stay_in_view(viewer, dock, qtbot, narrow):
    dock.pin((0.0, 5, 5))
    dock.pins.rename(0, "a place with quite a long name that somebody has given it")
    qtbot.waitUntil(lambda: len(dock.curves) == 3)
    if narrow:
        viewer.window._qt_window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock.parent())
        dock.parent().setFloating(True)
        dock.parent().resize(360, 600)
        qtbot.waitUntil(lambda: dock.arrangement.splitter.orientation() == Qt.Orientation.Vertical)
    else:
        dock.arrangement.splitter.setSizes([10_000, 1])
    listed, header = dock.list, dock.list.header()
    characters = listed.width() / listed.fontMetrics().averageCharWidth()
    assert narrow or characters == pytest.approx(38, abs=2)
    assert header.length() <= listed.viewport().width()
    assert header.sectionSize(2) >= listed.sizeHintForColumn(2)
    assert min(header.sectionSize(column) for column in range(3)) > 5 * listed.fontMetrics().averageCharWidth()
    assert [curve.name for curve in dock.regions.curves] == ["lesions 1", "a layer of the user's own 1"]
    assert NAME in listed.topLevelItem(2).toolTip(0)
    assert np.isfinite(float(listed.topLevelItem(2).text(2)))


def test_titles_of_axes_go_inside_where_they_would_be_cut_off(viewer, dock, qtbot):
    plot, titles = dock.plot, dock.axis_titles
    dock.tools.transform.setCurrentText("second derivative")
    dock.parent().setFloating(True)
    for height, inside in ((240, True), (900, False)):
        dock.parent().resize(900, height)
        qtbot.waitUntil(lambda inside=inside: titles.is_inside("left") is inside)
        assert titles.is_inside("bottom") is inside
        for side in ("left", "bottom"):
            axis = plot.getPlotItem().getAxis(side)
            assert axis.label.isVisible() is not inside
    axis = plot.getPlotItem().getAxis("left")
    assert axis.label.boundingRect().width() < axis.height()


@pytest.mark.parametrize("size", [(1280, 800), (1600, 1000), (360, 700)])
def test_no_control_is_cut_off(viewer, dock, qtbot, size):
    window = viewer.window._qt_window
    dock.pin((0.0, 5, 5))
    dock.pin((0.0, 6, 6))
    dock.pins.remove([0])  # "Put back" is offered
    qtbot.waitUntil(dock.tools.put_back_button.isVisible)
    if size[0] == 360:
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock.parent())
        dock.parent().setFloating(True)
        dock.parent().resize(*size)
        qtbot.waitUntil(lambda: dock.arrangement.splitter.orientation() == Qt.Orientation.Vertical)
    else:
        window.resize(*size)
        qtbot.waitUntil(lambda: window.width() == size[0])
    tools = dock.tools
    controls = [*tools.shown.values(), tools.transform, tools.relative, tools.put_back_button, dock.export.copy_button]

    def all_seen() -> bool:
        rects = [control.rect().translated(control.mapTo(dock, control.rect().topLeft())) for control in controls]
        return all(dock.rect().contains(rect) for rect in rects) and all(
            control.width() >= control.minimumSizeHint().width() for control in controls
        )

    qtbot.waitUntil(all_seen)
    assert dock.plot.height() >= 4 * dock.fontMetrics().lineSpacing()
