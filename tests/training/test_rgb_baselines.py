"""What RGB-to-cube models have to beat: against closed forms, and through ``evaluate --reconstruct``."""

import json

import numpy as np
import pytest
import torch

from napari_hsisynth import Cube
from napari_hsisynth.cli import main
from napari_hsisynth.composite import cie1931_rgb_weights
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.optics import SURFACE_REFLECTANCE, skin_reflectance
from napari_hsisynth.photographs import linear_light, srgb
from napari_hsisynth.sampling import reconstruct
from napari_hsisynth.study import Study, make_crops
from napari_hsisynth.training.rgb_baselines import (
    LINEAR_REGRESSION,
    SKIN_INVERSION,
    LinearRegression,
    rgb_weights,
    skin_inversion,
    training_pixels,
)
from napari_hsisynth.training.run import train

NM = np.linspace(465, 630, 8)
GAIN = np.linspace(0.8, 1.6, 8)
WEIGHTS = cie1931_rgb_weights(NM) / 1.2


def render(cubes):
    """How a screen shows cubes (n, bands, y, x)."""
    return np.clip(srgb(np.einsum("cb,nbyx->ncyx", WEIGHTS, cubes.astype(np.float64))), 0, 1).astype(np.float32)


def skin_cubes(n, size=12, seed=0):
    """A camera's cubes of light skin with a darker square, and where that is."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((size, size), bool)
    mask[3:-3, 3:-3] = True
    melanin = np.where(mask, rng.uniform(0.05, 0.12, (n, 1, 1)), 0.026) * rng.uniform(0.9, 1.1, (n, size, size))
    blood = 0.0045 * rng.uniform(0.7, 1.4, (n, size, size))
    reflectance = skin_reflectance(NM, melanin, 0.006, blood, 0.65, 1.0) + SURFACE_REFLECTANCE
    cubes = np.moveaxis(reflectance * GAIN[:, None, None, None], 1, 0) * rng.uniform(0.9, 1.1, (n, 1, 1, 1))
    return cubes.astype(np.float32), np.repeat(mask[None], n, axis=0)


# --- linear regression


def test_regression_finds_bands_that_are_weighted_sums():
    rng = np.random.default_rng(0)
    rgb = rng.uniform(0.05, 0.95, (500, 3))
    weights, constant = rng.normal(size=(3, 5)), rng.normal(size=5)
    regression = LinearRegression(rgb, linear_light(rgb) @ weights + constant)
    new = rng.uniform(0.05, 0.95, (2, 3, 4, 6))
    expected = np.einsum("ncyx,cb->nbyx", linear_light(new), weights) + constant[:, None, None]
    np.testing.assert_allclose(regression(new), expected, atol=2e-4)


def test_regression_is_the_least_squares_solution():
    rng = np.random.default_rng(1)
    rgb, spectra = rng.uniform(size=(300, 3)), rng.normal(size=(300, 4))
    design = np.column_stack([linear_light(rgb), np.ones(300)])
    solution = np.linalg.lstsq(design, spectra, rcond=None)[0]
    made = LinearRegression(rgb, spectra)(rgb.T[None, :, :, None])[0, :, :, 0].T
    np.testing.assert_allclose(made, design @ solution, atol=1e-4)


def test_regression_from_grey_images_stays_finite():
    grey = np.repeat(np.random.default_rng(2).uniform(size=(50, 1)), 3, axis=1)
    spectra = linear_light(grey[:, :1]) * [0.5, 2.0]
    made = LinearRegression(grey, spectra)(grey.T[None, :, :, None])[0, :, :, 0].T
    np.testing.assert_allclose(made, spectra, atol=1e-4)
    one_colour = LinearRegression(np.full((9, 3), 0.5), np.full((9, 2), 0.3))
    np.testing.assert_allclose(one_colour(np.full((1, 3, 1, 1), 0.9)), 0.3, atol=1e-6)


# --- the skin model


def test_weights_of_a_render_are_found_by_asking_it():
    pixels = training_pixels(*skin_cubes(4), render)
    np.testing.assert_allclose(rgb_weights(pixels, render), WEIGHTS, atol=2e-4)


def test_a_render_that_is_no_weighted_sum_is_not_taken_for_one():
    def odd(cubes):
        return np.clip(cubes[:, :3] ** 2, 0, 1)

    with pytest.raises(InputError, match="no weighted sums"):
        rgb_weights(training_pixels(*skin_cubes(4), odd), odd)


def test_skin_of_the_model_seen_by_a_camera_comes_back():
    pixels = training_pixels(*skin_cubes(6), render)
    cubes, _ = skin_cubes(3, seed=9)
    made = skin_inversion(pixels, NM, render)(render(cubes))
    assert made.shape == cubes.shape
    assert np.sqrt(((made - cubes) ** 2).mean()) < 0.005
    np.testing.assert_allclose(render(made), render(cubes), atol=5e-3)


def test_skin_is_what_lies_outside_of_marked_lesions():
    cubes, masks = skin_cubes(3)
    masks[1] = False
    pixels = training_pixels(cubes, masks, render)
    per_image = pixels.skin.reshape(3, -1).sum(axis=1)
    assert per_image.tolist() == [144 - 36, 0, 144 - 36]


# --- by command


class Averaging:
    """A stand-in for an RGB-to-cube model: it gives every band the brightness of the image."""

    needs = frozenset({"rgb"})

    def __init__(self, config, bands, classes=1):
        self.bands = bands

    def prepare(self, spectra, normalisation):
        self.matrix = torch.from_numpy(WEIGHTS * normalisation.scale).float()
        self.offset = torch.from_numpy(WEIGHTS @ normalisation.offset).float()

    def render(self, images):
        linear = torch.einsum("cb,nbyx->ncyx", self.matrix, images) + self.offset[:, None, None]
        return torch.from_numpy(srgb(linear.numpy())).float().clamp(0, 1)

    def reconstruct(self, images, classes):
        return (self.render(images).mean(dim=1, keepdim=True) - 0.5).expand(-1, self.bands, -1, -1) * 4


@pytest.fixture(scope="module")
def run_of_rgb(tmp_path_factory):
    """A run of a VAE on cubes of skin, whose recipe is then exchanged for the stand-in."""
    from napari_hsisynth.training.config import parse

    study = Study.create(tmp_path_factory.mktemp("rgb") / "study", wavelengths_nm=NM)
    cubes, masks = skin_cubes(16, size=18)
    for number, (data, mask) in enumerate(zip(cubes, masks, strict=True)):
        study.add_cube(Cube(data, NM), f"PHANTOM_{number:02d}", "melanoma", mask=mask)
    make_crops(study)
    run = new_run(study.root, "vae")
    settings = {"image_size": 16, "batch_size": 4, "latent_dim": 4, "width": 4, "device": "cpu", "max_images": 4}
    train(study.root, parse(settings), diagnosis=None, run=run)
    return run


@pytest.fixture
def stand_in(monkeypatch):
    from napari_hsisynth.training import generator

    class Exchanged(generator.Generator):
        def __init__(self, *given, **named):
            super().__init__(*given, **named)
            place = self.recipe.device
            self.recipe = Averaging(self.config, len(self.wavelengths_nm))
            self.recipe.device = place
            self.recipe.prepare(None, self.normalisation)

    monkeypatch.setattr(generator, "Generator", Exchanged)


def test_an_rgb_model_is_shown_beside_both_baselines(run_of_rgb, stand_in, tmp_path, capsys):
    assert main(["evaluate", "--reconstruct", str(run_of_rgb.path), "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["compared"]["baselines"] == f"{LINEAR_REGRESSION}, {SKIN_INVERSION}"
    assert told["compared"]["seen in training"].startswith("0 of")
    for name in ("spectral_angle", "rmse", "ssim", "psnr"):
        measure = told["metrics"][name]
        for baseline in (LINEAR_REGRESSION, SKIN_INVERSION):
            beside = measure["baselines"][baseline]
            assert beside["difference"]["value"] == pytest.approx(measure["value"] - beside["value"], abs=1e-6)
    # skin of the very model, so that its inversion all but repeats it, while the stand-in knows one band
    rmse = told["metrics"]["rmse"]
    assert rmse["baselines"][SKIN_INVERSION]["value"] < 0.01 < rmse["value"]
    assert any(text.startswith(f"The model beside {SKIN_INVERSION}") for text in told["findings"])
    assert any(f"{LINEAR_REGRESSION}: ridge" in note for note in told["notes"])
    assert any("flatters" in note for note in told["notes"])


def test_a_study_that_the_skin_model_does_not_cover_has_regression_only(run_of_rgb, stand_in, monkeypatch):
    from napari_hsisynth.training import reconstructions

    def refuse(*args):
        raise InputError("the skin model covers 250-1000 nm")

    monkeypatch.setattr(reconstructions, "skin_inversion", refuse)
    found = reconstruct(RunFolder(run_of_rgb.path))
    assert list(found.baselines) == [LINEAR_REGRESSION]
    assert any(note.startswith(f"no {SKIN_INVERSION}: ") for note in found.notes)
