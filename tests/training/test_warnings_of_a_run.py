"""Warnings in the events of a run: said once, and again if a resume has undone what they were about."""

from pathlib import Path

from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.training.reporting import Report


def test_a_warning_of_a_moment_is_undone_with_it_and_one_of_the_whole_stays(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    report = Report(run, "train")
    report.started("cpu")
    for _ in range(2):
        report.warn("few crops")
        report.warn("the loss has risen", 300)
    told = [(event.fields["message"], event.images) for event in run.events() if event.kind == "warning"]
    assert told == [("few crops", None), ("the loss has risen", 300)]
    Report(run, "train").started("cpu", resumed_at=200)
    again = Report(run, "train")
    again.warn("few crops")
    again.warn("the loss has risen", 300)
    told = [(event.fields["message"], event.images) for event in run.events() if event.kind == "warning"]
    assert told == [("few crops", None), ("the loss has risen", 300)]
    assert sum(event.kind == "warning" for event in run.history()) == 3
