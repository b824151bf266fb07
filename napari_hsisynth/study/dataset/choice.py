"""Which synthetic cubes of a study go into a data set, and what they are called there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.crops import Crop, CropRecord, read_crop, read_crops_index
from napari_hsisynth.study.dataset.conditions import condition_name
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.study import Study

#: Ids of crops may be so long.
_LONGEST_ID = 120


@dataclass(frozen=True)
class Chosen:
    """One cube that goes into a data set.

    Parameters
    ----------
    set_name : str
        Folder under the study's ``synthetic``.
    folder : pathlib.Path
        The same, absolute.
    record : CropRecord
        In that folder.
    crop_id : str
        Its id in the data set: that of the record unless another cube has it already.
    """

    set_name: str
    folder: Path
    record: CropRecord
    crop_id: str

    @property
    def renamed(self) -> CropRecord:
        """The record under its id in the data set."""
        if self.crop_id == self.record.crop_id:
            return self.record
        same = self.record.cube_id == self.record.crop_id
        return replace(self.record, crop_id=self.crop_id, cube_id=self.crop_id if same else self.record.cube_id)

    def read(self) -> Crop:
        """Read the cube and its mask, under the id that it has in its set."""
        try:
            return read_crop(self.folder, self.record)
        except InputError as error:
            fix = "the command sample draws missing and damaged cubes again"
            raise InputError(error.what, where=error.where, fix=fix) from None


def choose(
    study: Study, sets: Sequence[str] | None = None, *, n: int | None = None, diagnosis: str | None = None
) -> tuple[list[Chosen], int]:
    """Return the cubes to export, set by set, in the order of their indexes.

    A cube that is in several sets, as after importing a data set into the study it is from, is taken once.

    Parameters
    ----------
    study : Study
        That has them.
    sets : sequence of str, optional
        Folders under ``synthetic``, or ids of the runs that made the cubes; by default all folders.
    n : int, optional
        Only the first n of each diagnosis in each set.
    diagnosis : str, optional
        Only these.

    Returns
    -------
    chosen : list of Chosen
    repeated : int
        How many were left out since an earlier one is the same.

    Raises
    ------
    InputError
        If there is no such set, an index holds real crops, or nothing is left.
    """
    if n is not None and n < 1:
        raise InputError(f"{n} cubes are not a number to export", where="n", fix="ask for 1 or more")
    only = None if diagnosis is None else Diagnosis.parse(diagnosis, where="diagnosis")
    if not study.synthetic_runs():
        raise InputError("no synthetic cubes in this study", where=study.root, fix="draw some: napari-hsisynth sample")
    taken: dict[str, Chosen] = {}  # by id in lower case: not every file system tells the cases apart
    repeated = 0
    for name, records in _named(sets, study).items():
        counts: Counter[Diagnosis] = Counter()
        for record in records:
            if not record.synthetic:
                raise InputError(f"{record.crop_id} names no run: it is not synthetic", where=study.synthetic_dir(name))
            if only not in (None, record.diagnosis) or (n is not None and counts[record.diagnosis] >= n):
                continue
            counts[record.diagnosis] += 1
            one = Chosen(name, study.synthetic_dir(name), record, record.crop_id)
            for crop_id in _ids(record.crop_id):
                other = taken.get(crop_id.lower())
                if other is None or _same(one, other):
                    break
            if other is not None:
                repeated += 1
                continue
            taken[crop_id.lower()] = replace(one, crop_id=crop_id)
    if not taken:
        words = "" if only is None else f" of {only.label}"
        raise InputError(f"no synthetic cube{words} in these sets", where=study.root, fix="choose others, or sample")
    return list(taken.values()), repeated


def _named(sets: Sequence[str] | None, study: Study) -> dict[str, list[CropRecord]]:
    """Return the records of the sets that are meant. An index that cannot be read matters only if its set is."""
    there = study.synthetic_runs()
    if sets is None:
        return {name: read_crops_index(study.synthetic_dir(name)) for name in there}
    found: dict[str, list[CropRecord]] = {}
    for wanted in sets:
        of_run = {} if wanted in there else _of_run(wanted, there, study)
        if wanted not in there and not of_run:
            raise InputError(f"no synthetic set '{wanted}'", where=study.root, fix=f"there are: {', '.join(there)}")
        found |= of_run or {wanted: read_crops_index(study.synthetic_dir(wanted))}
    return dict(sorted(found.items()))


def _of_run(run: str, names: Iterable[str], study: Study) -> dict[str, list[CropRecord]]:
    """Return those sets that are of this run alone."""
    found = {}
    for name in names:
        try:
            records = read_crops_index(study.synthetic_dir(name))
        except InputError:
            continue  # a damaged one: nobody named it
        if {record.run for record in records} == {run}:
            found[name] = records
    return found


def _same(one: Chosen, other: Chosen) -> bool:
    """Whether two cubes are one: of the same origin, and the same to the bit."""
    if _origin(one.record) != _origin(other.record) or one.record.shape_yx != other.record.shape_yx:
        return False
    first, second = one.read(), other.read()
    return bool(
        condition_name(first) == condition_name(second) and first.cube.data.tobytes() == second.cube.data.tobytes()
    )


def _origin(record: CropRecord) -> tuple[object, ...]:
    return record.run, record.source_sha256, record.seed, record.diagnosis


def _ids(crop_id: str) -> Iterator[str]:
    yield crop_id
    number = 2
    while True:
        ending = f"-{number}"
        yield crop_id[: _LONGEST_ID - len(ending)] + ending
        number += 1
