"""Settings of FastGAN."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from napari_hsisynth.training.config.shared import Count, ModelConfig, setting, whole


class FastGANConfig(ModelConfig):
    """FastGAN: the published winner at 256 px; sharp samples from few crops, at several times the work of a DCGAN."""

    model: Literal["fastgan"] = "fastgan"
    image_size: Annotated[Literal[64, 128, 256, 512], BeforeValidator(whole)] = setting(
        64, "Side of the square images to train on and to sample", "px"
    )
    lr: float = setting(2e-4, "Learning rate of both optimisers", gt=0, le=1, allow_inf_nan=False)
    latent_dim: Count = setting(256, "Length of the latent vector", ge=2, le=1024)
    width: Count = setting(
        16,
        "Channels of the generator's map of 128 px and of the discriminator's of 64 px; coarser ones have up to 16 "
        "times as many. 64 as published; less trains on a CPU",
        ge=4,
        le=256,
    )
    reconstruction: Literal["auto", "lpips", "structure"] = setting(
        "auto",
        "How the discriminator's drawings of real images are compared with them: by the perceptual distance LPIPS, "
        "which needs weights of an ImageNet network on this machine, or by L1 and multi-scale SSIM; auto takes LPIPS "
        "if the weights are there",
    )
    diff_augment: bool = setting(True, "Shift, cover, brighten and darken what the discriminator sees")
    margin_noise: float = setting(
        0.0,
        "The score asked for of real images is drawn from 1 minus to 1 plus this, for each score anew",
        advanced=True,
        ge=0,
        le=1,
    )
    norm: Literal["batch", "group"] = setting(
        "batch",
        "Normalisation in both networks; with group, which looks at one image at a time, several processes train "
        "exactly as one",
        advanced=True,
    )


#: Named starting points, as changes of the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "try": {"max_images": 24_000, "preview_every": 2_000, "checkpoint_every": 2_000},
    "good": {
        "image_size": 256,
        "width": 64,
        "batch_size": 8,
        "max_images": 400_000,
        "preview_every": 20_000,
        "checkpoint_every": 20_000,
    },
    "published": {
        "image_size": 256,
        "latent_dim": 256,
        "width": 64,
        "lr": 2e-4,
        "batch_size": 8,
        "ema_decay": 0.999,
        "max_images": 400_000,
        "preview_every": 20_000,
        "checkpoint_every": 20_000,
    },
}
