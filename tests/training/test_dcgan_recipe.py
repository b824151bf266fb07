"""Every switch of the DCGAN family trains, resumes to the bit, and is judged without being changed."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from recipe_states import flat, same
from torch.nn.functional import normalize

from napari_hsisynth.jobs import new_run
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import PRESETS, parse
from napari_hsisynth.training.generator import open_generator
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.adversarial import renew_statistics
from napari_hsisynth.training.recipes.dcgan import DCGANRecipe
from napari_hsisynth.training.run import resume, train
from napari_hsisynth.training.set_distances import set_distances

VARIANTS = {
    "2-D": {},
    "3-D": {"critic": "3d", "loss": "wgan-gp"},
    "3-D+SN": {"critic": "3d", "loss": "wgan-gp", "spectral_norm": True, "diff_augment": True},
    "3-D+SN+FFT": {"critic": "3d", "loss": "wgan-gp", "spectral_norm": True, "fourier_arm": True, "n_critic": 2},
    "hinge without BatchNorm": {"norm": "none", "fourier_arm": True, "diff_augment": True},
}


def one_process():
    """As much of Fabric as a recipe asks of a single process on the CPU."""
    return SimpleNamespace(device=torch.device("cpu"), autocast=nullcontext, world_size=1)


def made(bands=5, classes=1, **changes):
    settings = {"model": "dcgan", "image_size": 16, "latent_dim": 4, "width": 4, "batch_size": 3, "device": "cpu"}
    torch.manual_seed(0)
    recipe = DCGANRecipe(parse({**settings, **changes}), bands, classes)
    recipe.setup(one_process())
    return recipe


def a_batch(recipe, count=3, bands=5, classes=1):
    side = recipe.config.image_size
    return Batch(
        torch.randn(count, bands, side, side), torch.zeros(count, side, side, dtype=bool), torch.arange(count) % classes
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_takes_steps_of_both_networks(name):
    recipe = made(classes=2, **VARIANTS[name])
    before = [flat(network.state_dict()) for network in (recipe.plain_generator, recipe.plain_critic)]
    for _ in range(recipe.config.n_critic):
        scalars = recipe.step(a_batch(recipe, classes=2))
    after = [flat(network.state_dict()) for network in (recipe.plain_generator, recipe.plain_critic)]
    for old, new in zip(before, after, strict=True):
        assert any(not torch.equal(*pair) for pair in zip(old, new, strict=True))
    expected = {"loss", "generator_loss", "real_score", "fake_score"}
    assert set(scalars) == expected | ({"gradient_penalty"} if recipe.config.loss == "wgan-gp" else set())
    assert all(torch.isfinite(value) and not value.requires_grad for value in scalars.values())
    assert recipe.healthy()


@pytest.mark.parametrize(("bands", "size", "critic"), [(16, 28, "2d"), (224, 16, "3d"), (3, 17, "3d")])
def test_other_bands_sides_and_a_single_image_take_a_step(bands, size, critic):
    recipe = made(bands, image_size=size, critic=critic, loss="wgan-gp", fourier_arm=True)
    assert torch.isfinite(recipe.step(a_batch(recipe, 1, bands))["loss"])
    assert recipe.sample(torch.randn(2, 4), Condition(torch.zeros(2, dtype=torch.int64))).shape == (
        2,
        bands,
        size,
        size,
    )


def test_the_generator_moves_once_in_n_critic_steps():
    recipe = made(n_critic=3)
    moved = []
    for _ in range(6):
        before = recipe.plain_generator.from_noise.weight.detach().clone()
        scalars = recipe.step(a_batch(recipe))
        moved.append(not torch.equal(before, recipe.plain_generator.from_noise.weight))
        assert ("generator_loss" in scalars) == any(moved)  # there is none before its first step
    assert moved == [False, False, True] * 2
    assert recipe.average.steps == 2


def test_a_step_of_one_network_leaves_no_gradient_in_the_other():
    recipe = made()
    recipe.step(a_batch(recipe))
    networks = (recipe.plain_generator, recipe.plain_critic)
    assert all(weight.grad is None for network in networks for weight in network.parameters())


def test_spectral_norm_takes_one_step_of_its_iteration_for_all_forwards_of_a_critic_step():
    recipe = made(loss="wgan-gp", spectral_norm=True, n_critic=2)
    parametrization = recipe.plain_critic.spatial.features[0].parametrizations.weight
    weight, vectors = parametrization.original.detach().flatten(1).clone(), parametrization[0]
    vectors._v.copy_(normalize(torch.randn_like(vectors._v), dim=0))  # far from where the iteration ends
    u = normalize(weight @ vectors._v, dim=0)
    v = normalize(weight.T @ u, dim=0)
    recipe.step(a_batch(recipe))
    torch.testing.assert_close(vectors._u, u)
    torch.testing.assert_close(vectors._v, v)


def test_validation_and_fitting_step_no_optimiser_and_change_no_trained_weight():
    recipe = made(classes=2)
    recipe.step(a_batch(recipe, classes=2))
    held_out = a_batch(recipe, 5, classes=2)
    before = flat(recipe.state())
    first = recipe.validate(held_out, seed=1)
    assert recipe.validate(held_out, seed=1) == first
    assert same(recipe.state(), dict(enumerate(before)))
    trained = {name: flat(value) for name, value in recipe.state().items() if name != "average"}
    averaged = flat(dict(recipe.average.network.named_parameters()))
    recipe.fit_latents(lambda count: a_batch(recipe, count, classes=2))
    assert all(same(recipe.state()[name], dict(enumerate(kept))) for name, kept in trained.items())
    assert same(dict(recipe.average.network.named_parameters()), dict(enumerate(averaged)))
    assert not recipe.average.network.training
    assert first["score"] == pytest.approx(-first["spectra_distance"] - first["patch_distance"])


def test_the_averaged_generator_is_normalised_by_its_own_statistics():
    recipe = made()
    for _ in range(3):
        recipe.step(a_batch(recipe))
    torch.manual_seed(1)
    recipe.fit_latents(lambda count: a_batch(recipe, count))
    noise = torch.randn(4096, 4)
    network = recipe.average.network
    features = network.from_noise(noise).unflatten(1, network.coarsest)
    torch.testing.assert_close(network.norms[0].running_mean, features.mean(dim=(0, 2, 3)), atol=0.05, rtol=0)
    network.train()
    with torch.no_grad():
        by_batch = network(noise[:512], Condition(torch.zeros(512, dtype=torch.int64)))
    network.eval()
    gap = (by_batch - recipe.sample(noise[:512], Condition(torch.zeros(512, dtype=torch.int64)))).abs().mean()
    assert gap < 0.1 * by_batch.std()


@pytest.mark.parametrize(("side", "batch_size", "images"), [(16, 8, 512), (64, 24, 528), (128, 8, 128), (256, 8, 64)])
def test_statistics_take_no_more_at_a_time_than_a_step_and_fewer_of_large_images(side, batch_size, images):
    drawn = []

    def draw(count):
        drawn.append(count)
        return Batch(torch.randn(count, 1, 2, 2), torch.zeros(count, 2, 2, dtype=bool), torch.zeros(count))

    network = torch.nn.Sequential(torch.nn.BatchNorm2d(1))
    renew_statistics(network, draw, lambda batch: network(batch.images), image_size=side, batch_size=batch_size)
    assert set(drawn) == {batch_size}
    assert sum(drawn) == images


def test_a_preview_and_a_checkpoint_of_one_moment_fit_once(study, small, monkeypatch):
    fits = []
    monkeypatch.setattr(DCGANRecipe, "fit_latents", lambda recipe, draw: fits.append(recipe.steps))
    config = small(model="dcgan", batch_size=4, max_images=16, preview_every=4, checkpoint_every=8)
    train(study.root, config, diagnosis=None, run=new_run(study.root, "dcgan"))
    assert fits == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["2-D", "3-D+SN+FFT"])
def test_resumed_is_to_the_bit_the_uninterrupted_run(study, small, name):
    config = small(**{"model": "dcgan", "conditional": True, **VARIANTS[name], "n_critic": 2})
    whole, halved = (new_run(study.root, "dcgan") for _ in range(2))
    train(study.root, config, diagnosis=None, run=whole)
    resume_at = 16
    train(study.root, config.model_copy(update={"max_images": resume_at}), diagnosis=None, run=halved)
    stored = halved.config | {"max_images": config.max_images}
    halved.write_config(stored)
    halved.append("stopped", images=resume_at)
    assert resume(halved)["images"] == config.max_images
    kept, expected = (checkpoints.load(run.checkpoints_dir / "last.pt") for run in (halved, whole))
    assert kept.recipe["steps"] == 10
    assert same(kept.recipe, expected.recipe)
    assert any("running_mean" in key for key in kept.recipe["average"])


def test_a_trained_run_samples_each_diagnosis(study, small):
    config = small(model="dcgan", conditional=True)
    run = new_run(study.root, "dcgan")
    result = train(study.root, config, diagnosis=None, run=run)
    assert {"spectra_distance", "patch_distance", "score"} <= set(result["best"])
    generator = open_generator(run.path, device="cpu")
    one, other = generator.sample([3, 3], ["melanoma", "nevus"])
    assert one.shape == (5, 16, 16)
    assert np.abs(one - other).max() > 0
    np.testing.assert_array_equal(generator.sample([3], ["nevus"])[0], other)


def test_with_a_spectral_basis_no_sample_leaves_its_subspace():
    recipe = made(bands=6, spectral_basis="pca", basis_components=2)
    recipe.prepare(torch.randn(200, 3) @ torch.randn(3, 6), Normalisation(np.zeros(6), np.ones(6)))
    recipe.step(a_batch(recipe, bands=6))
    spectra = (
        recipe.sample(torch.randn(4, 4), Condition(torch.zeros(4, dtype=torch.int64))).movedim(1, -1).reshape(-1, 6)
    )
    strengths = torch.linalg.svdvals((spectra - spectra.mean(dim=0)).double())
    assert strengths[1] > 1e-3 * strengths[0]
    assert strengths[2] < 1e-5 * strengths[0]


def test_what_the_critic_sees_is_gained_about_the_cameras_zero_also_after_resuming():
    normalisation = Normalisation(np.linspace(0.2, 0.6, 5), np.linspace(0.05, 0.1, 5))
    recipe, later = made(diff_augment=True), made(diff_augment=True)
    recipe.prepare(torch.randn(50, 5), normalisation)
    later.load_state(recipe.state())
    for policy in (recipe.augmentation.policy, later.augmentation.policy):
        assert min(policy.translation, policy.cutout, policy.gain, policy.offset) > 0
        black = normalisation.encode(np.zeros((5, 1, 1)))[:, 0, 0]
        np.testing.assert_allclose(policy.zero, black, rtol=1e-6)
        in_camera = policy.unit.numpy() * normalisation.scale
        np.testing.assert_allclose(in_camera, in_camera[0], rtol=1e-6)  # one offset for all bands
    plain = made().augmentation.policy
    assert (plain.translation, plain.cutout, plain.gain, plain.offset) == (0, 0, 0, 0)


@pytest.mark.parametrize("preset", PRESETS["dcgan"])
def test_presets_are_complete(preset):
    config = parse({"model": "dcgan", **PRESETS["dcgan"][preset]})
    if preset == "published":
        assert (config.loss, config.gp_weight, config.n_critic, config.lr) == ("wgan-gp", 10, 2, 1e-5)
        assert (config.batch_size, config.image_size, config.spectral_norm) == (4, 64, False)


def test_distances_are_zero_between_a_set_and_itself_and_grow_with_an_offset():
    images = np.random.default_rng(0).normal(size=(4, 3, 16, 16)).astype(np.float32)
    near, far = (set_distances(images, images + offset, seed=0) for offset in (0.0, 0.5))
    assert near["spectra_distance"] == 0
    assert far["spectra_distance"] > 0.1
    assert far["patch_distance"] > near["patch_distance"]


def test_pixels_in_another_order_have_the_same_spectra_but_not_the_same_patches():
    rng = np.random.default_rng(0)
    smooth = np.sort(rng.normal(size=(8, 1, 24 * 24)), axis=2).reshape(8, 1, 24, 24).astype(np.float32)
    grainy = rng.permuted(smooth.reshape(8, 1, -1), axis=2).reshape(smooth.shape)
    found, between = set_distances(smooth, grainy, seed=0), set_distances(smooth, smooth[::-1], seed=0)
    assert found["spectra_distance"] < 1e-6
    assert found["patch_distance"] > 3 * between["patch_distance"]
