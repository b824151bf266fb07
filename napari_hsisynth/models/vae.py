"""A convolutional variational autoencoder for cubes of any number of bands and any square size."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_hsisynth.models.spectral_decoder import SpectralDecoder

#: The pyramid ends at this side, px; below it a lesion has no layout left to describe.
_COARSEST_PX = 4
#: Deeper layers have at most this many times the channels of the first.
_WIDEST = 8


def pyramid(image_size: int) -> list[int]:
    """Sides of the feature maps from the image down to the coarsest, each half of the one before (rounded up), px."""
    sides = [image_size]
    while sides[-1] > _COARSEST_PX:
        sides.append((sides[-1] + 1) // 2)
    return sides


class VAE(nn.Module):
    """Encoder to a diagonal Gaussian over latents, and a decoder that sees nothing but the latents.

    The decoder climbs the encoder's pyramid like that of a U-Net but has no connections from the encoder: with them it
    could not draw a sample. Each of its levels adds its own picture to the output, so that the coarse levels carry
    layout and colour, and the fine ones only have to add detail. There are no normalisation layers: they would take
    away the brightness of an image, which is half of what there is to encode, and cost a third of the time on a CPU.

    Parameters
    ----------
    bands : int
        Number of spectral bands.
    image_size : int
        Side of the square images, px.
    latent_dim : int
        Length of the latent vector.
    width : int
        Channels of the finest level; each coarser one has twice as many, up to 8 times.
    classes : int
        Of images; with more than one, encoder and decoder are told which.
    spectra : SpectralDecoder, optional
        Makes the bands of the pictures' channels; by default these are the bands.

    Examples
    --------
    >>> vae = VAE(bands=16, image_size=64, latent_dim=8, width=8)
    >>> mean, log_variance = vae.encode(torch.zeros(2, 16, 64, 64))
    >>> tuple(mean.shape), tuple(vae.decode(mean).shape)
    ((2, 8), (2, 16, 64, 64))
    """

    def __init__(
        self,
        *,
        bands: int,
        image_size: int,
        latent_dim: int = 64,
        width: int = 32,
        classes: int = 1,
        spectra: SpectralDecoder | None = None,
    ) -> None:
        super().__init__()
        self.spectra = spectra or SpectralDecoder(bands)
        self.classes = classes
        self.sides = pyramid(image_size)
        channels = [min(2**level, _WIDEST) * width for level in range(len(self.sides))]
        self.coarsest = (channels[-1], self.sides[-1], self.sides[-1])
        flat = channels[-1] * self.sides[-1] ** 2

        # the first convolution already halves the side: full-resolution maps cost most and say least
        down: list[nn.Module] = [nn.Conv2d(bands, channels[1], 4, stride=2, padding=1)]
        for fine, coarse in pairwise(channels[1:]):
            down += [nn.SiLU(), nn.Conv2d(fine, coarse, 3, stride=2, padding=1)]
        self.encoder = nn.Sequential(*down)
        self.summary = nn.Sequential(_Residual(channels[-1]), nn.Flatten(), nn.Linear(flat, 2 * latent_dim))

        self.from_latent = nn.Linear(latent_dim + (classes if classes > 1 else 0), flat)
        if classes > 1:
            self.of_class = nn.Embedding(classes, channels[-1])
        levels = list(range(len(channels)))[::-1]
        self.levels = nn.ModuleList(
            _Residual(channels[level], channels[min(level + 1, len(channels) - 1)]) for level in levels
        )
        self.pictures = nn.ModuleList(nn.Conv2d(channels[level], self.spectra.maps, 1) for level in levels)

        # the encoder at full strength, so that latents tell images apart from the first step on; the decoder from small
        for module in (*self.encoder.modules(), *self.summary.modules()):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def encode(self, images: Tensor, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the posterior, each (n, latent_dim), of normalised images (n, bands, y, x).

        `classes` (n,) are needed where there is more than one.
        """
        odd = images.shape[-1] % 2  # half of an odd side is rounded up
        features = self.encoder(F.pad(images, (0, odd, 0, odd), mode="replicate") if odd else images)
        if self.classes > 1:
            features = features + self.of_class(classes)[:, :, None, None]
        mean, log_variance = self.summary(features).float().chunk(2, dim=1)
        # a posterior narrower than exp(-8) or wider than the prior by far only overflows in half precision
        return mean, log_variance.clamp(-16, 4)

    def decode(self, latents: Tensor, classes: Tensor | None = None) -> Tensor:
        """Normalised images (n, bands, y, x) from latents (n, latent_dim), of `classes` (n,) where there are some."""
        if self.classes > 1:
            assert classes is not None
            latents = torch.cat([latents, F.one_hot(classes, self.classes).to(latents)], dim=1)
        features = self.from_latent(latents).unflatten(1, self.coarsest)
        image: Tensor | None = None
        for level, picture, side in zip(self.levels, self.pictures, self.sides[::-1], strict=True):
            features = level(features, side)
            coarser = 0 if image is None else F.interpolate(image, size=(side, side), mode="bilinear")
            image = coarser + picture(features)
        assert image is not None
        return self.spectra(image)

    def forward(self, images: Tensor, noise: Tensor, classes: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruct `images` (n, bands, y, x) through latents drawn with standard normal `noise` (n, latent_dim).

        Returns
        -------
        reconstruction, mean, log_variance : Tensor
            Shapes (n, bands, y, x), (n, latent_dim), (n, latent_dim).
        """
        mean, log_variance = self.encode(images, classes)
        return self.decode(mean + noise * torch.exp(0.5 * log_variance), classes), mean, log_variance


class _Residual(nn.Module):
    """Two 3 x 3 convolutions around a shortcut, changing the side in between.

    The number of channels falls before the side grows: the first convolution then works on the small map, which costs
    a quarter.
    """

    def __init__(self, channels: int, incoming: int | None = None) -> None:
        super().__init__()
        incoming = channels if incoming is None else incoming
        self.first = nn.Sequential(nn.SiLU(), nn.Conv2d(incoming, channels, 3, padding=1))
        self.second = nn.Sequential(nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))
        self.shortcut = nn.Identity() if incoming == channels else nn.Conv2d(incoming, channels, 1)

    def forward(self, x: Tensor, side: int | None = None) -> Tensor:
        inner, outer = self.first(x), self.shortcut(x)
        if side is not None and side != x.shape[-1]:
            # the shortcut is smooth, or blocks would be seen after a short training; the branch may draw edges
            inner = F.interpolate(inner, size=(side, side), mode="nearest")
            outer = F.interpolate(outer, size=(side, side), mode="bilinear")
        return outer + self.second(inner)
