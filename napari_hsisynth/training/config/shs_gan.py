"""Settings of SHS-GAN."""

from __future__ import annotations

from typing import Any, Literal

from napari_hsisynth.training.config.of_rgb import RGBModelConfig
from napari_hsisynth.training.config.shared import Count, setting


class SHSGANConfig(RGBModelConfig):
    """From RGB images to cubes: a U-Net against a critic of space and spectrum, held to the colours it was shown."""

    model: Literal["shs-gan"] = "shs-gan"
    paired_weight: float = setting(
        100.0,
        "Weight of the mean absolute difference from each training crop, made of its own RGB; 0 learns without pairs, "
        "as published",
        ge=0,
        le=10_000,
    )
    lr: float = setting(1e-4, "Learning rate of both optimisers", gt=0, le=1, allow_inf_nan=False)
    rgb_weight: float = setting(
        100.0,
        "Weight of the mean absolute difference, in sRGB, from the image that a cube was made of",
        ge=0,
        le=10_000,
    )
    adversarial_weight: float = setting(
        0.1,
        "Weight of the critic in what the generator learns by; more of it makes noise and texture more like the real "
        "ones, and each spectrum less accurate",
        ge=0,
        le=10_000,
    )
    n_critic: Count = setting(5, "Steps of the critic to one of the generator", "steps", ge=1, le=100)
    gp_weight: float = setting(10.0, "Weight of the gradient penalty", advanced=True, ge=0, le=1000)
    critic: Literal["3d", "2d"] = setting(
        "3d",
        "Convolutions of the critic's spatial arm: over (band, y, x), or, quicker, over (y, x) with bands as channels",
    )
    fourier_arm: bool = setting(True, "Let the critic also see the Fourier magnitudes along the bands", advanced=True)
    width: Count = setting(
        32,
        "Channels of the generator's first level; coarser ones have up to 8 times as many",
        advanced=True,
        ge=4,
        le=256,
    )
    critic_width: Count = setting(
        32, "Channels of the critic's first level; coarser ones have up to 8 times as many", advanced=True, ge=4, le=256
    )


#: Named starting points, as changes of the defaults. The published one has the networks, the critic's two arms and the
#: losses of the paper, which trains without pairs; sizes, rates and weights are ours.
PRESETS: dict[str, dict[str, Any]] = {
    "try": {
        "image_size": 64,
        "width": 16,
        "critic_width": 16,
        "n_critic": 2,
        "max_images": 8_000,
        "preview_every": 2_000,
        "checkpoint_every": 2_000,
    },
    "good": {
        "image_size": 128,
        "batch_size": 16,
        "max_images": 400_000,
        "preview_every": 20_000,
        "checkpoint_every": 20_000,
    },
    "published": {
        "image_size": 256,
        "width": 64,
        "critic_width": 64,
        "base": "none",
        "adversarial_weight": 1,
        "paired_weight": 0,
        "max_images": 400_000,
        "preview_every": 20_000,
        "checkpoint_every": 20_000,
    },
}
