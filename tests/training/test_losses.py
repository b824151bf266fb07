"""Adversarial losses agree with closed forms on numbers small enough to be worked out by hand."""

import math

import pytest
import torch

from napari_hsisynth.training.losses import (
    generator_loss,
    gradient_penalty,
    hinge_critic_loss,
    wasserstein_critic_loss,
)


def test_losses_of_a_few_scores():
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.0, 1.0])
    assert hinge_critic_loss(real, fake) == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1 + 2) / 3)
    assert wasserstein_critic_loss(real, fake) == pytest.approx(-2 / 3 - 0.5)
    assert generator_loss(fake) == pytest.approx(2 / 3)


def test_separated_by_the_margin_the_hinge_has_nothing_left_to_learn():
    real, fake = torch.tensor([1.5], requires_grad=True), torch.tensor([-1.5], requires_grad=True)
    hinge_critic_loss(real, fake).backward()
    assert (real.grad.item(), fake.grad.item()) == (0, 0)


def test_the_penalty_of_a_linear_critic_takes_the_norm_over_all_axes():
    torch.manual_seed(0)
    slope = torch.randn(5, 4, 3)  # bands, y, x
    real, fake = torch.randn(7, 5, 4, 3), torch.randn(7, 5, 4, 3)
    found = gradient_penalty(lambda images: (images * slope).sum(dim=(1, 2, 3)), real, fake, torch.rand(7))
    assert found.item() == pytest.approx((slope.norm().item() - 1) ** 2, rel=1e-5)
    # over the bands alone it would be the mean of this over all pixels
    assert found.item() != pytest.approx((slope.norm(dim=0) - 1).square().mean().item(), rel=0.1)


def test_the_penalty_is_taken_at_the_mixtures():
    # half the squared norm has the image itself as gradient
    real, fake, mix = torch.full((3, 2, 2, 2), 2.0), torch.full((3, 2, 2, 2), -1.0), torch.tensor([0.0, 0.5, 1.0])
    found = gradient_penalty(lambda images: images.square().flatten(1).sum(dim=1) / 2, real, fake, mix)
    norms = [math.sqrt(8) * abs(value) for value in (-1.0, 0.5, 2.0)]
    assert found.item() == pytest.approx(sum((norm - 1) ** 2 for norm in norms) / 3, rel=1e-5)


def test_the_derivative_of_the_penalty_is_that_of_the_closed_form():
    slope = torch.tensor([3.0, 4.0], dtype=torch.float32, requires_grad=True)
    images = torch.randn(2, 2)
    gradient_penalty(lambda x: x @ slope, images, images + 1, torch.rand(2)).backward()
    expected = 2 * (5.0 - 1) * slope.detach() / 5  # of (|w| - 1)^2
    torch.testing.assert_close(slope.grad, expected)


def test_the_penalty_is_in_single_precision_and_leaves_the_generator_alone():
    fake = torch.randn(2, 3, 4, 4, dtype=torch.bfloat16, requires_grad=True)
    scale = torch.ones((), requires_grad=True)
    found = gradient_penalty(lambda x: scale * x.sum(dim=(1, 2, 3)), torch.randn(2, 3, 4, 4), fake, torch.rand(2))
    assert found.dtype == torch.float32
    found.backward()
    assert fake.grad is None
