"""FastGAN trains in every mode, resumes to the bit, and several processes take the step of one."""

import copy
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from recipe_states import flat, same

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import new_run
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import PRESETS, parse
from napari_hsisynth.training.generator import open_generator
from napari_hsisynth.training.losses import hinge_critic_loss
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.fastgan import FastGANRecipe
from napari_hsisynth.training.recipes.pyramid import shrunk
from napari_hsisynth.training.reconstruction import STRUCTURE, weights_file
from napari_hsisynth.training.run import train

SETTINGS = {"model": "fastgan", "image_size": 64, "latent_dim": 4, "width": 4, "batch_size": 4, "device": "cpu"}
BANDS = 5


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    """A machine without weights of other networks."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def one_process(autocast=nullcontext):
    """As much of Fabric as a recipe asks of a single process on the CPU."""
    return SimpleNamespace(device=torch.device("cpu"), autocast=autocast, world_size=1)


def made(classes=1, fabric=None, **changes):
    torch.manual_seed(0)
    recipe = FastGANRecipe(parse({**SETTINGS, **changes}), BANDS, classes)
    recipe.setup(fabric or one_process())
    return recipe


def a_batch(count=4, classes=1, seed=1):
    images = torch.randn(count, BANDS, 64, 64, generator=torch.Generator().manual_seed(seed))
    return Batch(images, torch.zeros(count, 64, 64, dtype=bool), torch.arange(count) % classes)


def none_told(count):
    return Condition(torch.zeros(count, dtype=torch.int64))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "group", "margin_noise": 0.2, "diff_augment": False},
        {"spectral_basis": "nmf", "basis_components": 3},
        {"conditional": True},
    ],
    ids=str,
)
def test_every_mode_takes_steps_of_all_networks(changes):
    classes = 2 if changes.get("conditional") else 1
    recipe = made(classes, **changes)
    recipe.prepare(torch.rand(200, BANDS), Normalisation(np.full(BANDS, 0.4), np.full(BANDS, 0.1)))
    before = {name: flat(dict(network.named_parameters())) for name, network in recipe.networks().items()}
    for _ in range(2):
        scalars = recipe.step(a_batch(classes=classes))
    for name, network in recipe.networks().items():
        for (weight, value), old in zip(network.named_parameters(), before[name], strict=True):
            # a class that no image of the batch has learns nothing; all others do
            assert not torch.equal(value, old), f"{name}.{weight}"
    assert set(scalars) == {"loss", "reconstruction_loss", "generator_loss", "real_score", "fake_score"}
    assert all(torch.isfinite(value) and not value.requires_grad for value in scalars.values())
    assert recipe.healthy()
    assert all(weight.grad is None for network in recipe.networks().values() for weight in network.parameters())


def test_bf16_takes_a_step_that_is_near_that_of_single_precision():
    exact = made()
    rough = made(fabric=one_process(partial(torch.autocast, "cpu", torch.bfloat16)))
    for recipe in (exact, rough):
        torch.manual_seed(3)
        recipe.scalars = recipe.step(a_batch())
    for name, value in exact.scalars.items():
        assert rough.scalars[name].dtype == torch.float32
        torch.testing.assert_close(rough.scalars[name], value, atol=0.1, rtol=0.1)
    assert rough.sample(torch.randn(2, 4), none_told(2)).dtype == torch.float32


def test_state_taken_up_goes_on_to_the_bit():
    first, later = made(), made()
    first.prepare(torch.randn(50, BANDS), Normalisation(np.linspace(0.2, 0.6, BANDS), np.full(BANDS, 0.1)))
    torch.manual_seed(2)
    first.step(a_batch())
    later.load_state(copy.deepcopy(first.state()))  # a checkpoint shares no memory with what it was made of
    for recipe in (first, later):
        torch.manual_seed(7)
        recipe.step(a_batch(seed=5))
    assert same(first.state(), later.state())
    assert first.compared_by == STRUCTURE


@pytest.mark.parametrize("share", [1, 2])
def test_shares_of_a_batch_make_the_gradients_of_the_whole(share):
    """Gradients of two processes with `share` and 4 - `share` images, weighed by these, are those of one with all 4."""
    whole = a_batch()
    parts = [
        Batch(whole.images[rows], whole.masks[rows], whole.classes[rows], total=4, first=rows.start)
        for rows in (slice(0, share), slice(share, 4))
    ]
    seen = {}
    for name, batch in {"whole": whole, "first": parts[0], "second": parts[1]}.items():
        gradients = seen[name] = []

        def exchange(flat, reduce_op, *, own=gradients):
            own.append(flat.clone())
            return seen["whole"][len(own) - 1]  # so that all take the step of the whole batch

        fabric = SimpleNamespace(device=torch.device("cpu"), autocast=nullcontext, world_size=2, all_reduce=exchange)
        recipe = made(fabric=fabric, norm="group", margin_noise=0.2)
        torch.manual_seed(11)
        recipe.step(batch)
    assert len(seen["whole"]) == 2  # of the critic and of the generator
    for one, first, second in zip(seen["whole"], seen["first"], seen["second"], strict=True):
        mean = (share * first + (4 - share) * second) / 4
        torch.testing.assert_close(mean, one, atol=2e-6 * float(one.abs().max()) + 1e-7, rtol=1e-3)


def test_a_margin_moves_the_hinge_of_real_scores():
    real, fake = torch.tensor([[0.5, 1.5], [2.0, -1.0]]), torch.tensor([[-2.0, 0.0], [-0.5, 1.0]])
    margin = torch.tensor([[1.2, 1.6], [0.8, 1.0]])
    assert hinge_critic_loss(real, fake, margin).item() == pytest.approx(
        (0.7 + 0.1 + 0 + 2) / 4 + (0 + 1 + 0.5 + 2) / 4
    )
    assert hinge_critic_loss(real, fake).item() == pytest.approx((0.5 + 0 + 0 + 2) / 4 + 3.5 / 4)


def test_the_small_image_of_a_real_one_is_its_means_over_squares():
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(shrunk(images, 2), images.unflatten(3, (2, 4)).unflatten(2, (2, 4)).mean(dim=(3, 5)))
    assert torch.equal(shrunk(images, 8), images)


def test_validation_and_fitting_change_no_trained_weight():
    recipe = made()
    recipe.step(a_batch())
    before = flat(recipe.state())
    recipe.validate(a_batch(), seed=1)
    assert same(recipe.state(), dict(enumerate(before)))
    averaged = flat(dict(recipe.average.network.named_parameters()))
    means = recipe.average.network.first_norm.running_mean.clone()
    recipe.fit_latents(lambda count: a_batch(count))
    assert same(dict(recipe.average.network.named_parameters()), dict(enumerate(averaged)))
    assert not torch.equal(recipe.average.network.first_norm.running_mean, means)


def test_with_a_spectral_basis_neither_image_leaves_its_subspace():
    recipe = made(spectral_basis="pca", basis_components=2)
    recipe.prepare(torch.randn(200, 3) @ torch.randn(3, BANDS), Normalisation(np.zeros(BANDS), np.ones(BANDS)))
    network = recipe.average.network.train()  # normalised by the batch: first images hardly vary otherwise
    for images in network(torch.randn(4, 4), torch.zeros(4, dtype=torch.int64)):
        spectra = images.detach().movedim(1, -1).reshape(-1, BANDS)
        strengths = torch.linalg.svdvals((spectra - spectra.mean(dim=0)).double())
        assert strengths[1] > 1e-3 * strengths[0]
        assert strengths[2] < 1e-5 * strengths[0]


def test_mixing_a_noise_with_itself_is_sampling_it():
    recipe = made(2)
    for excitation in recipe.average.network.excitations.values():
        excitation.weigh.weight.data.mul_(100)  # first weights hardly excite
    one, other = torch.randn(2, 3, 4)
    condition = Condition(torch.tensor([0, 1, 1]))
    sampled = recipe.sample(one, condition)
    torch.testing.assert_close(recipe.mix(one, one, condition), sampled)
    assert (recipe.mix(one, other, condition) - sampled).abs().max() > 1e-3 * sampled.std()


def test_a_perceptual_loss_is_kept_and_asked_for_again(monkeypatch, tmp_path):
    file = weights_file("squeeze")
    file.parent.mkdir(parents=True)
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), file)
    recipe = made()
    normalisation = Normalisation(np.zeros(BANDS), np.ones(BANDS))
    assert recipe.prepare(torch.randn(50, BANDS), normalisation) == []
    assert torch.isfinite(recipe.step(a_batch())["reconstruction_loss"])
    state = recipe.state()
    assert state["compared_by"] == "squeeze"
    made().load_state(state)
    file.unlink()
    with pytest.raises(InputError, match="LPIPS needs the weights"):
        made().load_state(state)
    only_sampling = FastGANRecipe(recipe.config, BANDS)
    only_sampling.to(torch.device("cpu"))
    only_sampling.load_state(state)
    samples = [one.sample(torch.ones(1, 4), none_told(1)) for one in (only_sampling, recipe)]
    assert torch.equal(*samples)
    with pytest.raises(InputError, match="LPIPS needs the weights"):
        made(reconstruction="lpips").prepare(torch.randn(50, BANDS), normalisation)
    (note,) = made().prepare(torch.randn(50, BANDS), normalisation)
    assert "SSIM" in note


def test_a_trained_run_says_how_it_compares_and_a_cube_is_decided_by_its_seed(study):
    config = parse({**SETTINGS, "conditional": True, "max_images": 8, "checkpoint_every": 8, "preview_every": 8})
    run = new_run(study.root, "fastgan")
    result = train(study.root, config, diagnosis=None, run=run)
    assert {"spectra_distance", "patch_distance", "score"} <= set(result["best"])
    assert [e for e in run.events() if e.kind == "warning" and "multi-scale SSIM" in e.fields["message"]]
    assert checkpoints.load(run.checkpoints_dir / "last.pt").recipe["compared_by"] == STRUCTURE
    generator = open_generator(run.path, device="cpu")
    with torch.no_grad():
        for block in ("8", "32"):
            for injection in generator.recipe.average.network.blocks[block].injections:
                injection.strength.fill_(0.5)
    three = generator.sample([3, 4, 5], ["melanoma", "nevus", "nevus"])
    assert three.shape == (3, BANDS, 64, 64)
    np.testing.assert_array_equal(generator.sample([5], ["nevus"])[0], three[2])
    np.testing.assert_array_equal(generator.sample([4, 9], ["nevus", "melanoma"])[0], three[1])


@pytest.mark.parametrize("size", [32, 96, 1024, "wide"])
def test_sizes_that_cannot_be_made_are_refused_in_words(size):
    with pytest.raises(InputError) as caught:
        parse({"model": "fastgan", "image_size": size})
    assert "64, 128, 256, 512" in str(caught.value)
    assert parse({"model": "fastgan", "image_size": "128"}).image_size == 128


def test_the_published_preset_is_the_papers():
    config = parse({"model": "fastgan", **PRESETS["fastgan"]["published"]})
    assert (config.image_size, config.latent_dim, config.width, config.lr) == (256, 256, 64, 2e-4)
    assert (config.batch_size, config.max_images, config.ema_decay) == (8, 8 * 50_000, 0.999)
    assert config.diff_augment
