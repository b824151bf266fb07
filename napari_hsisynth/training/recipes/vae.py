"""Training of the variational autoencoder."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from napari_hsisynth.models.vae import VAE
from napari_hsisynth.training.batch import Batch, average_gradients
from napari_hsisynth.training.config import VAEConfig
from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.latents import LatentGaussian
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis

#: Smallest variance of the likelihood, in squared standard deviations of a band: 1 % of its contrast, below the noise.
_LEAST_VARIANCE = 1e-4
#: Weight of a new batch in the running variance that validation uses.
_VARIANCE_RATE = 0.02
#: Augmented images from which the distribution of latents is fitted, and how many are encoded at a time.
_FIT_IMAGES, _FIT_BATCH = 512, 64


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
    pixels = images.shape[-2] * images.shape[-1]
    squared_error = (images - reconstruction).square().sum(dim=(2, 3))
    log_likelihood = -0.5 * (pixels * torch.log(2 * math.pi * variance) + squared_error / variance).sum(dim=1)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return log_likelihood - beta * kl, kl


@register("vae")
class VAERecipe:
    """A beta-VAE with a Gaussian likelihood whose variance per band is always the best one.

    The variance of the likelihood that maximises the ELBO is the mean squared error of the band (Rybkin, Daniilidis and
    Levine 2021, arXiv 2006.13202). Using it leaves no weight between reconstruction and KL to be tuned: beta = 1 is the
    ELBO.

    Parameters
    ----------
    config : VAEConfig
        Settings.
    bands : int
        Number of spectral bands.
    """

    def __init__(self, config: VAEConfig, bands: int, classes: int = 1) -> None:
        self.config = config
        self.plain = VAE(
            image_size=config.image_size,
            latent_dim=config.latent_dim,
            width=config.width,
            spectra=decoder_for(config, bands),
            bands=bands,
        )
        self.average = Average(self.plain, config.ema_decay)
        self.optimiser: Any = None
        self.network: Any = self.plain
        self.variance = torch.ones(bands)
        self.latents = LatentGaussian.prior(config.latent_dim)
        self.values = bands * config.image_size**2
        self.fabric: Any = None

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.variance.device

    def to(self, device: torch.device) -> None:
        """Move the averaged network and the running variance to `device`."""
        self.average.network.to(device)
        self.variance = self.variance.to(device)

    def setup(self, fabric: Any) -> None:
        """Move everything to Fabric's device and make the optimiser."""
        self.fabric = fabric
        self.plain.to(fabric.device)
        self.network = torch.compile(self.plain) if self.config.compile else self.plain
        self.optimiser = torch.optim.Adam(self.plain.parameters(), lr=self.config.lr, betas=(0.9, 0.99))
        self.to(fabric.device)

    def prepare(self, spectra: Tensor, normalisation: Normalisation) -> list[str]:
        """Fit the spectral basis, if there is one."""
        return fit_basis([self.plain.spectra, self.average.network.spectra], spectra, normalisation)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Raise the ELBO of a batch by one step of Adam."""
        images = batch.images
        with self.fabric.autocast():
            reconstruction, mean, log_variance = self.network(images, batch.normal(self.config.latent_dim))
        squared_error = (images - reconstruction.detach()).square().mean(dim=(0, 2, 3))
        squared_error = self.fabric.all_reduce(squared_error, reduce_op="mean")  # one likelihood for all processes
        variance = squared_error.clamp_min(_LEAST_VARIANCE)
        elbo, kl = gaussian_elbo(images, reconstruction, mean, log_variance, variance, self.config.beta)
        # per value only so that gradients have a handy size; Adam and the balance of the two terms do not notice
        loss = -elbo.mean() / self.values
        loss.backward()
        average_gradients(self.fabric, list(self.plain.parameters()))
        norm = torch.nn.utils.clip_grad_norm_(self.plain.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.update(self.plain)
        self.variance = variance if self.average.steps == 1 else self.variance.lerp(variance, _VARIANCE_RATE)
        return {
            "loss": loss.detach(),
            "kl_nats": kl.detach().mean(),
            "error": squared_error.mean().sqrt(),
            "gradient": norm.detach(),
        }

    def healthy(self) -> bool:
        """Whether every weight is finite."""
        return all(bool(torch.isfinite(weight).all()) for weight in self.plain.parameters())

    @torch.no_grad()
    def validate(self, held_out: Batch, seed: int) -> dict[str, float]:
        """Loss of held-out images, as in training; by the averaged network and the running variance."""
        images = held_out.images
        generator = torch.Generator().manual_seed(seed)  # the same noise on every device and at every validation
        total = 0.0
        for batch in images.split(_FIT_BATCH):
            noise = torch.randn(len(batch), self.config.latent_dim, generator=generator).to(batch.device)
            reconstruction, mean, log_variance = self.average.network(batch, noise)
            elbo, _ = gaussian_elbo(batch, reconstruction, mean, log_variance, self.variance, self.config.beta)
            total += float(elbo.sum())
        elbo = total / (len(images) * self.values)  # nats per value
        return {"loss": -elbo, "score": elbo}

    @torch.no_grad()
    def fit_latents(self, draw: Callable[[int], Batch]) -> None:
        """Fit the normal distribution that samples are drawn from, see `LatentGaussian`."""
        batches = [draw(_FIT_BATCH) for _ in range(_FIT_IMAGES // _FIT_BATCH)]
        encoded = [self.average.network.encode(batch.images) for batch in batches]
        means, log_variances = (torch.cat(parts) for parts in zip(*encoded, strict=True))
        self.latents = LatentGaussian.fit(means, log_variances.exp())

    @torch.no_grad()
    def sample(self, noise: Tensor, classes: Tensor) -> Tensor:
        """Normalised images from standard normal `noise` (n, latent_dim), by the averaged network."""
        return self.average.network.decode(self.latents.latents(noise.to(self.device)))

    @torch.no_grad()
    def reconstruct(self, images: Tensor, classes: Tensor) -> Tensor:
        """Decode the posterior means of normalised images (n, bands, y, x)."""
        parts = [self.average.network.decode(self.average.network.encode(p)[0]) for p in images.split(_FIT_BATCH)]
        return torch.cat(parts)

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights, optimiser, running variance and the fitted latents."""
        return {
            "network": self.plain.state_dict(),
            "average": self.average.network.state_dict(),
            "average_steps": self.average.steps,
            "optimiser": self.optimiser.state_dict() if self.optimiser else {},
            "variance": self.variance,
            "latent_mean": self.latents.mean,
            "latent_factor": self.latents.factor,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.plain.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.average.steps = int(state["average_steps"])
        if self.optimiser:  # not where samples are only drawn
            self.optimiser.load_state_dict(state["optimiser"])
        self.variance = state["variance"].to(self.device)
        self.latents = LatentGaussian(state["latent_mean"].cpu(), state["latent_factor"].cpu())
