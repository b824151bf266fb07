"""The networks of CycleGAN: a residual network between two kinds of images, and a critic of overlapping patches."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from napari_hsisynth.models.dcgan import INITIAL_STD
from napari_hsisynth.models.linear_base import LinearBase
from napari_hsisynth.models.padding import pad_to_multiple
from napari_hsisynth.models.spectral_decoder import SpectralDecoder

_SLOPE = 0.2
#: Pixels that a patch critic sees, by the number of its strided layers.
RECEPTIVE_FIELDS_PX = {1: 16, 2: 34, 3: 70}


class ResNetTranslator(nn.Module):
    """From one kind of image to another of the same size: two levels down, residual blocks, two levels up.

    As in Zhu et al. (2017, arXiv 1703.10593), after Johnson et al. (2016, arXiv 1603.08155): c7s1-w, d2w, d4w, blocks
    of 4w, u2w, uw, c7s1, with InstanceNorm and ReLU, borders reflected, first weights from N(0, 0.02). The class is
    told by a learned vector that is added to the first normalised features; before the normalisation it would vanish.
    Sides that are no multiple of 4 are padded by repeating the border, and cut again.

    Parameters
    ----------
    channels_in, channels_out : int
        Of the images.
    width : int
        Channels of the finest level; the paper's have 64.
    blocks : int
        Residual blocks; 6 in the paper up to 128 px, else 9.
    classes : int
        Diagnoses that it is told; 1 for none.
    last : nn.Module, optional
        Follows the last convolution, which makes `channels_out` maps.
    base : LinearBase, optional
        Its maps are added to those of the last convolution, which then begins at zero.

    Examples
    --------
    >>> network = ResNetTranslator(3, 16, width=4, blocks=1)
    >>> tuple(network(torch.zeros(1, 3, 30, 32), torch.zeros(1, dtype=torch.int64)).shape)
    (1, 16, 30, 32)
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        width: int = 64,
        blocks: int = 9,
        classes: int = 1,
        last: nn.Module | None = None,
        base: LinearBase | None = None,
    ) -> None:
        super().__init__()
        self.base = base
        self.into = nn.Sequential(_convolution(channels_in, width, 7), nn.InstanceNorm2d(width))
        self.of_class = nn.Embedding(classes, width) if classes > 1 else None
        layers: list[nn.Module] = [nn.ReLU()]
        for level in (1, 2):
            wide = 2**level * width
            layers += [nn.Conv2d(wide // 2, wide, 3, stride=2, padding=1), nn.InstanceNorm2d(wide), nn.ReLU()]
        layers += [_Residual(4 * width) for _ in range(blocks)]
        for level in (1, 0):
            wide = 2**level * width
            doubling = nn.ConvTranspose2d(2 * wide, wide, 3, stride=2, padding=1, output_padding=1)
            layers += [doubling, nn.InstanceNorm2d(wide), nn.ReLU()]
        self.between = nn.Sequential(*layers)
        self.out = _convolution(width, channels_out, 7)
        self.last = last or nn.Identity()
        _first_weights(self)
        if base is not None:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Images (n, channels_out, y, x) from images (n, channels_in, y, x) and the number of each class, (n,)."""
        height, width = images.shape[-2:]
        features = self.into(pad_to_multiple(images, 4))
        if self.of_class is not None:
            features = features + self.of_class(classes)[:, :, None, None]
        maps = self.out(self.between(features))[..., :height, :width].float()
        return self.last(maps if self.base is None else maps + self.base(images))


class CubeFromRGB(ResNetTranslator):
    """Makes normalised cubes of sRGB images in [0, 1]; parameters as of `ResNetTranslator`.

    The last layer has no Tanh: normalised values have no bounds.
    """

    def __init__(self, bands: int, *, spectra: SpectralDecoder | None = None, **options: Any) -> None:
        spectra = spectra or SpectralDecoder(bands)
        super().__init__(3, spectra.maps, last=spectra, **options)
        self.spectra = spectra


class RGBFromCube(ResNetTranslator):
    """Makes sRGB images in [0, 1] of normalised cubes; the paper's Tanh, moved to that range, is a sigmoid."""

    def __init__(self, bands: int, **options: Any) -> None:
        super().__init__(bands, 3, last=nn.Sigmoid(), **options)


class PatchCritic(nn.Module):
    """Judges every patch of an image by itself: a map of scores, each of which sees as many pixels around it.

    As in Isola et al. (2017, arXiv 1611.07004): C64-C128-C256-C512 with kernels of 4, the last of stride 1, and a last
    convolution to one channel; InstanceNorm (not in the first layer) and LeakyReLU. Three strided layers see 70 px.

    Parameters
    ----------
    channels : int
        Of the images.
    width : int
        Channels of the first layer; each further one has twice as many, up to 8 times.
    strided : {1, 2, 3}
        Layers of stride 2: each patch has `RECEPTIVE_FIELDS_PX` of them.
    classes : int
        Diagnoses that it is told, by projection of each patch's last features on a learned vector (Miyato and Koyama
        2018, arXiv 1802.05637), behind all norms, which would take it away; 1 for none.

    Examples
    --------
    >>> critic = PatchCritic(16, width=4, strided=3)
    >>> tuple(critic(torch.zeros(2, 16, 256, 256), torch.zeros(2, dtype=torch.int64)).shape)
    (2, 1, 30, 30)
    """

    def __init__(self, channels: int, *, width: int = 64, strided: int = 3, classes: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(_SLOPE)]
        incoming = width
        for level in range(1, strided + 1):
            wide = min(2**level, 8) * width
            stride = 2 if level < strided else 1
            layers += [nn.Conv2d(incoming, wide, 4, stride=stride, padding=1), nn.InstanceNorm2d(wide)]
            layers += [nn.LeakyReLU(_SLOPE)]
            incoming = wide
        self.features = nn.Sequential(*layers)
        self.scores = nn.Conv2d(incoming, 1, 4, padding=1)
        self.of_class = nn.Embedding(classes, incoming) if classes > 1 else None
        _first_weights(self)
        if self.of_class is not None:
            nn.init.normal_(self.of_class.weight, 0.0, INITIAL_STD)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Scores (n, 1, rows, columns), near 1 for real patches, of images (n, channels, y, x) of classes (n,)."""
        features = self.features(images)
        scores = self.scores(features)
        if self.of_class is not None:
            along = (self.of_class(classes)[:, :, None, None] * features).sum(dim=1, keepdim=True)
            scores = scores + F.avg_pool2d(along, 4, stride=1, padding=1)  # over what the last convolution sees
        return scores.float()


def strided_for(image_size: int) -> int:
    """How many strided layers a `PatchCritic` has whose patches fit into images of this side, px; 3 from 70 px."""
    return max(count for count, field_px in RECEPTIVE_FIELDS_PX.items() if field_px <= image_size)


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(),
            _convolution(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)


def _convolution(incoming: int, outgoing: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(incoming, outgoing, kernel, padding=kernel // 2, padding_mode="reflect")


def _first_weights(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, INITIAL_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
