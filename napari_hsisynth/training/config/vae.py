"""Settings of the variational autoencoder."""

from __future__ import annotations

from typing import Any, Literal

from napari_hsisynth.training.config.shared import Count, ModelConfig, setting


class VAEConfig(ModelConfig):
    """Variational autoencoder: quick, stable, the first model to try; samples are smoother than the real crops."""

    model: Literal["vae"] = "vae"
    objective: Literal["elbo", "published", "autoencoder"] = setting(
        "elbo",
        "What is learnt by: elbo is the bound itself, with sums; published is mean L1 and mean KL, which weighs the KL "
        "far more and blurs; autoencoder has no KL, samples are drawn where its latents lie",
    )
    beta: float = setting(
        1.0,
        "Of objective elbo: weight of the KL term (sums over pixels and latents; 1 is the ELBO itself)",
        ge=0,
        le=1000,
    )
    kl_weight: float = setting(
        1e-2, "Of objective published: weight of the mean KL term beside the mean L1", advanced=True, ge=0, le=1000
    )
    width: Count = setting(
        24, "Channels of the first layer; deeper layers have up to 8 times as many", advanced=True, ge=4, le=256
    )


#: Named starting points, as changes of the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "try": {"image_size": 64, "max_images": 12_000, "preview_every": 2_000, "checkpoint_every": 2_000},
    "good": {
        "image_size": 256,
        "batch_size": 16,
        "max_images": 400_000,
        "lr": 5e-4,
        "preview_every": 20_000,
        "checkpoint_every": 20_000,
    },
    "published": {
        "objective": "published",
        "kl_weight": 1e-2,
        "latent_dim": 64,
        "lr": 2e-4,
        "image_size": 256,
        "max_images": 400_000,
        "preview_every": 20_000,
        "checkpoint_every": 20_000,
    },
}
