"""What recipes of FastGAN's generator have in common, whatever it learns from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.device import place
from napari_hsisynth.training.recipes.averaged import AveragedGenerator


class PyramidRecipe(AveragedGenerator):
    """A `FastGANGenerator`, or one that is told more: where it is, and how its styles are mixed."""

    def to(self, device: torch.device) -> None:
        """Move the averaged generator to `device`."""
        place(self.average.network, device)

    def setup(self, fabric: Any) -> None:
        """Move the generator to Fabric's device and make its optimiser."""
        self.fabric = fabric
        for network in (self.plain_generator, self.average.network):
            place(network, fabric.device)
        if self.config.compile:
            self.generator = torch.compile(self.plain_generator)
        self.optimisers["generator"] = self._adam(self.plain_generator)

    def _adam(self, network: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(network.parameters(), lr=self.config.lr, betas=(0.5, 0.999))

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


def shrunk(images: Tensor, side: int) -> Tensor:
    """Images (n, bands, y, x) brought to a smaller side, which divides theirs, by means over squares."""
    return F.avg_pool2d(images, images.shape[-1] // side)
