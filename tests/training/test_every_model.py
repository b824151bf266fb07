"""Every model family by the same contract: it trains in every mode, is sampled, resumed, and begun from another run."""

import json
import subprocess
import sys

import pytest
import torch

from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.sampling import sample
from napari_hsisynth.study import read_crop, read_crops_index
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.config import MODELS, parse
from napari_hsisynth.training.recipes import recipe_for
from napari_hsisynth.training.run import train

#: Small enough for every family; what a family does not have is left out.
SMALLEST = {"image_size": 64, "batch_size": 4, "latent_dim": 8, "width": 8, "device": "cpu"}
SHORT = {"max_images": 8, "checkpoint_every": 8, "preview_every": 8}


def config(model, **changes):
    values = {**SMALLEST, **SHORT, **changes}
    return parse({"model": model, **{name: v for name, v in values.items() if name in MODELS[model].model_fields}})


def flags(model, **changes):
    values = config(model, **changes).model_dump(exclude={"model"})
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture
def trained(study, model):
    run = new_run(study.root, model)
    train(study.root, config(model, conditional=True), diagnosis=None, run=run)
    return run


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_trained_model_is_sampled_and_begins_another_training(study, model, trained):
    folder = sample(trained, n=3, seed=0)
    records = read_crops_index(folder)
    cubes = [read_crop(folder, record).cube for record in records]
    assert [record.diagnosis.value for record in records] == ["melanoma", "nevus", "melanoma"]
    assert all(cube.data.shape == (len(study.wavelengths_nm), 64, 64) for cube in cubes)
    again = new_run(study.root, model)
    train(study.root, config(model, conditional=True, init=str(trained.path), lr=1e-12), diagnosis=None, run=again)
    said = [event.fields["message"] for event in again.events() if event.kind == "warning"]
    assert not [message for message in said if "begin at random" in message]
    first, second = (checkpoints.load(one.checkpoints_dir / "last.pt").recipe for one in (trained, again))
    names = recipe_for(model)(config(model), len(study.wavelengths_nm), 2).networks()
    assert names
    for name in set(names) - {"average"}:
        parameters = [key for key, _ in names[name].named_parameters()]
        for key in parameters:
            torch.testing.assert_close(second[name][key], first[name][key], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_mode_trains_and_samples(study, model, compiled, precision):
    run = new_run(study.root, model)
    modes = {"compile": compiled, "precision": precision, "conditional": True}
    assert train(study.root, config(model, **modes), diagnosis=None, run=run)["status"] == "done"
    assert len(read_crops_index(sample(run, n=2, seed=0))) == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", sorted(MODELS))
def test_two_processes_train_every_model(study, model, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = [sys.executable, "-m", "napari_hsisynth", "train", str(study.root), "--model", model, "--json"]
    done = subprocess.run([*words, *flags(model, devices=2)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    run = RunFolder(json.loads(done.stdout)["run"])
    assert run.state().status == "done"
    kept = checkpoints.load(run.checkpoints_dir / "last.pt")
    assert kept.images == SHORT["max_images"]
