"""Spatially-adaptive normalisation: a lesion mask, and the lesion's class in it, scales and shifts every feature."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Planes that a class is painted with.
_CLASS_PLANES = 8
#: Groups of a GroupNorm, at most.
_GROUPS = 8
#: What two 3 x 3 convolutions need around a map so that it keeps its side, px.
MARGIN_PX = 2


class LesionPlanes(nn.Module):
    """Masks and classes as planes: how much of each pixel the lesion covers, and a learned vector of its class there.

    Outside a lesion there is nothing to have a diagnosis, so an empty mask says the same for all classes. The vectors
    are the only weights that belong to diagnoses: whatever reads the planes fits any number of them.

    Parameters
    ----------
    classes : int
        Diagnoses to be told apart; 1 for none, when the mask is the only plane.

    Attributes
    ----------
    count : int
        Number of planes.

    Examples
    --------
    >>> planes = LesionPlanes(classes=3)
    >>> masks = torch.ones(2, 64, 64, dtype=torch.bool)
    >>> planes.count, tuple(planes(masks, torch.tensor([0, 2]), side_px=16, margin_px=2).shape)
    (9, (2, 9, 20, 20))
    """

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        self.class_vectors = nn.Embedding(classes, _CLASS_PLANES) if classes > 1 else None
        self.count = 1 + (_CLASS_PLANES if self.class_vectors is not None else 0)

    def forward(self, masks: Tensor, classes: Tensor, *, side_px: int, margin_px: int = 0) -> Tensor:
        """Planes (n, count, side, side) of masks (n, y, x) of any size, and the number of each one's class, (n,).

        A coarser plane holds the mean of the area, so that a small lesion never vanishes; a finer one repeats
        pixels. A margin repeats the border: a mask that reaches it is not told to end there.
        """
        cover = masks[:, None].float()
        if masks.shape[-2:] != (side_px, side_px):
            cover = F.interpolate(cover, size=(side_px, side_px), mode="area")
        # before the vectors, not after: the gradient of a repeated border is summed in no fixed order on a GPU
        cover = F.pad(cover, [margin_px] * 4, mode="replicate")
        if self.class_vectors is None:
            return cover
        return torch.cat([cover, cover * self.class_vectors(classes)[:, :, None, None]], dim=1)


class SPADE(nn.Module):
    """Normalise features without parameters, then scale and shift each pixel as the planes around it say.

    ``norm(x) (1 + gamma) + beta``, where gamma and beta come from the planes by a 3 x 3 convolution, ReLU and a 3 x 3
    convolution each, as in Park, Liu, Wang and Zhu (2019, arXiv 1903.07291). A mask at the input of a generator would
    be washed away by its normalisations; here every one of them brings the mask back.

    Parameters
    ----------
    channels : int
        Of the features.
    planes : int
        Of what is told, see `LesionPlanes`.
    width : int
        Channels between the two convolutions.
    norm : {"batch", "group"}
        With GroupNorm an image depends on nothing but itself, and several processes take the steps of one.

    Examples
    --------
    >>> spade = SPADE(channels=4, planes=1)
    >>> tuple(spade(torch.randn(2, 4, 8, 8), torch.ones(2, 1, 12, 12)).shape)
    (2, 4, 8, 8)
    """

    def __init__(
        self, channels: int, planes: int, *, width: int = 32, norm: Literal["batch", "group"] = "batch"
    ) -> None:
        super().__init__()
        groups = math.gcd(channels, _GROUPS)
        self.norm = (
            nn.BatchNorm2d(channels, affine=False) if norm == "batch" else nn.GroupNorm(groups, channels, affine=False)
        )
        self.shared = nn.Conv2d(planes, width, 3)
        self.gamma = nn.Conv2d(width, channels, 3)
        self.beta = nn.Conv2d(width, channels, 3)

    def forward(self, features: Tensor, planes: Tensor) -> Tensor:
        """Features (n, channels, y, x), and planes (n, planes, y + 4, x + 4) with a margin of `MARGIN_PX`."""
        hidden = torch.relu(self.shared(planes))
        return self.norm(features) * (1 + self.gamma(hidden)) + self.beta(hidden)
