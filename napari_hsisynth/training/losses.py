"""Adversarial losses, each as the mean over images of what is to be made small."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def hinge_critic_loss(real: Tensor, fake: Tensor, margin: Tensor | float = 1.0) -> Tensor:
    """Loss of a critic whose scores should be above `margin` for real and below -1 for generated images.

    Scores of any one shape; `margin` is a number, or one for each score of a real image.
    """
    return F.relu(margin - real).mean() + F.relu(1 + fake).mean()


def wasserstein_critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Minus the critic's estimate of the Wasserstein distance; wants a critic that is 1-Lipschitz."""
    return fake.mean() - real.mean()


def generator_loss(fake: Tensor) -> Tensor:
    """What a generator makes small with either critic: minus the scores (n,) of its images."""
    return -fake.mean()


def least_squares_critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Half of how far scores, of any shape, are from 1 for real and from 0 for generated images, squared.

    Mao et al. 2017, arXiv 1611.04076; the half slows the critic down beside its generator, as in CycleGAN.
    """
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator_loss(fake: Tensor) -> Tensor:
    """What a generator makes small with it: how far the scores of its images are from 1, squared."""
    return (fake - 1).square().mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """Mean squared deviation from 1 of the critic's gradient norm, between real and generated images.

    The norm of an image's gradient is taken over all its axes, bands, rows and columns alike (Gulrajani et al. 2017,
    arXiv 1704.00028). To be called outside autocast: a norm of half-precision gradients is too coarse to be held at 1.

    Parameters
    ----------
    critic : callable
        Images (n, ...) to scores (n,), twice differentiable.
    real, fake : Tensor, shape (n, ...)
        Images; no gradient flows back to them.
    mix : Tensor, shape (n,)
        In [0, 1]: the point between the two at which each gradient is taken; 1 is the real image.

    Returns
    -------
    Tensor, shape ()
        Not weighted yet.
    """
    share = mix.view(-1, *[1] * (real.ndim - 1))
    between = torch.lerp(fake.detach().float(), real.detach().float(), share).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()
