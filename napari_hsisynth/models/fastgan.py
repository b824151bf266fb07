"""The generator of FastGAN (Liu, Zhu, Song and Elgammal 2021, arXiv 2101.04775)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_hsisynth.models.fastgan_blocks import (
    AnyNorm,
    NoisyUpBlock,
    PixelNoise,
    SkipLayerExcitation,
    UpBlock,
    first_weights,
    norm_layer,
)
from napari_hsisynth.models.spectral_decoder import SpectralDecoder

#: Channels of the map of each side, in parts of `width`.
CHANNELS = {4: 16.0, 8: 8.0, 16: 4.0, 32: 2.0, 64: 2.0, 128: 1.0, 256: 0.5, 512: 0.25}
#: Side of the map that looks, and of the map that is excited. The paper draws the last three; the first is the same
#: step one level down, without which an image of 64 px would have none.
EXCITATIONS = {64: 4, 128: 8, 256: 16, 512: 32}
#: Sides of the maps that a `NoisyUpBlock` makes: every other one.
NOISY_SIDES = (8, 32, 128, 512)
#: Side of the small image, at most.
_SMALL_PX = 128
#: Length of the vector that tells the generator the diagnosis.
_CLASS_DIM = 16


def small_side(image_size: int) -> int:
    """Side of the small image that comes with one of `image_size`: 128 px, or half where that is less."""
    return min(_SMALL_PX, image_size // 2)


def channels(side: int, width: int) -> int:
    """Channels of the generator's map of a side, px, at a width."""
    return max(1, int(CHANNELS[side] * width))


class FastGANGenerator(nn.Module):
    """Noise to an image and a small version of it, up a pyramid whose coarse maps weigh the channels of fine ones.

    A transposed convolution makes a map of 4 x 4, and blocks double it; every other one convolves twice and takes noise
    in. Maps of 64 px and more are weighed by those of a sixteenth of their side (`SkipLayerExcitation`), which is a
    short way for gradients and lets the coarse map of one image colour the fine maps of another (`mix`).

    Three things differ from the paper. There is no Tanh: images are normalised by mean and standard deviation and have
    no bounds. Weights are not spectrally normalised: a norm follows every convolution of the pyramid and undoes any
    scale. And in evaluation the injected noise is made of the image's own latent (`PixelNoise`), so that an image does
    not depend on what it is drawn with.

    Parameters
    ----------
    bands : int
        Number of spectral bands.
    image_size : {64, 128, 256, 512}
        Side of the square images, px.
    latent_dim : int
        Length of the noise vector.
    width : int
        Channels of the map of 128 px; coarser ones have up to 16 times as many. 64 in the paper.
    classes : int
        Diagnoses to be told apart; a learned vector for each is appended to the noise. 1 for none.
    norm : {"batch", "group"} or callable
        With "group" an image depends on its own noise alone also in training, and several processes take exactly the
        steps of one. A callable makes a norm for so many channels, which is given what `forward` is told.
    spectra : SpectralDecoder, optional
        Makes the bands of what the last layers draw; by default these are the bands.

    Examples
    --------
    >>> generator = FastGANGenerator(bands=16, image_size=64, latent_dim=8, width=8)
    >>> image, small = generator(torch.zeros(2, 8), torch.zeros(2, dtype=torch.int64))
    >>> tuple(image.shape), tuple(small.shape)
    ((2, 16, 64, 64), (2, 16, 32, 32))
    """

    def __init__(
        self,
        *,
        bands: int,
        image_size: int,
        latent_dim: int = 256,
        width: int = 64,
        classes: int = 1,
        norm: AnyNorm = "batch",
        spectra: SpectralDecoder | None = None,
    ) -> None:
        super().__init__()
        self.spectra = spectra or SpectralDecoder(bands)
        self.small = small_side(image_size)
        self.sides = [side for side in CHANNELS if 4 < side <= image_size]
        self.classes = nn.Embedding(classes, _CLASS_DIM) if classes > 1 else None
        told = _CLASS_DIM if self.classes is not None else 0
        coarsest = 2 * channels(4, width)
        self.from_noise = nn.ConvTranspose2d(latent_dim + told, coarsest, 4, bias=False)
        self.first_norm = norm_layer(norm, coarsest)
        self.blocks = nn.ModuleDict(
            {
                str(side): (NoisyUpBlock if side in NOISY_SIDES else UpBlock)(
                    channels(side // 2, width), channels(side, width), norm
                )
                for side in self.sides
            }
        )
        self.excitations = nn.ModuleDict(
            {
                str(high): SkipLayerExcitation(channels(low, width), channels(high, width))
                for high, low in EXCITATIONS.items()
                if high <= image_size
            }
        )
        self.to_image = nn.Conv2d(channels(image_size, width), self.spectra.maps, 3, padding=1)
        self.to_small = nn.Conv2d(channels(self.small, width), self.spectra.maps, 1)
        self.noisy_sides = [side for side in NOISY_SIDES if side <= image_size]
        #: Random numbers that the noise of one image takes.
        self.noise_numbers = sum(2 * side**2 for side in self.noisy_sides)
        self.pixel_noise = PixelNoise(self.noise_numbers, latent_dim)
        self.apply(first_weights)

    def forward(
        self,
        latent: Tensor,
        classes: Tensor,
        noise: Tensor | None = None,
        factors: Mapping[int, Tensor] | None = None,
        told: Mapping[int, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Normalised images and small versions of them.

        Parameters
        ----------
        latent : Tensor, shape (n, latent_dim)
            Standard normal.
        classes : Tensor of int64, shape (n,)
            Number of each one's class.
        noise : Tensor, shape (n, noise_numbers), optional
            Standard normal numbers to inject; by default made of the latent.
        factors : mapping of int to Tensor, optional
            Weights of the channels by the side of the map, see `excitation_factors`; by default the image's own.
        told : mapping of int to Tensor, optional
            For norms that take more than features: what those of each side, 4 px and up, are given.

        Returns
        -------
        Tensor, Tensor
            Shapes (n, bands, image_size, image_size) and (n, bands, small, small), in single precision.
        """
        maps = self._noise_maps(self.pixel_noise(latent) if noise is None else noise)
        features = self._coarsest(latent, classes, told)
        seen = {4: features}
        small = features
        for side in self.sides:
            features = self._up(side, features, maps, told)
            if side in EXCITATIONS:
                given = factors[side] if factors else self._factors(side, seen)
                features = features * given
            seen[side] = features
            if side == self.small:
                small = self.spectra(self.to_small(features))
        return self.spectra(self.to_image(features)), small

    def excitation_factors(
        self, latent: Tensor, classes: Tensor, told: Mapping[int, Tensor] | None = None
    ) -> dict[int, Tensor]:
        """How the coarse maps of latents weigh the channels of fine maps, by the side of these; (n, channels, 1, 1)."""
        maps = self._noise_maps(self.pixel_noise(latent))
        features = self._coarsest(latent, classes, told)
        seen = {4: features}
        highest = max(map(int, self.excitations))
        for side in self.sides:
            if side > EXCITATIONS[highest]:
                break
            seen[side] = features = self._up(side, features, maps, told)
        return {high: self._factors(high, seen) for high in map(int, self.excitations)}

    def _coarsest(self, latent: Tensor, classes: Tensor, told: Mapping[int, Tensor] | None) -> Tensor:
        if self.classes is not None:
            latent = torch.cat([latent, self.classes(classes)], dim=1)
        return F.glu(self.first_norm(self.from_noise(latent[:, :, None, None]), *_at(4, told)), dim=1)

    def _up(self, side: int, features: Tensor, maps: Mapping[int, Tensor], told: Mapping[int, Tensor] | None) -> Tensor:
        return self.blocks[str(side)](features, *_at(side, maps), *_at(side, told))

    def _factors(self, side: int, seen: Mapping[int, Tensor]) -> Tensor:
        excitation = self.excitations[str(side)]
        assert isinstance(excitation, SkipLayerExcitation)
        return excitation.factors(seen[EXCITATIONS[side]])

    def _noise_maps(self, noise: Tensor) -> dict[int, Tensor]:
        """Parts of the noise (n, noise_numbers) as two maps (n, 2, y, x) for each noisy side."""
        parts = noise.split([2 * side**2 for side in self.noisy_sides], dim=1)
        return {side: part.unflatten(1, (2, side, side)) for side, part in zip(self.noisy_sides, parts, strict=True)}


def _at(side: int, given: Mapping[int, Tensor] | None) -> tuple[Tensor, ...]:
    """What is given for a side, if anything is."""
    return (given[side],) if given and side in given else ()
