"""Augmentation on the device, a batch at a time: geometry only, so that every spectrum stays one that was measured."""

from __future__ import annotations

import math

import torch
from kornia.geometry.transform import remap
from torch import Tensor, nn

from napari_hsisynth.training.batch import Batch


class Augmentation(nn.Module):
    """Shift, scale and rotate; crop at random; flip; and bring the crop back to the size of the image.

    Each image of a batch gets its own; all bands of an image, and its mask, the same. The steps are composed into one
    map from output to input pixels, so that an image is interpolated once, however many of them it gets, and not at all
    (but flipped) where chance leaves out the first two. What lies beyond a border is the image reflected in it.

    Parameters
    ----------
    rotate_deg : float
        Largest angle either way, degrees.
    shift : float
        Largest shift along each axis, as a fraction of the side.
    scale : tuple of float
        Smallest and largest magnification.
    crop : float
        Smallest part of each side that a crop keeps, in (0, 1]. Both sides keep the same part: of any other crop,
        bringing its smaller side back to size and cutting out the centre leaves just that.
    probability : float
        Of shift, scaling and rotation together; and of a crop. Interpolation blurs a little: a generator that is shown
        nothing else learns the blur. Each flip has 0.5.
    """

    def __init__(
        self,
        *,
        rotate_deg: float = 15.0,
        shift: float = 0.05,
        scale: tuple[float, float] = (0.9, 1.1),
        crop: float = 0.8,
        probability: float = 0.5,
    ) -> None:
        super().__init__()
        self.rotate_rad = math.radians(rotate_deg)
        self.shift = shift
        self.scale = scale
        self.crop = crop
        self.probability = probability

    @torch.no_grad()
    def forward(self, batch: Batch) -> Batch:
        """Augment the images and masks of a batch; draws from torch's global generator.

        With several processes, all draw for the whole batch and each takes its own rows: together they see bit for bit
        what a single one would.
        """
        bands, height, width = batch.images.shape[1:]
        maps = self.draw(batch.total, height, width, batch.images.device)[batch.rows]
        both = torch.cat([batch.images, batch.masks[:, None].to(batch.images.dtype)], dim=1)
        moved = transform(both, maps)
        return batch.with_images(moved[:, :bands], moved[:, bands] >= 0.5)

    def draw(self, count: int, height: int, width: int, device: torch.device | None = None) -> Tensor:
        """Draw maps from output to input pixels, one for each of `count` images.

        Returns
        -------
        Tensor, shape (count, 2, 3)
            Rows for x and y; columns for the output's x and y, px from the centre of the image, and a constant.
        """
        moves, cropped, flip_x, flip_y, turn, magnify, dx, dy, part, at_x, at_y = torch.rand(11, count, device=device)
        moves, cropped = moves < self.probability, cropped < self.probability
        angle = torch.where(moves, (2 * turn - 1) * self.rotate_rad, 0.0)
        smallest, largest = self.scale
        scale = torch.where(moves, smallest + (largest - smallest) * magnify, 1.0)
        part = torch.where(cropped, self.crop + (1 - self.crop) * part, 1.0)
        # from the output backwards: the crop's place in the flipped image, the flips, and the shift undone ...
        x = (1 - part) * (at_x - 0.5) * width - torch.where(moves, (2 * dx - 1) * self.shift * width, 0.0)
        y = (1 - part) * (at_y - 0.5) * height - torch.where(moves, (2 * dy - 1) * self.shift * height, 0.0)
        sign_x, sign_y = (torch.where(flip < 0.5, -1.0, 1.0) for flip in (flip_x, flip_y))
        # ... then the rotation and the magnification
        cos, sin = angle.cos() / scale, angle.sin() / scale
        along_x = torch.stack([cos * part * sign_x, sin * part * sign_y, cos * x + sin * y])
        along_y = torch.stack([-sin * part * sign_x, cos * part * sign_y, cos * y - sin * x])
        return torch.stack([along_x, along_y]).permute(2, 0, 1)


def transform(images: Tensor, maps: Tensor) -> Tensor:
    """Sample images bilinearly through maps of `Augmentation.draw`, reflecting them in their border pixels.

    Parameters
    ----------
    images : Tensor, shape (n, channels, y, x)
        Any size from 1 px.
    maps : Tensor, shape (n, 2, 3)
        From output to input pixels.

    Returns
    -------
    Tensor, shape (n, channels, y, x)
        Every pixel is a mean of up to four neighbours with weights that are the same in all channels.
    """
    height, width = images.shape[-2:]
    x, y = (torch.arange(side, device=images.device) - (side - 1) / 2 for side in (width, height))
    # by single multiplications, not by a product of matrices: bit for bit the same for any share of a batch
    across, down = (
        (row[:, 0, None, None] * x + row[:, 1, None, None] * y[:, None] + row[:, 2, None, None])
        * (2 / max(side - 1, 1))
        for row, side in zip(maps.unbind(1), (width, height), strict=True)
    )
    return remap(images, across, down, padding_mode="reflection", align_corners=True, normalized_coordinates=True)
