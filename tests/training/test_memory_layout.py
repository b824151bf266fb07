"""Bands innermost in memory: convolutions are faster, and neither results nor checkpoints know of it."""

import pytest
import torch

from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.recipes import recipe_for
from napari_hsisynth.training.single_process import SingleProcess


@pytest.fixture
def recipe(small):
    def make():
        torch.manual_seed(0)
        made = recipe_for("vae")(small(), 5)
        made.setup(SingleProcess(torch.device("cpu"), "32"))
        return made

    return make


def innermost(network):
    weights = [weight for weight in network.parameters() if weight.dim() == 4]
    return all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def test_a_resumed_run_has_the_layout_of_a_new_one(recipe):
    batch = Batch(torch.randn(4, 5, 16, 16), torch.ones(4, 16, 16, dtype=torch.bool), torch.zeros(4, dtype=torch.int64))
    first, resumed = recipe(), recipe()
    first.step(batch)
    resumed.load_state(first.state())
    for each in (first, resumed):
        assert innermost(each.plain)
        assert innermost(each.average.network)
    losses = []
    for each in (first, resumed):
        torch.manual_seed(1)
        losses.append(each.step(batch)["loss"])
    assert torch.equal(*losses)


def test_the_layout_does_not_change_what_the_network_says(recipe):
    made = recipe()
    images = torch.randn(3, 5, 16, 16)
    zeros = torch.zeros(3, dtype=torch.int64)
    ours = made.reconstruct(images, zeros)
    made.average.network.to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(ours, made.reconstruct(images, zeros), rtol=1e-4, atol=1e-5)
