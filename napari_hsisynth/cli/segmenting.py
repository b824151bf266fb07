"""Verbs that make masks: segment."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_hsisynth.cli.parser import DONE, Verbs
from napari_hsisynth.terminal import Output


def segment(args: argparse.Namespace, out: Output) -> int:
    """Turn prompts into masks without a display."""
    from napari_hsisynth.segment import segment_path

    result = segment_path(args.path, prompts=args.prompts, backend=args.backend, out=args.out, progress=out.progress)
    out.notes(result.notes)
    out.result(result.to_json(), result.text())
    return DONE


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("segment", segment)
    p.add_argument("path", type=Path, metavar="STUDY_OR_CUBE")
    p.add_argument("--prompts", type=Path, metavar="FILE", help="JSON with prompts per cube; without it, propose masks")
    p.add_argument("--backend", default="spectral")
    p.add_argument("--out", type=Path, help="for a single cube: the mask's PNG")
