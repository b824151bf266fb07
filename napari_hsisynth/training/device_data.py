"""`DeviceData`: a set of crops as the networks see them, on the device once; batches are made there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.data import ImageSet
from napari_hsisynth.training.normalisation import Normalisation


class DeviceData:
    """Normalised images, masks and classes of an `ImageSet`.

    Parameters
    ----------
    images : ImageSet
        In the camera's values.
    normalisation : Normalisation
        Applied once, here.
    classes : sequence of str
        Diagnoses that the model is conditioned on, in their order; empty for a model without conditions.
    device : torch.device
        Where to keep them.
    """

    def __init__(
        self, images: ImageSet, normalisation: Normalisation, classes: Sequence[str], device: torch.device
    ) -> None:
        encoded = np.empty_like(images.images)
        for one, out in zip(images.images, encoded, strict=True):
            out[...] = normalisation.encode(one)
        self._images = torch.from_numpy(encoded).to(device)
        self._masks = torch.from_numpy(images.masks).to(device)
        numbers = [classes.index(record.diagnosis.value) if classes else 0 for record in images.records]
        self._classes = torch.tensor(numbers, dtype=torch.int64, device=device)

    def __len__(self) -> int:
        return len(self._images)

    @property
    def device(self) -> torch.device:
        """Where batches are."""
        return self._classes.device

    def batch(self, order: NDArray[np.int64], *, rank: int = 0, world: int = 1) -> Batch:
        """The images at the positions `order`, or one process's even share of them."""
        share = len(order) // world
        mine = torch.from_numpy(order[rank * share : (rank + 1) * share]).to(self.device)
        return Batch(self._images[mine], self._masks[mine], self._classes[mine], len(order), rank * share)

    def draw(self, count: int) -> Batch:
        """Images drawn with replacement, from torch's global generator."""
        return self.batch(torch.randint(len(self), (count,)).numpy())

    def first(self, count: int) -> Batch:
        """The first `count` images, or all if there are fewer."""
        return self.batch(np.arange(min(count, len(self))))

    def everything(self) -> Batch:
        """All images, in their order."""
        return self.first(len(self))

    def spectra(self, count: int, seed: int) -> Tensor:
        """Normalised spectra of `count` pixels drawn with replacement from all images, shape (count, bands)."""
        generator = torch.Generator().manual_seed(seed)
        n, _, height, width = self._images.shape
        at = [torch.randint(size, (count,), generator=generator).to(self.device) for size in (n, height, width)]
        return self._images[at[0], :, at[1], at[2]]
