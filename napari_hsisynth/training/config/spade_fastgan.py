"""Settings of SPADE-FastGAN."""

from __future__ import annotations

from typing import Any, Literal

from napari_hsisynth.training.config import fastgan
from napari_hsisynth.training.config.fastgan import FastGANConfig
from napari_hsisynth.training.config.shared import Count, setting


class SPADEFastGANConfig(FastGANConfig):
    """FastGAN that draws a lesion where a mask says; for samples with known outlines, at about twice the work."""

    model: Literal["spade-fastgan"] = "spade-fastgan"  # type: ignore[assignment]
    mask_width: Count = setting(
        32, "Channels between the mask and what it does to each level of the generator", advanced=True, ge=4, le=256
    )
    wrong_mask_weight: float = setting(
        0.5,
        "How much it counts that the discriminator takes real images with another lesion's mask for real; with 0 it "
        "need not look at the mask",
        advanced=True,
        ge=0,
        le=10,
    )


#: Named starting points, as changes of the defaults: those of FastGAN.
PRESETS: dict[str, dict[str, Any]] = fastgan.PRESETS
