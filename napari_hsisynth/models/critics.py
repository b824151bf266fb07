"""Critics of the DCGAN family: one number for an image, the higher the more real it looks."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from napari_hsisynth.models.dcgan import INITIAL_STD

#: The last convolution sees a map of at most this side, px; and width of that map over the first.
_COARSEST_PX, _WIDEST = 4, 8
_SLOPE = 0.2
#: Below the square root, so that the derivative of a magnitude of zero is finite.
_TINY = 1e-8


class Critic(nn.Module):
    """Strided convolutions to one number, with an optional second arm that sees frequencies along the spectrum.

    No layer normalises over the batch: a gradient penalty asks for the gradient of each image's own score. With
    `spectral_norm` every layer's weight is divided by its largest singular value (Miyato et al. 2018, arXiv
    1802.05957), found by one step of power iteration in each forward of a training.

    Parameters
    ----------
    bands : int
        Number of spectral bands.
    image_size : int
        Side of the square images, px.
    width : int
        Channels of the first level; each coarser one has twice as many, up to 8 times.
    kind : {"2d", "3d"}
        Whether bands are channels of 2-D convolutions or an axis of 3-D ones over (band, y, x), which treat every part
        of the spectrum by the same weights.
    spectral_norm : bool
        Bound every layer's gain to 1.
    fourier_arm : bool
        Add the score of a second, 2-D arm whose channels are the magnitudes of the Fourier transform along the bands.
    classes : int
        Diagnoses that images are conditioned on, by projection (Miyato and Koyama 2018, arXiv 1802.05637); 1 for none.

    Examples
    --------
    >>> critic = Critic(bands=16, image_size=28, width=8, kind="3d", fourier_arm=True)
    >>> tuple(critic(torch.zeros(2, 16, 28, 28), torch.zeros(2, dtype=torch.int64)).shape)
    (2,)
    """

    def __init__(
        self,
        *,
        bands: int,
        image_size: int,
        width: int = 64,
        kind: Literal["2d", "3d"] = "2d",
        spectral_norm: bool = False,
        fourier_arm: bool = False,
        classes: int = 1,
    ) -> None:
        super().__init__()
        arm = _Arm3D if kind == "3d" else _Arm2D
        self.spatial = arm(bands, image_size, width, classes)
        self.frequencies = _Arm2D(bands // 2 + 1, image_size, width, classes) if fourier_arm else None
        for module in list(self.modules()):
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, 0.0, INITIAL_STD)
                if spectral_norm:
                    with_spectral_norm(module)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Scores (n,) of normalised images (n, bands, y, x), each of a class (n,)."""
        score = self.spatial(images, classes)
        if self.frequencies is not None:
            score = score + self.frequencies(band_frequencies(images), classes)
        return score.float()


def band_frequencies(images: Tensor) -> Tensor:
    """Magnitudes of the Fourier transform along the bands, (n, bands // 2 + 1, y, x), of images (n, bands, y, x).

    They do not see where along the spectrum a feature lies, only how wavy it is. Orthonormal, so that the sum of
    squares over both signs of frequency is that of the spectrum. Differentiable also where a magnitude is zero.
    """
    transformed = torch.view_as_real(torch.fft.rfft(images.float(), dim=1, norm="ortho"))
    return (transformed.square().sum(dim=-1) + _TINY).sqrt()


class _Head(nn.Module):
    """From features to a score: a linear map, and the projection on a vector of the class."""

    def __init__(self, channels: int, positions: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels * positions, 1)
        self.classes = nn.Embedding(classes, channels) if classes > 1 else None

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        score = self.linear(features.flatten(1))[:, 0]
        if self.classes is not None:
            score = score + (self.classes(classes) * features.flatten(2).mean(dim=2)).sum(dim=1)
        return score


class _Arm2D(nn.Module):
    """Kernels of 4 x 4 with stride 2; the first number of channels is that of the input."""

    def __init__(self, channels: int, image_size: int, width: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        side, wider = image_size, width
        while side > _COARSEST_PX:
            layers += [nn.Conv2d(channels, wider, 4, stride=2, padding=1), nn.LeakyReLU(_SLOPE)]
            channels, wider, side = wider, min(2 * wider, _WIDEST * width), side // 2
        self.features = nn.Sequential(*layers)
        self.head = _Head(channels, side**2, classes)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        return self.head(self.features(images), classes)


class _Arm3D(nn.Module):
    """Kernels of 4 x 4 x 4 with stride 2 over (band, y, x), until a single band is left; from there 1 x 4 x 4."""

    def __init__(self, bands: int, image_size: int, width: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side, wider = 1, image_size, width
        while side > _COARSEST_PX:
            kernel, stride, padding = (4, 2, 1) if bands > 1 else (1, 1, 0)
            layers += [
                nn.Conv3d(channels, wider, (kernel, 4, 4), stride=(stride, 2, 2), padding=(padding, 1, 1)),
                nn.LeakyReLU(_SLOPE),
            ]
            channels, wider, side = wider, min(2 * wider, _WIDEST * width), side // 2
            bands = bands // 2 if bands > 1 else 1
        self.features = nn.Sequential(*layers)
        self.head = _Head(channels, bands * side**2, classes)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        return self.head(self.features(images[:, None]), classes)
