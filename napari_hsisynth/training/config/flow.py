"""Settings of the flow-matching generator."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from napari_hsisynth.training.config.shared import Count, ModelConfig, setting


class FlowConfig(ModelConfig):
    """Flow matching: nothing adversarial, so it cannot collapse; a sample takes as many network passes as steps."""

    DRAWING: ClassVar[tuple[str, ...]] = ("guidance", "sampler", "sampler_steps")

    model: Literal["flow"] = "flow"
    latent_dim: Count = setting(
        64, "Not used by this model: its noise is as large as an image", advanced=True, ge=2, le=1024
    )
    spectral_basis: Literal["none", "pca"] = setting(
        "none",
        "Make no spectra but mixtures of a few that are fitted to the training split: pca learns in the coordinates of "
        "their subspace; nmf has no linear way from images to its weights, which this model would need",
    )
    mask_conditional: bool = setting(
        False, "Learn where the lesion is to be; samples are then drawn for masks that they are given"
    )
    guidance: float = setting(
        1.0,
        "How far samples are pushed towards their diagnosis and mask: 1 not at all, 2 or 3 at the cost of variety",
        ge=0,
        le=20,
    )
    sampler: Literal["euler", "heun"] = setting(
        "heun", "How samples follow the flow: heun takes two network passes in a step, with a smaller error"
    )
    sampler_steps: Count = setting(12, "Steps from noise to a sample", "steps", ge=1, le=1000)
    augment_probability: float = setting(
        0.12,
        "Of each strong transform (flip, quarter turn, shift, scale, gain, offset) that the network is told of, so "
        "that samples do not show it",
        ge=0,
        le=1,
    )
    times: Literal["logit-normal", "uniform"] = setting(
        "uniform", "Where between noise and image it learns: everywhere alike, or mostly midway", advanced=True
    )
    patch_px: Count = setting(
        2,
        "Side of the blocks of pixels that the network sees as one; 1 is about four times slower",
        "px",
        advanced=True,
        ge=1,
        le=4,
    )
    levels: Count = setting(3, "Resolutions of the network, each half of the one before", advanced=True, ge=2, le=6)
    width: Count = setting(
        48,
        "Channels at the finest level of the network; coarser ones have twice as many",
        advanced=True,
        ge=4,
        le=512,
    )

    def noise_length(self, bands: int) -> int:
        """As many numbers as an image has values, or coordinates in the spectral basis."""
        return (bands if self.spectral_basis == "none" else self.basis_components) * self.image_size**2


#: Named starting points, as changes of the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "try": {"image_size": 64, "max_images": 24_000, "preview_every": 4_000, "checkpoint_every": 4_000},
    "good": {
        "image_size": 256,
        "batch_size": 32,
        "lr": 3e-4,
        "width": 128,
        "levels": 4,
        "ema_decay": 0.9999,
        "sampler_steps": 20,
        "max_images": 2_000_000,
        "preview_every": 50_000,
        "checkpoint_every": 50_000,
    },
}
