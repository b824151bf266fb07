"""Verbs of cubes: open, info, convert, phantom, demo."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from napari_hsisynth.cli.parser import DONE, Verbs, positive, seed, wavelengths
from napari_hsisynth.terminal import Output


def open_(args: argparse.Namespace, out: Output) -> int:
    """Start napari with the workflow docked; open cubes or a study."""
    from napari_hsisynth.widgets.app import main as start

    return start(args.path, **_reading(args))


def demo(args: argparse.Namespace, out: Output) -> int:
    """Run the whole loop on phantoms and name the report."""
    from napari_hsisynth.demo import run_demo

    return run_demo(out, folder=args.out, headless=args.headless, size=args.size, minutes=args.minutes, seed=args.seed)


def phantom(args: argparse.Namespace, out: Output) -> int:
    """Write a study of labelled phantoms with their true masks."""
    from napari_hsisynth.phantom_study import make_phantom_study

    study = make_phantom_study(
        args.out,
        per_class=args.per_class,
        shape=tuple(args.shape),
        seed=args.seed,
        sensor=args.sensor,
        progress=out.progress,
    )
    cubes = len(study.entries)
    out.result({"study": str(study.root), "cubes": cubes}, f"{cubes} phantom cubes in {study.root}")
    return DONE


def _reading(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the user said about the file to read, as `read_cube` takes it."""
    return {"variable": args.variable, "mosaic": args.mosaic, "demosaic": args.demosaic, "axes": args.axes}


def info(args: argparse.Namespace, out: Output) -> int:
    """Say what a file or a study holds."""
    from napari_hsisynth.formats import describe, describe_text

    if (args.path / "study.yaml").is_file():
        return _study_info(args.path, out)
    found = describe(args.path, **_reading(args))
    out.result(found, describe_text(found))
    return DONE


def _study_info(path: Path, out: Output) -> int:
    from collections import Counter

    from napari_hsisynth.study import Study

    study = Study.open(path)
    nm = study.wavelengths_nm
    found = {
        "study": str(study.root),
        "cubes": len(study.entries),
        "diagnoses": dict(Counter(entry.diagnosis.value for entry in study.entries)),
        "wavelengths_nm": nm.tolist(),
        "crops": len(study.crops()) if study.crops_dir.exists() else 0,
        "synthetic_runs": study.synthetic_runs(),
        "notes": study.notes,
    }
    diagnoses = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found["diagnoses"].items()) or "none"
    lines = [
        f"{study.root}",
        f"  cubes        {found['cubes']} ({diagnoses})",
        f"  wavelengths  {len(nm)} bands, {nm.min():g}-{nm.max():g} nm",
        f"  crops        {found['crops']}",
        f"  synthetic    {', '.join(found['synthetic_runs']) or 'none'}",
        *([f"  note         {study.notes}"] if study.notes else []),
    ]
    out.result(found, "\n".join(lines))
    return DONE


def convert(args: argparse.Namespace, out: Output) -> int:
    """Read any readable format, write any writable one."""
    from napari_hsisynth.formats import read_cube, write_cube

    cube = read_cube(args.src, wavelengths_nm=args.wavelengths, lazy=None, **_reading(args))
    out.notes(cube.notes)
    lost = write_cube(args.dst, cube, format=args.format)
    out.notes(lost)
    result = {"written": str(args.dst), "shape": list(cube.data.shape), "notes": [*cube.notes, *lost]}
    out.result(result, f"{args.dst}: {cube}")
    return DONE


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("open", open_)
    p.add_argument("path", nargs="*", type=Path, help="cubes, or one study folder")
    verbs.reading(p)

    p = verbs.add("demo", demo)
    p.add_argument("--out", type=Path, default=Path("demo-study"), help="folder of the study (default: demo-study)")
    p.add_argument("--headless", action="store_true", help="do not open napari at the end")
    p.add_argument("--size", type=positive, default=64, help="image size of the generator in px (default: 64)")
    p.add_argument("--minutes", type=float, default=2.0, help="about how long to train (default: 2)")
    p.add_argument("--seed", type=seed, default=0)

    p = verbs.add("phantom", phantom)
    p.add_argument("out", type=Path, help="folder of the new study")
    p.add_argument("--per-class", type=positive, default=8, metavar="N", help="cubes per diagnosis (default: 8)")
    p.add_argument("--shape", type=positive, nargs=2, default=[256, 512], metavar=("H", "W"), help="size in px")
    p.add_argument("--seed", type=seed, default=0)
    p.add_argument("--sensor", choices=["ideal", "hsidermoscopy"], default="hsidermoscopy")

    p = verbs.add("info", info)
    p.add_argument("path", type=Path)
    verbs.reading(p)

    p = verbs.add("convert", convert)
    p.add_argument("src", type=Path)
    p.add_argument("dst", type=Path, help="the suffix chooses the format")
    verbs.reading(p)
    p.add_argument("--wavelengths", type=wavelengths, metavar="NM", help="465,476,... or 465:630:16")
    p.add_argument("--format", metavar="NAME", help="the format to write, where the suffix does not say it")
