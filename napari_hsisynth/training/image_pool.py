"""Earlier images of a generator, shown to its critic again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from napari_hsisynth.training.batch import Batch


class ImagePool:
    """Keeps the first images; then gives every other one in exchange for one that it kept.

    A critic that is also shown what the generator made some steps ago forgets less (Shrivastava et al. 2017, arXiv
    1612.07828; 50 images in Zhu et al. 2017). The images are part of a checkpoint: without them a resumed training
    would show its critic others than the uninterrupted one.

    Each image keeps the class that it was made for, which its critic is told along with it.

    Parameters
    ----------
    size : int
        Images to keep; with 0, what goes in comes out.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: list[tuple[Tensor, Tensor]] = []

    def __len__(self) -> int:
        return len(self._kept)

    def exchange(self, fresh: Tensor, classes: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """Put in images one after the other, and take out as many.

        Parameters
        ----------
        fresh : Tensor, shape (n, channels, y, x)
            Without gradients.
        classes : Tensor of int64, shape (n,)
            Of each.
        chance : Tensor, shape (n, 2)
            On the CPU, uniform in [0, 1): whether each is exchanged, and for which.

        Returns
        -------
        Tensor, Tensor
            Images (n, channels, y, x) and their classes (n,).
        """
        out = []
        for image, number, (whether, which) in zip(fresh, classes, chance.tolist(), strict=True):
            if len(self._kept) < self.size:
                self._kept.append((image.clone(), number.clone()))
                out.append((image, number))
            elif self.size and whether < 0.5:
                place = int(which * self.size)
                out.append(self._kept[place])
                self._kept[place] = image.clone(), number.clone()
            else:
                out.append((image, number))
        images, numbers = zip(*out, strict=True)
        return torch.stack(images), torch.stack(numbers)

    def exchange_all(self, fabric: Any, fresh: Tensor, classes: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Exchange the images of all processes in each of them, and return this one's rows.

        Every process then has the same pool, and together they do what a single one would.
        """
        chance = torch.rand(batch.total, 2)  # of the CPU's generator: the numbers are looked at there
        if fabric.world_size == 1:
            return self.exchange(fresh, classes, chance)
        everything = []
        for own in (fresh, classes):
            gathered = own.new_zeros(batch.total, *own.shape[1:])
            gathered[batch.rows] = own
            everything.append(fabric.all_reduce(gathered, reduce_op="sum"))
        images, numbers = self.exchange(everything[0], everything[1], chance)
        return images[batch.rows], numbers[batch.rows]

    def state(self) -> dict[str, Any]:
        """What is kept."""
        return {"kept": [image for image, _ in self._kept], "classes": [int(number) for _, number in self._kept]}

    def load_state(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Take up what `state` gave."""
        pairs = zip(state["kept"], state["classes"], strict=True)
        self._kept = [(image.to(device), torch.tensor(number, device=device)) for image, number in pairs]
