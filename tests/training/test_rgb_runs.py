"""Runs of models that make cubes of RGB images: by command, with photographs, resumed, and by several processes."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from napari_hsisynth.cli import main
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training import run as runs
from napari_hsisynth.training.augment import Augmentation
from napari_hsisynth.training.camera import rgb_weights
from napari_hsisynth.training.data import load_images
from napari_hsisynth.training.device_data import DeviceData
from napari_hsisynth.training.generator import open_generator
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.rgb_sources import OtherRenders

FAMILIES = {
    "shs-gan": {"model": "shs-gan", "critic_width": 4, "n_critic": 2},
    "cyclegan": {"model": "cyclegan", "critic_width": 4, "blocks": 1, "pool_size": 5},
}


@pytest.fixture
def photos(tmp_path):
    """A folder of five photographs and one that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        level = np.random.default_rng(number).integers(0, 255, (20, 24, 3))
        Image.fromarray(level.astype(np.uint8)).save(folder / f"{number}.jpg")
    (folder / "broken.jpg").write_bytes(b"")
    return folder


def kept(run):
    return checkpoints.load(run.checkpoints_dir / "last.pt").recipe


def values_of(state):
    if isinstance(state, dict):
        return [one for value in state.values() for one in values_of(value)]
    if isinstance(state, list):
        return [one for value in state for one in values_of(value)]
    return [torch.as_tensor(state)] if isinstance(state, torch.Tensor | int | float) else []


def stopped_after(steps, monkeypatch):
    """Let the next training be stopped before the step after so many."""
    stops = iter([False] * steps + [True])

    @contextlib.contextmanager
    def soon(run):
        yield lambda: next(stops, False)

    monkeypatch.setattr(runs, "stop_requests", soon)


@pytest.mark.parametrize("name", FAMILIES)
def test_resumed_is_to_the_bit_the_uninterrupted_run(study, small, photos, monkeypatch, name):
    config = small(**FAMILIES[name], conditional=True, photos=str(photos) if name == "shs-gan" else "")
    whole, parted = (new_run(study.root, name) for _ in range(2))
    result = runs.train(study.root, config, diagnosis=None, run=whole)
    assert {"error", "rgb_error", "angle_deg"} <= set(result["best"])
    with monkeypatch.context() as patched:
        stopped_after(5, patched)
        assert runs.train(study.root, config, diagnosis=None, run=parted)["status"] == "stopped"
    assert runs.resume(parted)["status"] == "done"
    expected, found = values_of(kept(whole)), values_of(kept(parted))
    assert len(expected) == len(found) > 100
    assert all(map(torch.equal, expected, found))
    preview = sorted((whole.path / "previews").iterdir())[-1]
    with np.load(preview) as arrays:
        assert arrays["sample_rgb"].shape == (16, 3, 16, 16)
        assert arrays["reconstructions"].shape == arrays["originals"].shape
    reconstructed = open_generator(whole.path, device="cpu").reconstruct(
        load_images(study, {"val"}, image_size=16).images, ["nevus"] * len(load_images(study, {"val"}, image_size=16))
    )
    assert np.isfinite(reconstructed).all()


def words(study, **changes):
    settings = {"image_size": 16, "batch_size": 4, "width": 4, "device": "cpu", "max_images": 16, **changes}
    settings |= {"critic_width": 4, "n_critic": 2} if settings["model"] == "shs-gan" else {}
    return ["train", str(study.root), *(w for name, value in settings.items() for w in ("--set", f"{name}={value}"))]


def test_photographs_and_camera_become_full_paths_and_bad_files_are_told(study, photos, tmp_path, monkeypatch, capsys):
    (tmp_path / "camera.csv").write_text("wavelength_nm,r,g,b\n400,0,0,1\n550,0,1,0\n700,1,0,0\n")
    monkeypatch.chdir(tmp_path)
    assert main(words(study, model="shs-gan", photos="photos", camera="camera.csv")) == 0
    run = RunFolder(capsys.readouterr().out.strip())
    assert (run.config["photos"], run.config["camera"]) == (str(photos), str(tmp_path / "camera.csv"))
    assert any("broken.jpg" in event.fields.get("message", "") for event in run.events())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"photos": "nowhere"}, "no such folder of photographs"),
        ({"photos": "."}, "the folder holds no such files"),
        ({"camera": "nowhere.csv"}, "no such file of camera curves"),
    ],
)
def test_what_cannot_be_used_is_refused_before_a_run_is_made(study, tmp_path, monkeypatch, capsys, changes, said):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert main(words(study, model="shs-gan", **changes)) == 2
    assert said in capsys.readouterr().err
    assert not study.runs_dir.exists() or not list(study.runs_dir.iterdir())


def test_bands_that_make_no_colours_are_told_with_what_helps():
    with pytest.raises(InputError, match=r"^camera=cie1931: .* there are 3 in 700-900 nm; use .*camera=FILE\.csv"):
        rgb_weights("cie1931", [700, 800, 900])


def test_a_resumed_run_wants_the_photographs_it_began_with(study, small, photos, monkeypatch):
    run = new_run(study.root, "shs-gan")
    with monkeypatch.context() as patched:
        stopped_after(5, patched)
        runs.train(study.root, small(**FAMILIES["shs-gan"], photos=str(photos)), diagnosis=None, run=run)
    away = photos.rename(photos.with_name("away"))
    with pytest.raises(InputError, match="no such folder of photographs"):
        runs.resume(run)
    away.rename(photos)
    (photos / "0.jpg").unlink()
    with pytest.raises(InputError, match="not those this run began with"):
        runs.resume(run)


def test_other_renders_come_in_an_order_of_their_own(study):
    images = load_images(study, {"train"}, image_size=16)
    data = DeviceData(images, Normalisation.fit(images.images), ("nevus", "melanoma"), torch.device("cpu"))

    class Recipe:
        def render(self, images):
            return images[:, :3]

    plain = OtherRenders(data, 0, Recipe(), torch.nn.Identity())
    whole, (rendered, classes) = data.everything(), plain.draw(0, len(data))
    order = [next(i for i, image in enumerate(whole.images) if image[:3].equal(one)) for one in rendered]
    assert classes.equal(whole.classes[order])
    assert len(set(classes.tolist())) == 2
    assert sorted(order) == list(range(len(data)))
    assert order != sorted(order)
    augmented = OtherRenders(data, 0, Recipe(), Augmentation())
    torch.manual_seed(0)
    one, _ = augmented.draw(4, 4)
    parts = []
    for rank in (0, 1):
        torch.manual_seed(0)
        parts.append(augmented.draw(4, 4, rank=rank, world=2)[0])
    assert torch.cat(parts).equal(one)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_two_processes_learn_what_one_learns(study, photos, monkeypatch, name):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings = {"max_images": 40, "checkpoint_every": 20, "preview_every": 40, "photos": photos, **FAMILIES[name]}
    found = []
    for processes in ("1", "2"):
        command = [sys.executable, "-m", "napari_hsisynth", *words(study, **settings), "--devices", processes, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        found.append(RunFolder(json.loads(done.stdout)["run"]))
    errors = [
        [e.fields["values"]["val_error"] for e in run.events() if "val_error" in e.fields.get("values", {})]
        for run in found
    ]
    assert errors[1] == pytest.approx(errors[0], rel=1e-3)
    for name, value in kept(found[0])["average"].items():
        torch.testing.assert_close(kept(found[1])["average"][name], value, rtol=1e-3, atol=2e-3)
