"""Begin a training with the weights of another run, such as one on phantoms, instead of random ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.study import Study
from napari_hsisynth.study.split_file import SPLITS, read_split
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.config import ModelConfig
from napari_hsisynth.training.generator import study_of
from napari_hsisynth.training.recipes import Recipe
from napari_hsisynth.typed_path import typed_path

#: The checkpoint that is begun with.
LAST = "last.pt"
#: Settings that give weights of the same name another meaning.
_MEANING = ("base", "spectral_basis", "basis_components")
#: Bands this near to each other are taken for the same, nm.
_ALIKE_NM = 1.0
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
    run = _named(init, runs_dir)
    if run is None:
        raise InputError("no such run", where=init, fix="pass a run folder: STUDY/runs/<run>")
    if not (run.checkpoints_dir / LAST).exists():
        raise InputError("the run has no checkpoint yet", where=init, fix="train it for longer first")
    return run


def _named(init: str, runs_dir: Path) -> RunFolder | None:
    runs = (RunFolder(candidate.absolute()) for candidate in (typed_path(init), runs_dir / init))
    return next((run for run in runs if run.exists()), None)


def check_alike(run: RunFolder, config: ModelConfig, bands: int) -> None:
    """Raise InputError if a run is of another family or other bands, or if its weights have another meaning."""
    stored, ours = run.config, config.model_dump()
    if stored.get("model") != ours["model"]:
        raise InputError(
            f"a run of {stored.get('model')} has no weights for {ours['model']}",
            where=run.path,
            fix=f"use a run of {ours['model']}",
        )
    for name in _MEANING:
        if name == "basis_components" and ours["spectral_basis"] == "none":
            continue
        theirs = stored.get(name, ours.get(name))
        if theirs != ours.get(name):
            raise InputError(
                f"the run was trained with {name}={theirs}, this is to be with {ours[name]}",
                where=run.path,
                fix=f"use --set {name}={theirs}",
            )
    try:
        theirs = len(study_of(run).wavelengths_nm)
    except InputError:  # the run was moved away from its study; its checkpoint knows too, once it is read
        return
    _check_bands(run, theirs, bands)


def warn_of_leak(run: RunFolder, study: Study) -> list[str]:
    """Say it if a run, or one that it began with itself, has trained on cubes of the study that are held out now."""
    now = study.splits()
    seen: set[str] = set()
    for one in _line_of(run):
        try:
            if not study.root.samefile(study_of(one).root):
                continue
        except (InputError, OSError):  # the run was moved away from its study
            continue
        then = read_split(one.path / SPLITS)[0] or {}
        seen |= {cube for cube, side in then.items() if side == "train" and now.get(cube, "train") != "train"}
    if not seen:
        return []
    more = f" and {len(seen) - 3} more" if len(seen) > 3 else ""
    return [f"the first weights have seen cubes that are held out now: {', '.join(sorted(seen)[:3])}{more}"]


def _line_of(run: RunFolder) -> Iterator[RunFolder]:
    """A run, the one that it began with, and so on as far as they are still there."""
    known: set[Path] = set()
    one: RunFolder | None = run
    while one is not None and one.path not in known:
        yield one
        known.add(one.path)
        try:
            init = str(one.config.get("init") or "")
        except InputError:  # a damaged one
            return
        one = _named(init, one.path.parent) if init else None


@torch.no_grad()
def take_weights(
    recipe: Recipe, run: RunFolder, content: bytes, classes: tuple[str, ...], wavelengths_nm: ArrayLike
) -> Start:
    """Copy the last weights of `run` into the networks of a recipe that is set up and prepared.

    Tensors of the same name and shape are taken, of averaged networks too. Optimisers begin anew, and so does what is
    fitted to the training data: normalisation, latents, and what modules name in ``FITTED``. A spectral basis is taken
    along, since the weights in front of it mix its components, and with it all that is fitted in its terms. Weights
    that belong to the diagnoses told apart are taken only if both runs tell the same ones apart, in the same order.

    Parameters
    ----------
    recipe : Recipe
        Changed in place.
    run : RunFolder
        Of the same family, see `check_alike`.
    content : bytes
        Of its last checkpoint, the same in all processes though the run may go on meanwhile.
    classes : tuple of str
        What this training tells apart.
    wavelengths_nm : array_like, shape (bands,)
        Of its images.

    Raises
    ------
    InputError
        If the run has other bands, or networks that have less than half of the weights in common with these.
    """
    kept = checkpoints.load(run.checkpoints_dir / LAST, content=content)
    theirs_nm, ours_nm = np.asarray(kept.wavelengths_nm), np.asarray(wavelengths_nm, dtype=np.float64)
    _check_bands(run, len(theirs_nm), len(ours_nm))
    warnings = []
    if not np.allclose(theirs_nm, ours_nm, rtol=0, atol=_ALIKE_NM):
        apart = np.abs(theirs_nm - ours_nm).max()
        warnings.append(f"the bands of the run it begins with lie up to {apart:.0f} nm from those of this study")
    same_classes = tuple(kept.classes) == classes
    taken = total = 0
    left: list[str] = []
    for name, network in recipe.networks().items():
        theirs, ours = kept.recipe.get(name, {}), network.state_dict()
        weights = {key for key, _ in network.named_parameters()}
        fitted = _fitted(network) if recipe.config.spectral_basis == "none" else set()
        for key, value in ours.items():
            if key in fitted:
                continue
            counts = value.numel() if key in weights else 0  # constants and statistics are nothing that was learnt
            if key in theirs and theirs[key].shape == value.shape and (same_classes or "class" not in key):
                value.copy_(theirs[key])
                taken += counts
            elif counts:
                left.append(f"{name}.{key}")
            total += counts
    if taken < _LEAST_SHARE * total:
        raise InputError(
            f"only {taken:,} of {total:,} weights have the same name and shape",
            where=run.path,
            fix="use the settings that run was trained with (its config.yaml)",
        )
    if left:
        shown = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
        why = "" if same_classes else " (the runs do not tell the same diagnoses apart)"
        warnings.append(f"{total - taken:,} of {total:,} weights begin at random{why}: {shown}")
    facts = {
        "run": run.id,
        "checkpoint": f"last@{kept.images}",
        "sha256": hashlib.sha256(content).hexdigest(),
        "data_fingerprint": kept.fingerprint,
    }
    return Start(facts, tuple(warnings))


def _check_bands(run: RunFolder, theirs: int, ours: int) -> None:
    if theirs != ours:
        raise InputError(f"its cubes have {theirs} bands, these {ours}", where=run.path, fix="use another run")


def _fitted(network: nn.Module) -> set[str]:
    """Names of the buffers that were just fitted to the training data and stay."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        for name in getattr(module, "FITTED", ())
    }
