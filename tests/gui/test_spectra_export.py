"""What is taken out of the Spectra dock: tables, pictures, the clipboard; and the readout of single points."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLineEdit


@pytest.fixture
def scene(spectra, qtbot, make_cube):
    """A cube with a pin, a label and a shape."""
    spectra.show(make_cube())
    spectra.dock.pin((0.0, 3, 4))
    image = np.zeros((40, 60), np.uint8)
    image[10:12, 20:24] = 1
    spectra.viewer.add_labels(image)
    spectra.viewer.add_shapes(np.array([[4.5, 4.5], [4.5, 9.5], [7.5, 9.5], [7.5, 4.5]]), shape_type="rectangle")
    for kind in ("pin", "label", "shape"):
        spectra.wait_for(kind)
    return spectra


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_the_table_says_everything_about_every_value(scene, tmp_path, make_cube):
    scene.dock.export.save_csv(tmp_path / "curves.csv")
    rows = rows_of(tmp_path / "curves.csv")
    cube = make_cube()
    assert len(rows) == 3 * 16
    pin = [row for row in rows if row["kind"] == "pin"]
    assert [float(row["wavelength_nm"]) for row in pin] == cube.wavelengths_nm.tolist()
    assert [float(row["value"]) for row in pin] == cube.data[:, 3, 4].tolist()
    assert {(row["curve"], row["cube"], row["y"], row["x"], row["n"]) for row in pin} == {
        ("pin 1", "numbers", "3", "4", "1")
    }
    assert {(row["statistic"], row["std"]) for row in pin} == {("value", "")}
    label = [row for row in rows if row["kind"] == "label"]
    inside = cube.data[:, 10:12, 20:24].reshape(16, -1).astype(float)
    np.testing.assert_allclose([float(row["value"]) for row in label], inside.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose([float(row["std"]) for row in label], inside.std(axis=1), rtol=1e-6)
    assert {(row["statistic"], row["n"], row["y"], row["x"]) for row in label} == {("mean", "8", "10.5", "21.5")}
    assert {row["transform"] for row in rows} == {"raw"}
    shape = [row for row in rows if row["kind"] == "shape"]
    assert {(row["n"], row["y"], row["x"]) for row in shape} == {("15", "6", "7")}
    scene.dock.tools.choose_quartiles(True)
    scene.dock.export.save_csv(tmp_path / "quartiles.csv")
    label = [row for row in rows_of(tmp_path / "quartiles.csv") if row["kind"] == "label"]
    assert {row["statistic"] for row in label} == {"median"}
    lower, upper = np.percentile(inside, (25, 75), axis=1)
    np.testing.assert_allclose([float(row["lower_quartile"]) for row in label], lower, rtol=1e-6)
    np.testing.assert_allclose([float(row["upper_quartile"]) for row in label], upper, rtol=1e-6)


def test_what_is_copied_pastes_as_a_sheet_with_a_column_per_curve(scene, make_cube):
    scene.dock.export.copy()
    mime = QApplication.clipboard().mimeData()
    rows = [line.split("\t") for line in mime.text().splitlines()]
    assert rows[0] == ["wavelength (nm)", "pin 1", "label 1 mean", "label 1 std", "shape 1 mean", "shape 1 std"]
    cube = make_cube()
    values = np.array([[float(cell) for cell in row] for row in rows[1:]])
    np.testing.assert_array_equal(values[:, 0], cube.wavelengths_nm)
    np.testing.assert_array_equal(values[:, 1], cube.data[:, 3, 4])
    assert mime.hasImage()


def test_a_sheet_of_cubes_with_different_bands_leaves_cells_empty(spectra, make_cube):
    spectra.show(make_cube(4, wavelengths_nm=[400, 500, 600, 700]))
    spectra.show(make_cube(3, name="other", wavelengths_nm=[500, 550, 600]))
    spectra.dock.pin((0.0, 3, 4))
    spectra.wait_for("pin", 2)
    spectra.dock.export.copy()
    rows = [line.split("\t") for line in QApplication.clipboard().mimeData().text().splitlines()]
    assert sorted(rows[0][1:]) == ["pin 1 (numbers)", "pin 1 (other)"]
    assert [row[0] for row in rows[1:]] == ["400", "500", "550", "600", "700"]
    other = rows[0].index("pin 1 (other)")
    assert [row[other] for row in rows[1:]] == ["", "34", "1034", "2034", ""]


def test_pictures_are_pictures(scene, tmp_path):
    scene.dock.export.save_png(tmp_path / "plot.png")
    picture = QImage(str(tmp_path / "plot.png"))
    assert picture.size() == scene.dock.plot.size() * scene.dock.plot.devicePixelRatioF()
    scene.dock.export.save_svg(tmp_path / "plot.svg")
    root = ET.parse(tmp_path / "plot.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    width, height = scene.dock.plot.width(), scene.dock.plot.height()
    assert [float(number) for number in root.get("viewBox").split()] == [0, 0, width, height]
    strokes = {element.get("stroke") for element in root.iter() if element.get("stroke")}
    assert {curve.colour.lower() for curve in scene.dock.curves} <= {stroke.lower() for stroke in strokes}
    texts = " ".join(text for element in root.iter() for text in [element.text or ""])
    assert "wavelength (nm)" in texts


def test_the_point_under_the_mouse_in_the_plot_is_named(scene, qtbot):
    plot = scene.dock.plot
    box = plot.getPlotItem().getViewBox()
    pin = scene.of("pin")[0]

    def point_at(band, below=0.0):
        at = box.mapViewToScene(QPointF(pin.wavelengths_nm[band], pin.values[band]))
        return plot.mapFromScene(at + QPointF(2, 3 + below))

    def moved(*where) -> bool:
        QTest.mouseMove(plot.viewport(), point_at(*where))
        return True

    qtbot.waitUntil(lambda: moved(3) and scene.dock.readout.text().startswith("498 nm: 3034 "))
    assert "pin 1" in scene.dock.readout.text()
    ring = scene.dock.nearest._ring
    assert ring.isVisible()
    np.testing.assert_array_equal(ring.getData(), ([498], [3034]))
    qtbot.waitUntil(lambda: moved(12) and scene.dock.readout.text().startswith("597 nm: 1.203e+04 "))

    def away() -> bool:
        QTest.mouseMove(plot.viewport(), plot.mapFromScene(box.sceneBoundingRect().topLeft() + QPointF(4, 4)))
        return not ring.isVisible()  # pyqtgraph drops moves in quick succession

    qtbot.waitUntil(away)


def test_the_list_waits_while_a_name_is_typed(scene, qtbot, mouse):
    listed, item = scene.dock.list, scene.row("pin 1")
    listed.editItem(item, 0)
    editor = listed.findChild(QLineEdit)
    QTest.keyClicks(editor, "core")
    mouse(scene.viewer).move(20, 30)  # a row for the cursor comes on top
    scene.wait_for("cursor")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: [pin.name for pin in scene.dock.pins.pins] == ["core"])
    qtbot.waitUntil(lambda: [curve.name for curve in listed.curves] == ["cursor", "core", "label 1", "shape 1"])


def test_only_cells_that_change_are_written(scene, qtbot, mouse):
    hand = mouse(scene.viewer)
    hand.move(20, 30)
    qtbot.waitUntil(lambda: len(scene.dock.list.curves) == 4)
    written = []
    scene.dock.list.model().dataChanged.connect(lambda first, last, roles: written.append(first.row()))
    hand.move(21, 31)
    qtbot.waitUntil(lambda: scene.dock.list.topLevelItem(0).text(1) == "21, 31")
    assert set(written) == {0}
