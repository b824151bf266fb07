"""The averaged network that samples are drawn from."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    """Exponential moving average of a network's weights; buffers are copied.

    Early on the window is a tenth of the steps so far, so that a short training is not held back by its first weights.

    Parameters
    ----------
    network : nn.Module
        What to follow; its present weights are the start.
    decay : float
        Of the average per step, in [0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one step towards the weights of `network`."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        averaged, current = list(self.network.parameters()), list(network.parameters())
        torch._foreach_lerp_(averaged, current, 1 - decay)
        for kept, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(buffer)
