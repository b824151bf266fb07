"""The generator of the DCGAN family: transposed convolutions up a pyramid that ends at any side."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from napari_hsisynth.models.spectral_decoder import SpectralDecoder

#: Side at which the generator begins, at most, px; and width of its coarsest map over the finest.
_COARSEST_PX, _WIDEST = 4, 8
#: Standard deviation of first weights, of Radford, Metz and Chintala (2016).
INITIAL_STD = 0.02
#: Length of the vector that tells the generator the diagnosis.
_CLASS_DIM = 16


class DCGANGenerator(nn.Module):
    """Noise to image: a linear map to the coarsest level, then transposed convolutions that double the side.

    As in Radford, Metz and Chintala (2016, arXiv 1511.06434): kernels of 4 with stride 2, whose footprints overlap
    evenly, BatchNorm and ReLU between them, first weights from N(0, 0.02). Two things differ. The last layer has no
    Tanh: images are normalised by mean and standard deviation, so they have no bounds that a Tanh could be scaled to,
    and a specular pixel may lie 15 standard deviations out. And where a side of the pyramid is odd, the last row and
    column of the doubled map are cut off, so that 28 px come from 4, 7 and 14.

    Parameters
    ----------
    bands : int
        Number of spectral bands.
    image_size : int
        Side of the square images, px.
    latent_dim : int
        Length of the noise vector.
    width : int
        Channels of the last hidden level; each coarser one has twice as many, up to 8 times.
    classes : int
        Diagnoses to be told apart; a learned vector for each is appended to the noise. 1 for none.
    norm : {"batch", "none"}
        Without BatchNorm an image depends on its own noise alone also in training, and several processes take exactly
        the steps of one. First weights are then scaled to keep the signal's variance, as the norm would have done.
    spectra : SpectralDecoder, optional
        Makes the bands of what the last layer draws; by default these are the bands.

    Examples
    --------
    >>> generator = DCGANGenerator(bands=16, image_size=28, latent_dim=8, width=8)
    >>> tuple(generator(torch.zeros(2, 8), torch.zeros(2, dtype=torch.int64)).shape)
    (2, 16, 28, 28)
    """

    def __init__(
        self,
        *,
        bands: int,
        image_size: int,
        latent_dim: int = 64,
        width: int = 64,
        classes: int = 1,
        norm: Literal["batch", "none"] = "batch",
        spectra: SpectralDecoder | None = None,
    ) -> None:
        super().__init__()
        self.spectra = spectra or SpectralDecoder(bands)
        self.sides = _sides(image_size)
        hidden = [min(2**level, _WIDEST) * width for level in range(len(self.sides) - 1)][::-1]
        self.coarsest = (hidden[0], self.sides[0], self.sides[0])
        self.classes = nn.Embedding(classes, _CLASS_DIM) if classes > 1 else None
        told = _CLASS_DIM if self.classes is not None else 0
        own_bias = norm == "none"  # BatchNorm brings one
        self.from_noise = nn.Linear(latent_dim + told, hidden[0] * self.sides[0] ** 2, bias=own_bias)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) if norm == "batch" else nn.Identity() for c in hidden)
        self.doublings = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 4, stride=2, padding=1, bias=own_bias) for coarse, fine in pairwise(hidden)
        )
        self.doublings.append(nn.ConvTranspose2d(hidden[-1], self.spectra.maps, 4, stride=2, padding=1))
        self.apply(_first_weights)
        if norm == "none":
            _keep_variance(self.from_noise, latent_dim + told, gain=1.0)
            for doubling, coarse in zip(self.doublings, hidden, strict=True):
                _keep_variance(doubling, 4 * coarse, gain=2.0)  # 2 x 2 of the 4 x 4 weights meet at each pixel

    def forward(self, noise: Tensor, classes: Tensor) -> Tensor:
        """Normalised images (n, bands, y, x) from noise (n, latent_dim) and the number of each one's class, (n,)."""
        if self.classes is not None:
            noise = torch.cat([noise, self.classes(classes)], dim=1)
        features = self.from_noise(noise).unflatten(1, self.coarsest)
        for norm, doubling, side in zip(self.norms, self.doublings, self.sides[1:], strict=True):
            features = doubling(torch.relu(norm(features)))[..., :side, :side]
        return self.spectra(features)


def _sides(image_size: int) -> list[int]:
    """Sides from the coarsest map to the image; each is half the next, rounded up."""
    sides = [image_size]
    while sides[-1] > _COARSEST_PX:
        sides.append((sides[-1] + 1) // 2)
    return sides[::-1]


def _first_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, INITIAL_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, INITIAL_STD)


def _keep_variance(module: nn.Module, inputs: int, gain: float) -> None:
    nn.init.normal_(module.weight, 0.0, (gain / inputs) ** 0.5)
