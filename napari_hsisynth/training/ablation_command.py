"""The verb ``ablate``."""

from __future__ import annotations

import argparse
import os
from typing import Any

from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.study import Diagnosis
from napari_hsisynth.terminal import Output
from napari_hsisynth.training.command import settings
from napari_hsisynth.training.config import parse


def ablate_command(args: argparse.Namespace, out: Output) -> int:
    """Run ``ablate``: check the settings, train what is not trained yet, write the table."""
    values = settings("dcgan", args.preset, args.config, args.set)
    if args.max_images is not None:
        values["max_images"] = args.max_images
    config = parse(values)
    diagnosis = None if args.diagnosis is None else Diagnosis.parse(args.diagnosis, where="--diagnosis").value
    ablation = _ablation()
    for change in args.set:
        name = change.partition("=")[0].strip()
        if any(name in changes for changes in ablation.VARIANTS.values()):
            raise InputError("this is what the variants differ in", where=name, fix="leave it out")
    found = ablation.ablate(args.study, config, diagnosis=diagnosis, screen=out)
    if found is None:
        out.note("stopped; the same command goes on from here")
        out.result({"status": "stopped"}, "stopped")
        return 0
    table, figures = found.write(args.out)
    out.note(f"written to {table}, the figures also to {figures}")
    out.result({"status": "done", "table": str(table), **found.to_json()}, found.to_markdown().rstrip())
    return 0


def _ablation() -> Any:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as for the verb train
    try:
        from napari_hsisynth.training import ablation
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("napari_hsisynth"):
            raise
        raise MissingExtraError("training", "train") from error
    return ablation
