"""How many crops a training would see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DataSummary:
    """How many crops a training would see.

    Parameters
    ----------
    crops : int
        All crops of the chosen diagnosis (or of every one).
    by_diagnosis : dict
        Crops per diagnosis (`Diagnosis` to count), only those that occur.
    train, val, test : int
        Crops per split; the splits are by patient, else by cube.
    """

    crops: int
    by_diagnosis: dict[Any, int]
    train: int
    val: int
    test: int


def data_summary(study: Any, diagnosis: str | None = None) -> DataSummary:
    """Count a study's crops per diagnosis and split, without reading them.

    Parameters
    ----------
    study : Study
        The study; its splits are made and stored if this is their first use.
    diagnosis : str, optional
        Count only crops of this diagnosis; by default all.
    """
    records = [r for r in study.crops() if diagnosis is None or r.diagnosis == diagnosis]
    splits = study.splits() if records else {}
    held = [splits[record.cube_id] for record in records]
    return DataSummary(
        crops=len(records),
        by_diagnosis=_tally(record.diagnosis for record in records),
        train=held.count("train"),
        val=held.count("val"),
        test=held.count("test"),
    )


def _tally(values: Iterable[Any]) -> dict[Any, int]:
    counts: dict[Any, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts
