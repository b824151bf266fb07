"""A scalar that only some steps say is divided by their number."""

import torch

from napari_hsisynth.training.running_means import RunningMeans


def test_each_mean_is_over_the_steps_that_said_it_and_begins_anew():
    means = RunningMeans()
    for number in range(4):
        said = {"loss": torch.tensor(float(number))}
        means.add(said | {"generator_loss": torch.tensor(5.0 + number)} if number >= 2 else said)
    assert means.take() == {"loss": 1.5, "generator_loss": 7.5}
    assert means.take() == {}
