"""Which runs stand on which split: a run keeps the one it used once the study's is changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.split_file import SPLITS, Split, read_split, write_split
from napari_hsisynth.study.storage import writing

if TYPE_CHECKING:
    from napari_hsisynth.study.study import Study

#: Verbs whose runs learn from one side of the split or are measured on the other.
_VERBS = ("train", "classify", "evaluate")


@dataclass(frozen=True)
class OutdatedRun:
    """A run that used another split than the study has now, so that its figures no longer compare with new ones.

    Parameters
    ----------
    run_id : str
        Its folder under ``runs/``.
    verb : str
        "train", "classify" or "evaluate".
    seen : tuple of str
        Cubes in its training split that are held out now: figures taken on them flatter the run.
    unseen : tuple of str
        Cubes held out from it that train now.
    moved : tuple of str
        Cubes that went from validation to test or back.
    """

    run_id: str
    verb: str
    seen: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()

    def text(self) -> str:
        """Say it in one line."""
        parts = []
        if self.seen:
            parts.append(f"{_cubes(self.seen)} in its training split, held out now")
        if self.unseen:
            parts.append(f"{_cubes(self.unseen)} held out from it, in training now")
        if self.moved:
            parts.append(f"{_cubes(self.moved)} moved between validation and test")
        return f"{self.run_id} no longer compares with new runs: {'; '.join(parts)}"


def keep_split_of_runs(study: Study, split: Mapping[str, Split], seed: int) -> None:
    """Give every run of the study that has no copy of its split yet one of `split`, before another takes its place."""
    for folder, _ in _runs(study.root):
        if not (folder / SPLITS).exists():
            with writing(folder):
                write_split(folder / SPLITS, split, seed)


def outdated_runs(
    study: Study, split: Mapping[str, Split], *, not_kept_yet: Mapping[str, Split] | None = None
) -> tuple[OutdatedRun, ...]:
    """Find the runs that used another split than `split`, newest first.

    Only cubes count that such a run looks at: those of its diagnosis, if it has one. A change that was taken back
    outdates no run.

    Parameters
    ----------
    study : Study
        With its runs.
    split : mapping of str to {"train", "val", "test"}
        By cube id.
    not_kept_yet : mapping, optional
        The split that runs without a copy used; by default they are left out, as they stand on the present one.
    """
    diagnoses: dict[str, set[str]] = defaultdict(set)
    for record in study.crops():
        diagnoses[record.cube_id].add(record.diagnosis.value)
    for entry in study.entries:
        diagnoses[entry.id].add(entry.diagnosis.value)
    found = []
    for folder, about in _runs(study.root):
        try:
            used, _ = read_split(folder / SPLITS)
            used = used or dict(not_kept_yet or {})
        except (InputError, OSError, UnicodeDecodeError):
            continue  # a damaged copy in some run must not keep anyone from splitting
        of = str(about.get("diagnosis") or "")
        sides = {
            cube: (side, split[cube])
            for cube, side in used.items()
            if cube in split and side != split[cube] and (not of or of in diagnoses[cube])
        }
        if sides:
            found.append(
                OutdatedRun(
                    folder.name,
                    about["verb"],
                    seen=tuple(cube for cube, (was, _) in sides.items() if was == "train"),
                    unseen=tuple(cube for cube, (_, now) in sides.items() if now == "train"),
                    moved=tuple(cube for cube, both in sides.items() if "train" not in both),
                )
            )
    return tuple(found)


def _runs(root: Path) -> list[tuple[Path, dict[str, str]]]:
    """Folders of runs that a split matters to, newest first, and what their configuration says of the run."""
    found = []
    for path in sorted((root / "runs").glob("*/config.yaml"), reverse=True):
        try:
            about = yaml.safe_load(path.read_text(encoding="utf-8"))["run"]
            if about["verb"] in _VERBS:
                found.append((path.parent, about))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
            continue  # not a run of ours, or a torn one
    return found


def _cubes(ids: tuple[str, ...]) -> str:
    named = ", ".join(ids[:3])
    return f"{named} and {len(ids) - 3} more" if len(ids) > 3 else named
