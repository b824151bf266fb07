"""Which cube is to show what: crops of the training split by default, else the masks or photographs that are given."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.storage import sha256_of
from napari_hsisynth.training.condition_sources import FLAGS, Shown, Source, sources_at, split_of, training_crops
from napari_hsisynth.training.data import batch_order
from napari_hsisynth.training.generator import Generator

#: Held-out crops that a warning names.
_NAMED = 3
#: Threads that look whether sources can be read, and how many they are given at a time.
_READERS, _AT_A_TIME = 4, 64


@dataclass(frozen=True)
class Chosen:
    """What one cube is to show.

    Parameters
    ----------
    diagnosis : str or None
        None where nothing is known of it.
    source : Source, optional
        For a model that needs one.
    sha256 : str
        Of the source's file.
    """

    diagnosis: str | None
    source: Source | None = None
    sha256: str = ""


def choose(
    generator: Generator,
    seed: int,
    count: int | None,
    *,
    diagnosis: str | None = None,
    mask: str | Path | None = None,
    rgb: str | Path | None = None,
    warn: Callable[[str], None] = lambda message: None,
) -> list[Chosen]:
    """Say what each of the `count` first cubes of a seed is to show; more of them begin with the same.

    Parameters
    ----------
    generator : Generator
        Conditioned or not.
    seed : int
        Orders the crops of the study.
    count : int or None
        Cubes; None for one per mask or photograph that is given.
    diagnosis : str, optional
        All are to show this one; else a conditional model draws its diagnoses in turn, of a crop that is given its own.
    mask, rgb : path or str, optional
        See `sources_at`; what is there is taken in turn. By default the crops of the study's training split are, in an
        order decided by the seed, each once before one is shown again.
    warn : callable
        Told what is left out and what is odd, one sentence each.

    Raises
    ------
    InputError
        If the model does not take what is given, or none of it can be used.
    """
    given = {need: place for need, place in (("masks", mask), ("rgb", rgb)) if place is not None}
    _check_flags(generator, given)
    sources: Sequence[Source | None]
    if given:
        need, place = next(iter(given.items()))
        usable = _usable(generator, sources_at(generator, need, place), count, warn)
        _warn_of_held_out(generator, usable, warn)
        sources = [usable[number % len(usable)] for number in range(count or len(usable))]
        shown = [diagnosis or _in_turn(generator, number, usable) for number in range(len(sources))]
    else:
        assert count is not None
        wanted = [diagnosis] if diagnosis or not generator.classes else list(generator.classes)
        shown = [wanted[number % len(wanted)] for number in range(count)]
        sources = _of_training(generator, seed, shown) if generator.needs else [None] * count
    sums = {source: "" if source is None else sha256_of(source.path) for source in set(sources)}
    chosen = [
        Chosen(generator.diagnosis or one or (source.diagnosis if source else None), source, sums[source])
        for one, source in zip(shown, sources, strict=True)
    ]
    if not generator.noise_length and len(set(chosen)) < len(chosen):
        warn(f"{generator.model} makes cubes of no noise: those that are to show the same are alike")
    return chosen


def training_condition(
    generator: Generator, seed: int, diagnoses: Sequence[str | None]
) -> dict[str, NDArray[np.generic]]:
    """Masks or RGB renders of training crops for cubes of these diagnoses, for `Generator.sample`.

    Parameters
    ----------
    generator : Generator
        In its study. A model that needs neither is given nothing.
    seed : int
        Orders the crops; each is shown once before one is shown again.
    diagnoses : sequence of str or None
        Of the crops to take for each cube; None for any.

    Returns
    -------
    dict of str to ndarray
        For each of `Generator.needs`: "masks", bool (n, size, size); "rgb", float32 (n, 3, size, size).

    Raises
    ------
    InputError
        If there are no training crops of a diagnosis.
    """
    if not generator.needs:
        return {}
    return condition_of(generator, [source.read(generator) for source in _of_training(generator, seed, diagnoses)])


def condition_of(generator: Generator, shown: Sequence[Shown]) -> dict[str, NDArray[np.generic]]:
    """What a model is told so that its cubes show this; for `Generator.sample`."""
    return {need: np.stack([one.of(need) for one in shown]) for need in generator.needs}


def _check_flags(generator: Generator, given: Collection[str]) -> None:
    takes = " and ".join(f"--{FLAGS[need]}" for need in sorted(generator.needs)) or "neither masks nor photographs"
    for need in given:
        if need not in generator.needs:
            raise InputError(f"{generator.model} cannot be told it", where=FLAGS[need], fix=f"it takes {takes}")
        if len(generator.needs) > 1:
            raise InputError(
                f"{generator.model} is shown a mask together with its RGB image",
                where=FLAGS[need],
                fix="leave it out: both are then taken from the crops of the study",
            )


def _of_training(generator: Generator, seed: int, diagnoses: Sequence[str | None]) -> list[Source]:
    """A training crop for each cube, of its diagnosis; those of a diagnosis in an order decided by the seed."""
    crops = training_crops(generator)
    chosen = {}
    for diagnosis, count in Counter(diagnoses).items():
        pool = [one for one in crops if diagnosis in (None, one.diagnosis)]
        if not pool:
            raise InputError(
                f"no training crop{f' of {diagnosis}' if diagnosis else ''} to show",
                where=generator.study().root,
                fix=f"give something else with {' or '.join(f'--{FLAGS[need]}' for need in sorted(generator.needs))}",
            )
        chosen[diagnosis] = iter([pool[number] for number in batch_order(0, len(pool), count, seed)])
    return [next(chosen[diagnosis]) for diagnosis in diagnoses]


def _usable(
    generator: Generator, sources: Sequence[Source], count: int | None, warn: Callable[[str], None]
) -> list[Source]:
    """The first `count` that can be read, in order; a single one that cannot is an error."""

    def problem(source: Source) -> InputError | None:
        try:
            source.read(generator)
        except InputError as error:
            return error
        return None

    usable: list[Source] = []
    unusable: list[InputError] = []
    with ThreadPoolExecutor(_READERS, "sources") as readers:
        for first in range(0, len(sources), _AT_A_TIME):  # no more than are needed
            some = sources[first : first + _AT_A_TIME]
            for source, error in zip(some, readers.map(problem, some), strict=True):
                if error is not None:
                    unusable.append(error)
                elif len(usable) != count:
                    usable.append(source)
            if len(usable) == count:
                break
    if unusable and len(sources) == 1:
        raise unusable[0]
    for error in unusable[:_NAMED]:
        warn(f"left out: {error}")
    if len(unusable) > _NAMED:
        warn(f"{len(unusable) - _NAMED} more cannot be used and are left out")
    if not usable:
        raise InputError(f"none of the {len(sources)} files can be used", where=sources[0].path.parent)
    return usable


def _in_turn(generator: Generator, number: int, usable: Sequence[Source]) -> str | None:
    """The diagnosis of cube `number`: of its crop, else the model's in turn, so that all of them meet all sources."""
    classes, sources = generator.classes, len(usable)
    if not classes:
        return None
    own = usable[number % sources].diagnosis
    if own in classes:
        return own
    # without the shift, the first of two masks would always meet the first of two diagnoses
    shift = number // math.lcm(sources, len(classes)) % math.gcd(sources, len(classes))
    return classes[(number + shift) % len(classes)]


def _warn_of_held_out(generator: Generator, sources: Sequence[Source], warn: Callable[[str], None]) -> None:
    try:
        study = generator.study()
    except InputError:  # the run was moved away from its study: nothing is known of what is held out
        return
    files = {(study.crops_dir / record.file).resolve(): record.cube_id for record in study.crops()}
    side_of = split_of(generator)
    cubes = {source.name: _cube_of(source, files, study.root) for source in sources}
    names = [name for name, cube in cubes.items() if cube is not None and side_of.get(cube, "train") != "train"]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        warn(f"{', '.join(names[:_NAMED])}{more} held out from this run: cubes that show them leak into a test")


def _cube_of(source: Source, crops: Mapping[Path, str], root: Path) -> str | None:
    """The cube of a study that a crop or a mask of that study is of; None for a file from elsewhere."""
    path = source.path.resolve()
    if path in crops:
        return crops[path]
    if path.parent == (root / "masks").resolve():  # <cube id>-<hash>.png
        return path.stem.rpartition("-")[0]
    return None
