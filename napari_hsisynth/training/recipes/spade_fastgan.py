"""Training of SPADE-FastGAN: a FastGAN whose generator and critic are told where the lesion is, and what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from napari_hsisynth.errors import InputError
from napari_hsisynth.models.fastgan import small_side
from napari_hsisynth.models.spade_fastgan import SPADEFastGANCritic, SPADEFastGANGenerator
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import SPADEFastGANConfig
from napari_hsisynth.training.recipes.adversarial import masks_followed, samples_like, scored_distances
from napari_hsisynth.training.recipes.fastgan import FastGANRecipe
from napari_hsisynth.training.recipes.pyramid import shrunk
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.recipes.wrong_masks import wrong_masks
from napari_hsisynth.training.spectral_basis import decoder_for


@register("spade-fastgan")
class SPADEFastGANRecipe(FastGANRecipe):
    """`FastGANRecipe` with masks: the generator paints to them, the critic sees them beside every image.

    A critic could score images well without a look at the mask, and the generator would then not follow it. So the
    critic also learns that a real image with another one's lesion is not real (Reed et al. 2016, arXiv 1605.05396).

    Parameters
    ----------
    config : SPADEFastGANConfig
        Settings.
    bands : int
        Number of spectral bands.
    classes : int
        Diagnoses that generator and critic are told; 1 for none.
    """

    needs: frozenset[str] = frozenset({"masks"})
    config: SPADEFastGANConfig

    def _networks(self, **shared: Any) -> tuple[Any, Any]:
        config = self.config
        generator = SPADEFastGANGenerator(
            latent_dim=config.latent_dim,
            mask_width=config.mask_width,
            spectra=decoder_for(config, shared["bands"]),
            **shared,
        )
        return generator, SPADEFastGANCritic(**shared)

    def _told(self, shown: Batch | Condition) -> tuple[Tensor, ...]:
        if shown.masks is None:
            raise InputError("this model has to be told where the lesion is", where="mask", fix="give it masks")
        return shown.masks.to(self.device), shown.classes.to(self.device)

    def _shown(self, batch: Batch, images: Tensor, small: Tensor) -> tuple[Tensor, ...]:
        """Images, small versions, and the masks of both, each moved and cut as its image is."""
        small_masks = shrunk(batch.masks[:, None].float(), small.shape[-1])[:, 0]
        images, masks = self.augmentation(images, batch, batch.masks)
        small, small_masks = self.augmentation(small, batch, small_masks)
        return images, small, masks, small_masks

    def _further_losses(self, batch: Batch) -> dict[str, Tensor]:
        """How little the critic minds real images with another one's lesion; what hardly differs hardly counts."""
        if not self.config.wrong_mask_weight:
            return {}
        wrong = wrong_masks(self.fabric, batch)
        shown = replace(batch, masks=wrong.masks, classes=wrong.classes)
        small = shrunk(batch.images, small_side(self.config.image_size))
        logits = self._seen(shown, *self._shown(shown, batch.images, small)).logits
        loss = (wrong.wrongness[:, None] * F.relu(1 + logits)).mean()
        return {"wrong_mask_loss": self.config.wrong_mask_weight * loss}

    def validate(self, held_out: Batch, seed: int) -> dict[str, float]:
        """Distances of samples with the held-out masks, and how well lesions follow these, see `mask_following`.

        The score is minus the distances and minus what ``mask_iou`` lacks to that of the held-out images.
        """
        samples, told = samples_like(self, held_out, seed)
        figures = scored_distances(held_out, samples, seed)
        following = masks_followed(held_out, samples, told)
        if following:
            figures["score"] -= max(0.0, following["mask_iou_real"] - following["mask_iou"])
        return {**following, **figures}
