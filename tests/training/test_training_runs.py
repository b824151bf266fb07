"""A run trains, stops, resumes to the bit, survives kills, and says why it failed."""

import contextlib
import math
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from napari_hsisynth.cli import main
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, new_run, tail
from napari_hsisynth.study import Study
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.run import TrainingFailed, resume, train


def trained(study, config, diagnosis="melanoma"):
    run = new_run(study.root, "vae")
    return run, train(study.root, config, diagnosis=diagnosis, run=run)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


def last(run, name="last"):
    return checkpoints.load(run.checkpoints_dir / f"{name}.pt")


def test_a_run_leaves_everything_that_others_read(study, small):
    run, result = trained(study, small(max_images=41))  # the last batch is not a whole one
    assert (result["status"], result["images"], result["run"]) == ("done", 41, str(run.path))
    assert run.state().status == "done"
    assert (run.config["image_size"], run.config["run"]["diagnosis"]) == (16, "melanoma")
    kinds = [event.kind for event in run.events()]
    assert (kinds[0], kinds[-1]) == ("started", "done")
    assert [e.fields["images"] for e in run.events() if e.kind == "checkpoint"] == [16, 32, 41]
    preview = next(event for event in run.events() if event.kind == "preview")
    with np.load(run.path / preview.fields["file"], allow_pickle=False) as arrays:
        assert arrays["samples"].shape == (16, 5, 16, 16)
        assert arrays["originals"].shape == arrays["reconstructions"].shape
        assert arrays["real_mean"].shape == arrays["synthetic_std"].shape == arrays["wavelengths_nm"].shape == (5,)
    kept = last(run)
    assert (kept.images, kept.diagnosis, kept.wavelengths_nm[-1]) == (41, "melanoma", 630.0)
    best = last(run, "best").best
    held_out = [e.fields["values"] for e in run.events() if "val_loss" in e.fields.get("values", {})]
    assert best["loss"] == -best["score"] == min(values["val_loss"] for values in held_out)
    assert all("val_score" not in values for values in held_out)  # the same figure twice


def test_stopped_and_resumed_is_to_the_bit_the_uninterrupted_run(study, small):
    whole, _ = trained(study, small())
    run = new_run(study.root, "vae")
    run.request_stop()
    assert train(study.root, small(), diagnosis="melanoma", run=run)["images"] == 0
    assert not run.stop_requested()
    follower = threading.Thread(target=stop_at, args=(run, 20), daemon=True)
    follower.start()
    first = resume(run)
    follower.join()
    assert first["status"] == "stopped" or first["images"] == 40
    while resume(run)["status"] != "done":
        pass
    assert same(vars(last(run)), vars(last(whole)))
    assert run.state().status == "done"


def stop_at(run, images):
    """Ask a run to stop when it is that far; until it is resumed, its dead process ends the following."""
    while True:
        for event in tail(run, poll_s=0.01):
            if event.kind == "progress" and event.fields["done"] >= images:
                run.request_stop()
                return
        time.sleep(0.01)


def test_killed_and_resumed_is_to_the_bit_the_uninterrupted_run(study, small, tiny, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    changes = {**tiny.settings, "max_images": 4000, "checkpoint_every": 40, "preview_every": 4000}
    run = new_run(study.root, "vae")
    sets = [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
    tiny.kill_at(["train", str(study.root), "--model", "vae", "--diagnosis", "melanoma", *sets], run, 80)
    state = run.state()
    assert (state.status, "killed" in state.reason) == ("failed", True)
    with open(run.events_path, "ab") as file:
        file.write(b'{"t": 1.0, "kind": "prog')  # and its last line torn
    at = last(run).images
    config = small(**changes)
    stopper = threading.Thread(target=stop_at, args=(run, at + 400), daemon=True)
    stopper.start()
    resumed = resume(run)
    stopper.join()
    uninterrupted, _ = trained(study, small(**changes | {"max_images": resumed["images"]}))
    kept, expected = vars(last(run)), vars(last(uninterrupted))
    assert same(kept["recipe"], expected["recipe"])
    assert config.max_images == 4000
    assert [e.images for e in run.events() if e.kind == "progress"] == sorted(
        {e.images for e in run.events() if e.kind == "progress"}
    )


def test_a_finished_run_is_left_as_it_is(study, small):
    run, result = trained(study, small(max_images=8))
    before = run.events_path.read_bytes()
    again = resume(run)
    assert (again["status"], again["images"]) == ("done", result["images"])
    assert run.events_path.read_bytes() == before


def test_a_run_without_a_checkpoint_starts_anew(study, small):
    run, _ = trained(study, small(max_images=8))
    for path in run.checkpoints_dir.iterdir():
        path.unlink()
    run.append("failed", message="as if killed early")
    assert resume(run)["images"] == 8
    started = [event for event in run.events() if event.kind == "started"]
    assert started[-1].fields["resumed_at"] == 0


def test_other_crops_are_not_gone_on_with(study, small, tiny, tmp_path):
    run, _ = trained(study, small(max_images=8))
    run.append("stopped", images=8)
    tiny.put_study(tmp_path / "other", specular=False)
    (study.root / "crops").rename(tmp_path / "old")
    (tmp_path / "other" / "crops").rename(study.root / "crops")
    with pytest.raises(InputError, match="not those this run began with"):
        resume(run)
    assert run.state().status == "failed"


def test_validation_does_not_train(study, small):
    often, _ = trained(study, small(checkpoint_every=4, preview_every=4))
    seldom, _ = trained(study, small(checkpoint_every=1000, preview_every=1000))
    assert same(last(often).recipe["network"], last(seldom).recipe["network"])


def test_divergence_says_so_and_keeps_the_last_good_checkpoint(study, small):
    run, _ = trained(study, small(max_images=8))
    kept = last(run)
    for moments in kept.recipe["optimiser"]["state"].values():
        moments["exp_avg"].fill_(math.inf)  # the next step throws the weights out of the numbers
    checkpoints.save(run.checkpoints_dir / "last.pt", kept)
    before = (run.checkpoints_dir / "last.pt").read_bytes()
    run.write_config(run.config | {"max_images": 400})
    run.append("stopped", images=8)
    with pytest.raises(TrainingFailed, match=r"not a number any more.*lower learning rate than 0.001"):
        resume(run)
    assert run.state().status == "failed"
    assert "learning rate" in run.state().reason
    assert (run.checkpoints_dir / "last.pt").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs file size limits")
def test_a_full_disk_is_named_and_the_last_checkpoint_kept(study, small):
    run, _ = trained(study, small(max_images=8))
    run.append("stopped", images=8)
    longer = run.config | {"max_images": 16}
    run.write_config(longer)
    with file_size_limit(20_000), pytest.raises(TrainingFailed, match="the disk is full"):
        resume(run)
    assert run.state().status == "failed"
    assert last(run).images == 8
    assert resume(run)["images"] == 16


@contextlib.contextmanager
def file_size_limit(size):
    import resource  # not on Windows

    previous = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, previous[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, previous)
        signal.signal(signal.SIGXFSZ, handler)


def test_one_image_and_a_batch_larger_than_the_set(tmp_path, small, tiny):
    study = tiny.put_study(tmp_path / "one", cubes=1)
    run, result = trained(study, small(max_images=8))
    assert (result["train"], result["val"], result["status"]) == (1, 0, "done")
    warnings = " ".join(event.fields["message"] for event in run.events() if event.kind == "warning")
    assert "fewer than a batch" in warnings
    assert "no melanoma crops in the validation split" in warnings


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
def test_a_device_that_is_not_there(study, small):
    run = new_run(study.root, "vae")
    with pytest.raises(InputError, match="no cuda device"):
        train(study.root, small(device="cuda"), diagnosis="melanoma", run=run)
    assert run.state().status == "failed"


def test_sigterm_is_a_stop_with_a_checkpoint(study, tiny):
    run = new_run(study.root, "vae")
    sets = [
        word for name, value in {**tiny.settings, "max_images": 10**6}.items() for word in ("--set", f"{name}={value}")
    ]
    command = [sys.executable, "-m", "napari_hsisynth", "train", str(study.root), *sets, "--run", str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        for event in tail(run, poll_s=0.02, stop=lambda: child.poll() is not None):
            if event.kind == "progress":
                break
        child.terminate()
        out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert out.splitlines()[-1] == str(run.path)
    assert run.state().status == "stopped"
    assert last(run).images == run.state().images > 0


def test_a_checkpoint_that_is_none_is_refused_without_running_it(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    for content in (b"", b"nothing", pickle.dumps(Evil())):
        (tmp_path / "last.pt").write_bytes(content)
        with pytest.raises(InputError):
            checkpoints.load(tmp_path / "last.pt")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(InputError, match="no such checkpoint"):
        checkpoints.load(tmp_path / "none.pt")


def test_a_folder_of_something_else_cannot_be_resumed(tmp_path):
    run = RunFolder(tmp_path)
    run.write_config({"run": {"verb": "evaluate"}})
    with pytest.raises(InputError, match="not a training run"):
        resume(run)


def test_a_run_is_resumed_in_its_own_study_only(study, tmp_path, capsys):
    other = Study.create(tmp_path / "other", wavelengths_nm=study.wavelengths_nm)
    run = new_run(other.root, "vae-all")
    run.write_config({"model": "vae"})
    assert main(["train", str(study.root), "--resume", str(run.path)]) == 2
    assert "a run of another study" in capsys.readouterr().err
    assert not run.history()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--set", "spectral_basis=pca", "--set", "basis_components=6"],
            "basis_components: 5 bands have no basis of 6",
        ),
        (["--set", "conditional=true", "--diagnosis", "melanoma"], "a conditional model learns all diagnoses"),
        (["--set", "critic=2d"], "vae has no setting 'critic'"),
    ],
)
def test_settings_that_do_not_fit_the_study_leave_no_run_behind(study, capsys, words, said):
    assert main(["train", str(study.root), "--model", "vae", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not study.runs_dir.exists() or not list(study.runs_dir.iterdir())
