"""What the networks of FastGAN are built of (Liu, Zhu, Song and Elgammal 2021, arXiv 2101.04775)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from napari_hsisynth.models.dcgan import INITIAL_STD

Norm = Literal["batch", "group"]
#: Or what makes a norm for so many channels, such as `spade.SPADE`, which is told planes beside the features.
AnyNorm = Norm | Callable[[int], nn.Module]

#: Slope of the leaky ReLU in the critic, and in an excitation.
SLOPE, EXCITATION_SLOPE = 0.2, 0.1
#: Side of the pooled map that an excitation looks at.
_POOLED = 4
#: Groups of a GroupNorm, at most.
_GROUPS = 8
#: Directions of the latent that steer the noise of a sample, see `PixelNoise`.
_NOISE_DIRECTIONS = 8


def norm_layer(kind: AnyNorm, channels: int) -> nn.Module:
    """A BatchNorm; a GroupNorm, with which an image depends on nothing but itself; or what `kind` makes."""
    if callable(kind):
        return kind(channels)
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(math.gcd(channels, _GROUPS), channels)


def first_weights(module: nn.Module) -> None:
    """Draw the weights of a convolution, a linear map or an embedding from N(0, 0.02), as in DCGAN; for `apply`."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, 0.0, INITIAL_STD)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)


def bound_gains(network: nn.Module) -> None:
    """Divide every weight matrix of a network by its largest singular value (Miyato et al. 2018, arXiv 1802.05957)."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            with_spectral_norm(module)


class SkipLayerExcitation(nn.Module):
    """Weigh the channels of a high-resolution map by what a low-resolution one shows.

    The low map is pooled to 4 x 4, a convolution without padding brings that to a single position, and after a leaky
    ReLU (slope 0.1) and a 1 x 1 convolution a sigmoid gives one factor in (0, 1) for each high channel.

    Parameters
    ----------
    low, high : int
        Channels of both maps.

    Examples
    --------
    >>> excite = SkipLayerExcitation(low=8, high=2)
    >>> tuple(excite(torch.zeros(3, 8, 16, 16), torch.zeros(3, 2, 256, 256)).shape)
    (3, 2, 256, 256)
    """

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(low, high, _POOLED, bias=False)
        self.weigh = nn.Conv2d(high, high, 1, bias=False)

    def factors(self, low: Tensor) -> Tensor:
        """Factors (n, high, 1, 1) that a low map (n, low, y, x) asks for; its side is a multiple of 4."""
        pooled = F.avg_pool2d(low, low.shape[-1] // _POOLED)
        return torch.sigmoid(self.weigh(F.leaky_relu(self.look(pooled), EXCITATION_SLOPE)))

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """The high map (n, high, y, x), weighed."""
        return high * self.factors(low)


class PixelNoise(nn.Module):
    """White noise of some maps, made of an image's own latent vector.

    An image must be decided by its latent alone, whatever other images are drawn with it. Its noise is a sum of fixed
    white patterns, weighed by the first numbers of the latent scaled to length 1: standard normal over the pixels of
    each image and over images at each pixel, and it changes smoothly with the latent.

    Parameters
    ----------
    numbers : int
        Of all maps together, for one image.
    latent_dim : int
        Length of the latent vector.
    """

    patterns: Tensor

    def __init__(self, numbers: int, latent_dim: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)  # the same patterns in every model, and stored with its weights
        drawn = torch.randn(min(_NOISE_DIRECTIONS, latent_dim), numbers, generator=generator)
        self.register_buffer("patterns", drawn)

    def forward(self, latent: Tensor) -> Tensor:
        """Noise (n, numbers) of latents (n, latent_dim)."""
        with torch.autocast(latent.device.type, enabled=False):
            return F.normalize(latent[:, : len(self.patterns)].float(), dim=1) @ self.patterns


class NoiseInjection(nn.Module):
    """Add noise to every channel of a map, by a learned strength that begins at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor, noise: Tensor) -> Tensor:
        """Features (n, channels, y, x) with noise (n, 1, y, x)."""
        return features + self.strength.to(features.dtype) * noise.to(features.dtype)


class UpBlock(nn.Module):
    """Double the side: repeat every pixel, convolve, normalise; half of the channels gate the other half (GLU).

    Parameters
    ----------
    inputs, outputs : int
        Channels before and after.
    norm : {"batch", "group"} or callable
        See `norm_layer`.
    """

    def __init__(self, inputs: int, outputs: int, norm: AnyNorm = "batch") -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 2 * outputs, 3, padding=1, bias=False)
        self.norm = norm_layer(norm, 2 * outputs)

    def forward(self, features: Tensor, *told: Tensor) -> Tensor:
        """Features (n, inputs, y, x) to (n, outputs, 2 y, 2 x); `told` goes to the norm."""
        return F.glu(self.norm(self.conv(doubled(features)), *told), dim=1)


class NoisyUpBlock(nn.Module):
    """Double the side as `UpBlock` does, then convolve once more; noise comes in after both convolutions.

    Parameters
    ----------
    inputs, outputs : int
        Channels before and after.
    norm : {"batch", "group"} or callable
        See `norm_layer`.
    """

    def __init__(self, inputs: int, outputs: int, norm: AnyNorm = "batch") -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, 2 * outputs, 3, padding=1, bias=False) for channels in (inputs, outputs)
        )
        self.injections = nn.ModuleList(NoiseInjection() for _ in self.convs)
        self.norms = nn.ModuleList(norm_layer(norm, 2 * outputs) for _ in self.convs)

    def forward(self, features: Tensor, noise: Tensor, *told: Tensor) -> Tensor:
        """Features (n, inputs, y, x) to (n, outputs, 2 y, 2 x), with noise (n, 2, 2 y, 2 x), one map a convolution.

        `told` goes to the norms.
        """
        features = doubled(features)
        for number, (conv, inject, norm) in enumerate(zip(self.convs, self.injections, self.norms, strict=True)):
            features = F.glu(norm(inject(conv(features), noise[:, number, None]), *told), dim=1)
        return features


def doubled(features: Tensor) -> Tensor:
    """Every pixel of a map repeated twice along both axes."""
    return F.interpolate(features, scale_factor=2.0, mode="nearest")


class DownBlock(nn.Module):
    """Halve the side along two ways, whose mean is taken.

    One is a strided 4 x 4 convolution and a 3 x 3 one; the other averages 2 x 2 pixels and mixes channels. A norm and a
    leaky ReLU follow every convolution.

    Parameters
    ----------
    inputs, outputs : int
        Channels before and after.
    norm : {"batch", "group"}
        See `norm_layer`.
    """

    def __init__(self, inputs: int, outputs: int, norm: Norm = "batch") -> None:
        super().__init__()
        self.convolved = nn.Sequential(
            nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
            norm_layer(norm, outputs),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            norm_layer(norm, outputs),
            nn.LeakyReLU(SLOPE),
        )
        self.averaged = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            norm_layer(norm, outputs),
            nn.LeakyReLU(SLOPE),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, inputs, y, x) to (n, outputs, y / 2, x / 2)."""
        return (self.convolved(features) + self.averaged(features)) / 2
