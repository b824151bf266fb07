"""Which run a planned training becomes; the child process is a stand-in here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PIL import Image

from napari_hsisynth import __version__
from napari_hsisynth.jobs import new_run
from napari_hsisynth.jobs.events import Event
from napari_hsisynth.results import runs
from napari_hsisynth.results.plan import plan
from napari_hsisynth.study import Study


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "study", wavelengths_nm=[500, 600])


@pytest.fixture
def planned():
    return plan("vae", max_images=40, changes=[], seeds=1)[0]


def put_run(study, planned, kind, **about):
    """A run as a training leaves it, 60 s long with a break of an hour in between."""
    run = new_run(study.root, "vae-all")
    about = {"verb": "train", "diagnosis": "", "package_version": __version__, "data_fingerprint": "abc", **about}
    run.write_config({**planned.config.model_dump(), "run": about})
    moments = [("started", 0), ("checkpoint", 40), ("launched", 3639), ("started", 3640), (kind, 3660)]
    lines = [
        Event(name, 1e9 + t, {"images": 40} if name == "checkpoint" or name == kind else {}).to_line()
        for name, t in moments
    ]
    run.events_path.write_bytes(b"".join(lines))
    run.checkpoints_dir.mkdir()
    (run.checkpoints_dir / "last.pt").touch()
    return run


@pytest.fixture
def launched(monkeypatch):
    """What a child process would have been started with; it "trains" to the end at once."""
    started = []

    def launch(words, run):
        started.append((words, run))
        run.write_config({"run": {"package_version": __version__}})
        run.append("done", images=40, result={})
        return SimpleNamespace(wait=lambda timeout: 0)

    monkeypatch.setattr(runs, "launch", launch)
    return started


def test_a_finished_run_is_used_again(study, planned, launched):
    run = put_run(study, planned, "done")
    found = runs.trained(study, planned, "abc")
    assert (found.run, found.images, found.seconds) == (run, 40, 60)
    assert not launched


def test_a_run_of_other_photographs_is_not(study, tmp_path, launched):
    pytest.importorskip("torch")
    from napari_hsisynth.training.photos import load_photos

    (tmp_path / "photos").mkdir()
    Image.new("RGB", (64, 64), "brown").save(tmp_path / "photos" / "one.png")
    (asked,) = plan(f"shs-gan:photos={tmp_path / 'photos'}", max_images=40, changes=[], seeds=1)
    known = load_photos(tmp_path / "photos", asked.config.image_size).fingerprint
    run = put_run(study, asked, "done", photos_fingerprint=known)
    assert runs.trained(study, asked, "abc").run == run
    Image.new("RGB", (64, 64), "pink").save(tmp_path / "photos" / "two.png")
    assert runs.trained(study, asked, "abc").run == launched[0][1]


@pytest.mark.parametrize(
    "about", [{"data_fingerprint": "other"}, {"package_version": "0.0"}, {"diagnosis": "nevus"}, {"verb": "sample"}]
)
def test_a_run_of_something_else_is_not(study, planned, launched, about):
    put_run(study, planned, "done", **about)
    assert runs.trained(study, planned, "abc").run == launched[0][1]
    words = launched[0][0]
    assert words[:4] == ["train", str(study.root), "--model", "vae"]
    assert "max_images=40" in words


def test_a_run_with_other_settings_is_not(study, planned, launched):
    put_run(study, plan("vae:lr=0.5", max_images=40, changes=[], seeds=1)[0], "done")
    runs.trained(study, planned, "abc")
    assert len(launched) == 1


def test_a_stopped_run_goes_on(study, planned, launched):
    run = put_run(study, planned, "stopped")
    runs.trained(study, planned, "abc")
    assert launched == [(["train", str(study.root), "--resume", run.id], run)]


def test_ctrl_c_stops_the_child_and_waits_for_it(study, planned, monkeypatch):
    waited, ours = [], []

    def launch(words, run):
        ours.append(run)
        return SimpleNamespace(wait=waited.append)

    def interrupted(run):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "launch", launch)
    monkeypatch.setattr(runs, "tail", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runs.trained(study, planned, "abc")
    assert ours[0].stop_requested()
    assert waited


def test_a_failed_training_says_why(study, planned, monkeypatch):
    def launch(words, run):
        run.append("failed", message="the loss is not finite")
        return SimpleNamespace(wait=lambda timeout: 1)

    monkeypatch.setattr(runs, "launch", launch)
    with pytest.raises(runs.TrainingFailed, match="not finite"):
        runs.trained(study, planned, "abc")
