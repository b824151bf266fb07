"""Some of the crops, of each diagnosis in proportion: what a training learns from that is to see only so many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from napari_hsisynth.study.crops import CropRecord
from napari_hsisynth.study.diagnosis import Diagnosis


def drawn_crops(records: Sequence[CropRecord], count: int, seed: int) -> list[int]:
    """Draw `count` of the crops; those of a smaller count are among those of a larger one.

    Parameters
    ----------
    records : sequence of CropRecord
        In the order of ``crops.csv``.
    count : int
        How many; 0, or as many as there are, for all.
    seed : int
        Decides which.

    Returns
    -------
    list of int
        Positions in `records`, ascending.
    """
    if not 0 < count < len(records):
        return list(range(len(records)))
    shuffled = [int(number) for number in np.random.default_rng(seed).permutation(len(records))]
    sizes = Counter(record.diagnosis for record in records)
    seen: Counter[Diagnosis] = Counter()
    place: dict[int, float] = {}  # of each crop between the first and the last of its diagnosis
    for number in shuffled:
        diagnosis = records[number].diagnosis
        place[number] = (seen[diagnosis] + 0.5) / sizes[diagnosis]
        seen[diagnosis] += 1
    return sorted(sorted(shuffled, key=place.__getitem__)[:count])
