"""The self-supervised discriminator of FastGAN (Liu, Zhu, Song and Elgammal 2021, arXiv 2101.04775)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from napari_hsisynth.models.fastgan import small_side
from napari_hsisynth.models.fastgan_blocks import (
    SLOPE,
    DownBlock,
    Norm,
    SkipLayerExcitation,
    UpBlock,
    bound_gains,
    first_weights,
    norm_layer,
)

#: Channels of the map of each side, in parts of `width`; the arm that sees the small image has half as many.
CHANNELS = {256: 0.25, 128: 0.5, 64: 1.0, 32: 2.0, 16: 4.0, 8: 8.0}
#: A map weighs those of an eighth of its side.
EXCITATIONS = {32: 256, 16: 128, 8: 64}
#: Channels of a decoder's maps, in parts of `width`; and the side of an image it makes, at most.
DECODER_CHANNELS = {16: 2.0, 32: 1.0, 64: 1.0, 128: 0.5}
_DECODED_PX = 128
#: Sides of the last map and of the one that a quarter is decoded from, px.
_LAST, _MIDDLE = 8, 16


class Seen(NamedTuple):
    """What the critic makes of images.

    Parameters
    ----------
    logits : Tensor, shape (n, 50)
        The higher, the more real a part of the image looks: 5 x 5 of the image, then 5 x 5 of the small one.
    last, middle : Tensor, shapes (n, channels, 8, 8) and (n, channels, 16, 16)
        Features of the image.
    small : Tensor, shape (n, channels, 8, 8)
        Features of the small image.
    """

    logits: Tensor
    last: Tensor
    middle: Tensor
    small: Tensor


class FastGANCritic(nn.Module):
    """Score an image and its small version in overlapping parts, and keep enough of them to draw them again.

    Blocks halve the side down to 8 px along two ways each (`DownBlock`); fine maps weigh the channels of coarser ones.
    A last convolution of 4 x 4 without padding gives 5 x 5 scores. A narrower arm does the same with the small image.
    Every weight matrix, class vectors among them, is spectrally normalised, but for the decoders'; the gains of norms
    are free. A training forward therefore takes one step of its iteration. Real and generated images go in one after
    the other: a BatchNorm that sees both at once would tell the critic which share of the batch is real.

    Parameters
    ----------
    bands : int
        Number of spectral bands.
    image_size : {64, 128, 256, 512}
        Side of the square images, px.
    width : int
        Channels of the map of 64 px; coarser ones have up to 8 times as many. 64 in the paper.
    classes : int
        Diagnoses that images are conditioned on, by projection (Miyato and Koyama 2018, arXiv 1802.05637); 1 for none.
    norm : {"batch", "group"}
        As of the generator.
    planes : int
        Further channels that both images come with, beside the bands; they are not decoded.

    Examples
    --------
    >>> critic = FastGANCritic(bands=16, image_size=64, width=8)
    >>> seen = critic(torch.zeros(2, 16, 64, 64), torch.zeros(2, 16, 32, 32), torch.zeros(2, dtype=torch.int64))
    >>> tuple(seen.logits.shape), tuple(seen.last.shape), tuple(seen.middle.shape)
    ((2, 50), (2, 64, 8, 8), (2, 32, 16, 16))
    """

    def __init__(
        self,
        *,
        bands: int,
        image_size: int,
        width: int = 64,
        classes: int = 1,
        norm: Norm = "batch",
        planes: int = 0,
    ) -> None:
        super().__init__()
        first = min(image_size, max(CHANNELS))
        shape = (
            {"kernel_size": 3, "padding": 1} if first == image_size else {"kernel_size": 4, "stride": 2, "padding": 1}
        )
        self.first = nn.Sequential(
            nn.Conv2d(bands + planes, _channels(first, width), bias=False, **shape), nn.LeakyReLU(SLOPE)
        )
        self.sides = [side for side in CHANNELS if side < first]
        self.blocks = nn.ModuleDict(
            {str(side): DownBlock(_channels(2 * side, width), _channels(side, width), norm) for side in self.sides}
        )
        self.excitations = nn.ModuleDict(
            {
                str(low): SkipLayerExcitation(_channels(high, width), _channels(low, width))
                for low, high in EXCITATIONS.items()
                if high <= first
            }
        )
        self.head = _Head(_channels(_LAST, width), 2 * _channels(_LAST, width), classes, norm)
        self.small_arm = _small_arm(bands + planes, small_side(image_size), width, norm)
        self.small_head = _Head(_small_channels(_LAST, width), 0, classes, norm)
        self.apply(first_weights)
        bound_gains(self)
        self.decoders = Decoders(bands, image_size, width, norm)

    def forward(self, images: Tensor, small: Tensor, classes: Tensor) -> Seen:
        """Scores and features of normalised images (n, bands, y, x), small versions of them, and their classes (n,)."""
        features = self.first(images)
        seen = {features.shape[-1]: features}
        for side in self.sides:
            features = self.blocks[str(side)](features)
            if str(side) in self.excitations:
                features = self.excitations[str(side)](seen[EXCITATIONS[side]], features)
            seen[side] = features
        of_small = self.small_arm(small)
        logits = torch.cat([self.head(features, classes), self.small_head(of_small, classes)], dim=1)
        return Seen(logits.float(), features, seen[_MIDDLE], of_small)


class _Head(nn.Module):
    """From features (n, inputs, 8, 8) to 25 scores; with `hidden` channels in between, or none if that is 0."""

    def __init__(self, inputs: int, hidden: int, classes: int, norm: Norm) -> None:
        super().__init__()
        self.between = nn.Sequential()
        if hidden:
            self.between.extend(
                [nn.Conv2d(inputs, hidden, 1, bias=False), norm_layer(norm, hidden), nn.LeakyReLU(SLOPE)]
            )
        self.scores = nn.Conv2d(hidden or inputs, 1, 4, bias=False)
        self.classes = nn.Embedding(classes, hidden or inputs) if classes > 1 else None

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        features = self.between(features)
        scores = self.scores(features).flatten(1)
        if self.classes is not None:
            scores = scores + (self.classes(classes) * features.mean(dim=(2, 3))).sum(dim=1, keepdim=True)
        return scores


class Decoders(nn.Module):
    """Three small decoders: what the critic keeps of an image is enough to draw it, a quarter of it, and the small one.

    Parameters
    ----------
    bands, image_size, width, norm
        As of `FastGANCritic`.
    """

    def __init__(self, bands: int, image_size: int, width: int, norm: Norm = "batch") -> None:
        super().__init__()
        last, middle, small = _channels(_LAST, width), _channels(_MIDDLE, width), _small_channels(_LAST, width)
        self.image = _decoder(last, bands, min(image_size, _DECODED_PX), width, norm)
        self.quarter = _decoder(middle, bands, min(image_size // 2, _DECODED_PX), width, norm)
        self.small = _decoder(small, bands, small_side(image_size), width, norm)
        self.apply(first_weights)

    def forward(self, last: Tensor, middle: Tensor, small: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images of at most 128 px from features: the whole, a quarter from `middle` cut to it, and the small one."""
        return self.image(last).float(), self.quarter(middle).float(), self.small(small).float()


def quarter(images: Tensor, number: int) -> Tensor:
    """One of the four quarters (n, ..., y / 2, x / 2) of images or features: 0 and 1 are at the top, 0 and 2 left."""
    height, width = images.shape[-2] // 2, images.shape[-1] // 2
    top, left = (number // 2) * height, (number % 2) * width
    return images[..., top : top + height, left : left + width]


def _decoder(inputs: int, bands: int, side: int, width: int, norm: Norm) -> nn.Sequential:
    """From a map of 8 x 8 to an image of a side."""
    blocks: list[nn.Module] = []
    for made, part in DECODER_CHANNELS.items():
        if made <= side:
            outputs = max(1, int(part * width))
            blocks.append(UpBlock(inputs, outputs, norm))
            inputs = outputs
    return nn.Sequential(*blocks, nn.Conv2d(inputs, bands, 3, padding=1))


def _small_arm(inputs: int, side: int, width: int, norm: Norm) -> nn.Sequential:
    side //= 2
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, _small_channels(side, width), 4, stride=2, padding=1, bias=False),
        nn.LeakyReLU(SLOPE),
    ]
    while side > _LAST:
        layers.append(DownBlock(_small_channels(side, width), _small_channels(side // 2, width), norm))
        side //= 2
    return nn.Sequential(*layers)


def _channels(side: int, width: int) -> int:
    return max(1, int(CHANNELS[side] * width))


def _small_channels(side: int, width: int) -> int:
    return max(1, _channels(side, width) // 2)
