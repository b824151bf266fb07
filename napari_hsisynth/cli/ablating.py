"""The verb `ablate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_hsisynth.cli.parser import Verbs, positive
from napari_hsisynth.terminal import Output


def ablate(args: argparse.Namespace, out: Output) -> int:
    """Train the DCGAN with each of its critics, and write one table of what they come to."""
    from napari_hsisynth.training.ablation_command import ablate_command

    return ablate_command(args, out)


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("ablate", ablate)
    p.add_argument("study", type=Path)
    p.add_argument("--diagnosis", help="train on the crops of this diagnosis only (default: all)")
    p.add_argument("--max-images", type=positive, metavar="N", help="real images shown to each critic")
    p.add_argument("--preset", default="published", help="a named set of values (default: published)")
    p.add_argument("--config", type=Path, metavar="FILE", help="YAML with the configuration's fields")
    p.add_argument("--set", action="append", default=[], metavar="K=V", help="set one field, for example --set lr=1e-4")
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help="the table; figures go beside it as JSON")
