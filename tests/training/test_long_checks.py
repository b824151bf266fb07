"""The checks that take minutes, run by ``make slow``: one run killed many times, and every mode of training."""

import random
import time

import pytest

from napari_hsisynth.jobs import launch, new_run
from napari_hsisynth.sampling import sample
from napari_hsisynth.study import read_crops_index
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.run import resume, train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_a_run_killed_again_and_again_ends_as_the_uninterrupted_one(study, small, tiny, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings = {**tiny.settings, "max_images": 4000, "checkpoint_every": 40, "preview_every": 400}
    run = new_run(study.root, "vae")
    words = ["--model", "vae", "--diagnosis", "melanoma"]
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    draw, kills = random.Random(0), 0
    words = ["train", str(study.root), *words]
    while run.state().status != "done" and kills < 8:
        job = launch(words, run)
        deadline = time.monotonic() + draw.uniform(8, 20)  # the moment of the kill: before, within or after training
        while time.monotonic() < deadline and job.wait(0.5) is None:
            pass
        if job.poll() is None:
            job.kill()
            job.wait(30)
            kills += 1
        if (run.checkpoints_dir / "last.pt").exists():
            words = ["train", str(study.root), "--resume", str(run.path)]
    if run.state().status != "done":
        resume(run)
    uninterrupted = new_run(study.root, "vae")
    train(study.root, small(**settings), diagnosis="melanoma", run=uninterrupted)
    kept, expected = (checkpoints.load(one.checkpoints_dir / "last.pt") for one in (run, uninterrupted))
    assert kills > 0
    assert kept.images == expected.images == 4000
    weights, others = kept.recipe["network"], expected.recipe["network"]
    assert weights.keys() == others.keys()
    assert all(weights[name].equal(others[name]) for name in weights)


@pytest.mark.parametrize("image_size", [64, 256])
@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("compiled", [False, True])
def test_every_mode_trains_and_samples(study, small, image_size, precision, compiled):
    config = small(image_size=image_size, precision=precision, compile=compiled, max_images=24)
    run = new_run(study.root, "vae")
    result = train(study.root, config, diagnosis=None, run=run)
    assert result["status"] == "done"
    folder = sample(run, n=3, seed=0)
    assert len(read_crops_index(folder)) == 3
