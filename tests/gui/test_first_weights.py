"""What a training begins with: which runs are offered, and what stands against a run of another study."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_runs import finished_run
from qtpy.QtWidgets import QWidget

from napari_hsisynth.study import Study
from napari_hsisynth.widgets.first_weights import FirstWeights
from napari_hsisynth.widgets.run_table import summarise_all


@pytest.fixture
def begin(qtbot) -> FirstWeights:
    parent = QWidget()
    qtbot.addWidget(parent)
    begin = FirstWeights(parent)
    begin.parent_kept = parent
    return begin


def offered(begin: FirstWeights) -> list[object]:
    return [begin.box.itemData(row) for row in range(begin.box.count())]


def test_runs_of_the_same_model_with_weights_are_offered(begin: FirstWeights, study: Study) -> None:
    run = finished_run(study, "fastgan")
    finished_run(study, "fastgan", checkpoint=False)
    other = finished_run(study, "vae")
    summaries = summarise_all(study.root, "train")
    begin.offer(summaries, "fastgan")
    assert offered(begin) == [None, run.path, "elsewhere"]
    assert begin.path is None  # random weights, until a run is chosen
    begin.box.setCurrentIndex(1)
    assert begin.path == run.path
    assert begin.obstacle("fastgan") == ""
    begin.offer(summaries, "fastgan")  # when the list is read again
    assert begin.path == run.path
    begin.offer(summaries, "vae")
    assert offered(begin)[1] == other.path
    assert begin.path is None


def test_a_run_of_another_study_is_looked_at_before_it_is_taken(
    begin: FirstWeights, study: Study, tmp_path: Path, qtbot
) -> None:
    run, young = finished_run(study, "fastgan"), finished_run(study, "fastgan", checkpoint=False)
    assert not begin.folder.isVisibleTo(begin)
    with qtbot.waitSignal(begin.changed):
        begin.box.setCurrentIndex(begin.box.count() - 1)
    assert begin.folder.isVisibleTo(begin)
    assert begin.path is None
    assert "choose the folder" in begin.obstacle("fastgan")
    for folder, reason in ((tmp_path, "is not the folder of a run"), (young.path, "has no checkpoint yet")):
        begin.folder.set_path(folder)
        assert reason in begin.obstacle("fastgan")
    with qtbot.waitSignal(begin.changed):
        begin.folder.set_path(run.path)
    assert begin.path == run.path
    assert begin.obstacle("fastgan") == ""
    assert begin.obstacle("vae").endswith("is a run of fastgan and has no weights for vae.")
