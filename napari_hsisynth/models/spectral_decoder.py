"""Spectra as mixtures of a few fixed ones: what a generator makes is then bounded to spectra that occur."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SpectralDecoder(nn.Module):
    """Decode `components` abundance maps linearly to all bands, by a basis that was fitted to training spectra.

    A network that makes abundances cannot make any other spectrum than the basis holds: those of an affine subspace
    (PCA), or the mixtures of non-negative spectra with non-negative weights (NMF). The basis is no weight: it is
    fitted before the training (`training.spectral_basis`), kept in buffers and so in every checkpoint. It is scaled
    such that standard normal abundances have the mean and about the spread of the training spectra.

    Parameters
    ----------
    bands : int
        Number of spectral bands.
    components : int
        Number of abundance maps; 0 for no basis, when images pass through as they are.
    non_negative : bool
        Whether abundances go through a softplus, as those of NMF do.

    Attributes
    ----------
    maps : int
        Channels that the network in front has to make.

    Examples
    --------
    >>> decoder = SpectralDecoder(bands=16, components=3)
    >>> decoder.maps, tuple(decoder(torch.zeros(2, 3, 8, 8)).shape)
    (3, (2, 16, 8, 8))
    >>> SpectralDecoder(bands=16).maps
    16
    """

    matrix: Tensor
    offset: Tensor
    shift: Tensor
    spread: Tensor

    def __init__(self, bands: int, components: int = 0, *, non_negative: bool = False) -> None:
        super().__init__()
        self.maps = components or bands
        self.fixed, self.non_negative = components > 0, non_negative
        if self.fixed:
            self.register_buffer("matrix", torch.eye(bands, components))  # until it is fitted
            self.register_buffer("offset", torch.zeros(bands))
        if self.fixed and non_negative:
            self.register_buffer("shift", torch.zeros(components))
            self.register_buffer("spread", torch.ones(components))

    def forward(self, abundances: Tensor) -> Tensor:
        """Normalised images (n, bands, y, x) in single precision, of network outputs (n, maps, y, x)."""
        abundances = abundances.float()
        if not self.fixed:
            return abundances
        if self.non_negative:
            abundances = F.softplus(abundances * self.spread[:, None, None] + self.shift[:, None, None])
        # in bfloat16 the sum would leave the subspace that the basis promises; a GPU that may round to TF32, which has
        # three more bits, leaves it 8 times less
        with torch.autocast(abundances.device.type, enabled=False):
            return F.conv2d(abundances, self.matrix[:, :, None, None], self.offset)
