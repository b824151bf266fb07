"""Training by implicit maximum likelihood with rejection of what is near already, RS-IMLE."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_hsisynth.models.fastgan import FastGANGenerator
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.config import RSIMLEConfig
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.adversarial import all_finite, descend
from napari_hsisynth.training.recipes.pyramid import PyramidRecipe, shrunk
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis

#: Sides of the levels on which images are compared, as divisors of the image's.
_LEVELS = (1, 2, 4, 8)


@register("rs-imle")
class RSIMLERecipe(PyramidRecipe):
    """FastGAN's generator without a critic: every real image draws the nearest of many samples towards itself.

    No real image can be left out, so there is no mode collapse (implicit maximum likelihood estimation, Li and Malik
    2018, arXiv 1809.09087). Samples that are near a real image already are not chosen, or few noises would do all the
    work (rejection sampling: Vashist, Peng and Li 2024, arXiv 2409.17439). The paper draws candidates for all real
    images every few epochs; here a step draws its own, for the images of its batch.

    Parameters
    ----------
    config : RSIMLEConfig
        Settings.
    bands : int
        Number of spectral bands.
    classes : int
        Diagnoses that the generator is told; 1 for none. An image is compared with samples of its own only.
    """

    def __init__(self, config: RSIMLEConfig, bands: int, classes: int = 1) -> None:
        generator = FastGANGenerator(
            bands=bands,
            image_size=config.image_size,
            latent_dim=config.latent_dim,
            width=config.width,
            classes=classes,
            norm=config.norm,
            spectra=decoder_for(config, bands),
        )
        super().__init__(config, generator)

    def prepare(self, spectra: Tensor, normalisation: Normalisation) -> list[str]:
        """Fit the spectral basis, if there is one."""
        return fit_basis([self.plain_generator.spectra, self.average.network.spectra], spectra, normalisation)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Draw candidates, choose the nearest to each image, and bring these nearer by one step of Adam."""
        config = self.config
        latents = batch.normal(config.candidates * config.latent_dim).reshape(-1, config.latent_dim)
        told = self._told(batch)
        with torch.no_grad(), self.fabric.autocast():
            candidates = self.generator(latents, *(one.repeat_interleave(config.candidates, dim=0) for one in told))[0]
        distances = level_distances(batch.images, candidates.float())
        classes = batch.classes.to(distances.device)
        of_another = classes[:, None] != classes.repeat_interleave(config.candidates)[None]
        chosen, rejected = nearest(distances.masked_fill(of_another, torch.inf), config.rejection)
        with self.fabric.autocast():
            made, small = self.generator(latents[chosen], *told)
        images = batch.images
        pairs = [*zip(levels(made), levels(images), strict=True), (small, shrunk(images, small.shape[-1]))]
        loss = torch.stack([unlikeness(ours, real) for ours, real in pairs]).sum()
        descend(self.fabric, self.plain_generator, self.optimisers["generator"], loss)
        self.average.update(self.plain_generator)
        return {"loss": loss.detach(), "distance": distances.detach().min(dim=1).values.mean(), "rejected": rejected}

    def networks(self) -> dict[str, nn.Module]:
        """The generator and its average."""
        return {"generator": self.plain_generator, "average": self.average.network}

    def healthy(self) -> bool:
        """Whether every weight is finite."""
        return all_finite([self.plain_generator])


def levels(images: Tensor) -> list[Tensor]:
    """Images (n, bands, y, x) and means of their squares of 2, 4 and 8 px."""
    return [F.avg_pool2d(images, divisor) for divisor in _LEVELS]


def unlikeness(ours: Tensor, real: Tensor) -> Tensor:
    """Mean squared plus mean absolute difference: the one finds the place, the other keeps edges."""
    difference = ours.float() - real
    return difference.square().mean() + difference.abs().mean()


def level_distances(real: Tensor, candidates: Tensor) -> Tensor:
    """Distance of every real image from every candidate.

    Parameters
    ----------
    real : Tensor, shape (n, bands, y, x)
    candidates : Tensor, shape (m, bands, y, x)

    Returns
    -------
    Tensor, shape (n, m)
        Root of the mean, over levels, bands and pixels, of squared differences; every level counts as much.
    """
    found, wanted = (
        torch.cat([level.flatten(1) / (len(_LEVELS) * level[0].numel()) ** 0.5 for level in levels(images)], dim=1)
        for images in (candidates, real)
    )
    return torch.cdist(wanted, found)


def nearest(distances: Tensor, rejection: float) -> tuple[Tensor, Tensor]:
    """Choose a candidate for each real image.

    Parameters
    ----------
    distances : Tensor, shape (n, m)
        Infinite where a candidate is not for an image.
    rejection : float
        Candidates nearer than this to any of the images are not chosen, but for an image that would have none.

    Returns
    -------
    Tensor of int64, shape (n,)
        Which is chosen for each.
    Tensor
        Share of the candidates that were rejected.
    """
    near = distances.min(dim=0).values < rejection
    kept = distances.masked_fill(near[None], torch.inf)
    none_left = kept.isinf().all(dim=1, keepdim=True)
    return torch.where(none_left, distances, kept).argmin(dim=1), near.float().mean()
