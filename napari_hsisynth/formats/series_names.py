"""Which image files of a folder belong together as bands: their names share all but one running number."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_hsisynth.formats.band_names import wavelength_in

#: Names that end so may be bands.
SUFFIXES = (".png", ".tif", ".tiff")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_UNIT = re.compile(r"[\s_]*(nm|[uµμ]m)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Series:
    """Image files in the order of their running number.

    Parameters
    ----------
    name : str
        What the names share, ``#`` for the running number.
    files : tuple of pathlib.Path
    numbers : tuple of float
        The running number of each.
    """

    name: str
    files: tuple[Path, ...]
    numbers: tuple[float, ...]

    def wavelengths_nm(self) -> list[float] | None:
        """Return the wavelengths that the names give with their unit, if all do."""
        found = [wavelength_in(file.stem) for file in self.files]
        known = [nm for nm in found if nm is not None]
        return known if len(known) == len(found) else None

    def likely_wavelengths_nm(self) -> list[float] | None:
        """Return the running numbers if they can be wavelengths in nm: 200-2500, and no mere count."""
        steps = [after - before for before, after in zip(self.numbers, self.numbers[1:], strict=False)]
        plausible = all(200 <= number <= 2500 for number in self.numbers) and all(step > 0 for step in steps)
        counted = all(number == int(number) for number in self.numbers) and min(steps, default=0) <= 1
        return list(self.numbers) if plausible and not counted else None


def find_series(folder: Path) -> list[Series]:
    """Return the series of two and more image files in a folder; other files are passed over."""
    groups: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        if path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".") and path.is_file():
            groups.setdefault(_skeleton(path), []).append(path)
    found = [series for paths in groups.values() if len(paths) > 1 for series in _split(paths)]
    return sorted(found, key=lambda series: series.name)


def _skeleton(path: Path) -> str:
    return _NUMBER.sub("#", path.stem).casefold() + path.suffix.lower()


def _numbers(path: Path) -> list[float]:
    return [float(number) for number in _NUMBER.findall(path.stem)]


def _split(paths: list[Path]) -> Iterable[Series]:
    """Tell the running number from those that tell several series apart."""
    paths = sorted(paths, key=lambda path: (_numbers(path), path.name))
    columns = list(zip(*map(_numbers, paths), strict=True))
    counts = [len(set(column)) for column in columns]
    varying = [number for number, count in enumerate(counts) if count > 1]
    if not varying:
        return
    texts = _NUMBER.split(paths[0].stem)
    with_unit = [number for number in varying if _UNIT.match(texts[number + 1])]
    # the last of those that vary most: names often begin with a date and end with a count
    running = with_unit[0] if with_unit else max(varying, key=lambda number: (counts[number], number))
    others = [number for number in varying if number != running]
    parts: dict[tuple[float, ...], list[Path]] = {}
    if counts[running] == len(paths):  # the others only go along with it
        parts[()] = paths
    else:
        for path in paths:
            parts.setdefault(tuple(_numbers(path)[number] for number in others), []).append(path)
        varying = [running]
    for part in parts.values():
        if len(part) > 1:
            files = sorted(part, key=lambda path: (_numbers(path)[running], path.name))
            yield Series(_title(files[0], varying), tuple(files), tuple(_numbers(file)[running] for file in files))


def _title(path: Path, varying: list[int]) -> str:
    """Return a name with ``#`` in place of the numbers that vary."""
    pieces, end = [], 0
    for number, match in enumerate(_NUMBER.finditer(path.stem)):
        pieces.append(path.stem[end : match.start()])
        pieces.append("#" if number in varying else match.group())
        end = match.end()
    return "".join(pieces) + path.stem[end:]
