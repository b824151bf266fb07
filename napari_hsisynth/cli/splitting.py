"""The verb `split`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsisynth.cli.parser import DONE, Verbs
from napari_hsisynth.errors import InputError
from napari_hsisynth.terminal import Output

if TYPE_CHECKING:
    from napari_hsisynth.study import SplitRow
    from napari_hsisynth.study.splits import Split

_SIDES: tuple[Split, ...] = ("train", "val", "test")


def split(args: argparse.Namespace, out: Output) -> int:
    """Show which cubes train and which are held out, or move some."""
    from napari_hsisynth.study import Study, planned_change, reassign_each, split_table

    study = Study.open(args.study)
    sides: Any = dict(args.set)
    if twice := [name for name, side in args.set if sides[name] != side]:
        raise InputError(f"'{twice[0]}' cannot be on two sides", where="--set", fix="give it once")
    # only looking works in a folder that cannot be written, too
    change = (reassign_each if sides and not args.dry_run else planned_change)(study, sides)
    out.notes([*change.notes, *(run.text() for run in change.outdated)])
    rows = split_table(study)
    value = {
        "study": str(study.root),
        "moved": {cube: {"from": was, "to": now} for cube, (was, now) in change.moved.items()},
        "changed": bool(change.moved) and not args.dry_run,
        "outdated": [
            {"run": run.run_id, "verb": run.verb, "seen": run.seen, "unseen": run.unseen, "moved": run.moved}
            for run in change.outdated
        ],
        "notes": change.notes,
        "diagnoses": {
            row.diagnosis.value: {"cubes": row.cubes, "patients": row.patients, "crops": row.crops} for row in rows
        },
        "splits": study.splits(),
    }
    would = "would move" if args.dry_run else "moved"
    lines = [f"{would} {cube} from {was} to {now}" for cube, (was, now) in change.moved.items()]
    out.result(value, "\n".join([*lines, *_table(rows)]))
    return DONE


def _table(rows: tuple[SplitRow, ...]) -> list[str]:
    """Cubes and, in brackets, crops per diagnosis and side."""
    sums = {side: (sum(row.cubes[side] for row in rows), sum(row.crops[side] for row in rows)) for side in _SIDES}
    cells = [
        ["cubes (crops)", *_SIDES],
        *([row.diagnosis.label, *(f"{row.cubes[side]} ({row.crops[side]})" for side in _SIDES)] for row in rows),
        ["all", *(f"{cubes} ({crops})" for cubes, crops in sums.values())],
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    return [
        "  ".join(text.ljust(width) if not column else text.rjust(width) for column, (text, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in cells)
    ]


def _assignment(text: str) -> tuple[str, str]:
    """``NAME=SIDE``; the name may hold an = itself."""
    name, found, side = text.rpartition("=")
    if not found or not name or side not in _SIDES:
        raise argparse.ArgumentTypeError(f"'{text}' is not ID=train, ID=val or ID=test")
    return name, side


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("split", split)
    p.add_argument("study", type=Path)
    p.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        type=_assignment,
        metavar="ID=SIDE",
        help="move a cube, or a patient, to train, val or test; all cubes of a patient go together",
    )
    p.add_argument("--dry-run", action="store_true", help="only say what --set would do")
