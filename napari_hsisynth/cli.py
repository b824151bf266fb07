"""The command line: ``napari-hsisynth VERB``. One thin function per verb; the work is done in the rooms.

Exit status: 0 done, 1 failed at run time, 2 bad usage or bad input. Rooms are imported inside the verbs, so that
``--help`` and the light verbs start fast.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from napari_hsisynth import __version__
from napari_hsisynth.errors import InputError
from napari_hsisynth.terminal import Output, error_line

DONE, FAILED, BAD_INPUT = 0, 1, 2


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


def segment(args: argparse.Namespace, out: Output) -> int:
    """Turn prompts into masks without a display."""
    from napari_hsisynth.segment import segment_path

    result = segment_path(args.path, prompts=args.prompts, backend=args.backend, out=args.out, progress=out.progress)
    out.notes(result.notes)
    out.result(result.to_json(), result.text())
    return DONE


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


def train(args: argparse.Namespace, out: Output) -> int:
    """Train a generator on the crops of a study, or resume a run."""
    from napari_hsisynth.training.command import train_command

    return train_command(args, out)


def sample(args: argparse.Namespace, out: Output) -> int:
    """Draw synthetic cubes from a trained run."""
    from napari_hsisynth.sampling import sample_command

    return sample_command(args, out)


def evaluate(args: argparse.Namespace, out: Output) -> int:
    """Compare real with synthetic cubes, or a model's reconstructions with their originals; write the report."""
    from napari_hsisynth.metrics.command import evaluate_command

    if args.reconstruct is None:
        return evaluate_command(args, out)
    from napari_hsisynth.sampling import reconstruct

    return evaluate_command(args, out, reconstruct)


def bench(args: argparse.Namespace, out: Output) -> int:
    """Measure speed and memory beside named baselines in the same run."""
    from napari_hsisynth.bench.command import bench_command

    return bench_command(args, out)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        error_line(f"{message}; see: {self.prog} --help")
        sys.exit(BAD_INPUT)


def _wavelengths(text: str) -> Any:
    """Comma-separated band centres in nm, or ``first:last:bands`` for an even grid."""
    from napari_hsisynth.study.wavelengths import parse_wavelengths

    try:
        return parse_wavelengths(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 1 or more")
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    parser = _Parser(
        prog="napari-hsisynth", description="Hyperspectral dermoscopy: see, mask, crop, train, sample, measure."
    )
    parser.add_argument("--version", action="version", version=f"napari-hsisynth {__version__}")
    shared = _Parser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", required=True, parser_class=_Parser)

    def verb(name: str, function: Any) -> argparse.ArgumentParser:
        text = (function.__doc__ or "").strip()
        added = verbs.add_parser(name, parents=[shared], help=text[:1].lower() + text[1:].rstrip("."), description=text)
        added.set_defaults(function=function)
        return added

    def reading(to: argparse.ArgumentParser) -> None:
        to.add_argument("--variable", metavar="NAME", help="which array of a file that holds several")
        to.add_argument(
            "--mosaic", metavar="4x4|CSV", help="unfold a raw snapshot-mosaic frame; a CSV gives the layout"
        )
        to.add_argument("--demosaic", action="store_true", help="with --mosaic: every band at full size")
        to.add_argument("--axes", metavar="ORDER", help="order of the axes in the file, for example yxb or byx")

    def job(to: argparse.ArgumentParser) -> None:
        to.add_argument("--run", type=Path, help=argparse.SUPPRESS)  # a run folder made by the dock that started us

    p = verb("open", open_)
    p.add_argument("path", nargs="*", type=Path, help="cubes, or one study folder")
    reading(p)

    p = verb("demo", demo)
    p.add_argument("--out", type=Path, default=Path("demo-study"), help="folder of the study (default: demo-study)")
    p.add_argument("--headless", action="store_true", help="do not open napari at the end")
    p.add_argument("--size", type=_positive, default=64, help="image size of the generator in px (default: 64)")
    p.add_argument("--minutes", type=float, default=2.0, help="about how long to train (default: 2)")
    p.add_argument("--seed", type=int, default=0)

    p = verb("phantom", phantom)
    p.add_argument("out", type=Path, help="folder of the new study")
    p.add_argument("--per-class", type=_positive, default=8, metavar="N", help="cubes per diagnosis (default: 8)")
    p.add_argument("--shape", type=_positive, nargs=2, default=[256, 512], metavar=("H", "W"), help="size in px")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--sensor", choices=["ideal", "hsidermoscopy"], default="hsidermoscopy")

    p = verb("info", info)
    p.add_argument("path", type=Path)
    reading(p)

    p = verb("convert", convert)
    p.add_argument("src", type=Path)
    p.add_argument("dst", type=Path, help="the suffix chooses the format")
    reading(p)
    p.add_argument("--wavelengths", type=_wavelengths, metavar="NM", help="465,476,... or 465:630:16")
    p.add_argument("--format", metavar="NAME", help="the format to write, where the suffix does not say it")

    p = verb("import", import_)
    p.add_argument("kind", choices=["hsidermoscopy"])
    p.add_argument("src", type=Path)
    p.add_argument("study", type=Path)
    p.add_argument("--wavelengths", type=_wavelengths, metavar="NM", help="465,476,... or 465:630:16")
    p.add_argument("--copy", action="store_true", help="copy the cubes into the study instead of pointing at them")

    p = verb("segment", segment)
    p.add_argument("path", type=Path, metavar="STUDY_OR_CUBE")
    p.add_argument("--prompts", type=Path, metavar="FILE", help="JSON with prompts per cube; without it, propose masks")
    p.add_argument("--backend", default="spectral")
    p.add_argument("--out", type=Path, help="for a single cube: the mask's PNG")

    p = verb("crop", crop)
    p.add_argument("study", type=Path)
    p.add_argument("--margin", type=float, default=0.5, help="fraction of the box added to both sides (default: 0.5)")
    p.add_argument("--square", action="store_true", help="make the boxes square, where the image allows")

    p = verb("train", train)
    p.add_argument("study", type=Path)
    p.add_argument("--model", default=None, help="vae")
    p.add_argument("--diagnosis", help="train on the crops of this diagnosis only (default: all)")
    p.add_argument("--preset", help="a named set of values, for example try or good")
    p.add_argument("--config", type=Path, metavar="FILE", help="YAML with the configuration's fields")
    p.add_argument("--set", action="append", default=[], metavar="K=V", help="set one field, for example --set lr=1e-4")
    p.add_argument("--resume", type=Path, metavar="RUN", help="go on with a stopped run")
    job(p)

    p = verb("sample", sample)
    p.add_argument("source", type=Path, metavar="RUN", help="a training run's folder")
    p.add_argument("--n", type=_positive, default=16, help="number of cubes (default: 16)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--checkpoint", choices=["last", "best"], default="last")
    p.add_argument("--out", type=Path, help="folder for the cubes (default: the study's synthetic/<run>)")
    job(p)

    p = verb("evaluate", evaluate)
    p.add_argument("real", type=Path, nargs="?", help="a study, its crops, or a folder of cubes in crops form")
    p.add_argument("synthetic", type=Path, nargs="?", help="a folder of sampled cubes")
    p.add_argument("--reconstruct", type=Path, metavar="RUN", help="measure a model's held-out reconstructions instead")
    p.add_argument("--split", choices=["held-out", "train", "all"], default="held-out")
    p.add_argument("--diagnosis", help="compare this diagnosis (default: the one the generator was trained on)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, help="folder for the report (default: a new run folder of the study)")
    job(p)

    p = verb("bench", bench)
    p.add_argument(
        "what",
        choices=["view", "phantoms"],
        help="view: mouse to curve, opening, importing, listing, colour; phantoms: likeness to real data, speed",
    )
    p.add_argument("--quick", action="store_true", help="fewer repetitions")
    p.add_argument("--size", choices=["full", "quick", "small"], default="full", help=argparse.SUPPRESS)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    argv : list of str, optional
        The words behind the program's name; those of the process by default.

    Returns
    -------
    int
        0 done, 1 failed at run time, 2 bad usage or bad input.
    """
    words = sys.argv[1:] if argv is None else argv
    args = build_parser().parse_args(words or ["open"])
    out = Output(as_json=args.json)
    try:
        return args.function(args, out)
    except KeyboardInterrupt:
        out.end_progress()
        error_line("interrupted")
        return FAILED
    except BrokenPipeError:  # whoever read our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return DONE
    except Exception as error:  # the one place where any failure becomes a line and a status
        if args.debug:
            raise
        out.end_progress()
        if isinstance(error, InputError):
            error_line(error)
            return BAD_INPUT
        error_line(f"{type(error).__name__}: {error}; --debug shows where")
        return FAILED
