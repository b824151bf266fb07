"""Begin a training with the weights of another run, such as one on phantoms, instead of random ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.config import ModelConfig
from napari_hsisynth.training.recipes import Recipe

#: Below this part of the weights, two networks are not the same one with a few layers more or less.
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Start:
    """Where a training began.

    Parameters
    ----------
    facts : dict
        For the run's ``config.yaml``: run, checkpoint, its sha256, images shown before, and fingerprint of its crops.
    warnings : tuple of str
        What could not be taken over, one sentence each.
    """

    facts: dict[str, Any]
    warnings: tuple[str, ...]


def found_run(init: str, runs_dir: Path) -> RunFolder:
    """Return the run that `init` names: a folder, or the name of one in `runs_dir`.

    Raises
    ------
    InputError
        If there is none, or it has no checkpoint yet.
    """
    for candidate in (Path(init).expanduser(), runs_dir / init):
        run = RunFolder(candidate.absolute())
        if run.exists():
            if not (run.checkpoints_dir / "last.pt").exists():
                raise InputError("the run has no checkpoint yet", where=init, fix="train it for longer first")
            return run
    raise InputError("no such run", where=init, fix="pass a run folder: STUDY/runs/<run>")


def check_family(run: RunFolder, config: ModelConfig) -> None:
    """Raise InputError if a run is of another model family than a configuration."""
    theirs, ours = run.config.get("model"), config.model_dump()["model"]
    if theirs != ours:
        raise InputError(f"a run of {theirs} has no weights for {ours}", where=run.path, fix=f"use a run of {ours}")


@torch.no_grad()
def take_weights(recipe: Recipe, run: RunFolder, classes: tuple[str, ...], bands: int) -> Start:
    """Copy the last weights of `run` into the networks of a recipe that is set up and prepared.

    Tensors of the same name and shape are taken, of averaged networks too. Optimisers begin anew, and so does what is
    fitted to the training data (normalisation, latents), but a spectral basis is taken along, since the weights in
    front of it mix its components. Weights that belong to the diagnoses told apart are taken only if both runs tell the
    same ones apart, in the same order.

    Parameters
    ----------
    recipe : Recipe
        Changed in place.
    run : RunFolder
        Of the same family.
    classes : tuple of str
        What this training tells apart.
    bands : int
        Of its images.

    Raises
    ------
    InputError
        If the run has other bands, or networks that have less than half of the weights in common with these.
    """
    file = run.checkpoints_dir / "last.pt"
    kept = checkpoints.load(file)
    if len(kept.wavelengths_nm) != bands:
        raise InputError(
            f"its cubes have {len(kept.wavelengths_nm)} bands, these {bands}", where=run.path, fix="use another run"
        )
    same_classes = tuple(kept.classes) == classes
    taken = total = 0
    left: list[str] = []
    for name, network in recipe.networks().items():
        theirs, ours = kept.recipe.get(name, {}), network.state_dict()
        for key, value in ours.items():
            told = "class" in key
            if key in theirs and theirs[key].shape == value.shape and (same_classes or not told):
                value.copy_(theirs[key])
                taken += value.numel()
            else:
                left.append(f"{name}.{key}")
            total += value.numel()
    if taken < _LEAST_SHARE * total:
        raise InputError(
            f"only {taken:,} of {total:,} weights have the same name and shape",
            where=run.path,
            fix="use the settings that run was trained with (its config.yaml)",
        )
    warnings = []
    if left:
        shown = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
        why = "" if same_classes else " (the runs do not tell the same diagnoses apart)"
        warnings.append(f"{total - taken:,} of {total:,} weights begin at random{why}: {shown}")
    facts = {
        "run": run.id,
        "checkpoint": f"last@{kept.images}",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "data_fingerprint": kept.fingerprint,
    }
    return Start(facts, tuple(warnings))
