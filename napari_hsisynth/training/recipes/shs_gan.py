"""Training of SHS-GAN: a U-Net from RGB images to cubes, against a critic of space and of spectral frequencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_hsisynth.models.critics import Critic
from napari_hsisynth.models.unet import RGBUNet
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.config import SHSGANConfig
from napari_hsisynth.training.device import place
from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.losses import generator_loss, gradient_penalty, wasserstein_critic_loss
from napari_hsisynth.training.recipes.adversarial import all_finite, descend
from napari_hsisynth.training.recipes.from_rgb import FromRGBRecipe, View, base_for
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.spectral_basis import decoder_for


@register("shs-gan")
class SHSGANRecipe(FromRGBRecipe):
    """After Hauser, Zheludev et al. (2021), doi:10.1109/TCI.2021.3079818.

    The critic learns the Wasserstein distance, with gradient penalty, by two arms: 3-D convolutions over (band, y, x),
    and 2-D ones over the Fourier magnitudes along the bands. The generator learns by the critic, and by how far its
    cubes, seen through the fixed map, are from the image they were made of. As published that needs no pairs of image
    and cube; `paired_weight` adds those of the training crops. Every call of `step` is one step of the critic; every
    `n_critic`-th is also one of the generator.

    Parameters
    ----------
    config : SHSGANConfig
        Settings.
    bands : int
        Number of spectral bands.
    classes : int
        Diagnoses that generator and critic are told; 1 for none.
    """

    def __init__(self, config: SHSGANConfig, bands: int, classes: int = 1) -> None:
        self.config = config
        spectra = decoder_for(config, bands)
        shared: dict[str, Any] = {"bands": bands, "image_size": config.image_size, "classes": classes}
        self.plain_generator = RGBUNet(width=config.width, spectra=spectra, base=base_for(config, spectra), **shared)
        # never compiled: compiled code has no second derivative, which the gradient penalty takes
        self.critic = Critic(width=config.critic_width, kind=config.critic, fourier_arm=config.fourier_arm, **shared)
        self.average = Average(self.plain_generator, config.ema_decay)
        self.generator: Any = self.plain_generator
        self.view = View(config.camera, bands)
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.steps = 0
        #: scalars of the generator's last step; none before the first
        self.last: dict[str, Tensor] = {}
        self.fabric: Any = None

    def setup(self, fabric: Any) -> None:
        """Move everything to Fabric's device and make the optimisers."""
        self.fabric = fabric
        self.to(fabric.device)
        place(self.plain_generator, fabric.device)
        self.critic.to(fabric.device)  # 3-D convolutions have no channels_last of images
        if self.config.compile:
            self.generator = torch.compile(self.plain_generator)
        for name, network in (("generator", self.plain_generator), ("critic", self.critic)):
            self.optimisers[name] = torch.optim.Adam(network.parameters(), lr=self.config.lr, betas=(0.5, 0.9))

    @property
    def cube_generators(self) -> list[Any]:
        """The generator and its average."""
        return [self.plain_generator, self.average.network]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the critic and, every `n_critic`-th time, of the generator."""
        rgb = self.view.told(batch)
        scalars = self._critic_step(batch, rgb)
        self.steps += 1
        if self.steps % self.config.n_critic == 0:
            self.last = self._generator_step(batch, rgb)
        return scalars | self.last

    def _critic_step(self, batch: Batch, rgb: Tensor) -> dict[str, Tensor]:
        with torch.no_grad(), self.fabric.autocast():
            fake = self.generator(rgb, batch.classes)
        with self.fabric.autocast():
            scores = self.critic(torch.cat([batch.images, fake]), torch.cat([batch.classes, batch.classes]))
        real_score, fake_score = scores.split(len(batch))
        penalty = gradient_penalty(
            lambda images: self.critic(images, batch.classes), batch.images, fake, batch.uniform()
        )
        loss = wasserstein_critic_loss(real_score, fake_score) + self.config.gp_weight * penalty
        descend(self.fabric, self.critic, self.optimisers["critic"], loss)
        means = {"real_score": real_score.detach().mean(), "fake_score": fake_score.detach().mean()}
        return {"loss": loss.detach(), **means, "gradient_penalty": penalty.detach()}

    def _generator_step(self, batch: Batch, rgb: Tensor) -> dict[str, Tensor]:
        config = self.config
        with self.fabric.autocast():
            fake = self.generator(rgb, batch.classes)
            score = self.critic(fake, batch.classes)
        rgb_error = self.view.map.error(fake, rgb)
        loss = config.adversarial_weight * generator_loss(score) + config.rgb_weight * rgb_error
        scalars = {"rgb_error": rgb_error.detach()}
        if config.paired_weight:
            if batch.rgb is not None:  # made of photographs: the batch's own images are still to be made
                with self.fabric.autocast():
                    fake = self.generator(self.render(batch.images), batch.classes)
            paired_error = (fake - batch.images).abs().mean()
            loss = loss + config.paired_weight * paired_error
            scalars["paired_error"] = paired_error.detach()
        descend(self.fabric, self.plain_generator, self.optimisers["generator"], loss)
        self.average.update(self.plain_generator)
        return {"generator_loss": loss.detach(), **scalars}

    def networks(self) -> dict[str, nn.Module]:
        """Generator, critic and the averaged generator; the view belongs to the data and is none of them."""
        return {"generator": self.plain_generator, "critic": self.critic, "average": self.average.network}

    def healthy(self) -> bool:
        """Whether every weight of both networks is finite."""
        return all_finite((self.plain_generator, self.critic))

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights, both optimisers, the fixed map and the number of steps."""
        return {
            "generator": self.plain_generator.state_dict(),
            "critic": self.critic.state_dict(),
            "average": self.average.network.state_dict(),
            "average_steps": self.average.steps,
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "rgb_map": self.view.map.state_dict(),
            "steps": self.steps,
            "last": dict(self.last),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.plain_generator.load_state_dict(state["generator"])
        self.critic.load_state_dict(state["critic"])
        self.average.network.load_state_dict(state["average"])
        self.average.steps = int(state["average_steps"])
        self.view.map.load_state_dict(state["rgb_map"])
        for name, optimiser in self.optimisers.items():  # none where samples are only drawn
            optimiser.load_state_dict(state["optimisers"][name])
        self.steps = int(state["steps"])
        self.last = {name: value.to(self.device) for name, value in state["last"].items()}
