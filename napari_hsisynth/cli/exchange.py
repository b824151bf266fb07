"""Verbs that bring annotated cubes and their annotations in and out: import, export."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from napari_hsisynth.cli import data_sets
from napari_hsisynth.cli.parser import DONE, Verbs, wavelengths
from napari_hsisynth.errors import InputError
from napari_hsisynth.terminal import Output

_WITH_CUBES = "hsidermoscopy"
_SYNTHETIC = "dataset"
_READ = (_WITH_CUBES, "coco", "labelstudio", "labelme", _SYNTHETIC)
_WRITTEN = ("coco", "labelstudio", "labelme", _WITH_CUBES, _SYNTHETIC)


def import_(args: argparse.Namespace, out: Output) -> int:
    """Make a study from another tool's folder, add its annotations to one, or bring in a synthetic data set."""
    data_sets.check_flags(args, data_sets.IMPORT_FLAGS, of_data_set=args.kind == _SYNTHETIC)
    if args.kind == _SYNTHETIC:
        return data_sets.import_(args, out)
    with_cubes = args.kind == _WITH_CUBES
    for flag, given in (("--wavelengths", args.wavelengths is not None), ("--copy", args.copy)):
        if given and not with_cubes:
            raise InputError(f"{flag} is for cubes, and {args.kind} has annotations only")
    for flag, given in (("--merge or --replace", args.if_marked != "skip"), ("--as", args.annotator)):
        if given and with_cubes:
            raise InputError(f"{flag} is for annotations of cubes that are in the study already")
    return _import_cubes(args, out) if with_cubes else _import_annotations(args, out)


def _import_cubes(args: argparse.Namespace, out: Output) -> int:
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


def _import_annotations(args: argparse.Namespace, out: Output) -> int:
    from napari_hsisynth.study.exchange import LEFT_ALONE, import_annotations

    report = import_annotations(
        args.kind,
        args.src,
        args.study,
        if_marked=args.if_marked,
        annotator=args.annotator,
        progress=partial(out.progress, unit="pictures"),
    )
    out.notes(report.notes)
    if any(reason in LEFT_ALONE for _, reason in report.skipped):
        out.note("such cubes are left alone; say --merge, --replace or --as ANNOTATOR to use the new ones")
    result = {
        "study": str(report.study.root),
        "cubes": report.cubes,
        "lesions": report.lesions,
        "skipped": report.skipped,
        "notes": report.notes,
    }
    out.result(result, f"{report.lesions} lesions in {len(report.cubes)} cubes imported into {report.study.root}")
    return DONE


def export(args: argparse.Namespace, out: Output) -> int:
    """Write a study's annotations for another tool, or its synthetic cubes as a data set."""
    data_sets.check_flags(args, data_sets.EXPORT_FLAGS, of_data_set=args.kind == _SYNTHETIC)
    if args.kind == _SYNTHETIC:
        return data_sets.export(args, out)
    from napari_hsisynth.composite import segmenter_view
    from napari_hsisynth.study import Study
    from napari_hsisynth.study.exchange import export_annotations

    report = export_annotations(
        args.kind,
        Study.open(args.study),
        args.dst,
        annotator=args.annotator,
        status=args.status,
        shapes=args.shapes,
        picture=partial(segmenter_view, view="rgb"),
        force=args.force,
        progress=out.progress,
    )
    out.notes(report.notes)
    result = {"path": str(report.path), "cubes": report.cubes, "lesions": report.lesions, "notes": report.notes}
    out.result(result, f"{report.lesions} lesions of {report.cubes} cubes -> {report.path}")
    return DONE


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("import", import_)
    p.add_argument("kind", choices=_READ)
    p.add_argument("src", type=Path)
    p.add_argument("study", type=Path, help="for annotations, a study that has the cubes already")
    p.add_argument("--wavelengths", type=wavelengths, metavar="NM", help="465,476,... or 465:630:16")
    p.add_argument("--copy", action="store_true", help="copy the cubes into the study instead of pointing at them")
    marked = p.add_mutually_exclusive_group()
    marked.add_argument(
        "--merge",
        action="store_const",
        const="merge",
        dest="if_marked",
        default="skip",
        help="add lesions to cubes that have some (default: leave these cubes alone)",
    )
    marked.add_argument(
        "--replace",
        action="store_const",
        const="replace",
        dest="if_marked",
        help="replace the lesions of cubes that have some; the old annotation is kept in replaced-masks/",
    )
    p.add_argument(
        "--as",
        dest="annotator",
        default="",
        metavar="ANNOTATOR",
        help="whose annotations these are",
    )
    data_sets.add_import_flags(p)
    verbs.job(p)
    p = verbs.add("export", export)
    p.add_argument("kind", choices=_WRITTEN)
    p.add_argument("study", type=Path)
    p.add_argument("dst", type=Path, help="a new folder; for coco, a file that ends in .json")
    p.add_argument("--annotator", help="only this person's work (labelstudio: default everybody's)")
    p.add_argument("--status", choices=["accepted", "all"], default="accepted", help="(default: accepted)")
    p.add_argument(
        "--shapes",
        choices=["auto", "mask", "polygon"],
        help="lesions as pixels, as polygons, or as polygons unless they have holes (default: what suits the tool)",
    )
    p.add_argument("--force", action="store_true", help="replace what an earlier export wrote there")
    data_sets.add_export_flags(p)
    verbs.job(p)
