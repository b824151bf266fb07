"""Images made larger until their sides can be halved as often as a network does."""

from __future__ import annotations

import torch
from torch import Tensor


def pad_to_multiple(images: Tensor, multiple_px: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples of `multiple_px`.

    By concatenation, which compiles with channels innermost; the backward of torch's replicating pad does not.

    Examples
    --------
    >>> pad_to_multiple(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 2)
    tensor([[[[1., 2., 3., 3.],
              [1., 2., 3., 3.]]]])
    """
    for axis in (-2, -1):
        lacking = -images.shape[axis] % multiple_px
        if lacking:
            last = images.narrow(axis, images.shape[axis] - 1, 1)
            images = torch.cat([images, last.repeat_interleave(lacking, axis)], dim=axis)
    return images
