"""Verbs of crops: crop, put-back."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_hsisynth.cli.parser import DONE, Verbs, positive
from napari_hsisynth.terminal import Output


def crop(args: argparse.Namespace, out: Output) -> int:
    """Cut one crop per masked lesion."""
    from napari_hsisynth.study import Study, make_crops

    study = Study.open(args.study)
    report = make_crops(
        study,
        margin=args.margin,
        square=args.square,
        size=args.size,
        whole=args.whole,
        diagnosis=args.diagnosis,
        progress=out.progress,
    )
    out.notes(report.notes)
    skipped = [{"cube": cube, "reason": reason} for cube, reason in report.skipped]
    whole = sum(record.whole for record in report.records)
    out.result(
        {
            "study": str(study.root),
            "crops": len(report.records),
            "whole": whole,
            "skipped": skipped,
            "notes": report.notes,
        },
        f"{len(report.records)} crops in {study.crops_dir}",
    )
    return DONE


def put_back(args: argparse.Namespace, out: Output) -> int:
    """Put a crop, or another cube of its shape, back into its cube."""
    from napari_hsisynth.formats import read_cube, write_cube
    from napari_hsisynth.segment.batch import write_mask
    from napari_hsisynth.study import Study
    from napari_hsisynth.study import put_back as put
    from napari_hsisynth.study.storage import writing

    study = Study.open(args.study)
    made = put(study, args.crop, None if args.patch is None else read_cube(args.patch))
    if args.mask is not None:
        write_mask(args.mask, [made.mask])
    with writing(args.out):
        out.notes(write_cube(args.out, made.cube))
    value = {"crop": args.crop, "cube": made.record.cube_id, "box": list(made.record.box), "out": str(args.out)}
    out.result(value, f"{args.crop} is back in {made.record.cube_id}: {args.out}")
    return DONE


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("crop", crop)
    p.add_argument("study", type=Path)
    p.add_argument("--margin", type=float, default=0.5, help="fraction of the box added to both sides (default: 0.5)")
    p.add_argument("--square", action="store_true", help="make the boxes square, where the image allows")
    p.add_argument(
        "--size", type=positive, metavar="PX", help="bring the shorter side to so many px (default: as in the cube)"
    )
    p.add_argument(
        "--whole", action="store_true", help="of cubes without an accepted lesion, take the whole, with an empty mask"
    )
    p.add_argument("--diagnosis", metavar="D", help="cut only lesions of this diagnosis (default: all)")

    p = verbs.add("put-back", put_back)
    p.add_argument("study", type=Path)
    p.add_argument("crop", metavar="CROP", help="id of the crop, as in crops.csv")
    p.add_argument("--out", type=Path, required=True, help="file of the cube to write; its suffix says the format")
    p.add_argument(
        "--from",
        dest="patch",
        type=Path,
        metavar="FILE",
        help="put the cube of this file there, as large as the crop or as its box (default: the crop itself)",
    )
    p.add_argument("--mask", type=Path, metavar="PNG", help="also write the crop's mask in its place")
