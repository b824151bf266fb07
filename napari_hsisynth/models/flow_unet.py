"""The network of flow matching: how an image on its way from noise is to move, given the time and what it shows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_hsisynth.errors import MissingExtraError

#: Spectra vary by at least so much along every axis, in units of a band's variance.
_LEAST_VARIANCE = 1e-6
#: The finest level has the width, coarser ones twice as many channels; groups of a GroupNorm, at most.
_MULTIPLE, _GROUPS = 2, 8
#: The sinusoids of the time are made for diffusion's steps: 0 to this.
_TIME_STEPS = 1000.0


class FlowUNet(nn.Module):
    """A `diffusers` U-Net that sees blocks of pixels as channels and is told time, class, mask and augmentation.

    The sides of the image are divided by `patch_px` and the channels multiplied by its square, which loses nothing and
    takes the most expensive level away (as in Hoogeboom et al. 2023, arXiv 2301.11093). Attention is at the coarsest
    level only. Any image size will do: zeros are added at the right and at the bottom, and cut off again.

    The U-Net only corrects what is known beforehand: the velocity to pixels that are independent of each other and
    normal, with the covariance of the training spectra (`set_covariance`). Neighbouring bands hardly differ, so most
    of the noise in a pixel is told from the image by this alone, and need not pass through the channels. The last layer
    begins at zero.

    Parameters
    ----------
    channels : int
        Of the images: bands, or components of a spectral basis.
    width : int
        Channels of the finest level; coarser ones have twice as many.
    levels : int
        Resolutions, each half of the one before.
    patch_px : int
        Side of the blocks of pixels, 1 for none.
    classes : int
        Of images; with more than one, the network is told which.
    masks : bool
        Whether it is told where the lesion is.
    labels : int
        Length of the description of an image's augmentation; a description of zeros is an image as it came, which what
        was done to it before may still have changed.

    Raises
    ------
    MissingExtraError
        If diffusers is not installed.
    """

    axes: Tensor
    variances: Tensor

    #: Buffers that are fitted to the training data, by name.
    FITTED = ("axes", "variances")

    def __init__(
        self,
        *,
        channels: int,
        width: int = 48,
        levels: int = 3,
        patch_px: int = 2,
        classes: int = 1,
        masks: bool = False,
        labels: int = 0,
    ) -> None:
        super().__init__()
        try:
            from diffusers import UNet2DModel  # several seconds: diffusers imports much that is not needed here
        except ImportError:
            raise MissingExtraError("flow matching", "train") from None
        self.patch_px, self.multiple_px = patch_px, patch_px * 2 ** (levels - 1)
        groups = math.gcd(_GROUPS, width)
        plain = levels - 1
        self.unet = UNet2DModel(
            in_channels=(channels + masks) * patch_px**2,
            out_channels=channels * patch_px**2,
            block_out_channels=(width, *[_MULTIPLE * width] * plain),
            down_block_types=(*["DownBlock2D"] * plain, "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", *["UpBlock2D"] * plain),
            layers_per_block=1,
            attention_head_dim=width,
            norm_num_groups=groups,
            attn_norm_num_groups=groups,
            resnet_time_scale_shift="scale_shift",
            class_embed_type="identity",  # takes the sum of the embeddings below
        )
        nn.init.zeros_(self.unet.conv_out.weight)
        nn.init.zeros_(self.unet.conv_out.bias)
        length = 4 * width  # of the U-Net's own embedding of the time
        self.label_embedding = nn.Linear(labels, length, bias=False) if labels else None
        self.class_embedding = nn.Embedding(classes + 1, length) if classes > 1 else None  # the last: not told
        self.masks = masks
        self.register_buffer("axes", torch.eye(channels))
        self.register_buffer("variances", torch.ones(channels))

    @torch.no_grad()
    def set_covariance(self, covariance: Tensor) -> None:
        """Take the covariance (channels, channels) of the training spectra, whose mean is 0."""
        variances, axes = torch.linalg.eigh(covariance.cpu().double())
        self.axes.copy_(axes)
        self.variances.copy_(variances.clamp_min(_LEAST_VARIANCE))

    def normal_velocity(self, images: Tensor, time: Tensor) -> Tensor:
        """Velocity (n, channels, y, x) from noise to normal pixels of the covariance that was set.

        Where their variance is s^2 and the time t, it is ``(t s^2 - (1 - t)) / ((1 - t)^2 + t^2 s^2)`` times the value.
        """
        time, left = time[:, None].float(), 1 - time[:, None].float()
        factors = (time * self.variances - left) / (left.square() + time.square() * self.variances)
        # bfloat16 would leave noise in the image; TF32, which a GPU may round to, leaves an eighth of that
        with torch.autocast(images.device.type, enabled=False):
            along = F.conv2d(images.float(), self.axes.T[:, :, None, None])
            return F.conv2d(factors[:, :, None, None] * along, self.axes[:, :, None, None])

    def forward(
        self,
        images: Tensor,
        time: Tensor,
        told: Tensor,
        classes: Tensor,
        masks: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        """Velocity of each image.

        Parameters
        ----------
        images : Tensor, shape (n, channels, y, x)
            Between noise and image.
        time : Tensor, shape (n,)
            0 for noise, 1 for an image.
        told : Tensor of bool, shape (n,)
            Whose class and mask are told.
        classes : Tensor of int64, shape (n,)
            Looked at only if there are several.
        masks : Tensor of bool, shape (n, y, x), optional
            Where the lesion is; looked at only by a network that is told. Without them, no mask is told.
        labels : Tensor, shape (n, labels), optional
            Of the augmentation; none is zeros.

        Returns
        -------
        Tensor, shape (n, channels, y, x)
        """
        known = self.normal_velocity(images, time)
        if self.masks:
            plane = torch.zeros_like(images[:, :1])  # not told
            if masks is not None:
                plane = torch.where(told[:, None, None, None], 2 * masks[:, None].to(plane) - 1, plane)
            images = torch.cat([images, plane], dim=1)
        embedded = images.new_zeros(len(images), self.unet.time_embedding.linear_2.out_features)
        if self.label_embedding is not None and labels is not None:
            embedded = embedded + self.label_embedding(labels)
        if self.class_embedding is not None:
            unknown = self.class_embedding.num_embeddings - 1
            embedded = embedded + self.class_embedding(torch.where(told, classes, unknown))
        height, width = images.shape[-2:]
        padded = F.pad(images, (0, -width % self.multiple_px, 0, -height % self.multiple_px))
        blocks = F.pixel_unshuffle(padded, self.patch_px)
        if blocks.device.type != "mps":  # whose convolutions want them as they are
            blocks = blocks.contiguous(memory_format=torch.channels_last)
        (velocity,) = self.unet(blocks, _TIME_STEPS * time, embedded, return_dict=False)
        return known + F.pixel_shuffle(velocity, self.patch_px)[..., :height, :width]
