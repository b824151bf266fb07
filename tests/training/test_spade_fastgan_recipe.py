"""SPADE-FastGAN draws lesions where masks are, its critic minds wrong masks, and training goes on to the bit."""

import copy
import json
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from recipe_states import flat, same

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.augment import Augmentation
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import PRESETS, FastGANConfig, parse
from napari_hsisynth.training.recipes.pyramid import shrunk
from napari_hsisynth.training.recipes.spade_fastgan import SPADEFastGANRecipe
from napari_hsisynth.training.run import resume, train

SMALL = {
    "model": "spade-fastgan",
    "image_size": 64,
    "latent_dim": 4,
    "width": 4,
    "mask_width": 8,
    "device": "cpu",
    "reconstruction": "structure",
}


def one_process():
    """As much of Fabric as a recipe asks of a single process on the CPU."""
    return SimpleNamespace(device=torch.device("cpu"), autocast=nullcontext, world_size=1)


def made(classes=1, **changes):
    torch.manual_seed(0)
    recipe = SPADEFastGANRecipe(parse({**SMALL, **changes}), 3, classes)
    recipe.setup(one_process())
    return recipe


def discs(count, seed, classes=1):
    """Dark discs anywhere on ground of varying brightness, with their masks."""
    draw = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    centre = (torch.rand(2, count, 1, 1, generator=draw) * 32 + 16).round()
    radius = torch.rand(count, 1, 1, generator=draw) * 8 + 8
    masks = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    images = torch.where(masks[:, None], -1.5, 0.5) + 0.2 * torch.randn(count, 1, 1, 1, generator=draw)
    images = images + 0.1 * torch.randn(count, 3, 64, 64, generator=draw)
    return Batch(images, masks, torch.arange(count) % classes)


def rows(batch, chosen):
    return Batch(batch.images[chosen], batch.masks[chosen], batch.classes[chosen])


def scores(recipe, batch, masks):
    """Mean score of each image with a mask."""
    small, small_masks = shrunk(batch.images, 32), shrunk(masks[:, None].float(), 32)[:, 0]
    return recipe.plain_critic(batch.images, small, masks, small_masks, batch.classes).logits.mean(dim=1)


def test_after_a_short_training_discs_lie_where_held_out_masks_are_and_the_critic_minds_wrong_ones():
    recipe, shown, held_out = made(norm="group", lr=1e-3, diff_augment=False), discs(64, seed=0), discs(24, seed=1)
    for _ in range(40):
        recipe.step(rows(shown, torch.randint(64, (4,))))
    figures = recipe.validate(held_out, seed=0)
    assert figures["mask_iou"] > 0.6 > 2 * figures["mask_iou_chance"]
    assert figures["mask_iou_real"] > 0.98
    assert figures["lesion_contrast"] > 0.3
    with torch.no_grad():
        right, wrong = (scores(recipe, held_out, masks) for masks in (held_out.masks, held_out.masks.roll(1, dims=0)))
    assert (right - wrong).mean() > 0.5
    assert ((right - wrong) > 0).float().mean() > 0.8


def test_a_step_moves_both_networks_and_leaves_no_gradient_in_either():
    recipe = made(classes=2)
    before = [flat(network.state_dict()) for network in recipe.networks().values()]
    scalars = recipe.step(discs(3, seed=0, classes=2))
    for old, network in zip(before, recipe.networks().values(), strict=True):
        assert not same(network.state_dict(), dict(enumerate(old)))
        assert all(weight.grad is None for weight in network.parameters())
    expected = {"loss", "reconstruction_loss", "wrong_mask_loss", "real_score", "fake_score", "generator_loss"}
    assert set(scalars) == expected
    assert all(torch.isfinite(value) and not value.requires_grad for value in scalars.values())
    assert recipe.healthy()


def test_wrong_masks_are_left_out_where_they_weigh_nothing_and_a_single_image_has_none():
    assert "wrong_mask_loss" not in made(wrong_mask_weight=0).step(discs(2, seed=0))
    alone = made(norm="group").step(discs(1, seed=0))
    assert alone["wrong_mask_loss"] == 0
    assert torch.isfinite(alone["loss"])


def test_training_goes_on_to_the_bit_from_a_state():
    batches = [discs(2, seed=seed, classes=2) for seed in range(3)]
    whole, later = made(classes=2), made(classes=2, seed=1)
    states = []
    for recipe, shown in ((whole, batches), (later, batches[1:])):
        for number, batch in enumerate(shown, start=len(batches) - len(shown)):
            torch.manual_seed(number)
            recipe.step(batch)
            if recipe is whole and number == 0:
                later.load_state(copy.deepcopy(recipe.state()))  # as from a file: no tensor is shared
        states.append(recipe.state())
    assert same(*states)


def test_validation_and_fitting_change_no_trained_weight():
    recipe = made(classes=2)
    recipe.step(discs(2, seed=0, classes=2))
    before = flat(recipe.state())
    held_out = discs(3, seed=1, classes=2)
    first = recipe.validate(held_out, seed=1)
    assert recipe.validate(held_out, seed=1) == first
    assert same(recipe.state(), dict(enumerate(before)))
    lacking = max(0, first["mask_iou_real"] - first["mask_iou"])
    assert first["score"] == pytest.approx(-first["spectra_distance"] - first["patch_distance"] - lacking)
    no_lesions = recipe.validate(Batch(held_out.images, torch.zeros_like(held_out.masks), held_out.classes), seed=1)
    assert set(no_lesions) == {"score", "spectra_distance", "patch_distance"}


def test_image_and_mask_stay_aligned_through_augmentation_of_the_training_and_of_the_critic():
    recipe = made()
    plain = discs(16, seed=0)
    torch.manual_seed(0)
    moved = Augmentation()(plain.with_images(plain.masks[:, None].expand(-1, 3, -1, -1) * 2.0 - 1))
    assert not torch.equal(moved.masks, plain.masks)
    assert torch.equal(moved.images[:, 0] >= 0, moved.masks)

    tagged = moved.with_images(moved.masks[:, None].expand(-1, 3, -1, -1) * 8.0 - 2)  # 6 inside, -2 outside
    images, small, masks, small_masks = recipe._shown(tagged, tagged.images, shrunk(tagged.images, 32))
    assert not torch.equal(masks, tagged.masks)
    assert torch.equal(images[:, 0] > 4, masks > 0.5)
    # the small image is brightened by a gain and an offset of its own: a line through what its mask says, or cut
    for image, mask in zip(small[:, 0], small_masks, strict=True):
        inside, outside = image[mask == 1].mean(), image[(mask == 0) & (image != 0)].mean()
        off = (image - (outside + mask * (inside - outside))).abs()
        assert bool((off[(mask > 0) | (image != 0)] < 1e-4).all())


def test_a_sample_is_decided_by_its_own_noise_mask_and_class():
    recipe = made(classes=2)
    noise, masks = torch.randn(3, 4), discs(3, seed=0).masks
    told = Condition(torch.tensor([0, 1, 0]), masks)
    together = recipe.sample(noise, told)
    for number in range(3):
        alone = recipe.sample(noise[[number]], told[torch.tensor([number])])
        torch.testing.assert_close(alone, together[[number]], rtol=1e-4, atol=1e-5)
    elsewhere = recipe.sample(noise, Condition(told.classes, masks.roll(1, dims=0)))
    assert not torch.equal(elsewhere, together)
    torch.testing.assert_close(recipe.mix(noise, noise, told), together)
    with pytest.raises(InputError, match="where the lesion is"):
        recipe.sample(noise, Condition(told.classes))


def test_weights_of_other_diagnoses_are_told_apart_by_name():
    two, five = (made(classes=count).networks() for count in (2, 5))
    for name in two:
        ours, theirs = two[name].state_dict(), five[name].state_dict()
        different = [key for key in ours if ours[key].shape != theirs[key].shape]
        assert different
        assert all("class" in key for key in different)


def test_a_run_on_a_study_shows_the_masks_beside_its_samples(study, small):
    settings = SMALL | {"norm": "group", "max_images": 8, "checkpoint_every": 8, "preview_every": 8}
    config = small(**settings, conditional=True)
    run = new_run(study.root, "spade-fastgan")
    result = train(study.root, config, diagnosis=None, run=run)
    assert result["status"] == "done"
    assert {"mask_iou", "mask_iou_real", "lesion_contrast"} <= set(result["best"])
    with np.load(next((run.path / "previews").glob("*.npz"))) as preview:
        assert preview["samples"].shape[0] == len(preview["sample_masks"]) == 16
        assert preview["sample_masks"].any()


@pytest.mark.slow
def test_resumed_is_to_the_bit_the_uninterrupted_run(study, small):
    config = small(**SMALL, conditional=True)
    whole, halved = (new_run(study.root, "spade-fastgan") for _ in range(2))
    train(study.root, config, diagnosis=None, run=whole)
    train(study.root, config.model_copy(update={"max_images": 16}), diagnosis=None, run=halved)
    halved.write_config(halved.config | {"max_images": config.max_images})
    halved.append("stopped", images=16)
    assert resume(halved)["images"] == config.max_images
    kept, expected = (checkpoints.load(run.checkpoints_dir / "last.pt") for run in (halved, whole))
    assert same(kept.recipe, expected.recipe)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(study, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings = SMALL | {"norm": "group", "batch_size": 4, "max_images": 8, "checkpoint_every": 8, "preview_every": 8}
    words = [sys.executable, "-m", "napari_hsisynth", "train", str(study.root), "--json"]
    words += [word for name, value in settings.items() if name != "model" for word in ("--set", f"{name}={value}")]
    kept = []
    for processes in ("1", "2"):
        command = [*words, "--model", "spade-fastgan", "--devices", processes]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stderr
        run = RunFolder(json.loads(done.stdout)["run"])
        kept.append(checkpoints.load(run.checkpoints_dir / "last.pt").recipe)
    for network in ("generator", "critic"):
        for name, value in kept[0][network].items():
            # Adam divides by the root of a mean square: where gradients vanish, rounding may turn a step around
            torch.testing.assert_close(kept[1][network][name], value, rtol=1e-3, atol=2e-3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("compiled", [False, True])
def test_every_mode_trains(study, small, precision, compiled):
    config = small(**SMALL, precision=precision, compile=compiled, max_images=8, batch_size=4)
    run = new_run(study.root, "spade-fastgan")
    assert train(study.root, config, diagnosis=None, run=run)["status"] == "done"


@pytest.mark.parametrize("preset", PRESETS["spade-fastgan"])
def test_presets_are_those_of_fastgan(preset):
    values = PRESETS["spade-fastgan"][preset]
    config = parse({"model": "spade-fastgan", **values})
    plain = parse({"model": "fastgan", **values})
    shared = set(FastGANConfig.model_fields) - {"model"}
    assert config.model_dump(include=shared) == plain.model_dump(include=shared)
