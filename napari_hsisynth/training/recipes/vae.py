"""Training of the variational autoencoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_hsisynth.models.vae import VAE
from napari_hsisynth.training.batch import Batch, average_gradients
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import VAEConfig
from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.latents import LatentGaussian
from napari_hsisynth.training.recipes.objectives import effective_beta, gaussian_elbo, mean_l1_and_kl
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis

#: Smallest variance of the likelihood, in squared standard deviations of a band: 1 % of its contrast, below the noise.
_LEAST_VARIANCE = 1e-4
#: Weight of a new batch in the running variance that validation uses.
_VARIANCE_RATE = 0.02
#: Augmented images from which the distribution of latents is fitted, and how many are encoded at a time.
_FIT_IMAGES, _FIT_BATCH = 512, 64


@register("vae")
class VAERecipe:
    """A beta-VAE with a Gaussian likelihood whose variance per band is always the best one.

    The variance of the likelihood that maximises the ELBO is the mean squared error of the band (Rybkin, Daniilidis and
    Levine 2021, arXiv 2006.13202). Using it leaves no weight between reconstruction and KL to be tuned: beta = 1 is the
    ELBO.

    By `config.objective` it is also the form in wide use, see `objectives.mean_l1_and_kl`, or a plain autoencoder:
    the same likelihood without noise in the latents and without a KL term.

    Parameters
    ----------
    config : VAEConfig
        Settings.
    bands : int
        Number of spectral bands.
    classes : int
        Diagnoses that it is conditioned on; 1 for none.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, config: VAEConfig, bands: int, classes: int = 1) -> None:
        self.config, self.classes = config, classes
        self.plain = VAE(
            image_size=config.image_size,
            latent_dim=config.latent_dim,
            width=config.width,
            spectra=decoder_for(config, bands),
            bands=bands,
            classes=classes,
        )
        self.average = Average(self.plain, config.ema_decay)
        self.optimiser: Any = None
        self.network: Any = self.plain
        self.variance = torch.ones(bands)
        self.latents = LatentGaussian.prior(config.latent_dim, classes)
        self.values = bands * config.image_size**2
        self.fabric: Any = None

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.variance.device

    def to(self, device: torch.device) -> None:
        """Move the averaged network and the running variance to `device`."""
        self.average.network.to(device, memory_format=torch.channels_last)
        self.variance = self.variance.to(device)

    def setup(self, fabric: Any) -> None:
        """Move everything to Fabric's device and make the optimiser."""
        self.fabric = fabric
        # bands innermost: a fifth less time per step on a CPU, and the layout that GPUs have fast convolutions for
        self.plain.to(fabric.device, memory_format=torch.channels_last)
        self.network = torch.compile(self.plain) if self.config.compile else self.plain
        self.optimiser = torch.optim.Adam(self.plain.parameters(), lr=self.config.lr, betas=(0.9, 0.99))
        self.to(fabric.device)

    def prepare(self, spectra: Tensor, normalisation: Normalisation) -> list[str]:
        """Fit the spectral basis, if there is one."""
        warnings = fit_basis([self.plain.spectra, self.average.network.spectra], spectra, normalisation)
        if self.config.objective == "published":
            beta = effective_beta(self.values, self.config.latent_dim, self.config.kl_weight)
            warnings.append(
                f"objective published weighs the KL term as beta = {beta:.3g} would in a sum: samples and "
                "reconstructions are the more blurred; elbo is the form without this"
            )
        return warnings

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Lower the loss of a batch by one step of Adam."""
        images = batch.images.contiguous(memory_format=torch.channels_last)
        with self.fabric.autocast():
            noise = self._noise(batch.normal(self.config.latent_dim))
            reconstruction, mean, log_variance = self.network(images, noise, batch.classes)
        squared_error = (images - reconstruction.detach()).square().mean(dim=(0, 2, 3))
        squared_error = self.fabric.all_reduce(squared_error, reduce_op="mean")  # one likelihood for all processes
        variance = squared_error.clamp_min(_LEAST_VARIANCE)
        losses, kl = self._losses(images, reconstruction, mean, log_variance, variance)
        loss = losses.mean()
        loss.backward()
        average_gradients(self.fabric, list(self.plain.parameters()))
        norm = torch.nn.utils.clip_grad_norm_(self.plain.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.update(self.plain)
        self.variance = variance if self.average.steps == 1 else self.variance.lerp(variance, _VARIANCE_RATE)
        scalars = {"loss": loss.detach(), "error": squared_error.mean().sqrt(), "gradient": norm.detach()}
        return scalars if self.config.objective == "autoencoder" else scalars | {"kl_nats": kl.detach().mean()}

    def _noise(self, drawn: Tensor) -> Tensor:
        """What moves latents away from the means of their posteriors, in standard deviations."""
        return torch.zeros_like(drawn) if self.config.objective == "autoencoder" else drawn

    def _losses(
        self, images: Tensor, reconstruction: Tensor, mean: Tensor, log_variance: Tensor, variance: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Loss and KL term (nats) of each image."""
        if self.config.objective == "published":
            return mean_l1_and_kl(images, reconstruction, mean, log_variance, self.config.kl_weight)
        beta = self.config.beta if self.config.objective == "elbo" else 0.0
        elbo, kl = gaussian_elbo(images, reconstruction, mean, log_variance, variance, beta)
        # per value only so that gradients have a handy size; Adam and the balance of the two terms do not notice
        return -elbo / self.values, kl

    def networks(self) -> dict[str, nn.Module]:
        """The network and its average."""
        return {"network": self.plain, "average": self.average.network}

    def healthy(self) -> bool:
        """Whether every weight is finite."""
        return all(bool(torch.isfinite(weight).all()) for weight in self.plain.parameters())

    @torch.no_grad()
    def validate(self, held_out: Batch, seed: int) -> dict[str, float]:
        """Loss of held-out images, as in training; by the averaged network and the running variance."""
        generator = torch.Generator().manual_seed(seed)  # the same noise on every device and at every validation
        total = 0.0
        for batch in held_out.split(_FIT_BATCH):
            drawn = torch.randn(len(batch), self.config.latent_dim, generator=generator)
            made, mean, log_variance = self.average.network(
                batch.images, self._noise(drawn.to(self.device)), batch.classes
            )
            total += float(self._losses(batch.images, made, mean, log_variance, self.variance)[0].sum())
        loss = total / len(held_out)
        return {"loss": loss, "score": -loss}

    @torch.no_grad()
    def fit_latents(self, draw: Callable[[int], Batch]) -> None:
        """Fit the normal distribution that samples are drawn from, see `LatentGaussian`."""
        batches = [draw(_FIT_BATCH) for _ in range(_FIT_IMAGES // _FIT_BATCH)]
        encoded = [self.average.network.encode(batch.images, batch.classes) for batch in batches]
        means, log_variances = (torch.cat(parts) for parts in zip(*encoded, strict=True))
        plain = self.config.objective == "autoencoder"
        variances = torch.zeros_like(means) if plain else log_variances.exp()
        self.latents = LatentGaussian.fit(
            means, variances, torch.cat([batch.classes for batch in batches]), self.classes
        )

    @torch.no_grad()
    def sample(self, noise: Tensor, condition: Condition) -> Tensor:
        """Normalised images from standard normal `noise` (n, latent_dim), by the averaged network."""
        classes = condition.classes.to(self.device)
        return self.average.network.decode(self.latents.latents(noise.to(self.device), classes), classes)

    @torch.no_grad()
    def reconstruct(self, images: Tensor, classes: Tensor) -> Tensor:
        """Decode the posterior means of normalised images (n, bands, y, x)."""
        network, made = self.average.network, []
        for part, told in zip(images.split(_FIT_BATCH), classes.to(images.device).split(_FIT_BATCH), strict=True):
            made.append(network.decode(network.encode(part, told)[0], told))
        return torch.cat(made)

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
