"""Cubes of photographs by the optics of skin, from the Sample dock: the form, its command, and its job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotate_bench import study_of_discs
from finished_runs import Launches, finished_run, synthetic_set
from qtpy.QtCore import QThreadPool

from napari_hsisynth.cli import build_parser
from napari_hsisynth.study import Study, make_crops
from napari_hsisynth.widgets.inversion_form import _FORMATS
from napari_hsisynth.widgets.sample_dock import SampleDock

STEP_MS = 30_000


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    return Launches(monkeypatch)


@pytest.fixture
def dock(qtbot, make_napari_viewer_proxy, study: Study, launches: Launches) -> Any:
    make_crops(study, whole=True)
    run = finished_run(study, "vae")
    synthetic_set(study, run, np.eye(8, dtype=bool), "", count=2)
    dock = SampleDock(make_napari_viewer_proxy())
    qtbot.addWidget(dock)
    dock.session.open_study(study.root)
    assert dock.inversion.reason.text() == "the study is being read"
    qtbot.waitUntil(lambda: dock.inversion.like_study.isChecked(), timeout=STEP_MS)
    yield dock
    dock.row.detach()
    QThreadPool.globalInstance().waitForDone(5_000)


def test_photographs_become_cubes_by_a_job(
    dock: SampleDock, launches: Launches, study: Study, tmp_path: Path, qtbot, messages: list[str]
) -> None:
    form = dock.inversion
    assert form.reason.text() == "choose photographs"
    photos = tmp_path / "photos"
    photos.mkdir()
    form.source.set_path(photos)
    form.target.set_path(tmp_path / "cubes")
    form.cube_format.setCurrentText("ENVI")
    form.maps.setChecked(True)
    words = ["invert", str(photos), "--out", str(tmp_path / "cubes"), "--format", "envi"]
    words += ["--like", str(study.root), "--maps"]
    assert form.words() == words
    build_parser().parse_args(words)
    form.like_study.setChecked(False)
    assert "--like" not in form.words()
    form.like_study.setChecked(True)
    form.button.click()
    assert launches.words == words
    qtbot.waitUntil(lambda: dock.row.state.status == "running", timeout=STEP_MS)
    assert not form.button.isEnabled()
    launches.finish(path=str(tmp_path / "cubes"))
    qtbot.waitUntil(lambda: not dock.row.active and form.button.isEnabled(), timeout=STEP_MS)
    assert messages == [f"Written: {tmp_path / 'cubes'}"]


def test_every_format_offered_can_be_written(tmp_path: Path) -> None:
    from napari_hsisynth.formats.registry import writable_format

    for name in _FORMATS.values():
        assert writable_format(tmp_path / "a", name).written_suffixes


def test_what_another_study_had_is_not_used_for_the_one_just_opened(
    dock: SampleDock, launches: Launches, tmp_path: Path, qtbot
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    dock.sets.export_button.click()
    for field, path in ((dock.inversion.source, photos), (dock.inversion.target, tmp_path / "cubes")):
        field.set_path(path)
    dock.dataset.target.set_path(tmp_path / "data")
    buttons = (dock.start_button, dock.dataset.button, dock.inversion.button)
    assert [button.isEnabled() for button in buttons] == [True] * 3
    other = study_of_discs(tmp_path / "other")
    dock.session.open_study(other.root)
    # its worker has not come back yet
    assert [button.isEnabled() for button in buttons] == [False] * 3
    assert (dock.dataset.ticked, dock.reason.text()) == ([], "The study is being read.")
    dock.start()
    assert launches.run is None
    qtbot.waitUntil(dock.inversion.button.isEnabled, timeout=STEP_MS)
    # it has no crops: there is no camera to follow, and nothing to draw from
    assert not dock.inversion.like_study.isEnabled()
    assert "no training crops" in dock.inversion.like_study.toolTip()
    assert "--like" not in dock.inversion.words()
    assert dock.empty.text() == "No trained run in this study yet."
    assert not dock.reason.isVisibleTo(dock)  # it is said once
    assert not dock.start_button.isEnabled()


def test_a_file_is_no_folder_for_cubes(dock: SampleDock, tmp_path: Path) -> None:
    form = dock.inversion
    (tmp_path / "cubes").touch()
    form.source.set_path(tmp_path)
    form.target.set_path(tmp_path / "cubes")
    assert form.reason.text() == "cubes: is a file, and cubes go into a folder; choose another folder"
    assert not form.button.isEnabled()


def test_looking_at_a_study_draws_no_split(dock: SampleDock) -> None:
    assert not (dock.study.root / "splits.csv").exists()


def test_the_choice_of_the_camera_stays(dock: SampleDock, qtbot) -> None:
    dock.inversion.like_study.setChecked(False)
    with qtbot.waitSignal(dock.summary_changed, timeout=STEP_MS):
        dock.refresh()
    assert not dock.inversion.like_study.isChecked()
