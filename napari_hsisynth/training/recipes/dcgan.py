"""Training of the DCGAN family: a generator against a critic, by hinge loss or by WGAN with gradient penalty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_hsisynth.models.critics import Critic
from napari_hsisynth.models.dcgan import DCGANGenerator
from napari_hsisynth.training.batch import Batch, average_gradients
from napari_hsisynth.training.config import DCGANConfig
from napari_hsisynth.training.diff_augment import DiffPolicy, diff_augment
from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.losses import (
    generator_loss,
    gradient_penalty,
    hinge_critic_loss,
    wasserstein_critic_loss,
)
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.set_distances import set_distances
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis

#: Samples that validation compares with the held-out images, at least; and how many are drawn at a time.
_VALIDATION_SAMPLES, _AT_A_TIME = 64, 16
#: Images from which the BatchNorm statistics of the averaged generator are taken, and how many at a time.
_STATISTICS_IMAGES, _STATISTICS_BATCH = 512, 64
#: What the critic's images go through, see `diff_augment`.
_DIFF_AUGMENT = "translation,cutout,gain,offset"


@register("dcgan")
class DCGANRecipe:
    """A DCGAN generator with any of the critics, losses and conditions of the family.

    Every call of `step` is one step of the critic on a batch of real images and as many generated ones; every
    `n_critic`-th is also one of the generator.

    Parameters
    ----------
    config : DCGANConfig
        Settings.
    bands : int
        Number of spectral bands.
    classes : int
        Diagnoses that generator and critic are told; 1 for none.
    """

    def __init__(self, config: DCGANConfig, bands: int, classes: int = 1) -> None:
        self.config = config
        shared: dict[str, Any] = {
            "bands": bands,
            "image_size": config.image_size,
            "width": config.width,
            "classes": classes,
        }
        self.plain_generator = DCGANGenerator(
            latent_dim=config.latent_dim, norm=config.norm, spectra=decoder_for(config, bands), **shared
        )
        self.plain_critic = Critic(
            kind=config.critic, spectral_norm=config.spectral_norm, fourier_arm=config.fourier_arm, **shared
        )
        self.average = Average(self.plain_generator, config.ema_decay)
        self.generator: Any = self.plain_generator
        self.critic: Any = self.plain_critic
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.steps = 0
        self.last_generator_loss = torch.zeros(())
        self.policy = DiffPolicy()
        self._augment_about(torch.zeros(bands), torch.ones(bands))
        self.fabric: Any = None

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.average.network.parameters()).device

    def to(self, device: torch.device) -> None:
        """Move the averaged generator to `device`."""
        self.average.network.to(device)

    def setup(self, fabric: Any) -> None:
        """Move everything to Fabric's device and make the optimisers."""
        self.fabric = fabric
        config = self.config
        for network in (self.plain_generator, self.plain_critic, self.average.network):
            network.to(fabric.device)
            if fabric.device.type == "cuda":
                network.to(memory_format=torch.channels_last)
        self.last_generator_loss = self.last_generator_loss.to(fabric.device)
        self._augment_about(self.policy.zero, self.policy.unit)
        if config.compile:
            self.generator = torch.compile(self.plain_generator)
            if config.loss == "hinge":  # compiled code has no second derivative, which the gradient penalty takes
                self.critic = torch.compile(self.plain_critic)
        betas = (0.5, 0.999) if config.loss == "hinge" else (0.5, 0.9)
        for name, network in self._networks().items():
            self.optimisers[name] = torch.optim.Adam(network.parameters(), lr=config.lr, betas=betas)

    def prepare(self, spectra: Tensor, normalisation: Normalisation) -> list[str]:
        """Fit the spectral basis, if there is one, and learn what a gain and an offset of the camera's values are."""
        made = DiffPolicy.of(_DIFF_AUGMENT, normalisation)
        self._augment_about(made.zero, made.unit)
        return fit_basis([self.plain_generator.spectra, self.average.network.spectra], spectra, normalisation)

    def _augment_about(self, zero: Tensor | None, unit: Tensor | None) -> None:
        """Set what gain and offset refer to, see `DiffPolicy`."""
        if zero is not None and unit is not None:
            about = {"zero": zero.float().to(self.device), "unit": unit.float().to(self.device)}
            self.policy = replace(DiffPolicy.of(_DIFF_AUGMENT if self.config.diff_augment else ""), **about)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the critic and, every `n_critic`-th time, of the generator."""
        scalars = self._critic_step(batch)
        self.steps += 1
        if self.steps % self.config.n_critic == 0:
            self.last_generator_loss = self._generator_step(batch)
        return scalars | {"generator_loss": self.last_generator_loss}

    def _critic_step(self, batch: Batch) -> dict[str, Tensor]:
        config, scalars = self.config, {}
        with torch.no_grad(), self.fabric.autocast():
            fake = self.generator(batch.normal(config.latent_dim), batch.classes)
        real, fake = (diff_augment(images, batch, self.policy) for images in (batch.images, fake))
        if config.loss == "hinge":
            real_score, fake_score = self._scores(real, fake, batch.classes)
            loss = hinge_critic_loss(real_score, fake_score)
        else:
            # cached: a spectral norm takes one step of its iteration, and both forwards see the same weights
            with parametrize.cached():
                real_score, fake_score = self._scores(real, fake, batch.classes)
                penalty = gradient_penalty(
                    lambda images: self.plain_critic(images, batch.classes), real, fake, batch.uniform()
                )
            loss = wasserstein_critic_loss(real_score, fake_score) + config.gp_weight * penalty
            scalars["gradient_penalty"] = penalty.detach()
        self._descend("critic", loss)
        means = {"real_score": real_score.detach().mean(), "fake_score": fake_score.detach().mean()}
        return {"loss": loss.detach(), **means, **scalars}

    def _scores(self, real: Tensor, fake: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of real and generated images, in one forward: two would iterate the spectral norm between them."""
        with self.fabric.autocast():
            scores = self.critic(torch.cat([real, fake]), torch.cat([classes, classes]))
        return scores.split(len(real))

    def _generator_step(self, batch: Batch) -> Tensor:
        with self.fabric.autocast():
            fake = self.generator(batch.normal(self.config.latent_dim), batch.classes)
            score = self.critic(diff_augment(fake, batch, self.policy), batch.classes)
        loss = generator_loss(score)
        self._descend("generator", loss)
        self.average.update(self.plain_generator)
        return loss.detach()

    def _descend(self, name: str, loss: Tensor) -> None:
        """One step of one network; the other gets no gradients."""
        parameters = list(self._networks()[name].parameters())
        loss.backward(inputs=parameters)
        average_gradients(self.fabric, parameters)
        self.optimisers[name].step()
        self.optimisers[name].zero_grad()

    def _networks(self) -> dict[str, nn.Module]:
        return {"generator": self.plain_generator, "critic": self.plain_critic}

    def healthy(self) -> bool:
        """Whether every weight of both networks is finite."""
        networks = self._networks().values()
        return all(bool(torch.isfinite(weight).all()) for network in networks for weight in network.parameters())

    @torch.no_grad()
    def validate(self, held_out: Batch, seed: int) -> dict[str, float]:
        """Distances between samples of the averaged generator and held-out images, see `set_distances`."""
        count = max(_VALIDATION_SAMPLES, len(held_out))
        noise = torch.randn(count, self.config.latent_dim, generator=torch.Generator().manual_seed(seed))
        classes = held_out.classes.repeat(-(-count // len(held_out)))[:count]
        parts = zip(noise.split(_AT_A_TIME), classes.split(_AT_A_TIME), strict=True)
        samples = torch.cat([self.sample(*part) for part in parts])
        figures = set_distances(held_out.images.cpu().numpy(), samples.cpu().numpy(), seed=seed)
        return {**figures, "score": -sum(figures.values())}

    @torch.no_grad()
    def fit_latents(self, draw: Callable[[int], Batch]) -> None:
        """Take the BatchNorm statistics of the averaged generator anew; the noise itself is never fitted.

        Those copied from the generator in training are running means over other weights than the averaged ones.
        """
        norms = [module for module in self.average.network.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over the batches below
            norm.train()
        for _ in range(_STATISTICS_IMAGES // _STATISTICS_BATCH if norms else 0):
            batch = draw(_STATISTICS_BATCH)
            self.average.network(batch.normal(self.config.latent_dim), batch.classes)
        self.average.network.eval()

    @torch.no_grad()
    def sample(self, noise: Tensor, classes: Tensor) -> Tensor:
        """Normalised images from standard normal `noise` (n, latent_dim), by the averaged generator."""
        return self.average.network(noise.to(self.device), classes.to(self.device))

    def reconstruct(self, images: Tensor, classes: Tensor) -> None:
        """There is no encoder."""
        return None

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights, both optimisers and the number of steps; spectral norms are among the weights."""
        return {
            "generator": self.plain_generator.state_dict(),
            "critic": self.plain_critic.state_dict(),
            "average": self.average.network.state_dict(),
            "average_steps": self.average.steps,
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "steps": self.steps,
            "last_generator_loss": self.last_generator_loss,
            "diff_augment_zero": self.policy.zero,
            "diff_augment_unit": self.policy.unit,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.plain_generator.load_state_dict(state["generator"])
        self.plain_critic.load_state_dict(state["critic"])
        self.average.network.load_state_dict(state["average"])
        self.average.steps = int(state["average_steps"])
        for name, optimiser in self.optimisers.items():  # none where samples are only drawn
            optimiser.load_state_dict(state["optimisers"][name])
        self.steps = int(state["steps"])
        self.last_generator_loss = state["last_generator_loss"].to(self.device)
        self._augment_about(state["diff_augment_zero"], state["diff_augment_unit"])
