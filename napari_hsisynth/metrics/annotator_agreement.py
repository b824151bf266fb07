"""Agreement of two annotators: of one cube, and of all cubes of a study that both have finished."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.mask_agreement import BoundaryDistance, boundary_distance, dice, iou, match_lesions
from napari_hsisynth.metrics.resampling import interval_of_mean
from napari_hsisynth.study import Annotation, Study
from napari_hsisynth.study.annotation import read_annotation_json
from napari_hsisynth.study.annotators import annotation_files, by_name, same_annotator, signed_by
from napari_hsisynth.study.storage import Cancelled, Progress

#: Masks that overlap less than this (Dice) are worth a second look.
LOW_DICE = 0.8
#: What is averaged over cubes, with its unit.
FIGURES = {"dice": "", "iou": "", "boundary_mean_px": "px", "boundary_95_px": "px"}


@dataclass(frozen=True)
class CubeAgreement:
    """How well two annotations of one cube agree.

    Lesions of status "draft" do not count: nobody has accepted them yet.

    Parameters
    ----------
    cube_id : str
    dice, iou : float
        Of all lesions together, 0..1.
    boundary : BoundaryDistance
        Of all lesions together, px.
    matched : int
        Lesions that both have marked.
    only_first, only_second : int
        Lesions that one of them has marked.
    same_diagnosis : int
        Of the matched ones.
    """

    cube_id: str
    dice: float
    iou: float
    boundary: BoundaryDistance
    matched: int = 0
    only_first: int = 0
    only_second: int = 0
    same_diagnosis: int = 0

    @property
    def disagree(self) -> bool:
        """Whether it is worth a second look: little overlap, a lesion that one has not seen, or another diagnosis."""
        return bool(self.dice < LOW_DICE or self.only_first or self.only_second or self.same_diagnosis < self.matched)

    def swapped(self) -> CubeAgreement:
        """Return the same with the second annotator as the first."""
        return replace(self, only_first=self.only_second, only_second=self.only_first)

    def text(self) -> str:
        """Return ``Dice .93, IoU .87, boundary 1.8 px (95 %: 4.2 px)``, and what else differs."""
        parts = [f"Dice {_share(self.dice)}", f"IoU {_share(self.iou)}"]
        if math.isfinite(self.boundary.mean):
            parts.append(f"boundary {self.boundary.mean:.1f} px (95 %: {self.boundary.percentile_95:.1f} px)")
        alone = self.only_first + self.only_second
        if alone:
            parts.append(f"{alone} lesion{'s' * (alone != 1)} marked by one only")
        other = self.matched - self.same_diagnosis
        if other:
            parts.append("another diagnosis" if other == 1 else f"{other} other diagnoses")
        return ", ".join(parts)

    def row(self) -> dict[str, Any]:
        """Return the figures by name; None where they are not defined."""
        return {
            "cube": self.cube_id,
            "dice": self.dice,
            "iou": self.iou,
            "boundary_mean_px": _finite(self.boundary.mean),
            "boundary_95_px": _finite(self.boundary.percentile_95),
            "boundary_largest_px": _finite(self.boundary.largest),
            "matched": self.matched,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "same_diagnosis": self.same_diagnosis,
        }


@dataclass(frozen=True)
class Figure:
    """One figure over cubes.

    Parameters
    ----------
    mean, median : float or None
        None without a cube.
    ci : (float, float) or None
        95 % bootstrap interval of the mean, whole patients drawn; None for fewer than 4 patients (or cubes).
    n : int
        Cubes for which it is defined.
    """

    mean: float | None
    median: float | None
    ci: tuple[float, float] | None
    n: int


@dataclass(frozen=True)
class StudyAgreement:
    """How well two annotators of a study agree.

    Parameters
    ----------
    annotators : (str, str)
    cubes : tuple of CubeAgreement
        Cubes that both have finished: their status is done or unsure.
    overall : dict of str to Figure
        By the names in `FIGURES`.
    only : dict of str to list of str
        Cubes that only this annotator has finished.
    skipped : list of (str, str)
        Cubes whose annotation cannot be read, and why.
    others : list of str
        Further annotators of the study.
    """

    annotators: tuple[str, str]
    cubes: tuple[CubeAgreement, ...]
    overall: dict[str, Figure]
    only: dict[str, list[str]]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return {
            "annotators": list(self.annotators),
            "n": len(self.cubes),
            "overall": {name: asdict(figure) for name, figure in self.overall.items()},
            "lesions": self.lesions(),
            "cubes": [cube.row() for cube in self.cubes],
            "only": self.only,
            "skipped": [{"cube": cube, "reason": reason} for cube, reason in self.skipped],
        }

    def lesions(self) -> dict[str, int]:
        """Count lesions over all cubes."""
        names = ("matched", "only_first", "only_second", "same_diagnosis")
        return {name: sum(getattr(cube, name) for cube in self.cubes) for name in names}

    def csv(self) -> str:
        """Return one line per cube, with a header."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(CubeAgreement("", 1, 1, BoundaryDistance()).row()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(cube.row() for cube in self.cubes)
        return text.getvalue()

    def text(self) -> str:
        """Return the whole as lines for people."""
        first, second = self.annotators
        lines = [f"{cube.cube_id}: {cube.text()}" for cube in self.cubes]
        lines.append(f"{first} and {second}, {len(self.cubes)} cube{'s' * (len(self.cubes) != 1)} that both finished")
        titles = {"dice": "Dice", "iou": "IoU", "boundary_mean_px": "boundary", "boundary_95_px": "boundary, 95 %"}
        for name, figure in self.overall.items():
            lines.append(f"  {titles[name]:<15}{figure_text(figure, FIGURES[name])}")
        counts = self.lesions()
        if self.cubes:
            alone = f"{counts['only_first']} only {first}, {counts['only_second']} only {second}"
            same = f"{counts['same_diagnosis']} of {counts['matched']} with the same diagnosis"
            lines.append(f"  {'lesions':<15}{counts['matched']} marked by both ({same}), {alone}")
        for name, cubes in self.only.items():
            if cubes:
                lines.append(f"only {name}: {', '.join(cubes)}")
        return "\n".join(lines)


def figure_text(figure: Figure, unit: str = "") -> str:
    """Write ``mean .91 [.88, .94], median .93 (n = 12)``."""
    if figure.mean is None or figure.median is None:
        return "not defined (n = 0)"

    def written(value: float) -> str:
        return f"{value:.1f}" if unit else _share(value)

    interval = f" [{written(figure.ci[0])}, {written(figure.ci[1])}]" if figure.ci else ""
    end = f" {unit}" if unit else ""
    return f"mean {written(figure.mean)}{interval}{end}, median {written(figure.median)}{end} (n = {figure.n})"


def cube_agreement(first: Annotation, second: Annotation) -> CubeAgreement:
    """Compare two annotations of one cube.

    Raises
    ------
    InputError
        If their masks are not of one size.
    """
    one, other = _counted(first), _counted(second)
    match = match_lesions(one, other)
    same = [first.instance(i).diagnosis == second.instance(j).diagnosis for i, j, _ in match.pairs]
    return CubeAgreement(
        first.cube_id,
        dice(one > 0, other > 0),
        iou(one > 0, other > 0),
        boundary_distance(one > 0, other > 0),
        len(match.pairs),
        len(match.only_first),
        len(match.only_second),
        sum(same),
    )


def study_agreement(
    study: Study,
    names: Sequence[str] = (),
    *,
    seed: int = 0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> StudyAgreement:
    """Compare two annotators over a study.

    Parameters
    ----------
    study : Study
    names : sequence of two str
        The annotators; by default the two with most cubes in common.
    seed : int
        Of the bootstrap.
    progress : callable, optional
        Called with (done, total) cubes.
    cancelled : callable, optional
        Asked before every cube; if it turns true, `Cancelled` is raised.

    Raises
    ------
    InputError
        If there are no two annotators, or not those.
    """
    finished, skipped = finished_cubes(study)
    first, second = _two(study, finished, names)
    both = [cube for cube in finished[first] if cube in finished[second]]
    cubes = []
    for done, cube_id in enumerate(both):
        if cancelled is not None and cancelled():
            raise Cancelled
        try:
            one, other = (study.annotation(cube_id, finished[name][cube_id]) for name in (first, second))
            cubes.append(cube_agreement(one, other))
        except InputError as error:
            skipped.append((cube_id, str(error)))
        if progress is not None:
            progress(done + 1, len(both))
    rows = [cube.row() for cube in cubes]
    groups = [study.entry(cube.cube_id).patient or f"cube {cube.cube_id}" for cube in cubes]
    return StudyAgreement(
        (first, second),
        tuple(cubes),
        {name: _figure([row[name] for row in rows], groups, seed) for name in FIGURES},
        {
            first: [cube for cube in finished[first] if cube not in finished[second]],
            second: [cube for cube in finished[second] if cube not in finished[first]],
        },
        skipped,
        [name for name in finished if name not in (first, second)],
    )


def finished_cubes(study: Study) -> tuple[dict[str, dict[str, str | None]], list[tuple[str, str]]]:
    """Return which cubes every annotator has finished, and what could not be read.

    Returns
    -------
    finished : dict of str to (dict of str to str or None)
        By annotator: by cube, the `annotation_key`. Names that differ in case only are one annotator.
    skipped : list of (str, str)
        Cubes, and why.
    """
    finished: dict[str, dict[str, str | None]] = {}
    skipped: list[tuple[str, str]] = []
    for cube_id, files in annotation_files(study).items():
        read: dict[str | None, Mapping[str, Any]] = {}
        for key, path in files.items():
            try:
                read[key] = read_annotation_json(path)
            except (InputError, OSError) as error:
                skipped.append((cube_id, str(error)))
        usable = {key: files[key] for key in read}
        for name, key in by_name(usable, signed_by(read[None]) if None in read else "").items():
            known = next((each for each in finished if same_annotator(each, name)), name)
            finished.setdefault(known, {})
            if read[key]["status"] != "todo":
                finished[known][cube_id] = key
    return finished, skipped


def _two(study: Study, finished: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> tuple[str, str]:
    known = ", ".join(sorted(finished)) or "nobody"
    if names:
        found = [next((each for each in finished if _means(name, each)), None) for name in names]
        for name, each in zip(names, found, strict=True):
            if each is None:
                raise InputError(f"no annotator '{name}'", where=study.root, fix=f"annotators here: {known}")
        if len(found) != 2 or found[0] == found[1]:
            raise InputError("agreement is between two annotators", where=study.root, fix=f"choose from: {known}")
        return found[0], found[1]  # type: ignore[return-value]  # None was refused above
    if len(finished) < 2:
        raise InputError(
            f"annotators here: {known}; agreement needs two",
            where=study.root,
            fix="let a second person annotate some cubes under a name of their own",
        )
    common = Counter({pair: len(set(finished[pair[0]]) & set(finished[pair[1]])) for pair in _pairs(finished)})
    return common.most_common(1)[0][0]


def _pairs(finished: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from combinations(sorted(finished, key=str.lower), 2)


def _means(name: str, listed: str) -> bool:
    return name == listed or same_annotator(name, listed)


def _counted(annotation: Annotation) -> NDArray[np.uint16]:
    drafts = [instance.id for instance in annotation.instances if instance.status == "draft"]
    return np.where(np.isin(annotation.mask, drafts), 0, annotation.mask) if drafts else annotation.mask


def _figure(values: Sequence[float | None], groups: Sequence[str], seed: int) -> Figure:
    defined = [(value, group) for value, group in zip(values, groups, strict=True) if value is not None]
    if not defined:
        return Figure(None, None, None, 0)
    numbers = np.array([value for value, _ in defined])
    interval = interval_of_mean(numbers, groups=[group for _, group in defined], seed=seed)
    return Figure(float(numbers.mean()), float(np.median(numbers)), interval, len(numbers))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _share(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")
