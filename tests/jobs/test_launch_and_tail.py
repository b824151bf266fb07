"""Jobs are processes of their own, followed through their folder."""

import os
import subprocess
import sys
import threading

import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import attach, launch, new_run, tail
from napari_hsisynth.jobs.process import identity


@pytest.fixture
def run(tmp_path):
    return new_run(tmp_path, "vae")


def started(run, **changes):
    run.append("started", **{**identity(), "verb": "train", "device": "cpu", "resumed_at": None, **changes})


def test_a_child_that_cannot_begin_says_why_in_its_folder(run, tmp_path):
    job = launch(["train", str(tmp_path / "nowhere"), "--model", "vae"], run)
    events = list(tail(run, poll_s=0.05))
    assert events[0].kind == "launched"
    assert events[-1].kind == "failed"
    assert "nowhere" in events[-1].fields["message"]
    assert job.wait(60) == 2
    assert run.state().status == "failed"
    log = run.log_path.read_text()
    assert log.startswith("$ napari-hsisynth train")
    assert "error: " in log
    assert "Traceback" not in log


@pytest.mark.skipif(os.name == "nt", reason="sessions are a POSIX matter")
def test_a_child_lives_in_its_own_session_and_can_be_found_and_ended(run, tmp_path):
    job = launch(["train", str(tmp_path / "nowhere")], run)
    try:
        if job.poll() is None:
            assert os.getsid(job.pid) == job.pid != os.getsid(0)
    finally:
        job.kill()
        job.wait(30)
    assert attach(run) is None


def test_only_one_process_works_in_a_folder(run):
    started(run)
    with pytest.raises(InputError, match="already at work"):
        launch(["train", "study"], run)
    assert attach(run).pid == os.getpid()


def test_an_attached_job_can_be_ended(run):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started(run, **identity(child.pid))
    job = attach(run)
    assert job.poll() is None
    job.terminate()
    child.wait(30)
    assert job.poll() == 1
    assert attach(run) is None


def test_tail_yields_new_events_until_the_end(run):
    seen, ready = [], threading.Event()

    def follow():
        for event in tail(run, poll_s=0.01):
            seen.append(event.kind)
            ready.set()

    follower = threading.Thread(target=follow)
    follower.start()
    started(run)
    assert ready.wait(10)
    run.append("progress", done=1, total=2)
    run.append("done", result={})
    follower.join(10)
    assert seen == ["started", "progress", "done"]


def test_tail_waits_for_the_rest_of_a_line(run):
    started(run)
    run.append("done", result={})
    content = run.events_path.read_bytes()
    run.events_path.write_bytes(content[:-5])
    looks = iter([False, False, True])
    seen = tail(run, poll_s=0.001, stop=lambda: next(looks))
    assert [event.kind for event in seen] == ["started"]


def test_tail_of_a_resumed_run_begins_with_what_still_holds(run):
    started(run)
    run.append("progress", done=40, total=80)
    run.append("stopped", images=40)
    started(run, resumed_at=20)
    run.append("done", result={})
    assert [event.kind for event in tail(run, poll_s=0.01)] == ["started", "started", "done"]


def test_tail_makes_up_the_end_of_a_killed_process(run):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started(run, **identity(child.pid))
    child.kill()
    child.wait()
    *_, last = tail(run, poll_s=0.01)
    assert last.kind == "failed"
    assert "without saying why" in last.fields["message"]
    assert [event.kind for event in run.history()] == ["started"]


def test_tail_can_be_given_up(run):
    assert list(tail(run, poll_s=0.001, stop=lambda: True)) == []
