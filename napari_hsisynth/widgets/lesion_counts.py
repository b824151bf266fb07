"""`LesionCounts`: what of a study can become a crop, counted without reading a mask."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Diagnosis, Study


@dataclass(frozen=True)
class LesionCounts:
    """Lesions and cubes of a study.

    Parameters
    ----------
    accepted : Counter of Diagnosis
        Accepted lesions.
    cubes : int
        Cubes with an accepted lesion.
    bare : Counter of Diagnosis
        Cubes without one, by the diagnosis of the cube.
    not_accepted : Counter of str
        Other lesions by status.
    """

    accepted: Counter[Diagnosis] = field(default_factory=Counter)
    cubes: int = 0
    bare: Counter[Diagnosis] = field(default_factory=Counter)
    not_accepted: Counter[str] = field(default_factory=Counter)

    def crops(self, wanted: Diagnosis | None, *, whole: bool) -> int:
        """Return how many crops would be cut: of one diagnosis or all, with whole cubes or without."""
        counted = [self.accepted, self.bare] if whole else [self.accepted]
        return sum(counts.total() if wanted is None else counts[wanted] for counts in counted)


def count_lesions(study: Study) -> LesionCounts:
    """Count; annotations that cannot be read are left out: the crop itself says what is wrong with them."""
    accepted, bare, others, cubes = Counter[Diagnosis](), Counter[Diagnosis](), Counter[str](), 0
    for entry in study.entries:
        try:
            instances = study.annotation_summary(entry.id).instances
        except InputError:
            continue
        found = [one.diagnosis for one in instances if one.status == "accepted"]
        accepted.update(found)
        others.update(one.status for one in instances if one.status != "accepted")
        if found:
            cubes += 1
        else:
            bare[entry.diagnosis] += 1
    return LesionCounts(accepted, cubes, bare, others)
