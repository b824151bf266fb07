"""Which cubes train and which are held out: drawn once, stored in ``splits.csv``, never moved."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_hsisynth.atomic import write_text
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.manifest import Entry
from napari_hsisynth.study.storage import study_lock

if TYPE_CHECKING:
    from napari_hsisynth.study.study import Study

SPLITS = "splits.csv"
Split = Literal["train", "val", "test"]
NAMES: tuple[Split, ...] = ("train", "val", "test")

#: What is held out is val + test; val only chooses the best checkpoint.
HELD_OUT: tuple[Split, ...] = ("val", "test")

_HELD_OUT_FRACTION = 0.15  # each of val and test


def stored_splits(study: Study, *, seed: int | None = None) -> dict[str, Split]:
    """Return the split of every cube of `study`, drawing and storing what is not drawn yet.

    Parameters
    ----------
    study : Study
        Whose cubes to split.
    seed : int, optional
        For the first draw, 0 by default. Later it must be the stored one, or be left out.

    Returns
    -------
    dict of str to {"train", "val", "test"}
        By cube id, sorted.

    Raises
    ------
    InputError
        If `seed` is not the one the split was drawn with, if the cubes of one patient stand on several sides, or if the
        split cannot be stored.
    """
    path = study.root / SPLITS
    split, stored_seed = _read(path)
    _check_seed(path, seed, stored_seed)
    if any(entry.id not in split for entry in study.entries):
        with study_lock(study.root):
            split, stored_seed = _read(path)  # another process may have drawn it while we waited
            _check_seed(path, seed, stored_seed)
            used = next((value for value in (stored_seed, seed) if value is not None), 0)
            split = draw(study.entries, split, seed=used, positive=study.positive)
            _write(path, split, used)
    _check_patients(path, study.entries, split)
    return {entry.id: split[entry.id] for entry in study.entries}


def draw(
    entries: Sequence[Entry],
    present: Mapping[str, Split] | None = None,
    *,
    seed: int = 0,
    positive: Diagnosis = Diagnosis.MELANOMA,
) -> dict[str, Split]:
    """Assign the cubes that `present` does not name: by patient, else by cube; each diagnosis 70 : 15 : 15.

    A patient with several diagnoses counts as the positive one, else as the commonest. From three cubes on, every
    diagnosis has one in each split. Depends on ids, patients, diagnoses and `seed` only, not on any order.

    Parameters
    ----------
    entries : sequence of Entry
        All cubes.
    present : mapping, optional
        Splits that are already drawn; kept.
    seed : int
        Of the draw.
    positive : Diagnosis
        See above.

    Returns
    -------
    dict
        `present` and the new ones.
    """
    split: dict[str, Split] = dict(present or {})
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[_group(entry)].append(entry)
    strata: dict[Diagnosis, list[str]] = defaultdict(list)
    for name, members in groups.items():
        strata[_stratum(members, positive)].append(name)
    for names in strata.values():
        total = sum(len(groups[name]) for name in names)
        wanted = _quotas(total)
        counts: Counter[Split] = Counter()
        undrawn = []
        for name in names:
            drawn = next((split[entry.id] for entry in groups[name] if entry.id in split), None)
            if drawn is None:
                undrawn.append(name)
                continue
            for entry in groups[name]:
                counts[split.setdefault(entry.id, drawn)] += 1
        # large groups first, they are the hardest to place; among equals a hash is a draw that ignores all other cubes
        for name in sorted(undrawn, key=lambda name: (-len(groups[name]), _lot(seed, name))):
            side = max(NAMES, key=lambda side: wanted[side] - counts[side])
            for entry in groups[name]:
                split[entry.id] = side
                counts[side] += 1
    return split


def _group(entry: Entry) -> str:
    return f"patient {entry.patient}" if entry.patient else f"cube {entry.id}"


def _stratum(members: Sequence[Entry], positive: Diagnosis) -> Diagnosis:
    found = Counter(entry.diagnosis for entry in members)
    return positive if positive in found else min(found, key=lambda diagnosis: (-found[diagnosis], diagnosis))


def _quotas(cubes: int) -> dict[Split, int]:
    """Cubes wanted per split: 15 % each for val and test, at least one of each from three cubes on."""
    held = max(1, round(_HELD_OUT_FRACTION * cubes))
    test = held if cubes >= 2 else 0
    val = held if cubes >= 3 else 0
    return {"train": cubes - val - test, "val": val, "test": test}


def _lot(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()


def _read(path: Path) -> tuple[dict[str, Split], int | None]:
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


def _write(path: Path, split: Mapping[str, Split], seed: int) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "split", "seed"))
    writer.writerows((cube_id, split[cube_id], seed) for cube_id in sorted(split))
    write_text(path, text.getvalue())


def _check_seed(path: Path, asked: int | None, stored: int | None) -> None:
    if asked is not None and stored is not None and asked != stored:
        raise InputError(
            f"the split was drawn with seed {stored}, not {asked}",
            where=path,
            fix="leave the seed out, or delete the file to draw anew (older results then no longer compare)",
        )


def _check_patients(path: Path, entries: Sequence[Entry], split: Mapping[str, Split]) -> None:
    sides: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry.patient:
            sides[entry.patient].add(split[entry.id])
    for patient, found in sides.items():
        if len(found) > 1:
            raise InputError(
                f"cubes of patient '{patient}' are in {' and '.join(sorted(found))}",
                where=path,
                fix="put them on one side, or delete the file to draw anew",
            )
