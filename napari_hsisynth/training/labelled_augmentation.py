"""Strong augmentation that a network is told of, so that what it makes when told of none is not augmented."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from napari_hsisynth.training.augment import transform
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.diff_augment import DiffPolicy
from napari_hsisynth.training.normalisation import Normalisation

#: Largest shift, as a fraction of the side; largest magnification and gain (the smallest is the inverse); largest
#: offset, in units of the training set's mean standard deviation.
_SHIFT, _SCALE, _GAIN, _OFFSET = 1 / 8, 1.25, 1.2, 0.2
#: Transforms that happen or not: flip, quarter turn, shift, magnification, gain, offset.
_TRANSFORMS = 6


class LabelledAugmentation:
    """Flip, turn by quarters, shift, magnify, brighten and offset images, and describe what was done to each.

    The description is zeros for an image that was left alone. A generator that gets it as a condition learns from the
    augmented images without making such ones itself (Karras et al. 2022, arXiv 2206.00364, appendix F; their stretching
    and colours are left out, gain and offset are common ones of the camera's values in all bands, so that no spectrum
    is made that brighter light would not give).

    Parameters
    ----------
    bands : int
        Number of spectral bands.
    probability : float
        Of each transform for each image.
    """

    #: Numbers in a description: flip, quarter turn (cos - 1, sin), shift along x and y, magnification, gain, offset.
    LABELS = 8

    def __init__(self, bands: int, probability: float) -> None:
        self.probability = probability
        self.zero, self.unit = torch.zeros(bands), torch.ones(bands)

    def fit(self, normalisation: Normalisation) -> None:
        """Learn what a gain and an offset of the camera's values are."""
        policy = DiffPolicy.of("gain,offset", normalisation).to(self.zero.device)
        if policy.zero is not None and policy.unit is not None:
            self.zero, self.unit = policy.zero, policy.unit

    def to(self, device: torch.device) -> None:
        """Move to a device."""
        self.zero, self.unit = self.zero.to(device), self.unit.to(device)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> tuple[Batch, Tensor]:
        """Augment the images and masks of a batch; return it with the descriptions, shape (n, LABELS).

        Draws for the images of all processes from torch's global generator, see `Batch`.
        """
        happens = batch.uniform(_TRANSFORMS) < self.probability
        flip, turns, moves, grows, gains, shifts = happens.unbind(1)
        drawn = batch.uniform(_TRANSFORMS)
        either = 2 * drawn - 1
        quarters = torch.where(turns, 1 + torch.floor(3 * drawn[:, 1]), 0.0)
        # whole numbers, where a sine would leave a rounding error that blurs
        cos, sin = ((quarters + at).remainder(4).sub(2).abs() - 1 for at in (0, 3))
        height, width = batch.images.shape[-2:]
        # by whole pixels
        dx, dy = (
            torch.where(moves, torch.round(_SHIFT * either[:, at] * side), 0.0)
            for at, side in ((2, width), (3, height))
        )
        scale, gain = (
            torch.where(which, math.log(most) * either[:, at], 0.0)
            for which, most, at in ((grows, _SCALE, 4), (gains, _GAIN, 5))
        )
        offset = torch.where(shifts, either[:, 0], 0.0)
        labels = [flip.float(), cos - 1, sin, dx / (_SHIFT * width), dy / (_SHIFT * height)]
        labels += [scale / math.log(_SCALE), gain / math.log(_GAIN), offset]

        images, bands = batch.images, batch.images.shape[1]
        images = self.zero[:, None, None] + (images - self.zero[:, None, None]) * gain.exp()[:, None, None, None]
        images = images + _OFFSET * offset[:, None, None, None] * self.unit[:, None, None]
        mirror = torch.where(flip, -1.0, 1.0)
        shrink = torch.exp(-scale)
        # from output to input pixels
        along_x = torch.stack([mirror * cos * shrink, -mirror * sin * shrink, -dx], dim=1)
        along_y = torch.stack([sin * shrink, cos * shrink, -dy], dim=1)
        both = torch.cat([images, batch.masks[:, None].to(images.dtype)], dim=1)
        moved = transform(both, torch.stack([along_x, along_y], dim=1))
        return batch.with_images(moved[:, :bands], moved[:, bands] >= 0.5), torch.stack(labels, dim=1)

    def state(self) -> dict[str, Any]:
        """The camera's zero and the unit of an offset, normalised."""
        return {"augmentation_zero": self.zero, "augmentation_unit": self.unit}

    def load_state(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Take up what `state` gave."""
        self.zero, self.unit = (state[f"augmentation_{name}"].to(device) for name in ("zero", "unit"))
