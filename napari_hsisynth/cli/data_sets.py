"""The kind ``dataset`` of the verbs export and import: synthetic cubes as a data set, and back."""

from __future__ import annotations

import argparse
from typing import Any

from napari_hsisynth.cli.parser import DONE, positive
from napari_hsisynth.errors import InputError
from napari_hsisynth.terminal import Output

#: Said in the card of every data set with automatic masks.
_PROPOSED_BY = "the spectral segmenter without prompts, its best proposal"
_MASKS = ("complete", "stored", "automatic", "none")
#: By the attribute that argparse makes of them: what a data set alone has, and what it does not have.
EXPORT_FLAGS = (
    {
        "sets": "--sets",
        "n": "--n",
        "diagnosis": "--diagnosis",
        "cube_format": "--format",
        "masks": "--masks",
        "licence": "--licence",
        "title": "--title",
        "run": "--run",
    },
    {"annotator": "--annotator", "shapes": "--shapes", "status": "--status"},
)
IMPORT_FLAGS = (
    {"name": "--name", "run": "--run"},
    {"annotator": "--as", "wavelengths": "--wavelengths", "copy": "--copy", "if_marked": "--merge or --replace"},
)
#: What the verbs have where a flag was not given, besides nothing.
_NOT_GIVEN = {"if_marked": "skip", "status": "accepted"}


def check_flags(args: argparse.Namespace, flags: tuple[dict[str, str], dict[str, str]], *, of_data_set: bool) -> None:
    """Raise InputError if a flag was given that this kind does not have."""
    own, others = flags
    for name, flag in (others if of_data_set else own).items():
        value = getattr(args, name)
        absent = value in ("", _NOT_GIVEN.get(name)) if isinstance(value, str) else value is None or value is False
        if not absent:
            raise InputError(f"is {'not for' if of_data_set else 'only for'} the kind dataset", where=flag)


def export(args: argparse.Namespace, out: Output) -> int:
    """Write a study's synthetic cubes as a data set."""
    from napari_hsisynth.metrics.features import automatic_regions
    from napari_hsisynth.metrics.pictures import colours
    from napari_hsisynth.study import Cancelled, Study
    from napari_hsisynth.study.dataset import export_dataset
    from napari_hsisynth.training.job import job

    wishes = {
        "sets": args.sets,
        "n": args.n,
        "diagnosis": args.diagnosis,
        "cube_format": args.cube_format or "mat",
        "masks": args.masks or _MASKS[0],
        "licence": args.licence or "",
        "title": args.title or "",
        "force": args.force,
    }
    regions = automatic_regions()
    value: dict[str, Any] = {}
    with job(args.run, "export", unit="cubes", screen=out, settings={**wishes, "kind": "dataset"}) as work:
        try:
            made = export_dataset(
                Study.open(args.study),
                args.dst,
                **wishes,
                propose=lambda cube: regions(cube).lesion,
                proposed_by=_PROPOSED_BY,
                render=colours,
                progress=work.progress,
                cancelled=work.should_stop,
            )
        except Cancelled:
            work.stopped, text = True, "stopped: nothing was written"
        else:
            out.notes(made.notes)
            value = {
                "path": str(made.path),
                "cubes": made.cubes,
                "by_diagnosis": made.by_diagnosis,
                "masks": made.by_mask_source,
                "sets": made.sets,
                "notes": made.notes,
            }
            text = f"{made.cubes:,} synthetic cubes -> {made.path}"
        work.result = value
    out.result(value | {"status": "done" if value else "stopped"}, text)
    return DONE


def import_(args: argparse.Namespace, out: Output) -> int:
    """Bring a data set's cubes into a study as a synthetic set."""
    from napari_hsisynth.study import Cancelled
    from napari_hsisynth.study.dataset import import_dataset
    from napari_hsisynth.training.job import job

    settings = {"kind": "dataset", "name": args.name}
    value: dict[str, Any] = {}
    with job(args.run, "import", unit="files", screen=out, settings=settings) as work:
        try:
            made = import_dataset(
                args.src, args.study, name=args.name, progress=work.progress, cancelled=work.should_stop
            )
        except Cancelled:
            work.stopped, text = True, "stopped: nothing was imported"
        else:
            out.notes(made.notes)
            value = {
                "study": str(made.study.root),
                "set": made.name,
                "folder": str(made.folder),
                "cubes": made.cubes,
                "new": made.new,
                "notes": made.notes,
            }
            text = f"{made.cubes:,} synthetic cubes in {made.folder}"
        work.result = value
    out.result(value | {"status": "done" if value else "stopped"}, text)
    return DONE


def add_export_flags(p: argparse.ArgumentParser) -> None:
    """Add what the kind dataset is told."""
    own = p.add_argument_group("dataset", "synthetic cubes with masks, table, previews, checksums and a data card")
    own.add_argument("--sets", nargs="+", metavar="RUN", help="sets of STUDY/synthetic, or runs (default: all)")
    own.add_argument("--n", type=positive, help="only the first N cubes of each diagnosis in each set")
    own.add_argument("--diagnosis", metavar="D", help="only cubes of this diagnosis")
    own.add_argument("--format", dest="cube_format", choices=["mat", "envi"], help="(default: mat)")
    own.add_argument(
        "--masks",
        choices=_MASKS,
        help="those stored with the cubes; complete (default): automatic ones where there are none; automatic for all",
    )
    own.add_argument("--licence", metavar="TEXT", help="for the card (default: not stated)")
    own.add_argument("--title", metavar="TEXT", help="for the card; SYNTHETIC is put before it")


def add_import_flags(p: argparse.ArgumentParser) -> None:
    """Add what the kind dataset is told."""
    own = p.add_argument_group("dataset", "a synthetic data set; STUDY is made if it is not there")
    own.add_argument("--name", help="of the set in STUDY/synthetic (default: that of SRC)")
