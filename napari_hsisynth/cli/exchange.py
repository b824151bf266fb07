"""Verbs that bring annotated cubes in and out: import."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_hsisynth.cli.parser import DONE, Verbs, wavelengths
from napari_hsisynth.terminal import Output


def import_(args: argparse.Namespace, out: Output) -> int:
    """Make a study from another tool's folder."""
    from napari_hsisynth.study import import_hsidermoscopy

    report = import_hsidermoscopy(
        args.src, args.study, wavelengths_nm=args.wavelengths, copy=args.copy, progress=out.progress
    )
    out.notes(report.notes)
    result = {
        "study": str(report.study.root),
        "cubes": report.imported,
        "skipped": report.skipped,
        "notes": report.notes,
    }
    out.result(result, f"{report.imported} cubes imported into {report.study.root}")
    return DONE


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("import", import_)
    p.add_argument("kind", choices=["hsidermoscopy"])
    p.add_argument("src", type=Path)
    p.add_argument("study", type=Path)
    p.add_argument("--wavelengths", type=wavelengths, metavar="NM", help="465,476,... or 465:630:16")
    p.add_argument("--copy", action="store_true", help="copy the cubes into the study instead of pointing at them")
