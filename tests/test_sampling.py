"""Synthetic cubes are decided by their seeds, complete or absent, and never of two checkpoints at once."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="sampling needs the extra [train]")

from napari_hsisynth.cli import main
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.sampling import reconstruct, sample
from napari_hsisynth.study import load_collection, read_crop, read_crops_index
from napari_hsisynth.training import synthetic_cubes
from napari_hsisynth.training.generator import open_generator
from napari_hsisynth.training.run import train
from napari_hsisynth.training.synthetic_cubes import GrowingIndex
from napari_hsisynth.training.synthetic_folder import check_space

_spec = importlib.util.spec_from_file_location("tiny_study", Path(__file__).parent / "training" / "conftest.py")
tiny = importlib.util.module_from_spec(_spec)
sys.modules["tiny_study"] = tiny
_spec.loader.exec_module(tiny)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    study = tiny.put_study(tmp_path_factory.mktemp("sampling") / "study")
    run = new_run(study.root, "vae")
    config = tiny.parse({**tiny.SMALL, "max_images": 24})
    train(study.root, config, diagnosis="melanoma", run=run)
    return run


def cubes(folder):
    return {r.crop_id: read_crop(folder, r).cube.data for r in read_crops_index(folder)}


def test_samples_are_crops_that_say_where_they_come_from(trained):
    folder = sample(trained, n=3, seed=5)
    assert folder == trained.path.parent.parent / "synthetic" / trained.id
    found = load_collection(folder)
    assert found.kind == "synthetic"
    for record in found.records:
        crop = read_crop(folder, record)
        assert (record.run, record.checkpoint, record.mask_source) == (trained.id, "last@24", "none")
        assert record.diagnosis == "melanoma"
        assert crop.cube.data.shape == (5, 16, 16)
        assert not crop.mask.any()
        assert crop.cube.provenance["seed"] == record.seed
    assert len({record.seed for record in found.records}) == 3


def test_a_cube_depends_on_its_own_seed_only(trained, tmp_path):
    few, many = (cubes(sample(trained, n=n, seed=1, out=tmp_path / str(n))) for n in (3, 19))
    assert len(many) == 19
    for name, data in few.items():
        np.testing.assert_array_equal(many[name], data)
    other = cubes(sample(trained, n=3, seed=2, out=tmp_path / "other"))
    assert not {data.tobytes() for data in other.values()} & {data.tobytes() for data in many.values()}


def test_an_interrupted_call_is_finished_and_a_repeated_one_does_nothing(trained, tmp_path):
    whole = cubes(sample(trained, n=20, seed=1, out=tmp_path / "whole"))
    asked = iter([False, True])
    folder = sample(trained, n=20, seed=1, out=tmp_path / "part", stop=lambda: next(asked))
    assert 0 < len(cubes(folder)) < 20
    damaged = folder / read_crops_index(folder)[0].file
    damaged.write_bytes(damaged.read_bytes()[:100])
    sample(trained, n=20, seed=1, out=folder)
    finished = cubes(folder)
    assert finished.keys() == whole.keys()
    assert all(np.array_equal(finished[name], whole[name]) for name in whole)
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    sample(trained, n=20, seed=1, out=folder)
    assert times == {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}


def test_cubes_of_two_checkpoints_are_kept_apart(trained, tmp_path):
    folder = sample(trained, n=2, seed=0, out=tmp_path, checkpoint="best")
    with pytest.raises(InputError, match="another checkpoint"):
        sample(trained, n=2, seed=0, out=folder, checkpoint="last")


def test_no_room_is_said_before_anything_is_written(trained, tmp_path):
    with pytest.raises(InputError, match="MB are free"):
        check_space(tmp_path / "out", open_generator(trained.path, device="cpu"), 10**12)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"n": 0}, "1 or more"), ({"checkpoint": "first"}, "last or best")],
)
def test_bad_wishes_are_one_line(trained, changes, words):
    with pytest.raises(InputError, match=words):
        sample(trained, **{"n": 1, "seed": 0, **changes})


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(InputError, match="not a run folder"):
        sample(tmp_path, n=1, seed=0)


def test_reconstructions_of_held_out_crops(trained):
    found = reconstruct(trained)
    assert found.originals.shape == found.made.shape == (len(found.records), 5, 16, 16)
    assert found.wavelengths_nm.shape == (5,)
    assert (found.trained_on, found.baselines, found.notes) == (0, {}, ())  # a VAE is shown the cube itself
    everything = reconstruct(trained, "all")
    train_only = {record.crop_id for record in reconstruct(trained, "train").records}
    assert {r.crop_id for r in everything.records} - train_only == {r.crop_id for r in found.records}
    assert everything.trained_on == len(train_only)
    assert all(record.diagnosis == "melanoma" for record in everything.records)
    with pytest.raises(InputError, match="no split"):
        reconstruct(trained, "some")


def test_the_verb_as_a_job(trained, tmp_path, capsys):
    run = new_run(trained.path.parent.parent, "sample")
    words = ["sample", str(trained.path), "--n", "2", "--seed", "4", "--out", str(tmp_path), "--run", str(run.path)]
    assert main([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["folder"], printed["status"], printed["cubes"]) == (str(tmp_path), "done", 2)
    state = RunFolder(run.path).state()
    assert (state.status, state.unit, state.images, state.total) == ("done", "cubes", 2, 2)


def test_the_train_verb_ends_with_the_run_folder(trained, capsys):
    study = trained.path.parent.parent
    sets = [w for name, value in {**tiny.SMALL, "max_images": 8}.items() for w in ("--set", f"{name}={value}")]
    assert main(["train", str(study), "--model", "vae", "--diagnosis", "nevus", *sets]) == 0
    run = RunFolder(capsys.readouterr().out.splitlines()[-1])
    assert run.id.split("-", 2)[2].startswith("vae-nevus-")
    assert main(["train", str(study), "--resume", run.id, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["run"], printed["status"], printed["images"]) == (str(run.path), "done", 8)
    assert main(["train", str(study), "--resume", run.id, "--set", "lr=1"]) == 2
    assert main(["train", str(study), "--diagnosis", "solar_lentigo"]) == 2
    assert "there are: melanoma, nevus" in capsys.readouterr().err


def test_what_was_written_before_an_error_is_listed(trained, tmp_path, monkeypatch):
    draw, calls = synthetic_cubes.draw, []

    def fails_in_the_second_round(*given):
        calls.append(given)
        if len(calls) == 2:
            raise InputError("the disk with the masks is gone")
        return draw(*given)

    monkeypatch.setattr(synthetic_cubes, "draw", fails_in_the_second_round)
    with pytest.raises(InputError, match="gone"):
        sample(trained, n=20, out=tmp_path)
    assert len(read_crops_index(tmp_path)) == 16


def test_two_processes_that_fill_one_folder_keep_each_others_cubes(trained, tmp_path):
    sample(trained, n=4, out=tmp_path)
    records = read_crops_index(tmp_path)
    (tmp_path / "crops.csv").unlink()
    first, second = (GrowingIndex(tmp_path, part) for part in (records[:2], records[2:]))
    second.write()
    first.write()
    assert read_crops_index(tmp_path) == records
