"""Absorbers, spectral libraries and class means over the spectra of a cube."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMenu

from napari_hsisynth.cube import Cube
from napari_hsisynth.optics import absorbers
from napari_hsisynth.study import Diagnosis, Study
from napari_hsisynth.widgets.reference_menu import LibraryPage
from napari_hsisynth.widgets.references import MOST_SPECTRA, References

NM = [500.0, 550.0, 600.0]


@pytest.fixture
def library(tmp_path) -> Path:
    names = [f"spectrum {number}" for number in range(30)]
    rows = [",".join(["wavelength (nm)", *names])]
    rows += [",".join(map(str, [nm, *(nm * (number + 1) for number in range(30))])) for nm in range(450, 660, 10)]
    path = tmp_path / "minerals.csv"
    path.write_text("\n".join(rows))
    return path


def trigger(menu, text: str) -> None:
    """Open a menu, go to an entry by keyboard and press Space (checks it) or Return."""
    action = next(action for action in menu.actions() if action.text().startswith(text))
    menu.setActiveAction(action)
    QTest.keyClick(menu, Qt.Key.Key_Space if action.isCheckable() else Qt.Key.Key_Return)


def test_absorbers_are_dotted_scaled_to_the_view_and_remembered(spectra, qtbot, make_cube, tmp_path):
    spectra.show(make_cube())
    menu = spectra.dock.reference_menu.menu()
    menu.popup(QPoint(0, 0))
    trigger(menu, "oxyhaemoglobin")
    trigger(menu, "melanin")
    assert menu.isVisible()  # several can be chosen
    menu.close()
    oxy, melanin = spectra.wait_for("reference", 2)
    assert (oxy.name, melanin.name) == ("oxyhaemoglobin", "melanin")
    assert {(curve.detail, curve.cube) for curve in (oxy, melanin)} == {("scaled to view", "absorption")}
    (low, high) = spectra.dock._view[1]
    for curve in (oxy, melanin):
        expected = absorbers()[curve.name](curve.wavelengths_nm)
        assert np.corrcoef(curve.values, expected)[0, 1] == pytest.approx(1)
        assert low < curve.values.min() < curve.values.max() < high
        assert curve.wavelengths_nm[[0, -1]].tolist() == [465, 630]
    spectra.dock.export.save_svg(tmp_path / "plot.svg")
    strokes = {
        element.get("stroke"): element.get("stroke-dasharray") for element in ET.parse(tmp_path / "plot.svg").iter()
    }
    assert all(strokes[curve.colour] for curve in (oxy, melanin))  # dotted
    assert spectra.dock.reference_menu.text() == "Reference 2"
    assert References(spectra.dock).absorbers == ["oxyhaemoglobin", "melanin"]
    menu.popup(QPoint(0, 0))
    trigger(menu, "melanin")
    menu.close()
    assert [curve.name for curve in spectra.of("reference")] == ["oxyhaemoglobin"]


def test_a_cube_whose_bands_only_have_numbers_has_no_references(spectra, qtbot, make_cube):
    spectra.dock.references.show_absorber("melanin", True)
    cube = make_cube(5)
    spectra.show(Cube(cube.data, name="numbered"))
    assert not spectra.of("reference")
    assert not spectra.dock.reference_menu.isEnabled()
    spectra.show(make_cube())
    spectra.wait_for("reference")


def test_a_library_is_opened_searched_and_shown(spectra, qtbot, make_cube, library, monkeypatch):
    spectra.show(make_cube())
    monkeypatch.setattr(
        "napari_hsisynth.widgets.reference_menu.QFileDialog.getOpenFileName", lambda *_: (str(library), "")
    )
    spectra.dock.reference_menu.ask()
    (curve,) = spectra.wait_for("reference")
    assert (curve.name, curve.cube, curve.detail) == ("spectrum 0", "minerals.csv", "scaled to view")
    references = spectra.dock.references
    (opened,) = references.libraries
    page = LibraryPage(references, opened, QMenu(spectra.dock))
    qtbot.addWidget(page)
    page.show()
    QTest.keyClicks(page.search, "M 12")
    assert [row for row in range(page.list.count()) if not page.list.item(row).isHidden()] == [12]
    page.list.setCurrentRow(12)
    QTest.keyClick(page.list, Qt.Key.Key_Space)
    assert [curve.name for curve in spectra.wait_for("reference", 2)] == ["spectrum 0", "spectrum 12"]
    QTest.mouseClick(page.scaled, Qt.MouseButton.LeftButton, pos=QPoint(6, page.scaled.height() // 2))
    values = spectra.of("reference")[1].values
    np.testing.assert_allclose(values, 13 * np.arange(450, 660, 10))
    spectra.dock.tools.transform.setCurrentText("optical density")
    np.testing.assert_allclose(spectra.of("reference")[1].values, -np.log10(values))
    restored = References(spectra.dock).libraries[0]
    assert (restored.path, restored.chosen, restored.scaled) == (library, [0, 12], False)
    page.search.clear()
    for row in range(30):
        page.list.item(row).setCheckState(Qt.CheckState.Checked)
    assert len(spectra.of("reference")) == MOST_SPECTRA
    assert [page.list.item(row).checkState() for row in (18, 20)] == [Qt.CheckState.Checked, Qt.CheckState.Unchecked]
    QTest.mouseClick(page.close_button, Qt.MouseButton.LeftButton)
    spectra.wait_for("reference", 0)


def test_a_file_that_is_no_library_is_said_and_changes_nothing(spectra, make_cube, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("napari_hsisynth.widgets.reference_menu.show_error", said.append)
    (tmp_path / "letter.csv").write_text("Dear all,\nplease find enclosed\n")
    dialog = "napari_hsisynth.widgets.reference_menu.QFileDialog.getOpenFileName"
    for name in ("letter.csv", "missing.csv"):
        monkeypatch.setattr(dialog, lambda *_, name=name: (str(tmp_path / name), ""))
        spectra.dock.reference_menu.ask()
    assert len(said) == 2
    assert not spectra.dock.references.libraries


def test_a_library_that_is_gone_at_the_next_start_is_said_once(spectra, library, monkeypatch):
    spectra.dock.references.open_library(library)
    library.unlink()
    said = []
    monkeypatch.setattr("napari_hsisynth.widgets.references.show_warning", said.append)
    assert References(spectra.dock).libraries == []
    assert len(said) == 1


# --- class means


@pytest.fixture
def study(tmp_path) -> Study:
    """Two melanomas, one nevus; each lesion is flat, the skin is something else."""
    made = Study.create(tmp_path / "study", wavelengths_nm=NM)
    mask = np.zeros((30, 40), bool)
    mask[10:20, 10:25] = True
    for number, (diagnosis, level) in enumerate((("melanoma", 0.1), ("melanoma", 0.3), ("nevus", 0.5))):
        data = np.where(mask, level, 0.9) * np.array([1.0, 2.0, 3.0])[:, None, None]
        made.add_cube(Cube(data, NM), f"C{number}", diagnosis, mask=mask)
    return made


def show_class_means(spectra, qtbot) -> None:
    box = spectra.dock.tools.shown["class means"]
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(6, box.height() // 2))


def test_class_means_of_the_study_in_the_colours_of_the_diagnoses(spectra, qtbot, study):
    spectra.dock.session.open_study(study.root)
    spectra.dock.session.show_cube("C0")
    assert not spectra.of("class mean")
    show_class_means(spectra, qtbot)
    melanoma, nevus = spectra.wait_for("class mean", 2)
    assert (melanoma.name, melanoma.colour, melanoma.detail) == ("melanoma", Diagnosis.MELANOMA.colour, "n = 2 lesions")
    np.testing.assert_allclose(melanoma.values, [0.2, 0.4, 0.6], rtol=1e-6)
    np.testing.assert_allclose(melanoma.std, [0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(nevus.values, [0.5, 1.0, 1.5], rtol=1e-6)
    spectra.dock.tools.transform.setCurrentText("optical density")  # of each lesion, before the mean
    melanoma = spectra.of("class mean")[0]
    np.testing.assert_allclose(
        melanoma.values, -np.log10([0.1, 0.2, 0.3]) / 2 - np.log10([0.3, 0.6, 0.9]) / 2, rtol=1e-6
    )
    qtbot.waitUntil(spectra.dock.work.isHidden)
    show_class_means(spectra, qtbot)
    spectra.wait_for("class mean", 0)


def test_class_means_follow_the_annotations(spectra, qtbot, study):
    session = spectra.dock.session
    session.open_study(study.root)
    session.show_cube("C0")
    show_class_means(spectra, qtbot)
    spectra.wait_for("class mean", 2)
    annotation = study.annotation("C1")
    study.save_annotation(replace(annotation, instances=(), mask=np.zeros_like(annotation.mask)))
    session.annotation_changed.emit("C1")
    qtbot.waitUntil(lambda: [curve.n for curve in spectra.of("class mean")] == [1, 1])
    np.testing.assert_allclose(spectra.of("class mean")[0].values, [0.1, 0.2, 0.3], rtol=1e-6)
    session.close_study()
    spectra.wait_for("class mean", 0)


def test_without_lesions_or_a_study_it_says_so(spectra, qtbot, tmp_path, make_cube):
    spectra.show(make_cube())
    show_class_means(spectra, qtbot)
    qtbot.waitUntil(lambda: "no study is open" in spectra.dock.arrangement.hint.full)
    empty = Study.create(tmp_path / "empty", wavelengths_nm=NM)
    empty.add_cube(Cube(np.ones((3, 20, 20)), NM), "C0", "nevus")
    spectra.dock.session.open_study(empty.root)
    qtbot.waitUntil(lambda: "no lesion is accepted yet" in spectra.dock.arrangement.hint.full)
    spectra.dock.tools.shown["class means"].setChecked(False)
    qtbot.waitUntil(lambda: "class means" not in spectra.dock.arrangement.hint.full)
