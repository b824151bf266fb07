"""Which photographs there are, and the files that are made of each."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.registry import writable_format
from napari_hsisynth.photographs import files_in

#: What the names of the cubes begin with.
MARK = "SYNTHETIC"


@dataclass(frozen=True)
class Making:
    """A photograph and the files that are made of it.

    Parameters
    ----------
    way : pathlib.PurePath
        Below the folder of photographs.
    file, cube : pathlib.Path
        The photograph, and its cube.
    maps : pathlib.Path or None
        None where no maps are asked for.
    """

    way: PurePath
    file: Path
    cube: Path
    maps: Path | None

    @property
    def files(self) -> list[Path]:
        """What is to be written."""
        return [self.cube] if self.maps is None else [self.cube, self.maps]


def check_folder(out: Path) -> None:
    """Raise InputError if cubes cannot be written into a folder `out`."""
    if out.exists() and not out.is_dir():
        raise InputError("is a file, and cubes go into a folder", where=out, fix="choose another folder")


def makings(photographs: Path, out: Path, *, format: str, maps: bool) -> list[Making]:
    """What is to be made of each photograph, in their order.

    Raises
    ------
    InputError
        If there are none, or nothing can be written so.
    """
    check_folder(out)
    ways = _found(photographs, out)
    suffix = writable_format(out, format).written_suffixes[0]
    made = []
    for (way, file), name in zip(ways.items(), _names(list(ways)), strict=True):
        of_maps = out / "maps" / f"{MARK}_{name}.npz" if maps else None
        made.append(Making(way, file, out / f"{MARK}_{name}{suffix}", of_maps))
    return made


def _found(photographs: Path, out: Path) -> dict[PurePath, Path]:
    """Photographs by their ways below the folder that was given, without what was made in a folder `out` in it."""
    files = files_in(photographs)
    if not photographs.is_dir():
        return {PurePath(file.name): file for file in files}
    if photographs.resolve() == out.resolve():
        files = [file for file in files if not file.name.startswith(f"{MARK}_")]
    elif photographs.resolve() in out.resolve().parents:
        files = [file for file in files if out.resolve() not in file.resolve().parents]
    if not files:
        raise InputError("the folder holds no photographs but those in --out", where=photographs)
    return {PurePath(file.relative_to(photographs)): file for file in files}


def _names(ways: Sequence[PurePath]) -> list[str]:
    """Names for cubes of photographs, each its own on file systems that do not tell upper from lower case too."""
    plain = ["_".join(way.with_suffix("").parts) for way in ways]
    count = Counter(name.casefold() for name in plain)
    taken = {name for name, number in count.items() if number == 1}
    names = []
    for name, way in zip(plain, ways, strict=True):
        if count[name.casefold()] > 1:
            name = next(each for each in _tries(f"{name}_{way.suffix.lstrip('.')}") if each.casefold() not in taken)
            taken.add(name.casefold())
        names.append(name)
    return names


def _tries(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in itertools.count(2))
