"""The row of a job, followed through the files of real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from qtpy.QtCore import QThreadPool

from napari_hsisynth.jobs import RunFolder, RunState, new_run
from napari_hsisynth.widgets.job_row import (
    JobRow,
    duration_text,
    last_words,
    log_tail,
    rate_text,
    state_text,
)

#: A job in a few lines: it counts until told to stop, and ends as its second argument says.
WORKER = textwrap.dedent(
    """
    import sys, time
    from napari_hsisynth.jobs import RunFolder
    from napari_hsisynth.jobs.process import identity
    run, ending, count = RunFolder(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    run.append("started", **identity(), verb="train", device="cpu", resumed_at=None)
    for done in range(1, count + 1):
        if run.stop_requested():
            run.append("stopped", images=done)
            sys.exit()
        run.append("progress", done=done, total=count, unit="images", rate=50.0, eta_s=(count - done) / 50)
        run.append("scalars", images=done, values={"loss": 1 / done})
        time.sleep(0.02)
    if ending == "failed":
        run.append("failed", message="out of memory on cuda:0")
    elif ending == "done":
        run.append("done", result={"samples": 3})
    elif ending == "raise":
        raise ValueError("the disk is full")
    """
)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return new_run(tmp_path, "vae-melanoma")


@pytest.fixture
def start(run: RunFolder):
    """Start a worker on the run; whatever is left of it is ended with the test."""
    children = []

    def start(ending: str, count: int = 10_000) -> subprocess.Popen:
        with open(run.log_path, "wb") as log:
            children.append(
                subprocess.Popen(
                    [sys.executable, "-c", WORKER, str(run.path), ending, str(count)], stdout=log, stderr=log
                )
            )
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.wait()


@pytest.fixture
def row(qtbot) -> JobRow:
    row = JobRow()
    qtbot.addWidget(row)
    row.show()
    yield row
    row.detach()
    QThreadPool.globalInstance().waitForDone(5000)


def test_a_job_runs_to_its_end(qtbot, row: JobRow, run: RunFolder, start) -> None:
    seen, events = [], []
    row.state_changed.connect(lambda state: seen.append(state.status))
    row.event_arrived.connect(events.append)
    row.attach(run)
    assert row.state.status == "starting"
    assert row.stop_button.isEnabled()
    with qtbot.waitSignal(row.finished, timeout=20_000) as finished:
        start("done", 20)
    assert finished.args[0].status == "done"
    assert finished.args[0].result == {"samples": 3}
    assert [s for i, s in enumerate(seen) if i == 0 or seen[i - 1] != s] == ["starting", "running", "done"]
    assert [e.images for e in events if e.kind == "scalars"] == list(range(1, 21))
    assert row.status.text() == "done · 20 images"
    assert row.bar.value() == row.bar.maximum()
    assert not row.stop_button.isEnabled()


def test_stop_is_acknowledged_at_once_and_then_happens(qtbot, row: JobRow, run: RunFolder, start) -> None:
    child = start("done")
    row.attach(run)
    qtbot.waitUntil(lambda: row.state.status == "running" and row.state.images > 0, timeout=20_000)
    assert "50/\N{WORD JOINER}s" in row.status.text()
    assert "ETA\N{NO-BREAK SPACE}3:" in row.status.text()
    row.stop_button.click()
    assert row.state.status == "stopping"  # before any event can have come
    assert row.status.text().startswith("stopping")
    assert not row.stop_button.isEnabled()
    qtbot.waitUntil(lambda: row.state.status == "stopped", timeout=10_000)
    assert child.wait(5) == 0


def test_a_stop_that_is_not_heard_can_be_enforced(qtbot, row: JobRow, run: RunFolder, start) -> None:
    child = start("done")
    row._impatient.setInterval(50)
    row.attach(run)
    qtbot.waitUntil(lambda: row.state.images > 0, timeout=20_000)
    os.kill(child.pid, signal.SIGSTOP)  # a process that hangs
    row.stop_button.click()
    qtbot.waitUntil(lambda: row.stop_button.text() == "End now" and row.stop_button.isEnabled(), timeout=5_000)
    row.stop_button.click()
    child.wait(10)
    qtbot.waitUntil(lambda: row.state.status == "failed", timeout=10_000)


def test_a_failure_shows_its_reason_and_its_log(qtbot, row: JobRow, run: RunFolder, start) -> None:
    row.attach(run)
    with qtbot.waitSignal(row.finished, timeout=20_000):
        start("failed", 3)
    assert row.status.text() == "failed: out of memory on cuda:0"
    run.log_path.write_text("line one\nline two\n")
    row.details_button.click()
    assert row.log.isVisible()
    assert row.log.toPlainText() == "line one\nline two"


def test_a_killed_process_is_seen_as_failed(qtbot, row: JobRow, run: RunFolder, start) -> None:
    child = start("done")
    row.attach(run)
    qtbot.waitUntil(lambda: row.state.images > 0, timeout=20_000)
    child.kill()
    child.wait()
    qtbot.waitUntil(lambda: row.state.status == "failed", timeout=10_000)
    assert "killed" in row.status.text()


def test_an_error_that_only_the_log_knows_is_the_reason(qtbot, row: JobRow, run: RunFolder, start) -> None:
    child = start("raise", 2)
    child.wait(20)
    row.attach(run)
    qtbot.waitUntil(lambda: row.state.status == "failed", timeout=10_000)
    assert row.status.text() == "failed: ValueError: the disk is full"


def test_a_run_that_was_started_elsewhere_and_goes_on_without_us(qtbot, run: RunFolder, start) -> None:
    """Destroying the row in the middle ends its thread, not the job; a new row finds the job where it is."""
    child = start("done")
    row = JobRow()
    row.attach(run)
    qtbot.waitUntil(lambda: row.state.images > 0, timeout=20_000)
    row.close()
    row.deleteLater()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=5_000)
    assert child.poll() is None
    before = run.state().images
    qtbot.waitUntil(lambda: run.state().images > before, timeout=5_000)
    again = JobRow()
    qtbot.addWidget(again)
    again.attach(run)
    qtbot.waitUntil(lambda: again.state.images > before, timeout=10_000)
    again.stop()
    qtbot.waitUntil(lambda: again.state.status == "stopped", timeout=10_000)


def test_many_rows_leave_room_for_other_threads(qtbot, tmp_path: Path) -> None:
    """A follower waits for hours; napari's own workers share its thread pool and must still get a turn."""
    from napari.qt.threading import create_worker

    pool = QThreadPool.globalInstance()
    most = pool.maxThreadCount()
    rows = [JobRow() for _ in range(most + 2)]
    for number, row in enumerate(rows):
        qtbot.addWidget(row)
        row.attach(new_run(tmp_path, f"job-{number}"))
    worker = create_worker(lambda: 42, _start_thread=False)
    with qtbot.waitSignal(worker.returned, timeout=5_000) as returned:
        worker.start()
    assert returned.args == [42]
    for row in rows:
        row.detach()
    qtbot.waitUntil(lambda: pool.activeThreadCount() == 0, timeout=5_000)
    assert pool.maxThreadCount() == most


def test_a_long_history_arrives_without_a_flood(qtbot, row: JobRow, run: RunFolder) -> None:
    run.append("started", pid=1, create_time=0.0, host="elsewhere", verb="train", resumed_at=None)
    with open(run.events_path, "ab") as file:
        for images in range(5000):
            file.write(b'{"t": 1, "kind": "scalars", "images": %d, "values": {"loss": 1}}\n' % images)
    run.append("done", result={})
    states, events = [], []
    row.state_changed.connect(states.append)
    row.event_arrived.connect(events.append)
    with qtbot.waitSignal(row.finished, timeout=20_000):
        row.attach(run)
    assert len(events) == 5002
    assert len(states) < 500


def test_closing_the_viewer_asks_in_words_and_ends_the_thread(make_napari_viewer, qtbot, run: RunFolder, start) -> None:
    child = start("done")
    viewer = make_napari_viewer()
    row = JobRow()
    viewer.window.add_dock_widget(row)
    row.attach(run)
    qtbot.waitUntil(lambda: row.state.images > 0, timeout=20_000)
    asked = viewer.window._task_status_manager.get_status()  # what napari's dialog will show
    assert len(asked) == 1
    assert f"following {run.id}; the job itself goes on after closing" in asked[0]
    viewer.close()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=5_000)
    assert child.poll() is None


@pytest.mark.parametrize(
    ("state", "text", "short"),
    [
        (RunState("queued"), "queued", "queued"),
        (
            RunState("running", "", 124_000, 200_000, 412.3, 184.0),
            "running · 124,000 of 200,000 images · 412/s · ETA 3:04",
            "running 62 % · ETA 3:04",
        ),
        (RunState("stopping", "", 5, 10, 2.5, 9), "stopping · 5 of 10 images · 2.5/s", "stopping 50 %"),
        (RunState("failed", "no space left", 5, 10), "failed: no space left", "failed: no space left"),
        (RunState("done", "", 16, 16, unit="cubes"), "done · 16 cubes", "done"),
    ],
)
def test_states_in_words(state: RunState, text: str, short: str) -> None:
    assert state_text(state) == text
    assert state_text(state, counts=False) == short


def test_numbers_in_words() -> None:
    assert [duration_text(s) for s in (0, 59.6, 184, 3723)] == ["0:00", "1:00", "3:04", "1:02:03"]
    assert [rate_text(r) for r in (1234.5, 9.94, 0.25)] == ["1,234/s", "9.9/s", "15.0/min"]


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert log_tail(log) == ""
    log.write_bytes(b"0 %\r50 %\r100 %\nnext\r\n" + b"x" * 50 + b"\nerror: study: no crops; run crop first\n")
    assert log_tail(log).splitlines()[:2] == ["100 %", "next"]
    assert log_tail(log, 60) == "error: study: no crops; run crop first"
    assert last_words(log) == "study: no crops; run crop first"
    log.write_text("all went well\n")
    assert last_words(log) == ""
