"""`Batch`: the images of one step, or this process's share of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Images with their masks and classes, on one device.

    With several processes, each has its own rows of the batch that they make up together. Random numbers are drawn for
    the whole batch in every process, from the same seed, and each takes those of its own rows: the step is then the one
    that a single process would have taken.

    Parameters
    ----------
    images : Tensor, shape (n, bands, y, x)
        Normalised.
    masks : Tensor of bool, shape (n, y, x)
        The lesion.
    classes : Tensor of int64, shape (n,)
        Position of each image's diagnosis among the run's classes; zeros for a model without conditions.
    total : int
        Images of all processes together; by default n.
    first : int
        Where this process's rows begin among them.
    rgb : Tensor, shape (n, 3, y, x), optional
        Drawn along with the images, sRGB in [0, 1]: photographs, or how training crops look that are drawn in an order
        of their own, so that an image's own render may be among them.
    rgb_classes : Tensor of int64, shape (n,), optional
        Position of the diagnosis of what each of `rgb` shows; without it, that is not known.
    """

    images: Tensor
    masks: Tensor
    classes: Tensor
    total: int = 0
    first: int = 0
    rgb: Tensor | None = None
    rgb_classes: Tensor | None = None

    def __post_init__(self) -> None:
        if not self.total:
            object.__setattr__(self, "total", len(self.images))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def rows(self) -> slice:
        """The rows of this process, of whatever was drawn for the whole batch."""
        return slice(self.first, self.first + len(self))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, one array of `shape` for each image; from torch's global generator."""
        return torch.randn(self.total, *shape, device=self.images.device)[self.rows]

    def uniform(self, *shape: int) -> Tensor:
        """Numbers uniform in [0, 1), one array of `shape` for each image; from torch's global generator."""
        return torch.rand(self.total, *shape, device=self.images.device)[self.rows]

    def split(self, size: int) -> list[Batch]:
        """Parts of at most `size` images."""
        parts = zip(self.images.split(size), self.masks.split(size), self.classes.split(size), strict=True)
        return [Batch(*part) for part in parts]

    def with_images(self, images: Tensor, masks: Tensor | None = None) -> Batch:
        """The same batch with other images (and masks)."""
        return replace(self, images=images, masks=self.masks if masks is None else masks)


def average_gradients(fabric: Any, parameters: list[Tensor]) -> None:
    """Give the gradients of `parameters` the mean over all processes, in one exchange.

    Used in place of torch's DistributedDataParallel, which supports neither the double backward of a gradient penalty
    nor two forwards before one backward.

    Parameters
    ----------
    fabric : lightning.fabric.Fabric
        Launched.
    parameters : list of Tensor
        Those without a gradient are left out; the same ones in every process.
    """
    if fabric.world_size == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = fabric.all_reduce(torch.cat([gradient.flatten() for gradient in gradients]), reduce_op="mean")
    torch._foreach_copy_(
        gradients, [part.view_as(g) for part, g in zip(_parts(flat, gradients), gradients, strict=True)]
    )


def _parts(flat: Tensor, like: list[Tensor]) -> tuple[Tensor, ...]:
    return flat.split([tensor.numel() for tensor in like])
