"""How unlike two sets of images look: the loss of FastGAN's decoders, perceptual or structural."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.structural_similarity import multi_scale_dissimilarity

#: Backbones of LPIPS, the one of the paper first, with torchvision's name for their weights.
BACKBONES = {"vgg": "VGG16_Weights", "alex": "AlexNet_Weights", "squeeze": "SqueezeNet1_1_Weights"}
#: What is used where there are no weights.
STRUCTURE = "structure"
#: Normalised values lie about within three standard deviations: the range that structural similarity is told.
_REACH = 3.0
#: Share of structure in the sum with L1 (Zhao, Gallo, Frosio and Kautz 2017, arXiv 1511.08861).
_SHARE_OF_STRUCTURE = 0.84


class Unlikeness(Protocol):
    """Normalised images and others, both (n, bands, y, x), to one number to be made small."""

    def __call__(self, images: Tensor, others: Tensor) -> Tensor: ...


def structural(images: Tensor, others: Tensor) -> Tensor:
    """L1 and multi-scale SSIM, the latter for values within three standard deviations; shape ()."""
    apart = multi_scale_dissimilarity(images, others, data_range=2 * _REACH, lowest=-_REACH).mean()
    return _SHARE_OF_STRUCTURE * apart + (1 - _SHARE_OF_STRUCTURE) * (images.float() - others.float()).abs().mean()


class Perceptual(nn.Module):
    """LPIPS (Zhang et al. 2018, arXiv 1801.03924) of images of many bands.

    Of two views of three bands each: the long, middle and short end of the range as red, green and blue, and three
    bands drawn at random from torch's global generator, so that in the long run all bands and all triples are looked
    at. Values go in as they are: normalised by mean and standard deviation per band, as the backbone's own training
    images were.

    Parameters
    ----------
    backbone : {"vgg", "alex", "squeeze"}
        Its weights must be on this machine, see `weights_file`.

    Raises
    ------
    InputError
        If they are not, or hold something else.
    """

    def __init__(self, backbone: str) -> None:
        super().__init__()
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        file = weights_file(backbone)
        if not file.is_file():
            raise _no_weights([backbone])
        try:
            torch.load(file, map_location="cpu", weights_only=True)  # refuses a file that would run code
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of how torchvision's own settings will be called one day
                metric = LearnedPerceptualImagePatchSimilarity(net_type=backbone)  # type: ignore[arg-type]
        except Exception as error:
            raise InputError(f"no weights of {backbone}: {error}", where=file, fix="remove the file") from error
        self.distance: Any = metric.net.requires_grad_(False)

    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        """Mean of both views over images (n, bands, y, x) of at least 32 px; shape ()."""
        bands = images.shape[1]
        drawn = torch.randperm(bands)[:3].tolist()  # on the CPU: nothing waits for the device
        views = [_as_rgb(bands), [drawn[i % len(drawn)] for i in range(3)]]
        pairs = [torch.cat([self._scaled(one[:, view]) for view in views]) for one in (images, others)]
        return self.distance(*pairs).mean().float()

    def _scaled(self, view: Tensor) -> Tensor:
        """Undo beforehand the scaling that LPIPS begins with."""
        scaling = self.distance.scaling_layer
        return view.float() * scaling.scale + scaling.shift


def _as_rgb(bands: int) -> list[int]:
    """Long, middle and short wavelengths."""
    return [bands - 1, (bands - 1) // 2, 0]


def weights_file(backbone: str) -> Path:
    """Where torchvision keeps the weights of a backbone, and looks for them before it downloads any."""
    import torchvision

    url = getattr(torchvision.models, BACKBONES[backbone]).DEFAULT.url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def chosen(setting: str) -> tuple[str, list[str]]:
    """Choose the loss that a setting asks for and this machine has.

    Parameters
    ----------
    setting : {"auto", "lpips", "structure"}
        See `FastGANConfig.reconstruction`.

    Returns
    -------
    str, list of str
        A backbone or "structure"; and what the user should be warned of.

    Raises
    ------
    InputError
        If "lpips" is asked for and no weights are there; nothing is ever downloaded.
    """
    if setting == STRUCTURE:
        return STRUCTURE, []
    found = next((backbone for backbone in BACKBONES if weights_file(backbone).is_file()), None)
    if found:
        return found, []
    if setting == "lpips":
        raise _no_weights(list(BACKBONES))
    return STRUCTURE, [
        "no weights of an ImageNet network are on this machine: the discriminator's reconstructions are compared by L1 "
        f"and multi-scale SSIM, not by LPIPS as in the paper; for that, put {weights_file('vgg').name} into "
        f"{weights_file('vgg').parent}"
    ]


def loss_of(name: str) -> Unlikeness:
    """The loss of a name from `chosen`."""
    return structural if name == STRUCTURE else Perceptual(name)


def _no_weights(backbones: list[str]) -> InputError:
    import torchvision

    urls = " or ".join(getattr(torchvision.models, BACKBONES[one]).DEFAULT.url for one in backbones)
    folder = weights_file(backbones[0]).parent
    return InputError(
        "LPIPS needs the weights of an ImageNet network, and nothing is downloaded unasked",
        where=folder,
        fix=f"put {urls} there, or set reconstruction=structure",
    )
