"""The verb invert: photographs to cubes without a trained model."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_hsisynth.cli.parser import DONE, Verbs, wavelengths
from napari_hsisynth.terminal import Output

#: Photographs that were left out are named up to this number, the others are counted.
_NAMED = 5


def invert(args: argparse.Namespace, out: Output) -> int:
    """Make cubes of photographs by the optics of skin; nothing is trained."""
    from napari_hsisynth.photo_inversion import NOTE, invert_photographs
    from napari_hsisynth.training.job import job

    wishes = {name: getattr(args, name) for name in ("like", "format", "maps", "replace")}
    settings = {
        **wishes,
        "like": None if args.like is None else str(args.like),
        "wavelengths": None if args.wavelengths is None else [float(nm) for nm in args.wavelengths],
        "photographs": str(args.photographs),
        "out": str(args.out),
    }
    with job(args.run, "invert", unit="photographs", screen=out, settings=settings) as work:
        report = invert_photographs(
            args.photographs,
            args.out,
            wavelengths_nm=args.wavelengths,
            **wishes,
            progress=work.progress,
            cancelled=work.should_stop,
        )
        work.stopped = report.stopped
        for note in [NOTE, *report.notes, *_left_out(report.skipped)]:
            work.warn(note)
        for text, count in report.problems.items():
            work.warn(f"{count:,} of {report.pixels:,} pixels are {text}")
        work.result = {
            "path": str(args.out),
            "cubes": [str(path) for path in report.cubes],
            "kept": report.kept,
            "skipped": [{"photograph": name, "reason": reason} for name, reason in report.skipped],
            "pixels": report.pixels,
            "problems": dict(report.problems),
            "notes": [NOTE, *report.notes],
        }
    if report.stopped:
        text = f"stopped: {len(report.cubes):,} cubes so far; the same command makes the others"
    else:
        there = f", {report.kept:,} of them were there already" if report.kept else ""
        text = f"{len(report.cubes):,} cubes in {args.out}{there}"
    out.result(work.result | {"status": "stopped" if report.stopped else "done"}, text)
    return DONE


def _left_out(skipped: list[tuple[str, str]]) -> list[str]:
    """A sentence for each of the first photographs that were left out, and one for the others."""
    said = [f"left out: {name} ({reason})" for name, reason in skipped[:_NAMED]]
    more = len(skipped) - len(said)
    return said + ([f"left out: {more:,} more photographs"] if more else [])


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this file."""
    p = verbs.add("invert", invert)
    p.add_argument(
        "photographs",
        type=Path,
        metavar="PHOTO_OR_DIR",
        help="a JPEG, PNG, TIFF or BMP, or a folder of them and of folders",
    )
    p.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the cubes; what an earlier command has made in it goes on from there",
    )
    bands = p.add_mutually_exclusive_group()
    bands.add_argument("--like", type=Path, metavar="STUDY", help="bands and gain of this study's camera")
    bands.add_argument(
        "--wavelengths", type=wavelengths, metavar="NM", help="465,476,... or 465:630:16 (default: 465:630:16)"
    )
    p.add_argument("--format", default="npz", metavar="NAME", help="the format to write (default: npz)")
    p.add_argument("--maps", action="store_true", help="also write melanin, blood, light and residual of every pixel")
    p.add_argument(
        "--replace",
        action="store_true",
        help="replace what is there under these names, unless it is what would be written",
    )
    verbs.job(p)
