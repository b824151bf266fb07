"""Progress of a job: its rate and what is left by a clock of our own, and the share of one that takes long."""

from pathlib import Path

import pytest

from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.training import reporting
from napari_hsisynth.training.job import job


class Clock:
    """Stands in for the module time."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


class Screen:
    def __init__(self) -> None:
        self.extras: list[str] = []

    def progress(self, done: int, total: int | None, unit: str = "", extra: str = "") -> None:
        self.extras.append(extra)

    def note(self, text: str) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(reporting, "time", clock)
    return clock


def told(run: RunFolder) -> list[dict]:
    return [dict(event.fields) for event in run.events() if event.kind == "progress"]


def test_reports_without_growth_do_not_make_the_rate(tmp_path: Path, clock: Clock) -> None:
    run = RunFolder(tmp_path / "run")
    report = reporting.Report(run, "invert", unit="photographs")
    report.started("")
    for done in (0, 0, 0, 0, 1, 1, 1, 1, 2):
        report.progress(done, 4)
        clock.now += 2.5
    rates = [each["rate"] for each in told(run)]
    assert rates[:4] == [0] * 4  # nothing is known yet
    assert rates[4:] == pytest.approx([1 / 10] * 5)
    assert told(run)[-1]["eta_s"] == pytest.approx(20)


def test_the_first_report_is_due_and_the_next_only_after_a_while(tmp_path: Path, clock: Clock) -> None:
    report = reporting.Report(RunFolder(tmp_path / "run"), "invert")
    report.started("")
    assert report.due
    report.progress(0, 4)
    assert not report.due
    clock.now += 0.5
    assert report.due


def test_the_share_of_one_that_takes_long_moves_the_bar_and_is_no_unit(tmp_path: Path, clock: Clock) -> None:
    run, screen = RunFolder(tmp_path / "run"), Screen()
    fractions = []
    with job(run.path, "invert", unit="photographs", screen=screen, settings={}) as work:
        for share in (0.0, 0.25, 0.5, 0.75):
            work.progress(0, 1, share)
            fractions.append(run.state().fraction)
            clock.now += 5
        state = run.state()
        assert (state.images, state.total, state.unit) == (0, 1, "photographs")
        assert state.rate == pytest.approx(1 / 20)
        assert state.eta_s == pytest.approx(5)
        work.progress(1, 1)
    assert fractions == [0, 0.25, 0.5, 0.75]
    assert run.state().fraction == 1
    assert screen.extras == ["", "25% of the next", "50% of the next", "75% of the next", ""]


def test_without_a_run_folder_the_terminal_says_the_share(tmp_path: Path) -> None:
    screen = Screen()
    with job(None, "invert", unit="photographs", screen=screen, settings={}) as work:
        work.progress(0, 2)
        work.progress(0, 2, 0.5)
    assert screen.extras == ["", "50% of the next"]
