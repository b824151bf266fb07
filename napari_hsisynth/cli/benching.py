"""The verb `bench`."""

from __future__ import annotations

import argparse

from napari_hsisynth.cli.parser import Verbs
from napari_hsisynth.terminal import Output


def bench(args: argparse.Namespace, out: Output) -> int:
    """Measure speed and memory beside named baselines in the same run."""
    from napari_hsisynth.bench.command import bench_command

    return bench_command(args, out)


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("bench", bench)
    p.add_argument(
        "what",
        choices=["view", "phantoms", "annotate", "train", "generate"],
        help="view: mouse to curve, opening, importing, listing, colour; phantoms: likeness to real data, speed;"
        " annotate: click to mask, lesions per minute, stalls of the window;"
        " train: images per second beside a plain loop, memory, start-up;"
        " generate: FastGAN at 256 px, trained and sampled",
    )
    p.add_argument("--quick", action="store_true", help="fewer repetitions")
    p.add_argument("--size", choices=["full", "quick", "small"], default="full", help=argparse.SUPPRESS)
