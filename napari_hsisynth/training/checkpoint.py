"""Checkpoints: everything needed to go on training, to sample, and to know where a model came from, in one file.

A ``.pt`` file of plain tensors, numbers, strings, lists and dictionaries, so that it loads with ``weights_only=True``:
opening a checkpoint that someone sent never runs their code.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.errors import InputError

FORMAT = 2


@dataclass
class Checkpoint:
    """A training at one moment.

    Parameters
    ----------
    images : int
        Real images shown so far. With the seed in `config` this is also the state of every random generator, see
        `seeds.derive`.
    steps : int
        Optimiser steps so far.
    config : dict
        The resolved configuration.
    recipe : dict
        The recipe's state: networks, averages, optimisers, fitted latents; tensors.
    normalisation : dict
        Offset and scale per band.
    wavelengths_nm : list of float
        Band centres.
    diagnosis : str
        What the crops show; empty if all diagnoses were used.
    classes : list of str
        Diagnoses that the model is conditioned on, in their order; empty for none.
    fingerprint : str
        Of the training crops.
    best : dict
        ``images`` and ``value`` of the best validation so far; empty before the first.
    version : str
        Of this package.
    guard : dict
        What the guard against divergence has seen.
    roll_backs : list of dict
        The fields of each ``rolled_back`` event, see `jobs.events`.
    """

    images: int
    steps: int
    config: dict[str, Any]
    recipe: dict[str, Any]
    normalisation: dict[str, Any]
    wavelengths_nm: list[float]
    diagnosis: str
    classes: list[str]
    fingerprint: str
    best: dict[str, Any]
    version: str
    guard: dict[str, Any] = field(default_factory=dict)
    roll_backs: list[dict[str, Any]] = field(default_factory=list)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint`, replacing the one at `path` only once the new one is whole and on the disk.

    Raises
    ------
    OSError
        If the disk is full or read-only; the old checkpoint is then still there.
    """
    # through memory: torch's own writer turns a full disk into an error without a reason
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **vars(checkpoint)}, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load(path: Path, *, device: str | torch.device = "cpu", content: bytes | None = None) -> Checkpoint:
    """Read a checkpoint, or what was already read of it; nothing in the file is executed.

    Raises
    ------
    InputError
        If it is missing, damaged, or of another format.
    """
    try:
        stored = torch.load(path if content is None else io.BytesIO(content), map_location=device, weights_only=True)
    except FileNotFoundError:
        raise InputError("no such checkpoint", where=path, fix="train for longer first") from None
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read the checkpoint: {reason}", where=path) from error
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise InputError("not a checkpoint of this program", where=path)
    needed = [entry.name for entry in fields(Checkpoint) if entry.default_factory is MISSING]
    if missing := [name for name in needed if name not in stored]:
        raise InputError(f"the checkpoint lacks: {', '.join(missing)}", where=path)
    return Checkpoint(**{entry.name: stored[entry.name] for entry in fields(Checkpoint) if entry.name in stored})
