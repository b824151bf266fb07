"""Which cubes train and which are held out: drawn once, stored in ``splits.csv``, moved by nobody but the user."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.manifest import Entry
from napari_hsisynth.study.split_file import HELD_OUT, NAMES, SPLITS, Split, read_split, write_split
from napari_hsisynth.study.split_runs import OutdatedRun, keep_split_of_runs, outdated_runs
from napari_hsisynth.study.storage import study_lock, writing

if TYPE_CHECKING:
    from napari_hsisynth.study.study import Study

__all__ = [
    "HELD_OUT",
    "NAMES",
    "Split",
    "SplitChange",
    "SplitRow",
    "draw",
    "planned_change",
    "reassign",
    "reassign_each",
    "split_table",
    "stored_splits",
]

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
    split, stored_seed = read_split(path)
    _check_seed(path, seed, stored_seed)
    if any(entry.id not in split for entry in study.entries):
        with study_lock(study.root):
            split, stored_seed = read_split(path)  # another process may have drawn it while we waited
            _check_seed(path, seed, stored_seed)
            used = next((value for value in (stored_seed, seed) if value is not None), 0)
            split = draw(study.entries, split, seed=used, positive=study.positive)
            write_split(path, split, used)
    _check_patients(path, study.entries, split)
    return {entry.id: split[entry.id] for entry in study.entries}


@dataclass(frozen=True)
class SplitChange:
    """What a change of the split does, or has done.

    Parameters
    ----------
    moved : mapping of str to (Split, Split)
        Cube ids with the side they stood on and the one they stand on now; whole patients.
    outdated : tuple of OutdatedRun
        Runs that used another split than the new one, be it the present or an older one.
    notes : tuple of str
        What the new split lacks, one sentence each.
    """

    moved: Mapping[str, tuple[Split, Split]]
    outdated: tuple[OutdatedRun, ...] = ()
    notes: tuple[str, ...] = ()


def reassign(study: Study, names: str | Iterable[str], split: Split) -> SplitChange:
    """Move cubes to another side; all cubes of a patient go together.

    Runs that there are keep a copy of the split they used, see `split_runs`.

    Parameters
    ----------
    study : Study
        With the cubes.
    names : str or iterable of str
        Ids of cubes, or patients.
    split : {"train", "val", "test"}
        Where to.

    Returns
    -------
    SplitChange
        What was moved, and which runs no longer compare with new ones.

    Raises
    ------
    InputError
        If there is no such cube, patient or side, if nothing would be left to train on, or if the study cannot be
        written. Nothing is moved then.
    """
    return reassign_each(study, dict.fromkeys([names] if isinstance(names, str) else names, split))


def reassign_each(study: Study, sides: Mapping[str, Split]) -> SplitChange:
    """Move several cubes or patients to a side each, all or none; otherwise as `reassign`."""
    path = study.root / SPLITS
    with study_lock(study.root):
        study.reload()
        old, seed = _complete(study)
        new = _with_moved(study, old, sides)
        if new != old:
            keep_split_of_runs(study, old, seed)  # first: a process killed in between has only made true copies
            with writing(path):
                write_split(path, new, seed)
    return _change(study, old, new)


def planned_change(study: Study, sides: Mapping[str, Split]) -> SplitChange:
    """Say what `reassign_each` would do, and raise what it would raise, without doing it."""
    old, _ = _complete(study)
    new = _with_moved(study, old, sides)
    return _change(study, old, new, not_kept_yet=old)


@dataclass(frozen=True)
class SplitRow:
    """The split of one diagnosis.

    Parameters
    ----------
    diagnosis : Diagnosis
        Of cubes; of crops their own.
    cubes, patients, crops : mapping of {"train", "val", "test"} to int
        How many there are on each side. Cubes without a patient count in `cubes` only.
    """

    diagnosis: Diagnosis
    cubes: Mapping[Split, int]
    patients: Mapping[Split, int]
    crops: Mapping[Split, int]


def split_table(study: Study) -> tuple[SplitRow, ...]:
    """Count cubes, patients and crops per diagnosis and split, without reading any cube.

    Parameters
    ----------
    study : Study
        Its split is drawn and stored if this is the first use.

    Returns
    -------
    tuple of SplitRow
        One per diagnosis that occurs, in the order of `Diagnosis`.
    """
    split = stored_splits(study)
    cubes = Counter((entry.diagnosis, split[entry.id]) for entry in study.entries)
    patients = Counter({(e.diagnosis, split[e.id], e.patient) for e in study.entries if e.patient})
    of_patients = Counter((diagnosis, side) for diagnosis, side, _ in patients)
    crops = Counter((record.diagnosis, split[record.cube_id]) for record in study.crops() if record.cube_id in split)
    return tuple(
        SplitRow(
            diagnosis, *({side: counts[diagnosis, side] for side in NAMES} for counts in (cubes, of_patients, crops))
        )
        for diagnosis in Diagnosis
        if any(counts[diagnosis, side] for counts in (cubes, crops) for side in NAMES)
    )


def _complete(study: Study) -> tuple[dict[str, Split], int]:
    """The stored split with what is not drawn yet, and its seed; patients on several sides are let through."""
    split, seed = read_split(study.root / SPLITS)
    return draw(study.entries, split, seed=seed or 0, positive=study.positive), seed or 0


def _with_moved(study: Study, old: Mapping[str, Split], sides: Mapping[str, Split]) -> dict[str, Split]:
    groups: dict[str, list[str]] = defaultdict(list)
    for entry in study.entries:
        groups[_group(entry)].append(entry.id)
    wanted: dict[str, Split] = {}
    for name, side in sides.items():
        if side not in NAMES:
            raise InputError(f"no split '{side}'", where=name, fix=f"use one of: {', '.join(NAMES)}")
        group = _group_named(study, name, groups)
        if wanted.setdefault(group, side) != side:
            raise InputError(
                f"{group} cannot be in {wanted[group]} and in {side}", where=name, fix="cubes of a patient go together"
            )
    new = {**old, **{cube_id: side for group, side in wanted.items() for cube_id in groups[group]}}
    if wanted and not any(new[entry.id] == "train" for entry in study.entries):
        raise InputError("no cube would be left to train on", where=study.root / SPLITS, fix="leave some in train")
    return new


def _group_named(study: Study, name: str, groups: Mapping[str, list[str]]) -> str:
    """The patient (or single cube) that a cube's id or a patient's name means."""
    of_cube = next((_group(entry) for entry in study.entries if entry.id == name), None)
    of_patient = f"patient {name}" if f"patient {name}" in groups else None
    if of_cube and of_patient and of_cube != of_patient:
        raise InputError(
            f"'{name}' is a cube and also a patient without it",
            where=study.root,
            fix="name another cube of the patient",
        )
    found = of_cube or of_patient
    if found is None:
        raise InputError(f"no cube and no patient '{name}' in this study", where=study.root)
    return found


def _change(
    study: Study, old: Mapping[str, Split], new: Mapping[str, Split], *, not_kept_yet: Mapping[str, Split] | None = None
) -> SplitChange:
    moved = {cube_id: (old[cube_id], side) for cube_id, side in sorted(new.items()) if old[cube_id] != side}
    return SplitChange(moved, outdated_runs(study, new, not_kept_yet=not_kept_yet), tuple(_lacks(study.entries, new)))


def _lacks(entries: Sequence[Entry], split: Mapping[str, Split]) -> Iterable[str]:
    there = {split[entry.id] for entry in entries}
    if "val" not in there:
        yield "no cube in val: the best checkpoint of a run will simply be its last"
    if not there & set(HELD_OUT):
        yield "no cube is held out: nothing is left to measure on"
    trained = {entry.diagnosis for entry in entries if split[entry.id] == "train"}
    for diagnosis in Diagnosis:
        if diagnosis not in trained and any(entry.diagnosis is diagnosis for entry in entries):
            yield f"no cube of {diagnosis.label} in train"


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
