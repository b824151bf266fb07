"""What linear regression makes of an RGB image: the start from which a network only has to predict corrections."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_hsisynth.models.rgb_map import srgb_decode


class LinearBase(nn.Module):
    """An affine map, fitted before the training, from linear red, green and blue to spectra (or their abundances).

    Parameters
    ----------
    maps : int
        Channels to make.
    """

    #: Buffers that are fitted to the training data, by name.
    FITTED = ("matrix", "offset")

    matrix: Tensor
    offset: Tensor

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.zeros(maps, 3))
        self.register_buffer("offset", torch.zeros(maps))

    @torch.no_grad()
    def fit(self, rgb: Tensor, maps: Tensor) -> None:
        """Set the map to the least-squares one between pixels: sRGB (n, 3) and what they should become, (n, maps)."""
        # on the CPU, for Apple's GPUs have no double precision
        linear = srgb_decode(rgb.cpu().double())
        factors = torch.cat([linear, torch.ones_like(linear[:, :1])], dim=1)
        # by the pseudo-inverse: grey images leave three of the four factors without a meaning of their own
        found = torch.linalg.pinv(factors) @ maps.cpu().double()
        self.matrix.copy_(found[:3].T)
        self.offset.copy_(found[3])

    def forward(self, rgb: Tensor) -> Tensor:
        """Maps (n, maps, y, x) in single precision of sRGB images (n, 3, y, x)."""
        with torch.autocast(rgb.device.type, enabled=False):
            linear = srgb_decode(rgb.float())
            return torch.einsum("mc,ncyx->nmyx", self.matrix, linear) + self.offset[:, None, None]
