"""Export of synthetic sets as a data set: the form, its command, and the job in the row of the Sample dock."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_runs import Launches, finished_run, synthetic_set
from qtpy.QtCore import Qt, QThreadPool

from napari_hsisynth.study import Study, read_crops_index, write_crops_index
from napari_hsisynth.study.dataset.layout import CARD, KIND, TABLE, VERSION
from napari_hsisynth.widgets.sample_dock import SampleDock

STEP_MS = 30_000


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    return Launches(monkeypatch)


@pytest.fixture
def dock(qtbot, make_napari_viewer_proxy, study: Study, launches: Launches) -> Any:
    """A study with two sets of two cubes each."""
    for model in ("vae", "dcgan"):
        run = finished_run(study, model)
        synthetic_set(study, run, np.eye(8, dtype=bool), "", count=2)
    dock = SampleDock(make_napari_viewer_proxy())
    qtbot.addWidget(dock)
    dock.session.open_study(study.root)
    qtbot.waitUntil(lambda: len(dock.sets.counts) == 2, timeout=STEP_MS)
    yield dock
    dock.row.detach()
    QThreadPool.globalInstance().waitForDone(5_000)


def test_ticked_sets_are_exported_as_a_job(
    dock: SampleDock, launches: Launches, tmp_path: Path, qtbot, messages: list[str]
) -> None:
    form, runs = dock.dataset, dock.study.synthetic_runs()
    assert not form.isVisibleTo(dock)
    dock.sets.export_button.click()
    assert form.isVisibleTo(dock)
    assert form.ticked == runs[:1]  # that which is selected
    assert form.reason.text() == "choose a folder to write"
    form.target.set_path(tmp_path / "data set")
    assert form.button.isEnabled()
    form.sets.item(1).setCheckState(Qt.CheckState.Checked)
    form.cube_format.setCurrentText("ENVI")
    form.each.setValue(50)
    form.title.setText("of discs")
    form.licence.setText("CC0")
    words = ["export", "dataset", str(dock.study.root), str(tmp_path / "data set"), "--sets", *runs]
    words += ["--format", "envi", "--masks", "complete", "--n", "50", "--title", "of discs", "--licence", "CC0"]
    assert form.words() == words
    form.button.click()
    assert launches.words == words
    assert dock.row.run == launches.run
    qtbot.waitUntil(lambda: dock.row.state.status == "running", timeout=STEP_MS)
    assert not form.button.isEnabled()
    assert not dock.start_button.isEnabled()
    assert dock.stop_button.isEnabled()  # the export can be cancelled
    (tmp_path / "data set").mkdir()
    card = {"title": "t", "licence": "", "phantom": False, "table_sha256": "", "cubes": {"wavelengths_nm": []}}
    card |= {"format": KIND, "version": VERSION, "generators": [], "evaluations": []}
    (tmp_path / "data set" / CARD).write_text(json.dumps(card))
    (tmp_path / "data set" / TABLE).touch()
    launches.finish(path=str(tmp_path / "data set"))
    qtbot.waitUntil(lambda: not dock.row.active, timeout=STEP_MS)
    qtbot.waitUntil(lambda: form.reason.text().startswith("data set: it is there already"), timeout=STEP_MS)
    assert messages == [f"Written: {tmp_path / 'data set'}"]
    assert form.ticked == runs
    form.replace_export.setChecked(True)
    assert form.words()[-1] == "--force"
    assert form.button.isEnabled()


def test_nothing_but_a_data_set_is_in_danger(dock: SampleDock, tmp_path: Path) -> None:
    form = dock.dataset
    dock.sets.export_button.click()
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.txt").touch()
    form.replace_export.setChecked(True)
    for target, reason in ((tmp_path / "papers", "not empty"), (tmp_path / "papers" / "thesis.txt", "this a file")):
        form.target.set_path(target)
        assert reason in form.reason.text()
        assert not form.button.isEnabled()
    form.target.set_path(tmp_path / "new")
    form.sets.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert form.reason.text() == "tick at least one set"


def test_a_folder_with_any_card_is_not_taken_for_a_data_set(dock: SampleDock, tmp_path: Path) -> None:
    """What the command would refuse, the form refuses: it is one check."""
    form = dock.dataset
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / CARD).write_text("{}")
    form.replace_export.setChecked(True)
    form.target.set_path(tmp_path / "cards")
    assert "no data set" in form.reason.text()
    assert not form.button.isEnabled()


def test_sets_that_the_user_unticked_stay_so(dock: SampleDock, qtbot) -> None:
    form = dock.dataset
    dock.sets.export_button.click()
    for row in range(2):
        form.sets.item(row).setCheckState(Qt.CheckState.Unchecked)
    with qtbot.waitSignal(dock.summary_changed, timeout=STEP_MS):
        dock.refresh()
    assert form.ticked == []
    assert form.reason.text() == "tick at least one set"


def test_until_then_the_selected_set_is_ticked(dock: SampleDock) -> None:
    dock.sets.list.setCurrentItem(dock.sets.list.topLevelItem(1))
    dock.sets.export_button.click()
    assert dock.dataset.ticked == dock.study.synthetic_runs()[1:]


def test_the_diagnoses_are_those_of_the_ticked_sets(dock: SampleDock, qtbot) -> None:
    second = dock.study.synthetic_dir(dock.study.synthetic_runs()[1])
    write_crops_index(second, [replace(record, diagnosis="solar_lentigo") for record in read_crops_index(second)])
    with qtbot.waitSignal(dock.summary_changed, timeout=STEP_MS):
        dock.refresh()
    form = dock.dataset

    def offered() -> list[str]:
        return [form.diagnosis.itemData(row) for row in range(form.diagnosis.count())]

    assert offered() == ["", "melanoma"]
    form.sets.item(1).setCheckState(Qt.CheckState.Checked)
    assert offered() == ["", "melanoma", "solar_lentigo"]
    form.diagnosis.setCurrentIndex(2)
    form.sets.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert "--diagnosis" not in form.words()


def test_sets_that_were_imported_keep_their_whole_names(dock: SampleDock, qtbot) -> None:
    for name in ("my-data-set", "your-data-set"):
        dock.study.synthetic_dir(dock.study.synthetic_runs()[0]).rename(dock.study.root / "synthetic" / name)
    with qtbot.waitSignal(dock.summary_changed, timeout=STEP_MS):
        dock.refresh()
    names = ["my-data-set", "your-data-set"]
    assert sorted(dock.sets.list.topLevelItem(row).text(0) for row in range(2)) == names
    assert sorted(dock.dataset.sets.item(row).text() for row in range(2)) == [f"{name} · 2" for name in names]
