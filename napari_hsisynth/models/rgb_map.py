"""How a normalised cube looks as an RGB image: one fixed map, the same for every cube."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: The linear part of the sRGB curve: up to here in linear light, with this slope (IEC 61966-2-1).
_LINEAR_TO, _SLOPE = 0.0031308, 12.92


def srgb_encode(linear: Tensor) -> Tensor:
    """Gamma of sRGB (IEC 61966-2-1), continued below 0 by its straight part and above 1 by its power."""
    power = 1.055 * linear.clamp_min(_LINEAR_TO) ** (1 / 2.4) - 0.055  # no power of what is below: its slope is NaN
    return torch.where(linear <= _LINEAR_TO, _SLOPE * linear, power)


def srgb_decode(encoded: Tensor) -> Tensor:
    """The inverse of `srgb_encode`."""
    straight_to = _SLOPE * _LINEAR_TO
    power = ((encoded.clamp_min(straight_to) + 0.055) / 1.055) ** 2.4
    return torch.where(encoded <= straight_to, encoded / _SLOPE, power)


class RGBMap(nn.Module):
    """A weighted sum of the bands in the camera's values, over a fixed white, with the gamma of sRGB.

    Nothing is learnt, and nothing depends on what is in an image. The normalisation is undone inside.

    Parameters
    ----------
    bands : int
        Number of spectral bands.

    Attributes
    ----------
    matrix, offset : Tensor, shapes (3, bands) and (3,)
        From a normalised spectrum to linear RGB.
    white : Tensor, shape ()
        Camera value of a flat spectrum that is shown as white.

    Examples
    --------
    >>> colours = RGBMap(bands=4)
    >>> colours.put(torch.full((3, 4), 0.25), torch.full((4,), 0.5), torch.ones(4), white=0.5)
    >>> colours.render(torch.zeros(1, 4, 1, 1)).flatten().tolist()
    [1.0, 1.0, 1.0]
    """

    matrix: Tensor
    offset: Tensor
    white: Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.zeros(3, bands))
        self.register_buffer("offset", torch.zeros(3))
        self.register_buffer("white", torch.ones(()))

    @torch.no_grad()
    def put(self, weights: Tensor, offset: Tensor, scale: Tensor, *, white: float) -> None:
        """Set the map.

        Parameters
        ----------
        weights : Tensor, shape (3, bands)
            Of the camera's values, in linear red, green and blue.
        offset, scale : Tensor, shape (bands,)
            A camera's value is the normalised one times `scale` plus `offset`.
        white : float
            Camera value of a flat spectrum that is shown as white.
        """
        weights, offset, scale = (one.cpu().double() for one in (weights, offset, scale))
        self.matrix.copy_(weights * scale / white)
        self.offset.copy_(weights @ offset / white)
        self.white.fill_(white)

    def linear(self, images: Tensor) -> Tensor:
        """Linear RGB (n, 3, y, x) of normalised images (n, bands, y, x), not clipped."""
        with torch.autocast(images.device.type, enabled=False):
            return torch.einsum("cb,nbyx->ncyx", self.matrix, images.float()) + self.offset[:, None, None]

    def forward(self, images: Tensor) -> Tensor:
        """How normalised images look, sRGB (n, 3, y, x), not clipped, so that every pixel has a gradient."""
        return srgb_encode(self.linear(images))

    def render(self, images: Tensor) -> Tensor:
        """How they look as a screen can show it, sRGB in [0, 1]."""
        return self(images).clamp(0, 1)

    def error(self, images: Tensor, rgb: Tensor) -> Tensor:
        """Mean absolute difference in sRGB between how `images` look and what `rgb` (n, 3, y, x) shows.

        A channel that is 1 (or 0) in `rgb` is clipped: it only says "at least" (or "at most") so bright.
        """
        difference = self(images) - rgb
        beyond = ((rgb >= 1) & (difference > 0)) | ((rgb <= 0) & (difference < 0))
        return difference.masked_fill(beyond, 0).abs().mean()
