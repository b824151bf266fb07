"""Training of FastGAN (Liu, Zhu, Song and Elgammal 2021, arXiv 2101.04775)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_hsisynth.models.fastgan import FastGANGenerator
from napari_hsisynth.models.fastgan_critic import FastGANCritic, Seen, quarter
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import FastGANConfig
from napari_hsisynth.training.device import place
from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.losses import generator_loss
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.adversarial import (
    CriticAugmentation,
    all_finite,
    descend,
    distances_of_samples,
    renew_statistics,
)
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.reconstruction import STRUCTURE, chosen, loss_of
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis


@register("fastgan")
class FastGANRecipe:
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

    needs: frozenset[str] = frozenset()

    def __init__(self, config: FastGANConfig, bands: int, classes: int = 1) -> None:
        self.config = config
        self.plain_generator, self.plain_critic = self._networks(
            bands=bands, image_size=config.image_size, width=config.width, classes=classes, norm=config.norm
        )
        self.average = Average(self.plain_generator, config.ema_decay)
        self.generator: Any = self.plain_generator
        self.critic: Any = self.plain_critic
        self.decoders: Any = self.plain_critic.decoders
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.augmentation = CriticAugmentation(bands, config.diff_augment)
        #: How reconstructions are compared, by the name that `reconstruction.chosen` gave it.
        self.compared_by = STRUCTURE
        self.unlikeness: Any = loss_of(STRUCTURE)
        self.fabric: Any = None

    def _networks(self, **shared: Any) -> tuple[Any, Any]:
        """Generator and critic, from what both are made of."""
        config = self.config
        spectra = decoder_for(config, shared["bands"])
        return FastGANGenerator(latent_dim=config.latent_dim, spectra=spectra, **shared), FastGANCritic(**shared)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.average.network.parameters()).device

    def to(self, device: torch.device) -> None:
        """Move the averaged generator to `device`."""
        place(self.average.network, device)

    def setup(self, fabric: Any) -> None:
        """Move everything to Fabric's device and make the optimisers."""
        self.fabric = fabric
        config = self.config
        for network in (self.plain_generator, self.plain_critic, self.average.network):
            place(network, fabric.device)
        self.augmentation.to(fabric.device)
        if config.compile:
            self.generator = torch.compile(self.plain_generator)
            self.critic = torch.compile(self.plain_critic)
            self.decoders = torch.compile(self.plain_critic.decoders)
        for name, network in (("generator", self.plain_generator), ("critic", self.plain_critic)):
            self.optimisers[name] = torch.optim.Adam(network.parameters(), lr=config.lr, betas=(0.5, 0.999))

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

    def _told(self, shown: Batch | Condition) -> tuple[Tensor, ...]:
        """What the generator is told beside the noise."""
        return (shown.classes.to(self.device),)

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

    def validate(self, held_out: Batch, seed: int) -> dict[str, float]:
        """Distances between samples of the averaged generator and held-out images."""
        return distances_of_samples(self, held_out, seed)

    def fit_latents(self, draw: Callable[[int], Batch]) -> None:
        """Take the BatchNorm statistics of the averaged generator anew; the noise itself is never fitted."""
        network, config = self.average.network, self.config
        renew_statistics(
            network,
            draw,
            lambda batch: network(batch.normal(config.latent_dim), *self._told(batch)),
            image_size=config.image_size,
            batch_size=max(1, config.batch_size // self.fabric.world_size),
        )

    @torch.no_grad()
    def sample(self, noise: Tensor, condition: Condition) -> Tensor:
        """Normalised images from standard normal `noise` (n, latent_dim), by the averaged generator."""
        return self.average.network(noise.to(self.device), *self._told(condition))[0]

    @torch.no_grad()
    def mix(self, noise_coarse: Tensor, noise_fine: Tensor, condition: Condition) -> Tensor:
        """Normalised images with the layout of one noise and the appearance of another.

        The coarse maps of `noise_fine` weigh the channels of the fine maps of `noise_coarse` (section 3.1 of the
        paper). With equal noises these are the images of `sample`.

        Parameters
        ----------
        noise_coarse, noise_fine : Tensor, shape (n, latent_dim)
            Standard normal.
        condition : Condition
            Of n samples.
        """
        network, told = self.average.network, self._told(condition)
        factors = network.excitation_factors(noise_fine.to(self.device), *told)
        return network(noise_coarse.to(self.device), *told, factors=factors)[0]

    def reconstruct(self, images: Tensor, classes: Tensor) -> None:
        """There is no encoder that a sample could be made from."""
        return None

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights, both optimisers, and how reconstructions are compared."""
        return {
            "generator": self.plain_generator.state_dict(),
            "critic": self.plain_critic.state_dict(),
            "average": self.average.network.state_dict(),
            "average_steps": self.average.steps,
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
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
        self.plain_generator.load_state_dict(state["generator"])
        self.plain_critic.load_state_dict(state["critic"])
        self.average.network.load_state_dict(state["average"])
        self.average.steps = int(state["average_steps"])
        for name, optimiser in self.optimisers.items():  # none where samples are only drawn
            optimiser.load_state_dict(state["optimisers"][name])
        self._compare_by(str(state["compared_by"]))
        self.augmentation.load_state(state, self.device)


def shrunk(images: Tensor, side: int) -> Tensor:
    """Images (n, bands, y, x) brought to a smaller side, which divides theirs, by means over squares."""
    return F.avg_pool2d(images, images.shape[-1] // side)
