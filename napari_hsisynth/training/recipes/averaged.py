"""What recipes have in common that draw from the average of one generator, whatever it learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.recipes.adversarial import distances_of_samples, renew_statistics


class AveragedGenerator:
    """A generator, its average, and what is done with them outside of a step.

    Parameters
    ----------
    config : ModelConfig
        Settings.
    generator : nn.Module
        Makes images of latents and what it is told.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, config: Any, generator: Any) -> None:
        self.config = config
        self.plain_generator = generator
        self.average = Average(generator, config.ema_decay)
        self.generator: Any = generator
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.fabric: Any = None

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.average.network.parameters()).device

    def _told(self, shown: Batch | Condition) -> tuple[Tensor, ...]:
        """What the generator is told beside the noise."""
        return (shown.classes.to(self.device),)

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
        made = self.average.network(noise.to(self.device), *self._told(condition))
        return made[0] if isinstance(made, tuple) else made  # with small versions of them, by that of FastGAN

    def reconstruct(self, images: Tensor, classes: Tensor) -> None:
        """There is no encoder that a sample could be made from."""
        return None

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights and optimisers."""
        return {
            "generator": self.plain_generator.state_dict(),
            "average": self.average.network.state_dict(),
            "average_steps": self.average.steps,
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.plain_generator.load_state_dict(state["generator"])
        self.average.network.load_state_dict(state["average"])
        self.average.steps = int(state["average_steps"])
        for name, optimiser in self.optimisers.items():  # none where samples are only drawn
            optimiser.load_state_dict(state["optimisers"][name])
