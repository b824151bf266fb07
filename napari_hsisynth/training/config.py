"""The settings of every model family: one declaration makes the YAML, the command-line flags and the form in the dock.

Every field has bounds, a unit (``json_schema_extra={"unit": ...}``) and a one-line description. Loads no torch.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from napari_hsisynth.errors import InputError


def _whole(value: Any) -> Any:
    """Let a count be written as 20000, "2e4" or "20_000"."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if math.isfinite(number) and number == int(number) else value
    return value


Count = Annotated[int, BeforeValidator(_whole)]


def _setting(default: Any, description: str, unit: str = "", advanced: bool = False, **bounds: Any) -> Any:
    return Field(default, description=description, json_schema_extra={"unit": unit, "advanced": advanced}, **bounds)


class ModelConfig(BaseModel):
    """What every model family has."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    image_size: Count = _setting(64, "Side of the square images to train on and to sample", "px", ge=16, le=1024)
    batch_size: Count = _setting(8, "Images per optimiser step", "images", ge=1, le=1024)
    max_images: Count = _setting(60_000, "Length of the training, in real images shown", "images", ge=1, le=10**9)
    lr: float = _setting(1e-3, "Learning rate of the optimiser", gt=0, le=1, allow_inf_nan=False)
    seed: Count = _setting(0, "Seed of everything random in the run", ge=0, le=2**32 - 1)
    latent_dim: Count = _setting(64, "Length of the latent vector", ge=2, le=1024)
    conditional: bool = _setting(
        False, "Learn every diagnosis with one model that is told which; samples are then drawn by diagnosis"
    )
    spectral_basis: Literal["none", "pca", "nmf"] = _setting(
        "none",
        "Make no spectra but mixtures of a few that are fitted to the training split: pca keeps to their subspace, "
        "nmf mixes non-negative spectra with non-negative weights",
    )
    basis_components: Count = _setting(
        6, "Components of the spectral basis, at most as many as bands", "components", advanced=True, ge=2, le=1024
    )
    augment: bool = _setting(True, "Show flipped, shifted, scaled and rotated versions; spectra stay as they are")
    preview_every: Count = _setting(
        4_000, "A preview of samples is made every so many images", "images", ge=1, le=10**9
    )
    checkpoint_every: Count = _setting(
        4_000, "Validation and a checkpoint every so many images", "images", ge=1, le=10**9
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = _setting(
        "auto", "Where to train; auto takes a CUDA GPU, else Apple's, else the CPU"
    )
    precision: Literal["auto", "32", "tf32", "bf16"] = _setting(
        "auto",
        "Arithmetic of the networks; auto takes bf16 on GPUs that have it (with TF32 for the rest), else 32 bits",
        advanced=True,
    )
    devices: Count = _setting(
        1,
        "Processes to train with on each machine, one per GPU; the batch is shared among them",
        ge=1,
        le=64,
        advanced=True,
    )
    num_nodes: Count = _setting(1, "Machines to train on together", ge=1, le=1024, advanced=True)
    compile: bool = _setting(
        False, "Compile the network: a minute or more at the start, then faster on a GPU", advanced=True
    )
    on_divergence: Literal["warn", "stop", "roll_back"] = _setting(
        "warn",
        "What to do when the training diverges: only say so, stop, or go back to the last preview that looked right "
        "with half the learning rate",
        advanced=True,
    )
    logger: Literal["none", "tensorboard", "wandb"] = _setting(
        "none", "Write the losses and previews to TensorBoard or Weights & Biases as well", advanced=True
    )
    ema_decay: float = _setting(
        0.999, "Decay per step of the averaged weights that samples are drawn from", advanced=True, ge=0, lt=1
    )


class VAEConfig(ModelConfig):
    """Variational autoencoder: quick, stable, the first model to try; samples are smoother than the real crops."""

    model: Literal["vae"] = "vae"
    objective: Literal["elbo", "published", "autoencoder"] = _setting(
        "elbo",
        "What is learnt by: elbo is the bound itself, with sums; published is mean L1 and mean KL, which weighs the KL "
        "far more and blurs; autoencoder has no KL, samples are drawn where its latents lie",
    )
    beta: float = _setting(
        1.0,
        "Of objective elbo: weight of the KL term (sums over pixels and latents; 1 is the ELBO itself)",
        ge=0,
        le=1000,
    )
    kl_weight: float = _setting(
        1e-2, "Of objective published: weight of the mean KL term beside the mean L1", advanced=True, ge=0, le=1000
    )
    width: Count = _setting(
        24, "Channels of the first layer; deeper layers have up to 8 times as many", advanced=True, ge=4, le=256
    )


class DCGANConfig(ModelConfig):
    """Adversarial training of a DCGAN generator: sharper samples than a VAE's, with more to go wrong."""

    model: Literal["dcgan"] = "dcgan"
    lr: float = _setting(2e-4, "Learning rate of both optimisers", gt=0, le=1, allow_inf_nan=False)
    loss: Literal["hinge", "wgan-gp"] = _setting(
        "hinge", "What the critic learns: to tell apart by a margin, or the Wasserstein distance with gradient penalty"
    )
    critic: Literal["2d", "3d"] = _setting(
        "2d", "Convolutions of the critic: over (y, x) with bands as channels, or over (band, y, x), which is slower"
    )
    spectral_norm: bool = _setting(True, "Bound the gain of each of the critic's layers to 1")
    fourier_arm: bool = _setting(False, "Let the critic also see the Fourier magnitudes along the bands")
    diff_augment: bool = _setting(
        False, "Shift, cover, brighten and darken what the critic sees: slower at first, for long runs on few crops"
    )
    n_critic: Count = _setting(1, "Steps of the critic to one of the generator", "steps", ge=1, le=100)
    gp_weight: float = _setting(
        10.0, "Weight of the gradient penalty; used by wgan-gp only", advanced=True, ge=0, le=1000
    )
    norm: Literal["batch", "none"] = _setting(
        "batch", "Normalisation in the generator; with none, several processes train exactly as one", advanced=True
    )
    width: Count = _setting(
        32,
        "Channels at the finest hidden level of both networks; coarser ones have up to 8 times as many",
        advanced=True,
        ge=4,
        le=256,
    )


#: Every model family's configuration by the name that ``--model`` takes.
MODELS: dict[str, type[ModelConfig]] = {"vae": VAEConfig, "dcgan": DCGANConfig}

#: Named starting points, per model, as changes of the defaults.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "vae": {
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
    },
    "dcgan": {
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
    },
}


def parse(values: Mapping[str, Any]) -> ModelConfig:
    """Check settings as they come from a YAML file, from ``--set`` flags or from a form.

    Parameters
    ----------
    values : mapping
        Field names to values; strings are converted ("1e-4", "8", "true"). ``model`` chooses the family. The key
        ``run`` of a run folder's ``config.yaml`` is left out, so that such a file can be used again.

    Returns
    -------
    ModelConfig
        The configuration, complete and within bounds.

    Raises
    ------
    InputError
        In one line: the field, the value and what is allowed; for an unknown field, the nearest known one.
    """
    settings = {str(key): value for key, value in values.items() if key != "run"}
    model = settings.get("model", "vae")
    if not isinstance(model, str) or model not in MODELS:
        raise InputError(f"model {model!r} is not known", where="model", fix=f"choose one of: {', '.join(MODELS)}")
    family = MODELS[model]
    unknown = [key for key in settings if key not in family.model_fields]
    if unknown:
        near = difflib.get_close_matches(unknown[0], family.model_fields, n=1)
        known = ", ".join(name for name in family.model_fields if name != "model")
        fix = f"did you mean {near[0]!r}?" if near else f"known settings: {known}"
        raise InputError(f"{model} has no setting {unknown[0]!r}", where="configuration", fix=fix)
    try:
        return family.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "configuration"
        allowed = describe_allowed(family.model_fields[name]) if name in family.model_fields else first["msg"]
        raise InputError(f"{first['input']!r} is not allowed", where=name, fix=f"use {allowed}") from None


def check_bands(config: ModelConfig, bands: int) -> None:
    """Raise InputError if a configuration asks for a spectral basis larger than `bands` have."""
    if config.spectral_basis != "none" and config.basis_components > bands:
        raise InputError(
            f"{bands} bands have no basis of {config.basis_components} components",
            where="basis_components",
            fix=f"use at most {bands}",
        )


def describe_allowed(field: FieldInfo) -> str:
    """The values a field takes, in words: ``"a whole number from 16 to 1024 (px)"``."""
    if options := get_args(field.annotation):
        return "one of: " + ", ".join(map(str, options))
    if field.annotation is bool:
        return "true or false"
    limits = {
        name: getattr(m, name)
        for m in field.metadata
        for name in ("ge", "gt", "le", "lt", "multiple_of")
        if hasattr(m, name)
    }
    words = ["a whole number" if field.annotation is int else "a number"]
    if "ge" in limits:
        words.append(f"from {limits['ge']:g}")
    if "gt" in limits:
        words.append(f"above {limits['gt']:g}")
    if "le" in limits:
        words.append(f"to {limits['le']:g}" if "ge" in limits else f"and up to {limits['le']:g}")
    if "lt" in limits:
        words.append(f"and below {limits['lt']:g}")
    text = " ".join(words)
    if "multiple_of" in limits:
        text += f", a multiple of {limits['multiple_of']:g}"
    extra = field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else ""
    return f"{text} ({unit})" if unit else text


@dataclass(frozen=True)
class DataSummary:
    """How many crops a training would see.

    Parameters
    ----------
    crops : int
        All crops of the chosen diagnosis (or of every one).
    by_diagnosis : dict
        Crops per diagnosis (`Diagnosis` to count), only those that occur.
    train, val, test : int
        Crops per split; the splits are by patient, else by cube.
    """

    crops: int
    by_diagnosis: dict[Any, int]
    train: int
    val: int
    test: int


def data_summary(study: Any, diagnosis: str | None = None) -> DataSummary:
    """Count a study's crops per diagnosis and split, without reading them.

    Parameters
    ----------
    study : Study
        The study; its splits are made and stored if this is their first use.
    diagnosis : str, optional
        Count only crops of this diagnosis; by default all.
    """
    records = [r for r in study.crops() if diagnosis is None or r.diagnosis == diagnosis]
    splits = study.splits() if records else {}
    held = [splits[record.cube_id] for record in records]
    return DataSummary(
        crops=len(records),
        by_diagnosis=_tally(record.diagnosis for record in records),
        train=held.count("train"),
        val=held.count("val"),
        test=held.count("test"),
    )


def _tally(values: Iterable[Any]) -> dict[Any, int]:
    counts: dict[Any, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts
