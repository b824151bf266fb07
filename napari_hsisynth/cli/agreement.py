"""The verb `agreement`."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_hsisynth.cli.parser import DONE, Verbs, seed
from napari_hsisynth.terminal import Output


def agreement(args: argparse.Namespace, out: Output) -> int:
    """Compare the masks of two annotators of a study."""
    from napari_hsisynth.atomic import write_text
    from napari_hsisynth.metrics.annotator_agreement import study_agreement
    from napari_hsisynth.study import Study
    from napari_hsisynth.study.storage import writing

    study = Study.open(args.study)
    found = study_agreement(study, args.annotators or (), seed=args.seed, progress=out.progress)
    out.notes(f"left out: {cube} ({reason})" for cube, reason in found.skipped)
    if found.others:
        out.note(f"further annotators here: {', '.join(found.others)}; --annotators chooses two")
    if args.csv is not None:
        with writing(args.csv):
            write_text(args.csv, found.csv())
    out.result({"study": str(study.root), **found.to_json()}, found.text())
    return DONE


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("agreement", agreement)
    p.add_argument("study", type=Path)
    p.add_argument(
        "--annotators",
        nargs=2,
        metavar="NAME",
        help="two names; by default those with most cubes in common. 'first' is a first annotation without a name",
    )
    p.add_argument("--csv", type=Path, metavar="FILE", help="write one line per cube")
    p.add_argument("--seed", type=seed, default=0, help="of the bootstrap interval (default: 0)")
