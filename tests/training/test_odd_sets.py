"""Tiny and oblong crops, few and many bands, sets smaller than a batch: they train, or one error says why not."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from napari_hsisynth import Cube
from napari_hsisynth.jobs import new_run
from napari_hsisynth.study import Study, make_crops
from napari_hsisynth.training.augment import Augmentation
from napari_hsisynth.training.data import load_images, resize
from napari_hsisynth.training.device_data import DeviceData
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.run import train

SHAPES = [(1, 1), (1, 40), (37, 1), (2, 3), (5, 60), (61, 7)]


def put_crops(root, bands, shapes=SHAPES):
    """A study whose crops have these shapes, all in the training split."""
    study = Study.create(root, wavelengths_nm=np.linspace(400, 1000, bands))
    rng = np.random.default_rng(0)
    for number, shape in enumerate(shapes):
        cube = Cube(rng.uniform(0.1, 1, (bands, *shape)), study.wavelengths_nm)
        study.add_cube(cube, f"C{number}", "melanoma", mask=np.ones(shape, dtype=bool))
    make_crops(study, margin=0.0)
    rows = "".join(f"C{number},train,0\n" for number in range(len(shapes)))
    (study.root / "splits.csv").write_text(f"id,split,seed\n{rows}")
    assert [(r.y1 - r.y0, r.x1 - r.x0) for r in study.crops()] == list(shapes)
    return study


@pytest.mark.parametrize("bands", [3, 31, 224])
@pytest.mark.parametrize("image_size", [16, 28])
def test_crops_of_any_shape_and_number_of_bands_become_batches(tmp_path, bands, image_size):
    images = load_images(put_crops(tmp_path / "study", bands), {"train"}, image_size=image_size)
    assert images.images.shape == (len(SHAPES), bands, image_size, image_size)
    assert images.masks.all()
    assert (images.images >= 0.1 - 1e-6).all()
    assert (images.images <= 1 + 1e-6).all()
    assert (images.images[0] == images.images[0, :, :1, :1]).all(), "one pixel, enlarged"
    data = DeviceData(images, Normalisation.fit(images.images), (), torch.device("cpu"))
    batch = Augmentation()(data.batch(np.arange(2 * len(SHAPES)) % len(SHAPES)))
    assert batch.images.shape == (2 * len(SHAPES), bands, image_size, image_size)
    assert torch.isfinite(batch.images).all()
    assert batch.masks.all()


@pytest.mark.parametrize("bands", [3, 224])
def test_a_training_on_them(tmp_path, small, bands):
    study = put_crops(tmp_path / "study", bands)
    settings = small(batch_size=8, max_images=16, checkpoint_every=16, preview_every=16)
    result = train(study.root, settings, diagnosis=None, run=new_run(study.root, "vae"))
    assert (result["status"], result["train"], result["val"]) == ("done", len(SHAPES), 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(16, 31))
@example(1, 20_000, 256)
@example(20_000, 1, 256)
def test_a_thin_strip_is_enlarged_about_its_centre_without_filling_the_memory(height, width, size):
    ramp = (torch.arange(width) - (width - 1) / 2)[None, None].expand(1, height, width)
    made = resize(ramp, size)
    assert made.shape == (1, size, size)
    assert float(made.max()) <= min(height, width) / 2 + 1, "nothing from outside of the central square"
    assert abs(float(made.mean())) <= 0.5 + min(height, width) / size, "within a pixel of the centre"


@pytest.mark.parametrize("shape", [(40, 37), (90, 121), (17, 200), (200, 17), (1, 9), (128, 65)])
def test_cutting_on_the_way_gives_what_cutting_at_the_end_gives(shape):
    image = torch.rand(3, *shape)
    shorter = min(shape)
    whole = [max(64, round(side * 64 / shorter)) for side in shape]
    how = {"mode": "area"} if shorter > 64 else {"mode": "bilinear", "align_corners": False}
    y, x = ((side - 64) // 2 for side in whole)
    expected = F.interpolate(image[None].double(), size=whole, **how)[0, :, y : y + 64, x : x + 64]
    assert torch.allclose(resize(image, 64).double(), expected, atol=1e-6)
