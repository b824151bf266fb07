"""A U-Net from RGB images to hyperspectral cubes, the generator of SHS-GAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_hsisynth.models.linear_base import LinearBase
from napari_hsisynth.models.padding import pad_to_multiple
from napari_hsisynth.models.spectral_decoder import SpectralDecoder

#: Wider levels have at most this many times the channels of the first; halved so often at most, down to this side, px.
_WIDEST, _DEEPEST, _COARSEST_PX = 8, 5, 4
_SLOPE = 0.2


class RGBUNet(nn.Module):
    """Strided convolutions down, bilinear doubling and convolutions up, with the encoder's maps joined at every level.

    There are no normalisation layers: how bright an image is tells much of its spectra, and an image then depends on
    itself alone, so that several processes take exactly the steps of one. Any side is padded to a multiple of the
    coarsest pixel by repeating its border, and cut again.

    Parameters
    ----------
    bands : int
        Number of spectral bands.
    image_size : int
        Side of the images that it is trained on, px; decides how deep it is. Other sides pass as well.
    width : int
        Channels of the finest level; each coarser one has twice as many, up to 8 times.
    classes : int
        Diagnoses that it is told: a learned vector of each is added to the first features. 1 for none.
    spectra : SpectralDecoder, optional
        Makes the bands of what the last layer draws; by default these are the bands.
    base : LinearBase, optional
        Its maps are added to those of the last layer, which then begins at zero.

    Examples
    --------
    >>> network = RGBUNet(bands=16, image_size=32, width=4)
    >>> tuple(network(torch.zeros(2, 3, 27, 32), torch.zeros(2, dtype=torch.int64)).shape)
    (2, 16, 27, 32)
    """

    def __init__(
        self,
        *,
        bands: int,
        image_size: int,
        width: int = 32,
        classes: int = 1,
        spectra: SpectralDecoder | None = None,
        base: LinearBase | None = None,
    ) -> None:
        super().__init__()
        self.spectra = spectra or SpectralDecoder(bands)
        self.base = base
        self.depth = min(_DEEPEST, (image_size // _COARSEST_PX).bit_length() - 1)
        channels = [min(2**level, _WIDEST) * width for level in range(self.depth + 1)]
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.of_class = nn.Embedding(classes, width) if classes > 1 else None
        self.down = nn.ModuleList(
            nn.Conv2d(channels[level], channels[level + 1], 4, stride=2, padding=1) for level in range(self.depth)
        )
        self.up = nn.ModuleList(
            nn.Conv2d(channels[level + 1] + channels[level], channels[level], 3, padding=1)
            for level in reversed(range(self.depth))
        )
        self.last = nn.Conv2d(width, self.spectra.maps, 1)
        for layer in (self.first, *self.down, *self.up):
            nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
            nn.init.zeros_(layer.bias)
        if base is not None:
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)

    def forward(self, rgb: Tensor, classes: Tensor) -> Tensor:
        """Normalised images (n, bands, y, x) from sRGB in [0, 1], (n, 3, y, x), and the number of each class, (n,)."""
        height, width = rgb.shape[-2:]
        features = self.first(2 * pad_to_multiple(rgb, 2**self.depth) - 1)
        if self.of_class is not None:
            features = features + self.of_class(classes)[:, :, None, None]
        levels = [features]
        for layer in self.down:
            levels.append(layer(F.leaky_relu(levels[-1], _SLOPE)))
        features = levels.pop()
        for layer in self.up:
            larger = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
            features = layer(F.leaky_relu(torch.cat([larger, levels.pop()], dim=1), _SLOPE))
        maps = self.last(F.leaky_relu(features, _SLOPE))[..., :height, :width]
        return self.spectra(maps if self.base is None else maps.float() + self.base(rgb))
