"""Augmentation on the device, a batch at a time: geometry only, so that every spectrum stays one that was measured."""

from __future__ import annotations

import torch
from kornia import augmentation as kornia
from torch import nn

from napari_hsisynth.training.batch import Batch


class Augmentation(nn.Module):
    """Flips, and small shifts, scalings and rotations whose borders reflect the image.

    Each image of a batch gets its own; all bands of an image the same. Draws from torch's global generator: seed it
    before the call for a repeatable result.

    Parameters
    ----------
    rotate_deg : float
        Largest angle either way, degrees.
    shift : float
        Largest shift along each axis, as a fraction of the side.
    scale : tuple of float
        Smallest and largest magnification.
    """

    def __init__(
        self, *, rotate_deg: float = 15.0, shift: float = 0.05, scale: tuple[float, float] = (0.9, 1.1)
    ) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            kornia.RandomHorizontalFlip(p=0.5),
            kornia.RandomVerticalFlip(p=0.5),
            kornia.RandomAffine(
                degrees=rotate_deg, translate=(shift, shift), scale=scale, padding_mode="reflection", p=1.0
            ),
        )

    @torch.no_grad()
    def forward(self, batch: Batch) -> Batch:
        """Augment images; their masks go along."""
        bands = batch.images.shape[1]
        both = self.steps(torch.cat([batch.images, batch.masks[:, None].to(batch.images.dtype)], dim=1))
        return batch.with_images(both[:, :bands], both[:, bands] >= 0.5)
