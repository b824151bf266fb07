"""FastGAN that draws a lesion where a mask says: told the mask at every level of the generator, and the critic too."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from napari_hsisynth.models.fastgan import FastGANGenerator
from napari_hsisynth.models.fastgan_blocks import Norm
from napari_hsisynth.models.fastgan_critic import FastGANCritic, Seen
from napari_hsisynth.models.spade import MARGIN_PX, SPADE, LesionPlanes
from napari_hsisynth.models.spectral_decoder import SpectralDecoder

#: Side of the coarsest map, px.
_COARSEST_PX = 4


class SPADEFastGANGenerator(nn.Module):
    """`FastGANGenerator` whose every norm is a `SPADE`, from the map of 4 x 4 to the image.

    The latent alone decides what the mask and the class leave open. A class is told inside its lesion only.

    Parameters
    ----------
    bands, image_size, latent_dim, width, norm, spectra
        As of `FastGANGenerator`; `norm` is what goes before the scale and shift.
    classes : int
        Diagnoses to be told apart; 1 for none.
    mask_width : int
        Channels between mask and scale or shift in every `SPADE`.

    Examples
    --------
    >>> generator = SPADEFastGANGenerator(bands=16, image_size=64, latent_dim=8, width=8)
    >>> masks, classes = torch.ones(2, 64, 64, dtype=torch.bool), torch.zeros(2, dtype=torch.int64)
    >>> image, small = generator(torch.zeros(2, 8), masks, classes)
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
        norm: Norm = "batch",
        mask_width: int = 32,
        spectra: SpectralDecoder | None = None,
    ) -> None:
        super().__init__()
        self.planes = LesionPlanes(classes)
        self.pyramid = FastGANGenerator(
            bands=bands,
            image_size=image_size,
            latent_dim=latent_dim,
            width=width,
            norm=partial(SPADE, planes=self.planes.count, width=mask_width, norm=norm),
            spectra=spectra,
        )

    @property
    def spectra(self) -> SpectralDecoder:
        """Makes the bands of what the last layers draw."""
        return self.pyramid.spectra

    @property
    def noise_numbers(self) -> int:
        """Random numbers that the noise of one image takes."""
        return self.pyramid.noise_numbers

    def forward(
        self,
        latent: Tensor,
        masks: Tensor,
        classes: Tensor,
        noise: Tensor | None = None,
        factors: Mapping[int, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Normalised images and small versions of them, as of `FastGANGenerator`, with lesions at `masks` (n, y, x)."""
        return self.pyramid(latent, classes, noise, factors, self._told(masks, classes))

    def excitation_factors(self, latent: Tensor, masks: Tensor, classes: Tensor) -> dict[int, Tensor]:
        """How the coarse maps of latents weigh the channels of fine maps, see `FastGANGenerator`."""
        return self.pyramid.excitation_factors(latent, classes, self._told(masks, classes))

    def _told(self, masks: Tensor, classes: Tensor) -> dict[int, Tensor]:
        """What the norms of each side are told."""
        return {
            side: self.planes(masks, classes, side_px=side, margin_px=MARGIN_PX)
            for side in (_COARSEST_PX, *self.pyramid.sides)
        }


class SPADEFastGANCritic(nn.Module):
    """`FastGANCritic` that sees the mask, and the class in it, as further channels of the image and of the small one.

    Parameters
    ----------
    bands, image_size, width, classes, norm
        As of `FastGANCritic`.

    Examples
    --------
    >>> critic = SPADEFastGANCritic(bands=16, image_size=64, width=8)
    >>> masks, classes = torch.ones(2, 64, 64, dtype=torch.bool), torch.zeros(2, dtype=torch.int64)
    >>> tuple(critic(torch.zeros(2, 16, 64, 64), torch.zeros(2, 16, 32, 32), masks, masks, classes).logits.shape)
    (2, 50)
    """

    def __init__(self, *, bands: int, image_size: int, width: int = 64, classes: int = 1, norm: Norm = "batch") -> None:
        super().__init__()
        self.planes = LesionPlanes(classes)
        self.critic = FastGANCritic(
            bands=bands, image_size=image_size, width=width, classes=classes, norm=norm, planes=self.planes.count
        )

    @property
    def decoders(self) -> nn.Module:
        """What draws images again from the critic's features."""
        return self.critic.decoders

    def forward(self, images: Tensor, small: Tensor, masks: Tensor, small_masks: Tensor, classes: Tensor) -> Seen:
        """Scores and features of images (n, bands, y, x) and small versions, with the masks of both, and classes (n,).

        Two masks, since augmentation moves an image and its small version each in its own way.
        """
        pairs = ((images, masks), (small, small_masks))
        told = (torch.cat([one, self.planes(mask, classes, side_px=one.shape[-1])], dim=1) for one, mask in pairs)
        return self.critic(*told, classes)
