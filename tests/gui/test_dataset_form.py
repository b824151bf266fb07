"""Export of synthetic sets as a data set: the form, its command, and the job in the row of the Sample dock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_runs import Launches, finished_run, synthetic_set
from qtpy.QtCore import Qt, QThreadPool

from napari_hsisynth.study import Study
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
    (tmp_path / "data set" / "datacard.json").write_text("{}")
    launches.finish(path=str(tmp_path / "data set"))
    qtbot.waitUntil(lambda: not dock.row.active, timeout=STEP_MS)
    qtbot.waitUntil(lambda: form.reason.text().startswith("data set: is there already"), timeout=STEP_MS)
    assert messages == [f"Data set written: {tmp_path / 'data set'}"]
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
    for target, reason in ((tmp_path / "papers", "not empty"), (tmp_path / "papers" / "thesis.txt", "is a file")):
        form.target.set_path(target)
        assert reason in form.reason.text()
        assert not form.button.isEnabled()
    form.target.set_path(tmp_path / "new")
    form.sets.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert form.reason.text() == "tick at least one set"
