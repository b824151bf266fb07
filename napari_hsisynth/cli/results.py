"""The verb `results`."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_hsisynth.cli.parser import Verbs, positive, seed
from napari_hsisynth.terminal import Output


def results(args: argparse.Namespace, out: Output) -> int:
    """Train every model for a stated budget and write the table of results."""
    from napari_hsisynth.results.command import results_command

    return results_command(args, out)


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("results", results)
    p.add_argument("studies", type=Path, nargs="+", metavar="STUDY", help="studies with crops, one table each")
    p.add_argument(
        "--models",
        required=True,
        metavar="M[:K=V...],...",
        help="models to train, each with settings of its own, for example vae,dcgan:lr=1e-4",
    )
    p.add_argument("--max-images", type=positive, metavar="N", help="budget of each training, in real images shown")
    p.add_argument("--set", action="append", default=[], metavar="K=V", help="set one field of all models")
    p.add_argument(
        "--pretrained",
        type=Path,
        metavar="STUDY",
        help="train every model also from the weights that the same training leaves on this study, such as phantoms",
    )
    p.add_argument("--seeds", type=positive, default=1, metavar="N", help="trainings of each model (default: 1)")
    p.add_argument("--seed", type=seed, default=0, help="of samples and measures (default: 0)")
    p.add_argument("--out", type=Path, required=True, metavar="FILE.md", help="the table; figures go beside it as JSON")
