"""`SingleProcess`: what training uses of Lightning Fabric, for one process on one device."""

from __future__ import annotations

import contextlib
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class SingleProcess:
    """Stands in for Fabric where nothing has to be exchanged.

    Importing Lightning takes longer than everything else before the first step: it brings torchmetrics, and that
    whatever it finds installed. Several processes get Fabric itself, see `device.make_fabric`.

    Parameters
    ----------
    device : torch.device
        Where the networks are.
    precision : {"32", "bf16"}
        Of their forward passes.

    Examples
    --------
    >>> alone = SingleProcess(torch.device("cpu"), "bf16")
    >>> with alone.autocast():
    ...     (torch.ones(2, 3) @ torch.ones(3, 2)).dtype
    torch.bfloat16
    """

    global_rank = 0
    world_size = 1
    is_global_zero = True

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device = device
        self.precision = precision

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """Compute the block in the chosen precision."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def barrier(self, name: str | None = None) -> None:
        """There is nobody to wait for."""

    def broadcast(self, obj: T, src: int = 0) -> T:
        """Return the object: the only process has it."""
        return obj

    def all_reduce(self, data: Tensor, reduce_op: str = "mean") -> Tensor:
        """Return the tensor: it is its own mean and sum."""
        return data
