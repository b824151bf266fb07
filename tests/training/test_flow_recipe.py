"""Flow matching trains, resumes to the bit, draws what it is told, and does not draw what it was augmented by."""

import copy

import numpy as np
import pytest
import torch
from recipe_states import flat, same

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import new_run
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import parse
from napari_hsisynth.training.generator import open_generator
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.flow import FlowRecipe
from napari_hsisynth.training.run import resume, train
from napari_hsisynth.training.single_process import SingleProcess

TINY = {"image_size": 16, "width": 4, "levels": 2, "batch_size": 4, "device": "cpu", "sampler_steps": 2}
BANDS = 5
VARIANTS = {
    "plain": {},
    "told": {"mask_conditional": True, "times": "uniform"},
    "pca": {"spectral_basis": "pca", "basis_components": 2, "patch_px": 1},
}


def made(classes=1, bands=BANDS, **changes):
    torch.manual_seed(0)
    recipe = FlowRecipe(parse({"model": "flow", **TINY, **changes}), bands, classes)
    recipe.setup(SingleProcess(torch.device("cpu"), "32"))
    recipe.prepare(torch.randn(200, bands) @ torch.randn(bands, bands), Normalisation(np.ones(bands), np.ones(bands)))
    return recipe


def a_batch(count=4, classes=1, **place):
    drawn = torch.Generator().manual_seed(1)
    images = torch.randn(count, BANDS, 16, 16, generator=drawn)
    return Batch(images, images[:, 0] > 0, torch.arange(count) % classes, **place)


def noise_of(recipe, count, bands=BANDS):
    return torch.randn(count, recipe.config.noise_length(bands), generator=torch.Generator().manual_seed(2))


def condition(count, number=0, masks=None):
    return Condition(torch.full((count,), number), masks)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_takes_a_step_and_goes_on_from_its_state_to_the_bit(name):
    first, later = (made(classes=2, **VARIANTS[name]) for _ in range(2))
    before = flat(first.plain.state_dict())
    torch.manual_seed(3)
    scalars = first.step(a_batch(classes=2))
    assert set(scalars) == {"loss", "gradient"}
    assert any(not torch.equal(*pair) for pair in zip(before, flat(first.plain.state_dict()), strict=True))
    later.load_state(copy.deepcopy(first.state()))
    for recipe in (first, later):
        torch.manual_seed(4)
        recipe.step(a_batch(classes=2))
        assert recipe.healthy()
    assert same(first.state(), later.state())


def test_the_loss_before_training_is_that_of_normal_pixels():
    recipe = made(augment=False, times="logit-normal")
    noise = torch.randn(4, BANDS, 16, 16)
    recipe.plain.set_covariance(torch.eye(BANDS))
    # pixels that are standard normal themselves: the square of image - noise, less what a point at time t tells of it
    batch = Batch(noise, noise[:, 0] > 0, torch.zeros(4, dtype=torch.int64))
    losses, expected = [], []
    for seed in range(20):
        torch.manual_seed(seed)
        losses.append(recipe.loss(batch, torch.zeros(4, 8)).item())
        torch.manual_seed(seed)
        batch.normal(BANDS, 16, 16)
        time = batch.normal().sigmoid()
        expected.append(float((2 - (2 * time - 1) ** 2 / (time**2 + (1 - time) ** 2)).mean()))
    assert np.mean(losses) == pytest.approx(np.mean(expected), rel=0.02)


def test_shares_of_a_batch_have_together_the_loss_and_gradient_of_the_whole():
    recipe = made(classes=2, mask_conditional=True)
    recipe.step(a_batch(classes=2))
    whole = a_batch(classes=2)
    halves = [
        Batch(whole.images[at], whole.masks[at], whole.classes[at], total=4, first=at.start)
        for at in (slice(0, 2), slice(2, 4))
    ]
    gradients = []
    for batch in (whole, *halves):
        torch.manual_seed(0)
        recipe.plain.zero_grad()
        recipe.loss(*recipe.augmentation(batch)).backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in recipe.plain.parameters()]))
    torch.testing.assert_close(gradients[0], (gradients[1] + gradients[2]) / 2, rtol=1e-3, atol=1e-6)


def test_validation_changes_nothing_and_repeats():
    recipe = made(classes=2, mask_conditional=True)
    recipe.step(a_batch(classes=2))
    before = flat(recipe.state())
    first = recipe.validate(a_batch(5, classes=2), seed=1)
    assert recipe.validate(a_batch(5, classes=2), seed=1) == first
    assert same(recipe.state(), dict(enumerate(before)))
    assert first["score"] == -first["loss"]
    assert {"spectra_distance", "patch_distance"} <= set(first)


def test_validation_says_how_masks_are_followed_where_they_are_told():
    figures = made(mask_conditional=True).validate(a_batch(), seed=1)
    assert {"mask_iou", "mask_iou_real", "lesion_contrast"} <= set(figures)
    assert figures["score"] == -figures["loss"]  # they do not choose: they depend on 64 samples
    assert not any(name.startswith("mask") for name in made().validate(a_batch(), seed=1))


def test_a_sample_is_decided_by_its_own_noise():
    recipe = made()
    recipe.step(a_batch())
    noise = noise_of(recipe, 4)
    samples = recipe.sample(noise, condition(4))
    assert samples.shape == (4, BANDS, 16, 16)
    torch.testing.assert_close(recipe.sample(noise.flip(0), condition(4)).flip(0), samples)
    assert (samples[0] - samples[1]).abs().max() > 0.1


def test_guidance_moves_from_the_untold_velocity_through_the_told_one():
    made_by = {}
    for guidance in (0, 1, 3):
        recipe = made(classes=2, mask_conditional=True, guidance=guidance, sampler_steps=1)
        torch.manual_seed(5)
        torch.nn.init.normal_(recipe.average.network.unet.conv_out.weight)
        made_by[guidance] = recipe.sample(noise_of(recipe, 2), condition(2, 1, torch.ones(2, 16, 16, dtype=bool)))
    assert (made_by[1] - made_by[0]).abs().max() > 0.1
    torch.testing.assert_close(made_by[3], made_by[0] + 3 * (made_by[1] - made_by[0]), rtol=1e-3, atol=1e-3)
    other = recipe.sample(noise_of(recipe, 2), condition(2, 1, torch.zeros(2, 16, 16, dtype=bool)))
    assert (other - made_by[3]).abs().max() > 0.1


def test_in_a_spectral_basis_images_are_projected_and_samples_stay_in_its_subspace():
    recipe = made(spectral_basis="pca", basis_components=2)
    abundances = torch.randn(3, 2, 16, 16)
    torch.testing.assert_close(recipe.coordinates(recipe.spectra(abundances)), abundances, atol=1e-4, rtol=0)
    recipe.step(a_batch())
    spectra = recipe.sample(noise_of(recipe, 3), condition(3)).movedim(1, -1).reshape(-1, BANDS).double()
    strengths = torch.linalg.svdvals(spectra - spectra.mean(dim=0))
    assert strengths[1] > 1e-3 * strengths[0]
    assert strengths[2] < 1e-5 * strengths[0]


def test_a_basis_without_a_linear_way_to_it_is_refused():
    with pytest.raises(InputError, match="none, pca"):
        parse({"model": "flow", "spectral_basis": "nmf"})


def test_samples_do_not_show_the_light_that_the_network_was_told_of():
    """Images of one brightness, shown up to 0.6 brighter and darker; told of it, the network draws the one."""
    recipe = made(bands=2, lr=5e-3, augment_probability=0.5, width=8, ema_decay=0.9)
    recipe.augmentation.zero.fill_(-3.0)  # the camera's
    recipe.augmentation.unit.fill_(0.0)
    for network in (recipe.plain, recipe.average.network):
        network.set_covariance(torch.tensor([[0.1, 0.1], [0.1, 0.1]]))
    batch = Batch(torch.zeros(16, 2, 16, 16), torch.zeros(16, 16, 16, dtype=bool), torch.zeros(16, dtype=torch.int64))
    shown = torch.cat([recipe.augmentation(batch)[0].images.mean(dim=(1, 2, 3)) for _ in range(20)])
    for step in range(150):
        torch.manual_seed(step)
        recipe.step(batch)
    drawn = recipe.sample(noise_of(recipe, 64, 2), condition(64)).mean(dim=(1, 2, 3))
    assert shown.std() > 0.2
    assert drawn.std() < 0.3 * shown.std()
    assert abs(drawn.mean()) < 0.3 * shown.std()


def test_a_run_resumed_is_to_the_bit_the_uninterrupted_one_and_draws_each_diagnosis(study, small):
    config = small(model="flow", levels=2, conditional=True, mask_conditional=True, sampler_steps=2)
    whole, halved = (new_run(study.root, "flow") for _ in range(2))
    train(study.root, config, diagnosis=None, run=whole)
    train(study.root, config.model_copy(update={"max_images": 16}), diagnosis=None, run=halved)
    halved.write_config(halved.config | {"max_images": config.max_images})
    halved.append("stopped", images=16)
    assert resume(halved)["images"] == config.max_images
    kept, expected = (checkpoints.load(run.checkpoints_dir / "last.pt") for run in (halved, whole))
    assert same(kept.recipe, expected.recipe)
    preview = np.load(next((whole.path / "previews").glob("*.npz")))
    assert preview["sample_masks"].any()
    generator = open_generator(whole.path, device="cpu")
    masks = np.zeros((2, 16, 16), bool)
    masks[:, 4:12, 4:12] = True
    one, other = generator.sample([3, 3], ["melanoma", "nevus"], {"masks": masks})
    assert one.shape == (BANDS, 16, 16)
    assert np.abs(one - other).max() > 0
    np.testing.assert_array_equal(generator.sample([3], ["nevus"], {"masks": masks[:1]})[0], other)
