"""Training of FastGAN (Liu, Zhu, Song and Elgammal 2021, arXiv 2101.04775)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_hsisynth.models.fastgan import FastGANGenerator
from napari_hsisynth.models.fastgan_critic import FastGANCritic, Seen, quarter
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.config import FastGANConfig
from napari_hsisynth.training.device import place
from napari_hsisynth.training.losses import generator_loss
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.adversarial import (
    CriticAugmentation,
    all_finite,
    descend,
)
from napari_hsisynth.training.recipes.pyramid import PyramidRecipe, shrunk
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.reconstruction import STRUCTURE, chosen, loss_of
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis


@register("fastgan")
class FastGANRecipe(PyramidRecipe):
    """A FastGAN generator against the self-supervised critic.

    Every call of `step` is one step of both on a batch of real images and as many generated ones. The generated ones
    are made once: the critic learns from them first, then scores them again for the generator.

    Parameters
    ----------
    config : FastGANConfig
        Settings.
    bands : int
        Number of spectral bands.
    classes : int
        Diagnoses that generator and critic are told; 1 for none.
    """

    def __init__(self, config: FastGANConfig, bands: int, classes: int = 1) -> None:
        self.config = config
        generator, self.plain_critic = self._networks(
            bands=bands, image_size=config.image_size, width=config.width, classes=classes, norm=config.norm
        )
        super().__init__(config, generator)
        self.critic: Any = self.plain_critic
        self.decoders: Any = self.plain_critic.decoders
        self.augmentation = CriticAugmentation(bands, config.diff_augment)
        #: How reconstructions are compared, by the name that `reconstruction.chosen` gave it.
        self.compared_by = STRUCTURE
        self.unlikeness: Any = loss_of(STRUCTURE)

    def _networks(self, **shared: Any) -> tuple[Any, Any]:
        """Generator and critic, from what both are made of."""
        config = self.config
        spectra = decoder_for(config, shared["bands"])
        return FastGANGenerator(latent_dim=config.latent_dim, spectra=spectra, **shared), FastGANCritic(**shared)

    def setup(self, fabric: Any) -> None:
        """Move everything to Fabric's device and make the optimisers."""
        super().setup(fabric)
        place(self.plain_critic, fabric.device)
        self.augmentation.to(fabric.device)
        if self.config.compile:
            self.critic = torch.compile(self.plain_critic)
            self.decoders = torch.compile(self.plain_critic.decoders)
        self.optimisers["critic"] = self._adam(self.plain_critic)

    def prepare(self, spectra: Tensor, normalisation: Normalisation) -> list[str]:
        """Choose how reconstructions are compared, fit the spectral basis, and learn what a gain of the camera is."""
        name, notes = chosen(self.config.reconstruction)
        self._compare_by(name)
        self.augmentation.fit(normalisation)
        self.augmentation.to(self.device)
        basis = fit_basis([self.plain_generator.spectra, self.average.network.spectra], spectra, normalisation)
        return [*notes, *basis]

    def _compare_by(self, name: str) -> None:
        self.compared_by = name
        if self.optimisers:  # where samples are only drawn, nothing is compared and no weights are needed
            self.unlikeness = loss_of(name)
            if isinstance(self.unlikeness, nn.Module):
                self.unlikeness.to(self.device)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the critic, then one of the generator."""
        with self.fabric.autocast():
            noise = batch.normal(self.plain_generator.noise_numbers)
            fake = self.generator(batch.normal(self.config.latent_dim), *self._told(batch), noise)
        scalars = self._critic_step(batch, *(images.detach() for images in fake))
        loss = generator_loss(self._seen(batch, *self._shown(batch, *fake)).logits)
        descend(self.fabric, self.plain_generator, self.optimisers["generator"], loss)
        self.average.update(self.plain_generator)
        return scalars | {"generator_loss": loss.detach()}

    def _critic_step(self, batch: Batch, fake: Tensor, small_fake: Tensor) -> dict[str, Tensor]:
        # each forward has its backward before the next one: that changes the vectors of the spectral norm, which
        # compiled code keeps for its backward without a copy; and only one forward's features are held at a time
        weights = list(self.plain_critic.parameters())
        shown = self._shown(batch, batch.images, shrunk(batch.images, small_fake.shape[-1]))
        of_real = self._seen(batch, *shown)
        margin: Tensor | float = 1.0
        if self.config.margin_noise:
            margin = 1 + self.config.margin_noise * (2 * batch.uniform(of_real.logits.shape[1]) - 1)
        real_loss = F.relu(margin - of_real.logits).mean()
        reconstruction = self._reconstruction_loss(of_real, *shown[:2])
        (real_loss + reconstruction).backward(inputs=weights)
        further = self._further_losses(batch)
        for value in further.values():
            value.backward(inputs=weights)
        of_fake = self._seen(batch, *self._shown(batch, fake, small_fake))
        fake_loss = F.relu(1 + of_fake.logits).mean()
        descend(self.fabric, self.plain_critic, self.optimisers["critic"], fake_loss)
        return {
            "loss": (real_loss + fake_loss).detach(),
            "reconstruction_loss": reconstruction.detach(),
            "real_score": of_real.logits.detach().mean(),
            "fake_score": of_fake.logits.detach().mean(),
            **{name: value.detach() for name, value in further.items()},
        }

    def _further_losses(self, batch: Batch) -> dict[str, Tensor]:
        """What else the critic learns from real images, by name."""
        return {}

    def _shown(self, batch: Batch, images: Tensor, small: Tensor) -> tuple[Tensor, ...]:
        """What the critic is shown of images and of their small versions, which are augmented each in their own way."""
        return self.augmentation(images, batch), self.augmentation(small, batch)

    def _seen(self, batch: Batch, *shown: Tensor) -> Seen:
        with self.fabric.autocast():
            return self.critic(*shown, batch.classes)

    def _reconstruction_loss(self, seen: Seen, images: Tensor, small: Tensor) -> Tensor:
        """How well the critic remembers real images: the whole, a quarter, the same one of all, and the small one."""
        number = int(torch.randint(4, ()))  # on the CPU, alike in all processes
        with self.fabric.autocast():
            decoded = self.decoders(seen.last, quarter(seen.middle, number).contiguous(), seen.small)
        parts = zip(decoded, (images, quarter(images, number), small), strict=True)
        return torch.stack([self.unlikeness(made, shrunk(truth, made.shape[-1])) for made, truth in parts]).sum()

    def networks(self) -> dict[str, nn.Module]:
        """Generator, critic with its decoders, and the averaged generator."""
        return {"generator": self.plain_generator, "critic": self.plain_critic, "average": self.average.network}

    def healthy(self) -> bool:
        """Whether every weight of both networks is finite."""
        return all_finite((self.plain_generator, self.plain_critic))

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights, both optimisers, and how reconstructions are compared."""
        return {
            **super().state(),
            "critic": self.plain_critic.state_dict(),
            "compared_by": self.compared_by,
            **self.augmentation.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave.

        Raises
        ------
        InputError
            If training is to go on with a perceptual loss whose weights are not on this machine.
        """
        super().load_state(state)
        self.plain_critic.load_state_dict(state["critic"])
        self._compare_by(str(state["compared_by"]))
        self.augmentation.load_state(state, self.device)
