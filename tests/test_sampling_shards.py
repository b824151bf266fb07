"""Cubes are the same whoever draws them: one process or several, one diagnosis or all of a conditional model."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="sampling needs the extra [train]")

import torch
from test_sampling import cubes, tiny

from napari_hsisynth.cli import main
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import new_run
from napari_hsisynth.sampling import sample
from napari_hsisynth.study import read_crops_index
from napari_hsisynth.training.generator import open_generator
from napari_hsisynth.training.run import train
from napari_hsisynth.training.synthetic_cubes import GrowingIndex, cubes_asked_for


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of one diagnosis, one of all, and a conditional one."""
    study = tiny.put_study(tmp_path_factory.mktemp("shards") / "study")
    made = {}
    for name, diagnosis, changes in (
        ("nevus", "nevus", {}),
        ("all", None, {}),
        ("conditional", None, {"conditional": True}),
    ):
        made[name] = new_run(study.root, name)
        train(study.root, tiny.parse({**tiny.SMALL, "max_images": 8, **changes}), diagnosis=diagnosis, run=made[name])
    return made


def shown(folder):
    return [record.diagnosis.value for record in read_crops_index(folder)]


def test_a_conditional_model_draws_its_diagnoses_in_turn_or_one_of_them(runs, tmp_path):
    in_turn = sample(runs["conditional"], n=3, seed=0, out=tmp_path)
    assert shown(in_turn) == ["melanoma", "nevus", "melanoma"]
    before = cubes(in_turn)
    sample(runs["conditional"], n=2, seed=0, diagnosis="nevus", out=tmp_path)  # beside the others, under other names
    assert sorted(shown(tmp_path)) == ["melanoma", "melanoma", "nevus", "nevus", "nevus"]
    after = cubes(tmp_path)
    assert all(np.array_equal(after[name], data) for name, data in before.items())


def test_a_model_without_conditions_draws_its_own_diagnosis_only(runs, tmp_path, capsys):
    assert shown(sample(runs["nevus"], n=1, seed=0, diagnosis="nevus", out=tmp_path)) == ["nevus"]
    for name, wish in (("nevus", "melanoma"), ("all", "nevus"), ("all", "other"), ("conditional", "other")):
        with pytest.raises(InputError, match=f"cannot be asked for {wish}"):
            sample(runs[name], n=1, seed=0, diagnosis=wish, out=tmp_path / "none")
    assert not (tmp_path / "none").exists()
    assert main(["sample", str(runs["conditional"].path), "--diagnosis", "other"]) == 2
    assert "it draws: melanoma, nevus" in capsys.readouterr().err


def test_the_index_lists_what_is_there(runs, tmp_path):
    wanted = [one.record for one in cubes_asked_for(open_generator(runs["all"].path, device="cpu"), 3, 0)]
    index = GrowingIndex(tmp_path, wanted)
    (tmp_path / wanted[1].file).touch()
    index.write()
    assert read_crops_index(tmp_path) == [wanted[1]]


class Pretended:
    """What `sample` asks of Fabric, for two threads in place of two processes."""

    def __init__(self, rank, shared):
        self.global_rank, self.world_size, self.device = rank, 2, torch.device("cpu")
        self.shared = shared

    def barrier(self):
        self.shared.meeting.wait(30)

    def broadcast(self, value, src):
        if self.global_rank == src:
            self.shared.value = value
        self.barrier()
        value = self.shared.value
        self.barrier()  # before the next one replaces it
        return value


def shared_by_two(run, out, **wishes):
    shared = SimpleNamespace(meeting=threading.Barrier(2), value=None)
    stops = (wishes.pop("stop", None), None)
    with ThreadPoolExecutor(2) as both:
        parts = [
            both.submit(sample, run, out=out, fabric=Pretended(rank, shared), stop=stops[rank], **wishes)
            for rank in (0, 1)
        ]
    return [part.exception(timeout=60) or part.result() for part in parts]


def test_two_ranks_draw_what_one_does(runs, tmp_path):
    alone = cubes(sample(runs["all"], n=40, seed=3, out=tmp_path / "alone", device="cpu"))
    asked = iter([False, True])
    folders = shared_by_two(runs["all"], tmp_path / "two", n=40, seed=3, stop=lambda: next(asked))
    assert folders == [tmp_path / "two"] * 2
    assert len(cubes(tmp_path / "two")) == 32  # one round of both, then the stop of the first holds for both
    shared_by_two(runs["all"], tmp_path / "two", n=40, seed=3)
    two = cubes(tmp_path / "two")
    assert two.keys() == alone.keys()
    assert all(np.array_equal(two[name], alone[name]) for name in alone)
    refusals = shared_by_two(runs["all"], tmp_path / "two", n=1, seed=0, checkpoint="best")
    assert ["another checkpoint" in str(refusal) for refusal in refusals] == [True, True]


@pytest.mark.slow
def test_two_processes_draw_what_one_does(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = sample(runs["conditional"], n=40, seed=3, out=tmp_path / "alone", device="cpu")
    words = ["sample", str(runs["conditional"].path), "--n", "40", "--seed", "3", "--out", str(tmp_path / "shared")]
    command = [sys.executable, "-m", "napari_hsisynth", *words, "--devices", "2", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "shared")]
    names = sorted(path.name for path in alone.iterdir())
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == names
    assert read_crops_index(tmp_path / "shared") == read_crops_index(alone)
    one, two = cubes(alone), cubes(tmp_path / "shared")
    assert all(np.array_equal(one[name], two[name]) for name in one)
    command += ["--checkpoint", "best"]  # a refusal is one line, by the first process
    refused = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert refused.returncode == 2
    assert "another checkpoint" in refused.stderr
    assert refused.stderr.count("error:") == 1
