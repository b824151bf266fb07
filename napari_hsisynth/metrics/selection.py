"""Which cubes are compared: split, diagnosis, size and masks, and what has to be said about the choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.study import (
    DIAGNOSIS_COLOURS,
    HELD_OUT,
    Collection,
    CropRecord,
    Diagnosis,
    Study,
    load_collection,
    outdated_runs,
)

SPLITS = ("held-out", "train", "all")


@dataclass(frozen=True)
class Selection:
    """The cubes of both sides.

    Parameters
    ----------
    real, synthetic : Collection
        Where they lie.
    real_records, synthetic_records : list of CropRecord
        Those to compare; at least one each.
    size_yx : (int, int)
        At which they are compared, px.
    stored_masks : bool
        Use the masks in the files; otherwise masks are proposed for both sides alike.
    phantom : bool
        The study says that its cubes are simulated.
    colour : str
        Of the diagnosis.
    compared : dict
        In words, for the head of a report.
    notes : tuple of str
        What had to be assumed.
    """

    real: Collection
    synthetic: Collection
    real_records: list[CropRecord]
    synthetic_records: list[CropRecord]
    size_yx: tuple[int, int]
    stored_masks: bool
    phantom: bool
    colour: str
    compared: dict[str, str]
    notes: tuple[str, ...]


def select(
    real: Collection | str | Path, synthetic: Collection | str | Path, *, split: str, diagnosis: str | None
) -> Selection:
    """Choose what is compared; see `metrics.evaluate`."""
    if split not in SPLITS:
        raise InputError(f"no split '{split}'", where="--split", fix=f"use one of: {', '.join(SPLITS)}")
    real = real if isinstance(real, Collection) else load_collection(real)
    synthetic = synthetic if isinstance(synthetic, Collection) else load_collection(synthetic)
    notes: list[str] = []
    study = real.study or synthetic.study
    wanted = _diagnoses(synthetic, diagnosis)
    if diagnosis is None and wanted == {Diagnosis.OTHER} and not any(r.diagnosis in wanted for r in real.records):
        notes.append("the synthetic cubes have no diagnosis: compared with real cubes of every diagnosis")
        wanted = None
    records = [r for r in real.records if wanted is None or r.diagnosis in wanted]
    words = "all" if wanted is None else ", ".join(sorted(d.label for d in wanted))
    if not records:
        found = ", ".join(f"{n} {d.label}" for d, n in Counter(r.diagnosis for r in real.records).items())
        raise InputError(f"no real cube of {words}", where=real.folder, fix=f"there are: {found}; see --diagnosis")
    records, split_words = _of_split(records, study, split, notes, where=real.folder)
    made = synthetic.records
    notes.extend(_seen_before(records, {record.run for record in made}, study))
    if diagnosis is not None and wanted:
        same = [r for r in made if r.diagnosis in wanted]
        if not same:
            others = ", ".join(sorted({r.diagnosis.label for r in made}))
            notes.append(f"the synthetic cubes are {others}; they are compared with real {words} as asked")
        made = same or made
    if real.folder == synthetic.folder:
        notes.append("both sides are the same folder: the distances are then 0 by construction")
    size_yx = _size(made, notes)
    stored = all(r.mask_source in ("conditioning", "annotation") for r in made) and all(
        r.mask_source == "annotation" for r in records
    )
    return Selection(
        real=real,
        synthetic=synthetic,
        real_records=records,
        synthetic_records=made,
        size_yx=size_yx,
        stored_masks=stored,
        phantom=study is not None and "PHANTOM" in study.notes,
        colour=DIAGNOSIS_COLOURS[next(iter(wanted))]
        if wanted and len(wanted) == 1
        else DIAGNOSIS_COLOURS[Diagnosis.OTHER],
        compared={
            "real": f"{_name(real)}: {len(records)} crops",
            "synthetic": f"{_name(synthetic)}: {len(made)} cubes",
            "diagnosis": words,
            "split of the real cubes": split_words,
        }
        | ({"notes of the study": study.notes} if study is not None and study.notes else {}),
        notes=tuple(notes),
    )


def _diagnoses(synthetic: Collection, asked: str | None) -> set[Diagnosis] | None:
    """Return the real diagnoses to compare with; None for all."""
    if asked is not None:
        return {Diagnosis.parse(asked, where="--diagnosis")}
    run_ids = {record.run for record in synthetic.records}
    if synthetic.study is not None and len(run_ids) == 1 and "" not in run_ids:
        run = RunFolder(synthetic.study.runs_dir / run_ids.pop())
        about = (run.config.get("run") if run.config_path.is_file() else None) or {}
        if "diagnosis" in about:  # empty: the generator was trained on all of them
            return {Diagnosis.parse(about["diagnosis"], where=run.config_path)} if about["diagnosis"] else None
    return {record.diagnosis for record in synthetic.records}


def _of_split(
    records: list[CropRecord], study: Study | None, split: str, notes: list[str], *, where: Path
) -> tuple[list[CropRecord], str]:
    if split == "all":
        notes.append("all real cubes were taken, also those that a generator may have been trained on")
        return records, "all"
    side_of = study.splits() if study is not None else {}
    known = [record for record in records if record.cube_id in side_of]
    if not known:
        if split == "train":
            raise InputError("no study says which of these cubes are training data", where=where, fix="use --split all")
        # the default must work on a plain folder of cubes, but must not look like a held-out comparison
        notes.append(
            "no study says which of the real cubes were held out: all were taken, and figures flatter if the generator"
            " saw them"
        )
        return records, "unknown, all taken"
    sides = HELD_OUT if split == "held-out" else ("train",)
    taken = [record for record in known if side_of[record.cube_id] in sides]
    if not taken:
        raise InputError(
            f"none of the {len(known)} real cubes is in the split '{split}'", where=where, fix="use --split all"
        )
    if len(known) < len(records):
        notes.append(f"{len(records) - len(known)} real cubes are not in the study's split and were left out")
    if split == "train":
        notes.append("real cubes of the training split: the generator has seen them, and a copy would score best")
    return taken, f"{split} ({' and '.join(sides)}), {len(taken)} of {len(records)}"


def _seen_before(records: list[CropRecord], run_ids: set[str], study: Study | None) -> Iterator[str]:
    """Say which real cubes a generator was trained on before the split was changed."""
    if study is None or not study.runs_dir.is_dir():
        return
    for run in outdated_runs(study, study.splits()):
        seen = sorted({record.cube_id for record in records} & set(run.seen))
        if run.run_id in run_ids and seen:
            yield (
                f"{run.run_id} was trained while the split was another, on {len(seen)} of these real cubes"
                f" ({', '.join(seen[:3])}{', ...' if len(seen) > 3 else ''}): figures flatter it; train again"
            )


def _size(records: list[CropRecord], notes: list[str]) -> tuple[int, int]:
    sizes = {r.shape_yx for r in records}
    if len(sizes) == 1:
        return sizes.pop()
    side = min(min(size) for size in sizes)
    notes.append(f"the synthetic cubes have {len(sizes)} sizes: all were brought to {side} x {side} px")
    return side, side


def _name(collection: Collection) -> str:
    """Name a folder without telling where on this machine it lies."""
    if collection.study is not None:
        inside = (
            collection.folder.relative_to(collection.study.root)
            if collection.folder.is_relative_to(collection.study.root)
            else None
        )
        return f"{collection.study.name}/{inside.as_posix()}" if inside is not None else collection.folder.name
    return collection.folder.name
