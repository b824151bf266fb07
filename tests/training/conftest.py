"""A study small enough to be trained on within a second."""

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [train]")

from napari_hsisynth import Cube  # noqa: E402
from napari_hsisynth.jobs import launch, tail  # noqa: E402
from napari_hsisynth.study import Study, make_crops  # noqa: E402
from napari_hsisynth.training.config import parse  # noqa: E402

BANDS = 5
SMALL = {"image_size": 16, "batch_size": 4, "latent_dim": 4, "width": 4, "device": "cpu"}


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors gain nothing from threads, and results repeat to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def put_study(root, cubes=16, *, specular=True):
    """Dark discs on bright ground, one per cube, melanoma and nevus in turn, cut into crops."""
    study = Study.create(root, wavelengths_nm=np.linspace(465, 630, BANDS))
    y, x = np.ogrid[:28, :32]
    for number in range(cubes):
        rng = np.random.default_rng(number)
        disc = (y - rng.integers(12, 16)) ** 2 + (x - rng.integers(13, 19)) ** 2 <= rng.integers(20, 45)
        colour = np.linspace(0.3, 0.6, BANDS)[:, None, None] * rng.uniform(0.8, 1.2)
        data = colour * np.where(disc, rng.uniform(0.2, 0.5), 1.0) + rng.normal(0, 0.005, (BANDS, 28, 32))
        if specular:
            data[:, 14, 15] = 1.7
        study.add_cube(Cube(data), f"C{number:02d}", ("melanoma", "nevus")[number % 2], mask=disc)
    make_crops(study)
    return study


@pytest.fixture
def study(tmp_path):
    return put_study(tmp_path / "study")


@pytest.fixture
def small():
    """A configuration that trains in no time; pass changes."""
    return lambda **changes: parse({**SMALL, "max_images": 40, "checkpoint_every": 16, "preview_every": 24, **changes})


def kill_at(words, run, images):
    """Run a command as a child in a run folder, and kill it once it has a checkpoint of so many images."""
    job = launch(words, run)
    try:
        for event in tail(run, poll_s=0.01):
            assert event.kind != "failed", event.fields
            if event.kind == "checkpoint" and event.images >= images:
                break
    finally:
        job.kill()
        job.wait(30)


@pytest.fixture
def tiny():
    """The makers above, for tests that need more of the same."""
    return SimpleNamespace(settings=SMALL, put_study=put_study, kill_at=kill_at)
