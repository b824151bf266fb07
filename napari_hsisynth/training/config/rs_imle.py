"""Settings of RS-IMLE."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from napari_hsisynth.training.config.shared import Count, ModelConfig, setting, whole


class RSIMLEConfig(ModelConfig):
    """RS-IMLE: FastGAN's generator without a critic; leaves no crop out and cannot collapse, samples are smoother."""

    model: Literal["rs-imle"] = "rs-imle"
    image_size: Annotated[Literal[64, 128, 256, 512], BeforeValidator(whole)] = setting(
        64, "Side of the square images to train on and to sample", "px"
    )
    lr: float = setting(2e-4, "Learning rate of the optimiser", gt=0, le=1, allow_inf_nan=False)
    latent_dim: Count = setting(256, "Length of the latent vector", ge=2, le=1024)
    width: Count = setting(
        16, "Channels of the map of 128 px; coarser ones have up to 16 times as many", advanced=True, ge=4, le=256
    )
    candidates: Count = setting(
        8,
        "Samples drawn in a step for each real image; the nearest one of all learns it. More cover better and cost "
        "more time",
        "samples",
        ge=1,
        le=1000,
    )
    rejection: float = setting(
        0.2,
        "Samples nearer than this to a real image of the batch do not learn: 0 lets all; 1 is a standard deviation in "
        "every pixel",
        advanced=True,
        ge=0,
        le=10,
    )
    norm: Literal["batch", "group"] = setting(
        "batch",
        "Normalisation; with group, which looks at one image at a time, a sample is the same in training and after it",
        advanced=True,
    )


#: Named starting points, as changes of the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "try": {"max_images": 12_000, "preview_every": 2_000, "checkpoint_every": 2_000},
    "good": {
        "image_size": 256,
        "width": 64,
        "candidates": 16,
        "max_images": 400_000,
        "preview_every": 20_000,
        "checkpoint_every": 20_000,
    },
}
