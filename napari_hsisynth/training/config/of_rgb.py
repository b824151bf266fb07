"""What the families that make cubes of RGB images have in common."""

from __future__ import annotations

from typing import Literal

from napari_hsisynth.training.config.shared import Count, ModelConfig, setting


class RGBModelConfig(ModelConfig):
    """An RGB image tells what a sample shows; there is no noise, and `latent_dim` is not used."""

    latent_dim: Count = setting(
        64, "Not used by this model: an RGB image is all that a sample is made from", advanced=True, ge=2, le=1024
    )
    photos: str = setting(
        "",
        "Folder of dermoscopy photographs to learn from, searched with all folders in it; empty: how the training "
        "crops themselves look",
        path="folder",
    )
    camera: str = setting(
        "cie1931",
        "How a cube looks: cie1931, or a CSV file of a camera's sensitivities with the columns wavelength_nm,r,g,b",
        path="file",
    )
    base: Literal["linear", "none"] = setting(
        "linear",
        "What the network adds to: a linear regression from RGB to spectra, which is fitted to pairs of training "
        "pixels, or nothing",
    )
    paired_weight: float = setting(
        0.0,
        "Weight of the mean absolute difference from each training crop, made of its own RGB; with 0 and base none, "
        "pairs are not used",
        ge=0,
        le=10_000,
    )

    def noise_length(self, bands: int) -> int:
        """An RGB image is all that a sample is made from."""
        return 0
