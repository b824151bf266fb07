"""A run folder tells the truth about a job, whatever happened to the process that wrote it."""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import Event, RunFolder, list_runs, new_run, without_time
from napari_hsisynth.jobs.process import identity, is_dead


@pytest.fixture
def run(tmp_path):
    return new_run(tmp_path, "vae-melanoma")


def start(run, **changes):
    return run.append("started", **{**identity(), "verb": "train", "device": "cpu", "resumed_at": None, **changes})


def ended_process():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    named = identity(child.pid)
    child.kill()
    child.wait()
    return named


def test_a_run_id_says_when_and_what(tmp_path):
    run = new_run(tmp_path, "vae-melanoma")
    date, clock, *name, digits = run.id.split("-")
    assert time.strptime(f"{date}-{clock}", "%Y%m%d-%H%M%S")
    assert name == ["vae", "melanoma"]
    assert len(digits) == 4
    int(digits, 16)
    assert run.path.parent == tmp_path / "runs"


def test_a_name_cannot_leave_the_folder(tmp_path):
    assert new_run(tmp_path, "../../evil name").path.parent == tmp_path / "runs"


def test_no_run_in_a_study_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such study"):
        new_run(tmp_path / "nowhere", "vae")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_no_run_in_a_read_only_study(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot make a run folder"):
        new_run(tmp_path, "vae")


def test_a_file_in_the_way_of_the_runs_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="runs: cannot make a run folder"):
        new_run(tmp_path, "vae")


def test_configuration_comes_back(run):
    run.write_config({"lr": 1e-4, "run": {"verb": "train"}, "wavelengths_nm": [465.0]})
    assert run.config == {"lr": 1e-4, "run": {"verb": "train"}, "wavelengths_nm": [465.0]}


@pytest.mark.parametrize("content", ["- a list", "a: [", "\x00\x01"])
def test_a_configuration_that_is_none_is_one_line(run, content):
    run.config_path.write_text(content)
    with pytest.raises(InputError) as caught:
        _ = run.config
    assert "\n" not in str(caught.value)


def test_a_folder_without_configuration_is_no_run(tmp_path):
    with pytest.raises(InputError, match="not a run folder"):
        _ = RunFolder(tmp_path).config


def test_states_in_their_order(run):
    assert run.state().status == "queued"
    run.append("launched", **identity(), argv=[])
    assert run.state().status == "starting"
    start(run)
    assert run.state().status == "running"
    run.append("progress", done=30, total=120, unit="images", rate=10.0, eta_s=9.0)
    state = run.state()
    assert (state.images, state.total, state.rate, state.eta_s, state.fraction) == (30, 120, 10.0, 9.0, 0.25)
    run.request_stop()
    assert run.state().status == "stopping"
    run.append("stopped", images=32)
    assert (run.state().status, run.state().images) == ("stopped", 32)
    run.clear_stop()
    start(run, resumed_at=32)
    assert run.state().status == "running"
    run.append("done", result={"images": 120})
    assert run.state().status == "done"
    assert run.state().result == {"images": 120}


def test_the_parents_line_may_come_after_the_childs(run):
    start(run)
    run.append("launched", **identity(), argv=[])
    assert run.state().status == "running"


def test_a_dead_process_without_a_last_word_has_failed(run):
    start(run, **ended_process())
    run.append("progress", done=8, total=80, unit="images", rate=1.0, eta_s=72.0)
    state = run.state()
    assert (state.status, state.images, state.eta_s) == ("failed", 8, None)
    assert "without saying why" in state.reason


def test_a_stranger_with_the_same_number_is_not_our_process():
    assert is_dead({**identity(), "create_time": identity()["create_time"] - 3600})
    assert not is_dead(identity())


def test_a_process_elsewhere_counts_as_alive(run):
    start(run, host="another-machine", pid=1)
    assert run.state().status == "running"


def test_a_torn_line_spoils_only_itself(run):
    start(run)
    run.append("progress", done=8, total=80)
    whole = run.events_path.read_bytes()
    run.events_path.write_bytes(whole[:-7])  # killed in the middle of a line
    assert [event.kind for event in run.events()] == ["started"]
    run.append("checkpoint", images=8, file="checkpoints/last.pt")
    assert [event.kind for event in run.events()] == ["started", "checkpoint"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_bytes_can_break_the_reader(lines):
    for line in lines:
        event = Event.from_line(line)
        assert event is None or isinstance(event.kind, str)


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name not in ("t", "kind")),
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.lists(st.integers(0, 9)),
        max_size=4,
    )
)
def test_an_event_comes_back_from_its_line(fields):
    event = Event("warning", 1.5, fields)
    line = event.to_line()
    assert line.count(b"\n") == 1
    assert Event.from_line(line) == event


def test_numbers_that_json_lacks_become_null(run):
    run.append("scalars", images=np.int64(8), values={"loss": float("nan"), "kl": np.float32(2.5), "gradient": np.inf})
    assert json.loads(run.events_path.read_text())["values"] == {"loss": None, "kl": 2.5, "gradient": None}


def test_a_resume_supersedes_what_came_after_its_checkpoint(run):
    start(run)
    run.append("warning", message="kept")
    for images in (10, 20, 30):
        run.append("progress", done=images, total=90)
        run.append("scalars", images=images, values={"loss": float(images)})
        if images == 20:
            run.append("checkpoint", images=20, file="checkpoints/last.pt")
    run.append("failed", message="the disk is full")
    start(run, resumed_at=20)
    run.append("scalars", images=30, values={"loss": -1.0})
    losses = {e.fields["images"]: e.fields["values"]["loss"] for e in run.events() if e.kind == "scalars"}
    assert losses == {10: 10.0, 20: 20.0, 30: -1.0}
    kinds = [event.kind for event in run.events()]
    assert kinds.count("checkpoint") == 1
    assert "failed" not in kinds
    assert "warning" in kinds
    assert run.state().status == "running"


def test_two_writers_do_not_mix_their_lines(run):
    def write(name):
        for number in range(100):
            run.append("warning", message=f"{name}{number}" * 20)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [f"{name}{number}" * 20 for name in "ab" for number in range(100)]
    assert sorted(event.fields["message"] for event in run.events()) == sorted(written)
    # one writer may see the other's line half done and close it with a newline, which at worst leaves an empty line
    assert len([line for line in run.events_path.read_bytes().splitlines() if line]) == 200


def test_runs_are_listed_newest_first(tmp_path):
    for run_id in ("20260101-000000-vae-a-0001", "20260301-000000-vae-b-0000", "20260201-000000-vae-a-ffff"):
        RunFolder(tmp_path / "runs" / run_id).append("warning", message="")
    (tmp_path / "runs" / "notes").mkdir()
    assert [run.id[4:6] for run in list_runs(tmp_path)] == ["03", "02", "01"]
    assert list_runs(tmp_path / "nowhere") == []


def test_only_a_time_is_taken_off_a_name(tmp_path):
    run = new_run(tmp_path, "vae-melanoma")
    assert without_time(run.id).startswith("vae-melanoma-")
    for name in ("my-data-set", "20261123-data-set", "12-34-vae", "20261123-101500-", "x20261123-101500-vae"):
        assert without_time(name) == name
