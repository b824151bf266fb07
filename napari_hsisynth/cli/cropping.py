"""The verb `crop`."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_hsisynth.cli.parser import DONE, Verbs
from napari_hsisynth.terminal import Output


def crop(args: argparse.Namespace, out: Output) -> int:
    """Cut one crop per masked lesion."""
    from napari_hsisynth.study import Study, make_crops

    study = Study.open(args.study)
    report = make_crops(study, margin=args.margin, square=args.square, progress=out.progress)
    out.notes(report.notes)
    skipped = [{"cube": cube, "reason": reason} for cube, reason in report.skipped]
    out.result(
        {"study": str(study.root), "crops": len(report.records), "skipped": skipped},
        f"{len(report.records)} crops in {study.crops_dir}",
    )
    return DONE


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("crop", crop)
    p.add_argument("study", type=Path)
    p.add_argument("--margin", type=float, default=0.5, help="fraction of the box added to both sides (default: 0.5)")
    p.add_argument("--square", action="store_true", help="make the boxes square, where the image allows")
