"""Masks that do not belong to an image, so that a critic learns to look at the mask."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from napari_hsisynth.training.batch import Batch


class WrongMasks(NamedTuple):
    """Of each image of a batch, another one's lesion.

    Parameters
    ----------
    masks : Tensor of bool, shape (n, y, x)
        That of the next image in the batch of all processes together.
    classes : Tensor of int64, shape (n,)
        Its class.
    wrongness : Tensor, shape (n,)
        1 minus the intersection over union with the image's own mask; 1 for a lesion of another class. A batch of a
        single image has no other mask: 0.
    """

    masks: Tensor
    classes: Tensor
    wrongness: Tensor


def wrong_masks(fabric: Any, batch: Batch) -> WrongMasks:
    """Return each image with the lesion of the next one, the same ones for any number of processes."""
    masks, classes = batch.masks, batch.classes
    if fabric.world_size > 1:
        masks = fabric.all_gather(masks.byte()).flatten(0, 1).bool()
        classes = fabric.all_gather(classes).flatten()
    following = (torch.arange(len(batch), device=masks.device) + batch.first + 1) % len(masks)
    masks, classes = masks[following], classes[following]
    both = (masks & batch.masks).sum(dim=(1, 2))
    either = (masks | batch.masks).sum(dim=(1, 2))
    # two empty masks agree
    overlap = torch.where(either > 0, both / either.clamp(min=1), 1.0)
    return WrongMasks(masks, classes, torch.where(classes == batch.classes, 1 - overlap, 1.0))
