"""Every objective, with and without diagnoses and a spectral basis: steps, validates, resumes and draws as promised."""

import copy
import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [train]")

from napari_hsisynth.errors import InputError  # noqa: E402
from napari_hsisynth.jobs import new_run  # noqa: E402
from napari_hsisynth.training.batch import Batch  # noqa: E402
from napari_hsisynth.training.condition import Condition  # noqa: E402
from napari_hsisynth.training.config import PRESETS, parse  # noqa: E402
from napari_hsisynth.training.data import batch_order  # noqa: E402
from napari_hsisynth.training.device import make_fabric  # noqa: E402
from napari_hsisynth.training.generator import open_generator  # noqa: E402
from napari_hsisynth.training.loop import _small  # noqa: E402
from napari_hsisynth.training.normalisation import Normalisation  # noqa: E402
from napari_hsisynth.training.recipes.objectives import effective_beta, mean_l1_and_kl  # noqa: E402
from napari_hsisynth.training.recipes.vae import VAERecipe  # noqa: E402
from napari_hsisynth.training.run import train  # noqa: E402

OBJECTIVES = ("elbo", "published", "autoencoder")
SMALL = {"image_size": 16, "latent_dim": 3, "width": 4, "batch_size": 4, "device": "cpu", "basis_components": 3}


def images(count=6, bands=5, size=16, classes=1):
    torch.manual_seed(7)
    flat = torch.linspace(-1, 1, bands)[:, None, None] * torch.randn(count, 1, 1, 1)
    pictures = flat + 0.5 * torch.randn(count, bands, size, size)
    return Batch(pictures, torch.ones(count, size, size, dtype=torch.bool), torch.arange(count) % classes)


def ready(bands=5, classes=1, **changes):
    """A recipe at its first step, and its prepared warnings."""
    torch.manual_seed(0)
    recipe = VAERecipe(parse({**SMALL, **changes}), bands, classes)
    recipe.setup(make_fabric("cpu", "32"))
    normalisation = Normalisation(np.full(bands, 3.0), np.ones(bands))
    return recipe, recipe.prepare(torch.randn(200, bands), normalisation)


def steps(recipe, batch, first, last):
    for number in range(first, last):
        torch.manual_seed(number)
        recipe.step(batch)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


@pytest.mark.parametrize(
    ("objective", "classes", "basis"), itertools.product(OBJECTIVES, (1, 2), ("none", "pca", "nmf"))
)
def test_resumed_is_to_the_bit_the_uninterrupted(objective, classes, basis):
    batch = images(classes=classes)
    whole, _ = ready(classes=classes, objective=objective, spectral_basis=basis)
    start = copy.deepcopy(whole.state())
    steps(whole, batch, 0, 2)
    kept = copy.deepcopy(whole.state())
    assert not same(start["network"], kept["network"])
    steps(whole, batch, 2, 4)

    torch.manual_seed(99)  # other first weights; the state must replace everything
    again = VAERecipe(whole.config, 5, classes)
    again.setup(whole.fabric)
    again.load_state(kept)
    steps(again, batch, 2, 4)
    assert same(again.state(), whole.state())
    assert again.healthy()

    opened = VAERecipe(whole.config, 5, classes)  # as for sampling: neither data nor optimiser
    opened.to(torch.device("cpu"))
    opened.load_state(whole.state())
    noise, told = torch.randn(3, 3), torch.tensor([0, classes - 1, 0])
    assert torch.equal(opened.sample(noise, Condition(told)), whole.sample(noise, Condition(told)))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_validation_reconstruction_and_sampling_change_nothing(objective):
    batch = images(classes=2)
    recipe, _ = ready(classes=2, objective=objective)
    steps(recipe, batch, 0, 2)
    recipe.fit_latents(lambda count: batch)
    before, generator = copy.deepcopy(recipe.state()), torch.get_rng_state()
    first = recipe.validate(batch, 5)
    recipe.reconstruct(batch.images, batch.classes)
    recipe.sample(torch.zeros(2, 3), Condition(torch.tensor([0, 1])))
    assert same(recipe.state(), before)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(weight.grad is None for weight in recipe.plain.parameters())
    assert recipe.validate(batch, 5) == first
    assert first["score"] == -first["loss"]


@pytest.mark.parametrize(("bands", "size"), [(3, 28), (16, 30), (5, 100), (224, 16), (4, 45)])
def test_any_number_of_bands_and_any_size(bands, size):
    batch = images(2, bands, size)
    recipe, _ = ready(bands, image_size=size)
    losses = recipe.step(batch)
    assert torch.isfinite(losses["loss"])
    assert recipe.sample(torch.zeros(1, 3), Condition(torch.zeros(1, dtype=torch.int64))).shape == (
        1,
        bands,
        size,
        size,
    )


def test_one_image_and_a_batch_larger_than_the_set():
    one = images(1)
    order = torch.from_numpy(batch_order(0, 1, 4, 0))
    recipe, _ = ready()
    steps(recipe, Batch(one.images[order], one.masks[order], one.classes[order]), 0, 2)
    recipe.fit_latents(lambda count: one)
    assert recipe.healthy()
    assert torch.isfinite(recipe.sample(torch.randn(2, 3), Condition(torch.zeros(2, dtype=torch.int64)))).all()


def test_the_published_form_is_means_and_says_how_much_it_weighs_the_kl():
    torch.manual_seed(0)
    data, made, mean, log_variance = torch.randn(3, 2, 5, 6), torch.randn(3, 2, 5, 6), *torch.randn(2, 3, 4)
    loss, kl = mean_l1_and_kl(data, made, mean, log_variance, 0.01)
    absolute = torch.nn.functional.l1_loss(made, data, reduction="none").sum(dim=(1, 2, 3))
    values = 2 * 5 * 6
    torch.testing.assert_close(values * loss, absolute + effective_beta(values, 4, 0.01) * kl)
    _, warnings = ready(bands=16, **{**PRESETS["vae"]["published"], "width": 4})
    assert "beta = 164" in warnings[0]
    assert ready()[1] == []


def test_a_plain_autoencoder_has_neither_noise_nor_a_kl_term():
    batch = images()
    recipe, _ = ready(objective="autoencoder")
    torch.manual_seed(1)
    first = recipe.plain.state_dict()
    kept = copy.deepcopy(first), copy.deepcopy(recipe.optimiser.state_dict())
    losses = recipe.step(batch)
    assert "kl_nats" not in losses
    recipe.plain.load_state_dict(kept[0])
    recipe.optimiser.load_state_dict(kept[1])
    torch.manual_seed(2)  # other noise, had there been any
    assert torch.equal(recipe.step(batch)["loss"], losses["loss"])


def test_a_model_that_is_told_the_diagnosis_learns_to_draw_it():
    """Two classes that differ in brightness alone."""
    torch.manual_seed(0)
    classes = torch.arange(32) % 2
    bright = (2.0 * classes - 1)[:, None, None, None] + 0.3 * torch.randn(32, 1, 1, 1)
    pictures = bright + 0.1 * torch.randn(32, 3, 16, 16)
    batch = Batch(pictures, torch.ones(32, 16, 16, dtype=torch.bool), classes)
    recipe, _ = ready(3, 2, width=8)
    steps(recipe, batch, 0, 60)
    recipe.fit_latents(lambda count: batch)
    noise = torch.randn(40, 3)
    means = [recipe.sample(noise, Condition(torch.full((40,), told))).mean() for told in (0, 1)]
    assert means[0] < -0.5
    assert means[1] > 0.5


def test_samples_of_a_model_with_a_basis_lie_in_it():
    recipe, _ = ready(spectral_basis="pca")
    steps(recipe, images(), 0, 2)
    made = recipe.sample(torch.randn(4, 3), Condition(torch.zeros(4, dtype=torch.int64)))
    spectra = made.movedim(1, 0).flatten(1).double().numpy()
    basis = recipe.average.network.spectra
    away = np.linalg.svd(basis.matrix.double().numpy())[0][:, 3:].T @ (spectra - basis.offset.numpy()[:, None])
    assert np.abs(away).max() < 1e-5


def test_a_run_with_diagnoses_and_a_basis_is_sampled_by_diagnosis(study, small):
    config = small(conditional=True, spectral_basis="nmf", basis_components=3, objective="published", max_images=8)
    run = new_run(study.root, "vae")
    train(study.root, config, diagnosis=None, run=run)
    warnings = [event.fields["message"] for event in run.events() if event.kind == "warning"]
    assert sum("objective published" in warning for warning in warnings) == 1
    generator = open_generator(run.path, device="cpu")
    assert generator.classes == ("melanoma", "nevus")
    first, second = (generator.sample([1, 2], [told] * 2) for told in generator.classes)
    assert not np.array_equal(first, second)
    assert first.min() >= -1e-6  # mixtures of non-negative spectra
    singular = np.linalg.svd(first.transpose(1, 0, 2, 3).reshape(5, -1), compute_uv=False)
    assert singular[3] < 1e-5 * singular[0]
    with pytest.raises(InputError, match="basis_components"):
        train(study.root, small(spectral_basis="pca", basis_components=6), diagnosis=None, run=new_run(study.root, "a"))


@pytest.mark.parametrize(("side", "small"), [(16, 16), (96, 96), (100, 50), (101, 50), (256, 85)])
def test_a_preview_is_of_a_handy_size_whatever_the_training_size(side, small):
    shrunk = _small(np.arange(side, dtype=np.float32) * np.ones((2, 3, side, side), np.float32))
    assert shrunk.shape == (2, 3, small, small)
    factor = -(-side // 96)
    np.testing.assert_allclose(shrunk[0, 0, 0], np.arange(small) * factor + (factor - 1) / 2)
