"""Where the RGB images of a step come from, besides the crops it learns from: `Batch.rgb`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.data import batch_order
from napari_hsisynth.training.device_data import DeviceData
from napari_hsisynth.training.image_store import MOST_OF_MEMORY
from napari_hsisynth.training.memory import free_bytes
from napari_hsisynth.training.photos import PhotoSet
from napari_hsisynth.training.seeds import derive


class RGBSource(Protocol):
    """Gives RGB images in an order that depends on the run's seed and the images shown so far alone."""

    def draw(self, images: int, count: int, *, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor | None]:
        """As many images as `count` from `images` on, or one process's share of them.

        Returns
        -------
        Tensor, shape (n, 3, y, x)
            sRGB in [0, 1].
        Tensor of int64, shape (n,), or None
            Their classes, if these are known.
        """


class PhotoSource:
    """Photographs, each once per round, flipped at random.

    Parameters
    ----------
    photos : PhotoSet
        Kept on the device, as bytes, if it has room for them.
    seed : int
        The run's seed.
    device : torch.device
        Where they are wanted.
    """

    def __init__(self, photos: PhotoSet, seed: int, device: torch.device) -> None:
        self._images = torch.from_numpy(photos.images)
        if photos.images.nbytes <= MOST_OF_MEMORY * free_bytes(device):
            self._images = self._images.to(device)
        self._seed, self._device = seed, device

    def draw(self, images: int, count: int, *, rank: int = 0, world: int = 1) -> tuple[Tensor, None]:
        """As `RGBSource`."""
        share = slice(rank * (count // world), (rank + 1) * (count // world))
        order = torch.from_numpy(batch_order(images, len(self._images), count, derive(self._seed, "photos")))[share]
        generator = torch.Generator().manual_seed(derive(self._seed, "photos", images))
        flips = (torch.rand(count, 2, generator=generator) < 0.5)[share].to(self._device)
        drawn = self._images[order.to(self._images.device)].to(self._device).float() / 255
        for axis, flip in zip((-2, -1), flips.unbind(1), strict=True):
            drawn = torch.where(flip[:, None, None, None], drawn.flip(axis), drawn)
        return drawn, None


class OtherRenders:
    """How the training crops look, in an order of their own, augmented by themselves.

    Parameters
    ----------
    data : DeviceData
        The training crops.
    seed : int
        The run's seed.
    recipe : Recipe
        Has ``render``.
    augment : callable
        Of a batch, see `Augmentation`; draws from torch's global generator.
    """

    def __init__(self, data: DeviceData, seed: int, recipe: Any, augment: Callable[[Batch], Batch]) -> None:
        self._data, self._seed, self._recipe, self._augment = data, seed, recipe, augment

    def draw(self, images: int, count: int, *, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """As `RGBSource`."""
        order = batch_order(images, len(self._data), count, derive(self._seed, "other renders"))
        batch = self._augment(self._data.batch(order, rank=rank, world=world))
        return self._recipe.render(batch.images), batch.classes
