"""Two processes on the CPU, started by Fabric or by torchrun, learn what one learns from the same batches."""

import json
import subprocess
import sys

import pytest
import torch

from napari_hsisynth.cli import main
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.roll_back import MOST_ROLL_BACKS

WORDS = [sys.executable, "-m", "napari_hsisynth", "train"]


def settings(tiny, **changes):
    values = {**tiny.settings, "max_images": 40, "checkpoint_every": 20, "preview_every": 40, **changes}
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


def trained(words, starter=WORDS):
    done = subprocess.run([*starter, *words, "--json"], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("{") == done.stdout.count("}"), "only the first process speaks"
    return RunFolder(json.loads(done.stdout)["run"])


def weights(run):
    return checkpoints.load(run.checkpoints_dir / "last.pt").recipe["network"]


def losses(run):
    return [e.fields["values"]["val_loss"] for e in run.events() if "val_loss" in e.fields.get("values", {})]


def test_two_processes_learn_what_one_learns(study, tiny, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = [str(study.root), "--model", "vae", *settings(tiny)]
    one, two = trained(words), trained([*words, "--devices", "2"])
    assert len(list(study.runs_dir.iterdir())) == 2, "both processes work in one folder"
    assert [e.kind for e in two.events()].count("started") == 1
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    for name, value in weights(one).items():
        # Adam divides by the root of a mean square: where gradients vanish, rounding may turn a step around
        torch.testing.assert_close(weights(two)[name], value, rtol=1e-3, atol=2e-3)


@pytest.mark.slow
def test_torchrun_starts_them_as_well(study, tiny, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    starter = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = ["-m", "napari_hsisynth", "train", str(study.root), "--model", "vae", *settings(tiny, devices=2)]
    run = trained(words, starter)
    assert run.state().status == "done"
    assert len(list(study.runs_dir.iterdir())) == 1


@pytest.mark.slow
def test_two_processes_killed_and_resumed_end_as_the_uninterrupted_run(study, tiny, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = [str(study.root), "--model", "vae", *settings(tiny, devices=2, max_images=2000, checkpoint_every=40)]
    run = new_run(study.root, "vae")
    tiny.kill_at(["train", *words], run, 80)
    assert run.state().status == "failed"
    resumed = trained([str(study.root), "--resume", str(run.path)])
    uninterrupted = trained(words)
    assert resumed == run
    for name, value in weights(uninterrupted).items():
        assert weights(run)[name].equal(value), name


@pytest.mark.slow
def test_two_processes_go_back_where_one_does(study, tiny, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    broken = {"lr": 1.0, "max_images": 4000, "checkpoint_every": 200, "preview_every": 200}
    words = [str(study.root), *settings(tiny, on_divergence="roll_back", **broken), "--json"]
    told = []
    for processes in ("1", "2"):
        run = new_run(study.root, "vae")
        command = [*WORDS, *words, "--devices", processes, "--run", str(run.path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 1, done.stderr
        backs = [event.fields for event in run.history() if event.kind == "rolled_back"]
        told.append([(back["reached"], back["resumed_at"], back["lr"]) for back in backs])
    assert len(told[0]) == MOST_ROLL_BACKS
    assert told[0] == told[1]


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_starts(study, tiny, capsys):
    assert main(["train", str(study.root), *settings(tiny, batch_size=3), "--devices", "2"]) == 2
    assert "batch_size: 3 images cannot be shared evenly by 2 processes" in capsys.readouterr().err
    assert not study.runs_dir.exists() or not list(study.runs_dir.iterdir())
