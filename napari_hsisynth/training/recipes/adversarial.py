"""What recipes of generators against critics have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, overload

import torch
from torch import Tensor, nn

from napari_hsisynth.training.batch import Batch, average_gradients
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.diff_augment import DiffPolicy, diff_augment
from napari_hsisynth.training.mask_following import mask_following
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.set_distances import set_distances

#: Samples that validation compares with the held-out images, at least; and how many are drawn at a time.
_VALIDATION_SAMPLES, _AT_A_TIME = 64, 16
#: Images from which BatchNorm statistics of an averaged generator are taken: so many up to so many pixels, fewer of
#: larger ones, since they are means over pixels too, but not below the last figure.
_STATISTICS_IMAGES, _STATISTICS_PX, _LEAST_STATISTICS_IMAGES = 512, 64, 64
#: What a critic's images go through, see `diff_augment`.
_DIFF_AUGMENT = "translation,cutout,gain,offset"


class Sampling(Protocol):
    """The part of `Recipe` that is needed here."""

    config: Any

    def sample(self, noise: Tensor, condition: Condition) -> Tensor: ...


class CriticAugmentation:
    """Differentiable augmentation of what a critic sees, about the camera's zero.

    Parameters
    ----------
    bands : int
        Number of spectral bands.
    on : bool
        Whether to augment; images pass through as they are otherwise.
    """

    def __init__(self, bands: int, on: bool) -> None:
        self._on = on
        self._about(torch.zeros(bands), torch.ones(bands))

    def fit(self, normalisation: Normalisation) -> None:
        """Learn what a gain and an offset of the camera's values are."""
        made = DiffPolicy.of(_DIFF_AUGMENT, normalisation)
        self._about(made.zero, made.unit)

    def to(self, device: torch.device) -> None:
        """Move to a device."""
        self._about(*(None if one is None else one.to(device) for one in (self._policy.zero, self._policy.unit)))

    def _about(self, zero: Tensor | None, unit: Tensor | None) -> None:
        if zero is not None and unit is not None:
            policy = DiffPolicy.of(_DIFF_AUGMENT if self._on else "")
            self._policy = replace(policy, zero=zero.float(), unit=unit.float())

    @property
    def policy(self) -> DiffPolicy:
        """What `diff_augment` is told."""
        return self._policy

    @overload
    def __call__(self, images: Tensor, batch: Batch) -> Tensor: ...
    @overload
    def __call__(self, images: Tensor, batch: Batch, masks: Tensor) -> tuple[Tensor, Tensor]: ...
    def __call__(self, images: Tensor, batch: Batch, masks: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Augment images (n, bands, y, x) of a batch, each in its own way; masks move along, see `diff_augment`."""
        if masks is None:
            return diff_augment(images, batch, self._policy)
        return diff_augment(images, batch, self._policy, masks)

    def state(self) -> dict[str, Any]:
        """The camera's zero and the unit of an offset, normalised."""
        return {"diff_augment_zero": self._policy.zero, "diff_augment_unit": self._policy.unit}

    def load_state(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Take up what `state` gave."""
        self._about(state["diff_augment_zero"].to(device), state["diff_augment_unit"].to(device))


def descend(fabric: Any, network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take one step of one network; others that the loss depends on get no gradients."""
    parameters = list(network.parameters())
    loss.backward(inputs=parameters)
    average_gradients(fabric, parameters)
    optimiser.step()
    optimiser.zero_grad()


def all_finite(networks: Iterable[nn.Module]) -> bool:
    """Whether every weight is finite."""
    return all(bool(torch.isfinite(weight).all()) for network in networks for weight in network.parameters())


@torch.no_grad()
def samples_like(recipe: Sampling, held_out: Batch, seed: int) -> tuple[Tensor, Condition]:
    """Samples on the CPU that are told what the held-out images show, in turn; and what each was told."""
    count = max(_VALIDATION_SAMPLES, len(held_out))
    length = recipe.config.noise_length(held_out.images.shape[1])
    noise = torch.randn(count, length, generator=torch.Generator().manual_seed(seed))
    told = Condition.of(recipe, held_out)[torch.arange(count) % len(held_out)]
    parts = zip(noise.split(_AT_A_TIME), told.split(_AT_A_TIME), strict=True)
    return torch.cat([recipe.sample(*part).cpu() for part in parts]), told


def distances_of_samples(recipe: Sampling, held_out: Batch, seed: int) -> dict[str, float]:
    """Distances between samples and held-out images, see `scored_distances`; samples are those of `samples_like`."""
    return scored_distances(held_out, samples_like(recipe, held_out, seed)[0], seed)


def scored_distances(held_out: Batch, samples: Tensor, seed: int) -> dict[str, float]:
    """Distances between samples and held-out images, see `set_distances`, and ``score``: minus their sum."""
    figures = set_distances(held_out.images.cpu().numpy(), samples.numpy(), seed=seed)
    return {**figures, "score": -sum(figures.values())}


def masks_followed(held_out: Batch, samples: Tensor, told: Condition) -> dict[str, float]:
    """How well lesions of samples that were told masks lie there, see `mask_following`."""
    assert told.masks is not None
    arrays = (held_out.images, held_out.masks, samples, told.masks)
    return mask_following(*(array.cpu().numpy() for array in arrays))


@torch.no_grad()
def renew_statistics(
    network: nn.Module,
    draw: Callable[[int], Batch],
    forward: Callable[[Batch], object],
    *,
    image_size: int,
    batch_size: int,
) -> None:
    """Take the BatchNorm statistics of an averaged network anew.

    Those copied from the network in training are running means over other weights than the averaged ones.

    Parameters
    ----------
    network : nn.Module
        Left in evaluation mode.
    draw : callable
        ``draw(n)`` gives n augmented training images.
    forward : callable
        Runs the network on such a batch.
    image_size : int
        Side of the images, px.
    batch_size : int
        Images at a time: as many as a process trains with take less memory than its training, and their statistics are
        those that the network learnt to live with.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over the batches below
        norm.train()
    count = max(_LEAST_STATISTICS_IMAGES, round(_STATISTICS_IMAGES * min(1.0, (_STATISTICS_PX / image_size) ** 2)))
    for _ in range(math.ceil(count / batch_size) if norms else 0):
        forward(draw(batch_size))
    network.eval()
