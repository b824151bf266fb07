"""The settings that every model family has, and how a setting is declared."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def whole(value: Any) -> Any:
    """Let a whole number be written as 20000, "2e4" or "20_000"."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if math.isfinite(number) and number == int(number) else value
    return value


Count = Annotated[int, BeforeValidator(whole)]


def setting(
    default: Any, description: str, unit: str = "", advanced: bool = False, path: str = "", **bounds: Any
) -> Any:
    """Declare a setting: its default, what it is in one line, its unit, whether forms fold it away, and its bounds.

    A text that is a path says of what ("folder" or "file"), so that forms let one choose it.
    """
    extra: dict[str, Any] = {"unit": unit, "advanced": advanced} | ({"path": path} if path else {})
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class ModelConfig(BaseModel):
    """What every model family has.

    Attributes
    ----------
    DRAWING : tuple of str
        Settings that only say how samples are drawn: a trained run can be drawn from with others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    DRAWING: ClassVar[tuple[str, ...]] = ()

    image_size: Count = setting(64, "Side of the square images to train on and to sample", "px", ge=16, le=1024)
    batch_size: Count = setting(8, "Images per optimiser step", "images", ge=1, le=1024)
    max_images: Count = setting(60_000, "Length of the training, in real images shown", "images", ge=1, le=10**9)
    lr: float = setting(1e-3, "Learning rate of the optimiser", gt=0, le=1, allow_inf_nan=False)
    seed: Count = setting(0, "Seed of everything random in the run", ge=0, le=2**32 - 1)
    latent_dim: Count = setting(64, "Length of the latent vector", ge=2, le=1024)
    conditional: bool = setting(
        False, "Learn every diagnosis with one model that is told which; samples are then drawn by diagnosis"
    )
    spectral_basis: Literal["none", "pca", "nmf"] = setting(
        "none",
        "Make no spectra but mixtures of a few that are fitted to the training split: pca keeps to their subspace, "
        "nmf mixes non-negative spectra with non-negative weights",
    )
    basis_components: Count = setting(
        6, "Components of the spectral basis, at most as many as bands", "components", advanced=True, ge=2, le=1024
    )
    init: str = setting(
        "",
        "Begin with the weights of a trained run of the same model: its folder, or its name in this study; for example "
        "one trained on phantoms",
    )
    train_crops: Count = setting(
        0,
        "Learn from only so many of the training crops, of each diagnosis in proportion, to see what more of them "
        "bring; 0 takes all",
        "crops",
        advanced=True,
        ge=0,
        le=10**6,
    )
    augment: bool = setting(True, "Show flipped, shifted, scaled and rotated versions; spectra stay as they are")
    preview_every: Count = setting(4_000, "A preview of samples is made every so many images", "images", ge=1, le=10**9)
    checkpoint_every: Count = setting(
        4_000, "Validation and a checkpoint every so many images", "images", ge=1, le=10**9
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting(
        "auto", "Where to train; auto takes a CUDA GPU, else Apple's, else the CPU"
    )
    precision: Literal["auto", "32", "tf32", "bf16"] = setting(
        "auto",
        "Arithmetic of the networks; auto takes bf16 on GPUs that have it (with TF32 for the rest), else 32 bits",
        advanced=True,
    )
    devices: Count = setting(
        1,
        "Processes to train with on each machine, one per GPU; the batch is shared among them",
        ge=1,
        le=64,
        advanced=True,
    )
    num_nodes: Count = setting(1, "Machines to train on together", ge=1, le=1024, advanced=True)
    compile: bool = setting(
        False, "Compile the network: a minute or more at the start, then faster on a GPU", advanced=True
    )
    on_divergence: Literal["warn", "stop", "roll_back"] = setting(
        "warn",
        "What to do when the training diverges: only say so, stop, or go back to the last preview that looked right "
        "with half the learning rate",
        advanced=True,
    )
    logger: Literal["none", "tensorboard", "wandb"] = setting(
        "none", "Write the losses and previews to TensorBoard or Weights & Biases as well", advanced=True
    )
    ema_decay: float = setting(
        0.999, "Decay per step of the averaged weights that samples are drawn from", advanced=True, ge=0, lt=1
    )

    def noise_length(self, bands: int) -> int:
        """Standard normal numbers that one sample of so many `bands` is made from."""
        return self.latent_dim
