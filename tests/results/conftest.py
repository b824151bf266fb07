"""A study of phantom-like cubes, small enough to be trained on within a second."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [train]")

from napari_hsisynth import Cube  # noqa: E402
from napari_hsisynth.results import measures  # noqa: E402
from napari_hsisynth.study import Study, make_crops  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def few_draws():
    """Intervals are not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "_N_DRAWS", 40)
        patch.setattr(measures, "_N_SPLITS", 40)
        yield


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    """Dark discs on bright ground, melanoma and nevus in turn."""
    root = tmp_path_factory.mktemp("results") / "phantoms"
    study = Study.create(root, wavelengths_nm=np.linspace(465, 630, 5), notes="PHANTOM: simulated")
    y, x = np.ogrid[:24, :24]
    for number in range(28):
        rng = np.random.default_rng(number)
        disc = (y - rng.integers(10, 14)) ** 2 + (x - rng.integers(10, 14)) ** 2 <= rng.integers(15, 40)
        colour = np.linspace(0.3, 0.6, 5)[:, None, None] * rng.uniform(0.8, 1.2)
        data = colour * np.where(disc, rng.uniform(0.2, 0.5), 1.0) + rng.normal(0, 0.01, (5, 24, 24))
        study.add_cube(Cube(data), f"C{number:02d}", ("melanoma", "nevus")[number % 2], mask=disc)
    make_crops(study, margin=1.0)
    return study
