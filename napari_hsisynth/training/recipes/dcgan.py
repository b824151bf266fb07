"""Training of the DCGAN family: a generator against a critic, by hinge loss or by WGAN with gradient penalty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_hsisynth.models.critics import Critic
from napari_hsisynth.models.dcgan import DCGANGenerator
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.config import DCGANConfig
from napari_hsisynth.training.losses import (
    generator_loss,
    gradient_penalty,
    hinge_critic_loss,
    wasserstein_critic_loss,
)
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.adversarial import (
    CriticAugmentation,
    all_finite,
    descend,
)
from napari_hsisynth.training.recipes.averaged import AveragedGenerator
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis


@register("dcgan")
class DCGANRecipe(AveragedGenerator):
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
        shared: dict[str, Any] = {
            "bands": bands,
            "image_size": config.image_size,
            "width": config.width,
            "classes": classes,
        }
        spectra = decoder_for(config, bands)
        generator = DCGANGenerator(latent_dim=config.latent_dim, norm=config.norm, spectra=spectra, **shared)
        self.plain_critic = Critic(
            kind=config.critic, spectral_norm=config.spectral_norm, fourier_arm=config.fourier_arm, **shared
        )
        super().__init__(config, generator)
        self.critic: Any = self.plain_critic
        self.steps = 0
        #: scalars of the generator's last step; none before the first
        self.last: dict[str, Tensor] = {}
        self.augmentation = CriticAugmentation(bands, config.diff_augment)

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
        self.augmentation.to(fabric.device)
        if config.compile:
            self.generator = torch.compile(self.plain_generator)
            if config.loss == "hinge":  # compiled code has no second derivative, which the gradient penalty takes
                self.critic = torch.compile(self.plain_critic)
        betas = (0.5, 0.999) if config.loss == "hinge" else (0.5, 0.9)
        for name, network in (("generator", self.plain_generator), ("critic", self.plain_critic)):
            self.optimisers[name] = torch.optim.Adam(network.parameters(), lr=config.lr, betas=betas)

    def prepare(self, spectra: Tensor, normalisation: Normalisation) -> list[str]:
        """Fit the spectral basis, if there is one, and learn what a gain and an offset of the camera's values are."""
        self.augmentation.fit(normalisation)
        self.augmentation.to(self.device)
        return fit_basis([self.plain_generator.spectra, self.average.network.spectra], spectra, normalisation)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the critic and, every `n_critic`-th time, of the generator."""
        scalars = self._critic_step(batch)
        self.steps += 1
        if self.steps % self.config.n_critic == 0:
            self.last = {"generator_loss": self._generator_step(batch)}
        return scalars | self.last

    def _critic_step(self, batch: Batch) -> dict[str, Tensor]:
        config, scalars = self.config, {}
        with torch.no_grad(), self.fabric.autocast():
            fake = self.generator(batch.normal(config.latent_dim), batch.classes)
        real, fake = (self.augmentation(images, batch) for images in (batch.images, fake))
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
        descend(self.fabric, self.plain_critic, self.optimisers["critic"], loss)
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
            score = self.critic(self.augmentation(fake, batch), batch.classes)
        loss = generator_loss(score)
        descend(self.fabric, self.plain_generator, self.optimisers["generator"], loss)
        self.average.update(self.plain_generator)
        return loss.detach()

    def networks(self) -> dict[str, nn.Module]:
        """Generator, critic and the averaged generator."""
        return {"generator": self.plain_generator, "critic": self.plain_critic, "average": self.average.network}

    def healthy(self) -> bool:
        """Whether every weight of both networks is finite."""
        return all_finite((self.plain_generator, self.plain_critic))

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights, both optimisers and the number of steps; spectral norms are among the weights."""
        return {
            **super().state(),
            "critic": self.plain_critic.state_dict(),
            "steps": self.steps,
            "last": dict(self.last),
            **self.augmentation.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        super().load_state(state)
        self.plain_critic.load_state_dict(state["critic"])
        self.steps = int(state["steps"])
        self.last = {name: value.to(self.device) for name, value in state.get("last", {}).items()}
        self.augmentation.load_state(state, self.device)
