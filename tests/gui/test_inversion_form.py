"""Cubes of photographs by the optics of skin, from the Sample dock: the form, its command, and its job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from finished_runs import Launches
from qtpy.QtCore import QThreadPool

from napari_hsisynth.cli import build_parser
from napari_hsisynth.study import Study
from napari_hsisynth.widgets.inversion_form import _FORMATS
from napari_hsisynth.widgets.sample_dock import SampleDock

STEP_MS = 30_000


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    return Launches(monkeypatch)


@pytest.fixture
def dock(qtbot, make_napari_viewer_proxy, study: Study, launches: Launches) -> Any:
    dock = SampleDock(make_napari_viewer_proxy())
    qtbot.addWidget(dock)
    dock.session.open_study(study.root)
    qtbot.waitUntil(lambda: dock.inversion._root == study.root, timeout=STEP_MS)
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
