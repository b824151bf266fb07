"""What an autoencoder can be asked to minimise or maximise, per image."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_log_likelihood(images: Tensor, reconstruction: Tensor, variance: Tensor) -> Tensor:
    """Log density of images (n, bands, y, x) under a Gaussian about the reconstruction, nats, shape (n,).

    `variance` is that of each band, shape (bands,).
    """
    pixels = images.shape[-2] * images.shape[-1]
    squared_error = (images - reconstruction).square().sum(dim=(2, 3))
    return -0.5 * (pixels * torch.log(2 * math.pi * variance) + squared_error / variance).sum(dim=1)


def divergence_from_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of diagonal Gaussians (n, latent_dim) from the standard normal, nats, shape (n,)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)


def gaussian_elbo(
    images: Tensor, reconstruction: Tensor, mean: Tensor, log_variance: Tensor, variance: Tensor, beta: float
) -> tuple[Tensor, Tensor]:
    """Evidence lower bound of each image, as sums over pixels, bands and latents.

    Parameters
    ----------
    images, reconstruction : Tensor, shape (n, bands, y, x)
        Data and the decoder's mean.
    mean, log_variance : Tensor, shape (n, latent_dim)
        Of the posterior; the prior is standard normal.
    variance : Tensor, shape (bands,)
        Of the Gaussian likelihood, per band.
    beta : float
        Weight of the KL term.

    Returns
    -------
    elbo, kl : Tensor, shape (n,)
        In nats per image.
    """
    kl = divergence_from_prior(mean, log_variance)
    return gaussian_log_likelihood(images, reconstruction, variance) - beta * kl, kl


def mean_l1_and_kl(
    images: Tensor, reconstruction: Tensor, mean: Tensor, log_variance: Tensor, kl_weight: float
) -> tuple[Tensor, Tensor]:
    """Mean absolute error over the values of an image, plus the weighted mean of the KL term over latents.

    The form in wide use. It is no bound on anything: see `effective_beta`.

    Returns
    -------
    loss, kl : Tensor, shape (n,)
        The KL term, as everywhere, as a sum in nats.
    """
    kl = divergence_from_prior(mean, log_variance)
    return (images - reconstruction).abs().mean(dim=(1, 2, 3)) + kl_weight * kl / mean.shape[1], kl


def effective_beta(values: int, latent_dim: int, kl_weight: float) -> float:
    """The beta of a form with sums to which `mean_l1_and_kl` is proportional.

    Parameters
    ----------
    values : int
        Bands times pixels of an image.
    latent_dim : int
        Length of the latent vector.
    kl_weight : float
        Weight of the mean KL term.

    Examples
    --------
    >>> round(effective_beta(16 * 256 * 256, 64, 1e-2))
    164
    """
    return kl_weight * values / latent_dim
