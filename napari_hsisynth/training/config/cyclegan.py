"""Settings of CycleGAN."""

from __future__ import annotations

from typing import Any, Literal

from napari_hsisynth.training.config.of_rgb import RGBModelConfig
from napari_hsisynth.training.config.shared import Count, setting


class CycleGANConfig(RGBModelConfig):
    """From RGB images to cubes and back; the networks learn without pairs, the linear base is fitted to pairs.

    These are the pixels of the training crops and how they look. With ``base="none"`` nothing is learnt from pairs.
    """

    model: Literal["cyclegan"] = "cyclegan"
    lr: float = setting(
        2e-4, "Learning rate of all optimisers; it falls to 1 % over the second half", gt=0, le=1, allow_inf_nan=False
    )
    cycle_weight: float = setting(
        10.0, "Weight of the mean absolute difference of an image there and back again", ge=0, le=10_000
    )
    rgb_weight: float = setting(
        100.0,
        "Weight of the mean absolute difference, in sRGB, between how a cube looks and the image it was made of; 0 as "
        "published",
        ge=0,
        le=10_000,
    )
    pool_size: Count = setting(
        50,
        "Earlier images from which half of what the critics see is drawn; 0 for none. They are part of each checkpoint",
        "images",
        advanced=True,
        ge=0,
        le=10_000,
    )
    width: Count = setting(
        64, "Channels of the generators' first level; the inner ones have 4 times as many", advanced=True, ge=4, le=256
    )
    blocks: Count = setting(
        6, "Residual blocks of each generator; the paper has 6 up to 128 px, else 9", advanced=True, ge=1, le=32
    )
    critic_width: Count = setting(
        64, "Channels of the critics' first level; further ones have up to 8 times as many", advanced=True, ge=4, le=256
    )


#: Named starting points, as changes of the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "try": {
        "image_size": 64,
        "width": 16,
        "critic_width": 16,
        "blocks": 4,
        "max_images": 8_000,
        "preview_every": 2_000,
        "checkpoint_every": 2_000,
    },
    "good": {
        "image_size": 128,
        "batch_size": 4,
        "max_images": 200_000,
        "preview_every": 10_000,
        "checkpoint_every": 10_000,
    },
    "published": {
        "image_size": 256,
        "batch_size": 1,
        "blocks": 9,
        "base": "none",
        "rgb_weight": 0,
        "paired_weight": 0,
        "max_images": 200_000,
        "preview_every": 10_000,
        "checkpoint_every": 10_000,
    },
}
