"""`Condition`: what each of a batch of samples is to show, besides the noise it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_hsisynth.training.batch import Batch


@dataclass(frozen=True)
class Condition:
    """Classes of n samples and, for a family that asks for them (`Recipe.needs`), their masks or RGB images.

    Parameters
    ----------
    classes : Tensor of int64, shape (n,)
        Position of each one's diagnosis among the run's classes; zeros for a model that is not told.
    masks : Tensor of bool, shape (n, y, x), optional
        Where the lesion is to be.
    rgb : Tensor, shape (n, 3, y, x), optional
        sRGB in [0, 1] that the cubes are to be seen as.
    """

    classes: Tensor
    masks: Tensor | None = None
    rgb: Tensor | None = None

    def __len__(self) -> int:
        return len(self.classes)

    @classmethod
    def of(cls, recipe: Any, batch: Batch) -> Condition:
        """What a recipe is to be told so that its samples show what the images of a batch do."""
        return cls(
            batch.classes,
            batch.masks if "masks" in recipe.needs else None,
            recipe.render(batch.images) if "rgb" in recipe.needs else None,
        )

    def to(self, device: torch.device) -> Condition:
        """The same on a device."""
        return Condition(*(None if part is None else part.to(device) for part in self._parts()))

    def split(self, size: int) -> Iterator[Condition]:
        """Parts of at most `size` samples."""
        for first in range(0, len(self), size):
            yield self[torch.arange(first, min(first + size, len(self)))]

    def __getitem__(self, rows: Tensor) -> Condition:
        """The samples at some positions, which may repeat."""
        return Condition(*(None if part is None else part[rows.to(part.device)] for part in self._parts()))

    def _parts(self) -> tuple[Tensor | None, ...]:
        return self.classes, self.masks, self.rgb
