"""RS-IMLE: each image chooses the nearest candidate, near ones are rejected, every image is learnt."""

import copy
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as searching
from hypothesis import strategies as st
from recipe_states import flat, same
from torch.nn import functional as F

from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import parse
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.rs_imle import RSIMLERecipe, level_distances, nearest, unlikeness

SETTINGS = {"model": "rs-imle", "image_size": 64, "latent_dim": 4, "width": 4, "batch_size": 4, "device": "cpu"}
BANDS = 3


def made(classes=1, **changes):
    torch.manual_seed(0)
    recipe = RSIMLERecipe(parse({**SETTINGS, **changes}), BANDS, classes)
    recipe.setup(SimpleNamespace(device=torch.device("cpu"), autocast=nullcontext, world_size=1))
    recipe.prepare(torch.rand(200, BANDS), Normalisation(np.full(BANDS, 0.4), np.full(BANDS, 0.1)))
    return recipe


def a_batch(count=4, classes=1):
    images = torch.randn(count, BANDS, 1, 1, generator=torch.Generator().manual_seed(1)).expand(-1, -1, 64, 64)
    return Batch(images.contiguous(), torch.zeros(count, 64, 64, dtype=bool), torch.arange(count) % classes)


@searching(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 10**6))
def test_distances_are_those_of_all_levels_alike(n, m, seed):
    drawn = torch.Generator().manual_seed(seed)
    real, candidates = (torch.randn(count, 2, 16, 16, generator=drawn) for count in (n, m))
    found = level_distances(real, candidates)
    for i in range(n):
        for j in range(m):
            squares = [
                (F.avg_pool2d(real[i] - candidates[j], side) ** 2).mean() if side > 1
                else ((real[i] - candidates[j]) ** 2).mean()
                for side in (1, 2, 4, 8)
            ]  # fmt: skip
            assert float(found[i, j]) == pytest.approx(float(torch.stack(squares).mean().sqrt()), rel=1e-3)


def test_one_deviation_in_every_pixel_is_a_distance_of_one():
    flat_image = torch.zeros(1, 3, 64, 64)
    assert float(level_distances(flat_image, flat_image + 1)) == pytest.approx(1.0, rel=1e-4)


def test_each_image_chooses_its_nearest_candidate_unless_that_is_near_already():
    far = torch.tensor([[0.5, 3.0, 2.0], [4.0, 0.9, 5.0]])
    assert nearest(far, 0.0)[0].tolist() == [0, 1]
    chosen, rejected = nearest(far, 0.6)
    assert chosen.tolist() == [2, 1]
    assert float(rejected) == pytest.approx(1 / 3)
    assert nearest(far, 0.95)[0].tolist() == [2, 2]  # what is near to any image is left out for all
    chosen, rejected = nearest(far, 10.0)
    assert (chosen.tolist(), float(rejected)) == ([0, 1], 1.0)  # an image is never left without one
    other_class = torch.tensor([[0.1, torch.inf], [torch.inf, 3.0]])
    assert nearest(other_class, 0.2)[0].tolist() == [0, 1]


def test_unlikeness_is_squares_and_absolutes():
    assert float(unlikeness(torch.full((2, 3), 3.0), torch.ones(2, 3))) == pytest.approx(4 + 2)


@pytest.mark.parametrize("changes", [{}, {"norm": "group"}, {"spectral_basis": "nmf", "basis_components": 2}], ids=str)
def test_every_image_is_learnt_also_the_one_unlike_all_others(changes):
    recipe = made(lr=2e-3, rejection=0.0, candidates=4, latent_dim=16, **changes)
    batch = a_batch()
    recipe.prepare(batch.images[:, :, 0, 0].repeat(50, 1), Normalisation(np.full(BANDS, 0.4), np.full(BANDS, 0.1)))
    torch.manual_seed(2)
    distances = [float(recipe.step(batch)["distance"]) for _ in range(60)]
    assert np.mean(distances[-5:]) < 0.5 * np.mean(distances[:5])


def test_a_step_is_decided_by_the_seed_and_goes_on_from_its_state_to_the_bit():
    first, later = made(classes=2), made(classes=2)
    torch.manual_seed(3)
    scalars = first.step(a_batch(classes=2))
    assert set(scalars) == {"loss", "distance", "rejected"}
    assert all(torch.isfinite(value) and not value.requires_grad for value in scalars.values())
    later.load_state(copy.deepcopy(first.state()))
    for recipe in (first, later):
        torch.manual_seed(4)
        recipe.step(a_batch(classes=2))
    assert same(first.state(), later.state())


def test_weights_of_all_layers_learn_and_the_average_follows():
    recipe = made()
    before = {name: flat(dict(network.named_parameters())) for name, network in recipe.networks().items()}
    recipe.step(a_batch())
    for name, network in recipe.networks().items():
        for (weight, value), old in zip(network.named_parameters(), before[name], strict=True):
            # noise is not injected at first: its strength begins at 0, and so does not reach further
            assert not torch.equal(value, old), f"{name}.{weight}"


def test_images_of_one_diagnosis_never_choose_samples_of_another(monkeypatch):
    recipe = made(classes=2, candidates=3)
    seen = {}
    from napari_hsisynth.training.recipes import rs_imle

    def watched(distances, rejection):
        seen["distances"] = distances
        return nearest(distances, rejection)

    monkeypatch.setattr(rs_imle, "nearest", watched)
    recipe.step(a_batch(classes=2))
    candidates = torch.arange(4).repeat_interleave(3) % 2
    allowed = (torch.arange(4) % 2)[:, None] == candidates[None]
    assert torch.equal(seen["distances"].isfinite(), allowed)


def test_styles_are_mixed_as_those_of_fastgan():
    recipe = made()
    noise = torch.randn(2, 2, 4)
    told = Condition(torch.zeros(2, dtype=torch.int64))
    torch.testing.assert_close(recipe.mix(noise[0], noise[0], told), recipe.sample(noise[0], told))
