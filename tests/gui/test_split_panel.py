"""The split of a study in the Train dock: seen, changed by mouse and keys, taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QItemSelectionModel, Qt

from napari_hsisynth.cube import Cube
from napari_hsisynth.jobs import new_run
from napari_hsisynth.study import Study, make_crops
from napari_hsisynth.widgets.split_panel import SplitPanel
from napari_hsisynth.widgets.train_dock import TrainDock

NM = np.array([465.0, 550.0, 630.0])


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Six melanomas of three patients and four nevi of nobody, one crop each."""
    study = Study.create(tmp_path / "study", wavelengths_nm=NM)
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:6] = True
    for number in range(10):
        diagnosis, patient = ("melanoma", f"p{number // 2}") if number < 6 else ("nevus", "")
        study.add_cube(Cube(np.full((3, 8, 8), 0.5), NM), f"c{number}", diagnosis, patient, mask=mask)
    make_crops(study)
    return study


@pytest.fixture
def panel(qtbot, study: Study) -> Iterator[SplitPanel]:
    panel = SplitPanel()
    qtbot.addWidget(panel)
    panel.resize(360, 600)
    panel.show()
    panel.load(study.root)
    qtbot.waitUntil(lambda: len(panel.table.rows.cubes) == 10)
    yield panel
    panel._work.close()


def sides(panel: SplitPanel) -> dict[str, str]:
    return {cube.entry.id: cube.split for cube in panel.table.rows.cubes}


def click(panel: SplitPanel, qtbot, *cube_ids: str) -> None:
    """Select rows by the mouse, the second and later ones with Ctrl."""
    table = panel.table
    model = table.model()
    for number, cube_id in enumerate(cube_ids):
        (index,) = model.match(model.index(0, 0), Qt.ItemDataRole.DisplayRole, cube_id, 1, Qt.MatchFlag.MatchExactly)
        table.scrollTo(index)
        modifier = Qt.KeyboardModifier.ControlModifier if number else Qt.KeyboardModifier.NoModifier
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, modifier, table.visualRect(index).center())
    assert set(table.selected()) == set(cube_ids)


def other_side(panel: SplitPanel, cube_id: str) -> str:
    return "val" if sides(panel)[cube_id] != "val" else "train"


def test_what_is_shown_is_what_is_stored(panel: SplitPanel, study: Study) -> None:
    assert sides(panel) == study.splits()
    by_side = Counter(study.splits().values())
    text = panel.counts.text()
    for side in ("train", "val", "test"):
        assert f"{by_side[side]} ({by_side[side]})" in text
    assert "melanoma" in text
    assert "dysplastic" not in text
    assert not panel.undo_button.isEnabled()
    assert not panel.move_buttons["val"].isEnabled()  # nothing is selected
    assert not panel.warning.isVisible()  # no run that it could concern


def test_a_patient_moves_as_a_whole_and_back(panel: SplitPanel, study: Study, qtbot) -> None:
    before = study.splits()
    to = other_side(panel, "c0")
    click(panel, qtbot, "c0")
    with qtbot.waitSignal(panel.changed):
        qtbot.mouseClick(panel.move_buttons[to], Qt.MouseButton.LeftButton)
    assert study.splits() == {**before, "c0": to, "c1": to}
    assert sides(panel) == study.splits()
    assert panel.table.selected() == ["c0"]
    assert panel.status.text() == f"moved 2 cubes: 2 from {before['c0']} to {to}"
    assert panel.command.command.endswith(f"--set c0={to} c1={to}")
    with qtbot.waitSignal(panel.changed):
        qtbot.mouseClick(panel.undo_button, Qt.MouseButton.LeftButton)
    assert study.splits() == before
    assert not panel.undo_button.isEnabled()


def test_the_command_moves_the_same_cubes(panel: SplitPanel, study: Study, qtbot, capsys) -> None:
    from napari_hsisynth.cli import main

    click(panel, qtbot, "c8", "c9")
    with qtbot.waitSignal(panel.changed):
        qtbot.keyClick(panel.table, Qt.Key.Key_E)
    after = study.splits()
    assert (after["c8"], after["c9"]) == ("test", "test")
    words = panel.command.command.split()[1:]
    with qtbot.waitSignal(panel.changed):
        panel.undo()
    assert study.splits() != after
    assert main(words) == 0
    assert study.splits() == after


def test_keys_move_the_selected(panel: SplitPanel, study: Study, qtbot) -> None:
    for key, side in ((Qt.Key.Key_V, "val"), (Qt.Key.Key_T, "train"), (Qt.Key.Key_E, "test")):
        click(panel, qtbot, "c6")
        if study.splits()["c6"] != side:
            with qtbot.waitSignal(panel.changed):
                qtbot.keyClick(panel.table, key)
        assert study.splits()["c6"] == side


def test_a_draw_depends_on_its_seed_and_can_be_taken_back(panel: SplitPanel, study: Study, qtbot) -> None:
    before, drawn = study.splits(), {}
    for seed in (7, 8, 7):
        panel.seed.setValue(seed)
        panel.status.clear()
        panel.draw_anew()
        qtbot.waitUntil(lambda: panel.status.text() != "")
        drawn.setdefault(seed, study.splits())
        assert study.splits() == drawn[seed]
        assert all(study.splits()[f"c{n}"] == study.splits()[f"c{n + 1}"] for n in (0, 2, 4))
    assert drawn[7] != drawn[8]
    panel.undo()
    qtbot.waitUntil(lambda: study.splits() == drawn[8])
    assert before.keys() == drawn[8].keys()


def test_what_cannot_be_done_is_said_and_nothing_moves(panel: SplitPanel, study: Study, qtbot) -> None:
    before = study.splits()
    panel.table.selectAll()
    qtbot.mouseClick(panel.move_buttons["test"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "no cube would be left to train on" in panel.status.text())
    assert study.splits() == before
    assert panel.move_buttons["test"].isEnabled()


def test_runs_that_no_longer_compare_are_named(panel: SplitPanel, study: Study, qtbot) -> None:
    run = new_run(study.root, "vae-nevus")
    run.write_config({"model": "vae", "run": {"verb": "train", "diagnosis": "nevus"}})
    panel.load(study.root)
    qtbot.waitUntil(lambda: panel.warning.isVisible())
    assert "Runs keep the split they used" in panel.warning.text()
    click(panel, qtbot, "c6")
    with qtbot.waitSignal(panel.changed):
        panel.move_selected(other_side(panel, "c6"))
    assert panel.warning.text().startswith(f"⚠ {run.id} used another split")
    assert "c6" in panel.warning.toolTip()
    with qtbot.waitSignal(panel.changed):
        panel.undo()
    assert "⚠" not in panel.warning.text()


def test_the_filter_and_the_order_keep_what_is_selected(panel: SplitPanel, qtbot) -> None:
    click(panel, qtbot, "c2", "c9")
    panel.table.sortByColumn(4, Qt.SortOrder.DescendingOrder)
    assert set(panel.table.selected()) == {"c2", "c9"}
    qtbot.keyClicks(panel.filter, "nevus")
    assert panel.table.model().rowCount() == 4
    assert panel.table.selected() == ["c9"]  # what cannot be seen is not moved


def test_the_train_dock_unfolds_it_and_counts_again(make_napari_viewer_proxy, study: Study, qtbot) -> None:
    dock = TrainDock(make_napari_viewer_proxy())
    qtbot.addWidget(dock)
    dock.show()
    dock.session.open_study(study.root)
    dock.diagnosis.setCurrentIndex(dock.diagnosis.findData(None))
    assert not dock.split.isVisible()
    qtbot.mouseClick(dock.split_button, Qt.MouseButton.LeftButton)
    assert dock.split.isVisible()
    qtbot.waitUntil(lambda: len(dock.split.table.rows.cubes) == 10)
    before = dock.data.text()
    dock.split.table.select({"c6", "c7", "c8", "c9"})
    dock.split.table.selectionModel().setCurrentIndex(
        dock.split.table.model().index(0, 0), QItemSelectionModel.SelectionFlag.NoUpdate
    )
    with qtbot.waitSignal(dock.split.changed):
        qtbot.keyClick(dock.split.table, Qt.Key.Key_V)
    assert dock.data.text() != before
    assert f"val {Counter(study.splits().values())['val']} " in dock.data.text()
    assert "no cube of nevus in train" in dock.split.status.text()
    dock.session.close_study()
    assert not dock.split.table.rows.cubes
    dock.split._work.close()
