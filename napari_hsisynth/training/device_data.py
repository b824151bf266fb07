"""`DeviceData`: a set of crops as the networks see them, on the device once; batches are made there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.data import ImageSet
from napari_hsisynth.training.image_store import MOST_OF_MEMORY
from napari_hsisynth.training.memory import free_bytes
from napari_hsisynth.training.normalisation import Normalisation


class DeviceData:
    """Normalised images, masks and classes of an `ImageSet`.

    A set that leaves the device enough room is normalised once and kept there. Of a larger one, the images of each
    batch are taken from the set (which may lie in a file, see `ImageStore`), normalised and brought to the device. What
    a batch holds is the same to the bit.

    Parameters
    ----------
    images : ImageSet
        In the camera's values.
    normalisation : Normalisation
        Applied here.
    classes : sequence of str
        Diagnoses that the model is conditioned on, in their order; empty for a model without conditions.
    device : torch.device
        Where the batches are wanted.
    most_bytes : int, optional
        Keep images on the device up to this size; by default `MOST_OF_MEMORY` of what it has free.
    """

    def __init__(
        self,
        images: ImageSet,
        normalisation: Normalisation,
        classes: Sequence[str],
        device: torch.device,
        *,
        most_bytes: int | None = None,
    ) -> None:
        self._masks = torch.from_numpy(images.masks).to(device)
        numbers = [classes.index(record.diagnosis.value) if classes else 0 for record in images.records]
        self._classes = torch.tensor(numbers, dtype=torch.int64, device=device)
        self._source = images.images
        self._normalisation = normalisation
        most = int(MOST_OF_MEMORY * free_bytes(device)) if most_bytes is None else most_bytes
        self._resident: Tensor | None = None
        if images.images.nbytes <= most:
            self._resident = torch.empty(images.images.shape, device=device)
            for number, out in enumerate(self._resident):
                out.copy_(self._normalised(self._source[[number]])[0])

    def __len__(self) -> int:
        return len(self._source)

    @property
    def device(self) -> torch.device:
        """Where batches are."""
        return self._classes.device

    @property
    def resident(self) -> bool:
        """Whether all images are on the device."""
        return self._resident is not None

    def batch(self, order: NDArray[np.int64], *, rank: int = 0, world: int = 1) -> Batch:
        """The images at the positions `order`, or one process's even share of them."""
        share = len(order) // world
        chosen = order[rank * share : (rank + 1) * share]
        mine = torch.from_numpy(chosen).to(self.device)
        if self._resident is not None:
            images = self._resident[mine]
        else:
            images = self._normalised(self._source[chosen])
        return Batch(images, self._masks[mine], self._classes[mine], len(order), rank * share)

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
        n, _, height, width = self._source.shape
        at, y, x = (torch.randint(size, (count,), generator=generator) for size in (n, height, width))
        if self._resident is not None:
            return self._resident[at.to(self.device), :, y.to(self.device), x.to(self.device)]
        by_image = at.argsort().numpy()  # a file is read in its order
        found = np.empty((count, self._source.shape[1], 1, 1), dtype=np.float32)
        found[by_image, :, 0, 0] = self._source[at.numpy()[by_image], :, y.numpy()[by_image], x.numpy()[by_image]]
        return self._normalised(found, at_once=count)[:, :, 0, 0]

    def _normalised(self, images: NDArray[np.float32], at_once: int = 1) -> Tensor:
        """Images as the networks see them, on the device."""
        # in double precision, as `Normalisation.encode`, which Apple's GPUs do not have; a few images at a time, since
        # each then takes four times its room
        where = torch.device("cpu") if self.device.type == "mps" else self.device
        offset, scale = (
            torch.from_numpy(values)[:, None, None].to(where)
            for values in (self._normalisation.offset, self._normalisation.scale)
        )
        made = torch.from_numpy(images).to(where)
        for part in made.split(at_once):
            part.copy_((part.double() - offset) / scale)
        return made.to(self.device)
