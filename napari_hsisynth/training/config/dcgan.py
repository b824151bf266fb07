"""Settings of the DCGAN family."""

from __future__ import annotations

from typing import Any, Literal

from napari_hsisynth.training.config.shared import Count, ModelConfig, setting


class DCGANConfig(ModelConfig):
    """Adversarial training of a DCGAN generator: sharper samples than a VAE's, with more to go wrong."""

    model: Literal["dcgan"] = "dcgan"
    lr: float = setting(2e-4, "Learning rate of both optimisers", gt=0, le=1, allow_inf_nan=False)
    loss: Literal["hinge", "wgan-gp"] = setting(
        "hinge", "What the critic learns: to tell apart by a margin, or the Wasserstein distance with gradient penalty"
    )
    critic: Literal["2d", "3d"] = setting(
        "2d", "Convolutions of the critic: over (y, x) with bands as channels, or over (band, y, x), which is slower"
    )
    spectral_norm: bool = setting(True, "Bound the gain of each of the critic's layers to 1")
    fourier_arm: bool = setting(False, "Let the critic also see the Fourier magnitudes along the bands")
    diff_augment: bool = setting(
        False, "Shift, cover, brighten and darken what the critic sees: slower at first, for long runs on few crops"
    )
    n_critic: Count = setting(1, "Steps of the critic to one of the generator", "steps", ge=1, le=100)
    gp_weight: float = setting(
        10.0, "Weight of the gradient penalty; used by wgan-gp only", advanced=True, ge=0, le=1000
    )
    norm: Literal["batch", "none"] = setting(
        "batch", "Normalisation in the generator; with none, several processes train exactly as one", advanced=True
    )
    width: Count = setting(
        32,
        "Channels at the finest hidden level of both networks; coarser ones have up to 8 times as many",
        advanced=True,
        ge=4,
        le=256,
    )


#: Named starting points, as changes of the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "try": {"image_size": 64, "max_images": 24_000, "preview_every": 2_000, "checkpoint_every": 2_000},
    "good": {
        "image_size": 128,
        "batch_size": 16,
        "width": 64,
        "diff_augment": True,
        "max_images": 600_000,
        "preview_every": 20_000,
        "checkpoint_every": 20_000,
    },
    "published": {
        "image_size": 64,
        "batch_size": 4,
        "width": 64,
        "loss": "wgan-gp",
        "spectral_norm": False,
        "diff_augment": False,
        "n_critic": 2,
        "gp_weight": 10,
        "lr": 1e-5,
        "max_images": 600_000,
        "preview_every": 20_000,
        "checkpoint_every": 20_000,
    },
}
