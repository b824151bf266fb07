"""``splits.csv``: on which side every cube stands, and the seed of the draw."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from napari_hsisynth.atomic import write_text
from napari_hsisynth.errors import InputError

SPLITS = "splits.csv"
Split = Literal["train", "val", "test"]
NAMES: tuple[Split, ...] = ("train", "val", "test")

#: What is held out is val + test; val only chooses the best checkpoint.
HELD_OUT: tuple[Split, ...] = ("val", "test")


def read_split(path: Path) -> tuple[dict[str, Split], int | None]:
    """Read the split of each cube id and the seed of the draw; nothing and None if there is no file.

    Raises
    ------
    InputError
        Names the line of what is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}, None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    split: dict[str, Split] = {}
    seeds = set()
    for row in reader:
        where = f"{path} line {reader.line_num}"
        side = next((name for name in NAMES if name == row.get("split")), None)
        if side is None or not row.get("id"):
            raise InputError("needs an id and a split of train, val or test", where=where)
        if row["id"] in split:
            raise InputError(f"cube '{row['id']}' is there twice", where=where)
        split[row["id"]] = side
        seeds.add(row.get("seed") or "0")
    if len(seeds) > 1 or not all(seed.lstrip("-").isdecimal() for seed in seeds):
        raise InputError("the column seed must hold one whole number", where=path)
    return split, int(seeds.pop()) if seeds else None


def write_split(path: Path, split: Mapping[str, Split], seed: int) -> None:
    """Replace the file, sorted by id."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "split", "seed"))
    writer.writerows((cube_id, split[cube_id], seed) for cube_id in sorted(split))
    write_text(path, text.getvalue())
