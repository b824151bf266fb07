"""Training of CycleGAN between RGB images and cubes, without pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_hsisynth.models.cyclegan import CubeFromRGB, PatchCritic, RGBFromCube, strided_for
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.config import CycleGANConfig
from napari_hsisynth.training.device import place
from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.image_pool import ImagePool
from napari_hsisynth.training.losses import least_squares_critic_loss, least_squares_generator_loss
from napari_hsisynth.training.recipes.adversarial import all_finite, descend
from napari_hsisynth.training.recipes.from_rgb import FromRGBRecipe, View, base_for
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.spectral_basis import decoder_for

#: The learning rate never falls below this part of it.
_LEAST_RATE = 0.01


@register("cyclegan")
class CycleGANRecipe(FromRGBRecipe):
    """After Zhu, Park, Isola and Efros (2017), arXiv 1703.10593.

    One generator makes cubes of RGB images, the other RGB images of cubes; a critic of patches for each kind of image,
    by least squares, sees what they make and earlier images of theirs. An image that went there and back must be what
    it was. The paper's identity term, an image of the goal's kind passed through unchanged, has no meaning between 3
    channels and many. In its place a cube must look like the image it was made of (`rgb_weight`), which needs no pairs;
    `paired_weight` adds those of the training crops, and a linear base is fitted to them.

    Parameters
    ----------
    config : CycleGANConfig
        Settings.
    bands : int
        Number of spectral bands.
    classes : int
        Diagnoses that all networks are told; 1 for none.
    """

    #: The RGB images of a step are drawn apart from its cubes, also where there are no photographs.
    unpaired = True

    def __init__(self, config: CycleGANConfig, bands: int, classes: int = 1) -> None:
        self.config = config
        spectra = decoder_for(config, bands)
        shared: dict[str, Any] = {"width": config.width, "blocks": config.blocks, "classes": classes}
        critics: dict[str, Any] = {
            "width": config.critic_width,
            "strided": strided_for(config.image_size),
            "classes": classes,
        }
        self.plain_to_cube = CubeFromRGB(bands, spectra=spectra, base=base_for(config, spectra), **shared)
        self.plain_to_rgb = RGBFromCube(bands, **shared)
        self.plain_cube_critic, self.plain_rgb_critic = PatchCritic(bands, **critics), PatchCritic(3, **critics)
        self.average = Average(self.plain_to_cube, config.ema_decay)
        self.to_cube: Any = self.plain_to_cube
        self.to_rgb: Any = self.plain_to_rgb
        self.cube_critic: Any = self.plain_cube_critic
        self.rgb_critic: Any = self.plain_rgb_critic
        self.generators = nn.ModuleList([self.plain_to_cube, self.plain_to_rgb])
        self.critics = nn.ModuleList([self.plain_cube_critic, self.plain_rgb_critic])
        self.pools = {"cubes": ImagePool(config.pool_size), "rgb": ImagePool(config.pool_size)}
        self.view = View(config.camera, bands)
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.images = 0
        self.fabric: Any = None

    def setup(self, fabric: Any) -> None:
        """Move everything to Fabric's device and make the optimisers."""
        self.fabric = fabric
        self.to(fabric.device)
        for network in (self.generators, self.critics):
            place(network, fabric.device)
        if self.config.compile:
            self.to_cube, self.to_rgb = torch.compile(self.plain_to_cube), torch.compile(self.plain_to_rgb)
            self.cube_critic = torch.compile(self.plain_cube_critic)
            self.rgb_critic = torch.compile(self.plain_rgb_critic)
        for name, network in (("generators", self.generators), ("critics", self.critics)):
            self.optimisers[name] = torch.optim.Adam(network.parameters(), lr=self.config.lr, betas=(0.5, 0.999))

    @property
    def cube_generators(self) -> list[Any]:
        """The generator and its average."""
        return [self.plain_to_cube, self.average.network]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of both generators, then one of both critics."""
        rgb = self.view.told(batch)
        told_rgb = batch.classes if batch.rgb_classes is None else batch.rgb_classes
        cubes, seen, scalars = self._generator_step(batch, rgb, told_rgb)
        scalars |= self._critic_step(batch, rgb, told_rgb, cubes, seen)
        self._slow_down(batch.total)
        return scalars

    def _generator_step(self, batch: Batch, rgb: Tensor, told_rgb: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return the cubes and the RGB images made, without gradients, and scalars.

        What is made of an image is of its class: `told_rgb` is that of `rgb`.
        """
        config, told = self.config, batch.classes
        with self.fabric.autocast():
            cubes, seen = self.to_cube(rgb, told_rgb), self.to_rgb(batch.images, told)
            rgb_again, cubes_again = self.to_rgb(cubes, told_rgb), self.to_cube(seen, told)
            scores = self.cube_critic(cubes, told_rgb), self.rgb_critic(_signed(seen), told)
        cycle_error = (cubes_again - batch.images).abs().mean() + (_signed(rgb_again) - _signed(rgb)).abs().mean()
        rgb_error = self.view.map.error(cubes, rgb)
        loss = sum(map(least_squares_generator_loss, scores)) + config.cycle_weight * cycle_error
        loss = loss + config.rgb_weight * rgb_error
        scalars = {"cycle_error": cycle_error.detach(), "rgb_error": rgb_error.detach()}
        if config.paired_weight:
            with self.fabric.autocast():
                pairs = self.to_cube(self.render(batch.images), told)
            paired_error = (pairs - batch.images).abs().mean()
            loss = loss + config.paired_weight * paired_error
            scalars["paired_error"] = paired_error.detach()
        descend(self.fabric, self.generators, self.optimisers["generators"], loss)
        self.average.update(self.plain_to_cube)
        return cubes.detach(), seen.detach(), {"generator_loss": loss.detach(), **scalars}

    def _critic_step(
        self, batch: Batch, rgb: Tensor, told_rgb: Tensor, cubes: Tensor, seen: Tensor
    ) -> dict[str, Tensor]:
        cubes, told_cubes = self.pools["cubes"].exchange_all(self.fabric, cubes, told_rgb, batch)
        seen, told_seen = self.pools["rgb"].exchange_all(self.fabric, seen, batch.classes, batch)
        with self.fabric.autocast():
            real, fake = self.cube_critic(batch.images, batch.classes), self.cube_critic(cubes, told_cubes)
            real_rgb, fake_rgb = self.rgb_critic(_signed(rgb), told_rgb), self.rgb_critic(_signed(seen), told_seen)
        loss = least_squares_critic_loss(real, fake) + least_squares_critic_loss(real_rgb, fake_rgb)
        descend(self.fabric, self.critics, self.optimisers["critics"], loss)
        return {"loss": loss.detach(), "real_score": real.detach().mean(), "fake_score": fake.detach().mean()}

    def _slow_down(self, shown: int) -> None:
        """Let the learning rates fall in a straight line over the second half of the training."""
        # by factors of what they are: going back after a divergence halves them for good
        before, self.images = self._rate(), self.images + shown
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] *= self._rate() / before

    def _rate(self) -> float:
        return max(_LEAST_RATE, min(1.0, 2 - 2 * self.images / self.config.max_images))

    def networks(self) -> dict[str, nn.Module]:
        """Both generators, both critics and the averaged generator of cubes; the view belongs to the data."""
        return {
            "to_cube": self.plain_to_cube,
            "to_rgb": self.plain_to_rgb,
            "cube_critic": self.plain_cube_critic,
            "rgb_critic": self.plain_rgb_critic,
            "average": self.average.network,
        }

    def healthy(self) -> bool:
        """Whether every weight of the networks is finite."""
        return all_finite((self.generators, self.critics))

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights, optimisers, pools, the fixed map and the number of images shown."""
        return {
            **{name: network.state_dict() for name, network in self.networks().items()},
            "average_steps": self.average.steps,
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "pools": {name: pool.state() for name, pool in self.pools.items()},
            "rgb_map": self.view.map.state_dict(),
            "images": self.images,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        for name, network in self.networks().items():
            network.load_state_dict(state[name])
        self.average.steps = int(state["average_steps"])
        self.view.map.load_state_dict(state["rgb_map"])
        if self.optimisers:  # not where samples are only drawn
            for name, optimiser in self.optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            for name, pool in self.pools.items():
                pool.load_state(state["pools"][name], self.device)
        self.images = int(state["images"])


def _signed(rgb: Tensor) -> Tensor:
    """[0, 1] as [-1, 1], the paper's range, to which its weights belong."""
    return 2 * rgb - 1
