"""Tables of spectra as text: separators, decimal commas and layouts are found out, and said where they were guessed."""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.envi_bands import unit_in
from napari_hsisynth.formats.unlabelled import PLAUSIBLE_NM

#: As Python objects a table takes some ten times as much.
MOST_BYTES = 2**23
#: In the order in which they are tried; None is any blank.
_SEPARATORS = ("\t", ";", ",", None)
_COMMENTS = ("#", "%", "//")
_MISSING = ("", "nan", "na", "n/a", "none", "-", "--")
#: Columns of the Spectra dock's export, and names that other tables in long form have for them.
_CURVE, _WAVELENGTH, _VALUE = ("curve", "spectrum", "name"), ("wavelength_nm", "wavelength"), ("value", "mean")
_WHICH = ("kind", "cube", "origin", "transform", "y", "x")
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_POINT = re.compile(r"[+-]?[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?")
#: A wavelength in a row of them, maybe with its unit.
_IN_A_CELL = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*([a-zµμ]+)?", re.IGNORECASE)

Rows = list[list[str]]


@dataclass(frozen=True, eq=False)
class Table:
    """What a table of spectra says.

    Parameters
    ----------
    names : tuple of str
    wavelengths : ndarray, shape (n,)
        As written, in `unit`.
    unit : str
        Empty where the table does not say it.
    values : ndarray, shape (spectra, n)
    notes : tuple of str
    """

    names: tuple[str, ...]
    wavelengths: NDArray[np.float64]
    unit: str
    values: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def decoded(raw: bytes) -> str:
    """Return text in UTF-8, in UTF-16 with its mark (as spreadsheets export it), or in Latin-1."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16")
    if b"\0" in raw:
        raise InputError("not a table of spectra: the file is not text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read_table(text: str, stem: str) -> Table:
    """Read a table in any of the layouts that `read_library` describes.

    Parameters
    ----------
    text : str
    stem : str
        Names spectra of which the table has no names.

    Raises
    ------
    InputError
        If no separator and layout make spectra of it; the message is that of the likeliest ones.
    """
    lines = [line.strip("\r\n") for line in text.splitlines() if line.strip()]
    is_comment = [line.lstrip().startswith(_COMMENTS) for line in lines]
    before = lines[: is_comment.index(False)] if False in is_comment else []
    lines = [line for line, comment in zip(lines, is_comment, strict=True) if not comment]
    failures: list[tuple[int, InputError]] = []
    for separator in _SEPARATORS:
        rows = _split(lines, separator)
        columns = max((len(row) for row in rows), default=0)
        try:
            if columns < 2:
                raise InputError("not a table of spectra: it needs two columns or more")
            # NumPy and others write the names of the columns as a comment
            titles = _split([line.lstrip().lstrip("#%/ ") for line in before[-1:]], separator)
            return _read_rows(rows, titles[0] if titles else [], stem)
        except InputError as error:
            failures.append((columns, error))
    raise max(failures, key=lambda failure: failure[0])[1]


def _split(lines: Sequence[str], separator: str | None) -> Rows:
    if separator is None:
        return [line.split() for line in lines]
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator, skipinitialspace=True)]
    except csv.Error as error:
        raise InputError(f"not a table of spectra ({error})") from None
    return [row for row in rows if any(row)]


def _read_rows(rows: Rows, comment: list[str], stem: str) -> Table:
    cells = [cell for row in rows[:1000] for cell in row]
    commas = sum(map(bool, map(_COMMA.fullmatch, cells))) > sum(map(bool, map(_POINT.fullmatch, cells)))
    if commas:
        rows = [[cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell for cell in row] for row in rows]
    found = _long(rows) or _wide(rows) or _columns(rows, comment, stem)
    if len(found.wavelengths) < 2:
        raise InputError("not a table of spectra: it needs two wavelengths or more")
    return replace(found, notes=("commas were read as decimal points", *found.notes)) if commas else found


def _number(cell: str) -> float | None:
    """Return a cell's number, NaN for a missing one, None for anything else."""
    if cell.lower() in _MISSING:
        return np.nan
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _is_number(cell: str) -> bool:
    number = _number(cell)
    return number is not None and bool(np.isfinite(number))


def _column(header: list[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _long(rows: Rows) -> Table | None:
    """Read one value per row; None if there are no columns for that."""
    header = [cell.lower() for cell in rows[0]]
    curve, wavelength, value = (_column(header, names) for names in (_CURVE, _WAVELENGTH, _VALUE))
    if curve is None or wavelength is None or value is None:
        return None
    which = [curve, *(header.index(name) for name in _WHICH if name in header)]
    spectra: dict[tuple[str, ...], dict[float, float]] = {}
    origins: dict[tuple[str, ...], tuple[str, str]] = {}
    for number, row in enumerate(rows[1:], 2):
        row = row + [""] * (len(header) - len(row))
        place, height = _number(row[wavelength]), _number(row[value])
        if place is None or not np.isfinite(place) or height is None:
            raise InputError(f"row {number} has no wavelength and value: {_shown(row)}")
        key = tuple(row[column] for column in which)
        cube, transform = (row[header.index(name)] if name in header else "" for name in ("cube", "transform"))
        origins[key] = (cube, transform)
        spectrum = spectra.setdefault(key, {})
        if place in spectrum:
            raise InputError(f"row {number}: '{key[0][:40]}' has the wavelength {place:g} more than once")
        spectrum[place] = height
    grid = sorted({place for spectrum in spectra.values() for place in spectrum})
    if len(grid) * len(spectra) > MOST_BYTES:
        raise InputError("too large: the curves of this table share too few wavelengths")
    values = [[spectrum.get(place, np.nan) for place in grid] for spectrum in spectra.values()]
    changed = sorted({transform for _, transform in origins.values()} - {"raw", ""})
    notes = (f"the values were transformed when they were exported: {', '.join(changed)[:80]}",) if changed else ()
    names = _distinct([key[0] for key in spectra], [cube for cube, _ in origins.values()])
    return Table(names, np.array(grid), unit_in(header[wavelength]), np.array(values), notes)


def _distinct(names: Sequence[str], origins: Sequence[str]) -> tuple[str, ...]:
    """Return names that differ: where they do not, with the cube they come from, then with a number."""
    count = Counter(names)
    found = [f"{n} ({o})" if count[n] > 1 and o else n for n, o in zip(names, origins, strict=True)]
    count, seen = Counter(found), Counter[str]()
    for number, name in enumerate(found):
        seen[name] += 1
        if count[name] > 1:
            found[number] = f"{name} {seen[name]}"
    return tuple(found)


def _wide(rows: Rows) -> Table | None:
    """Read one spectrum per row, the wavelengths in the first row; None if the first row has none."""
    head, body = rows[0], rows[1:]
    cells = [_IN_A_CELL.fullmatch(cell) for cell in head[1:]]
    places = [float(cell[1].replace(",", ".")) for cell in cells if cell is not None]
    if not body or len(places) < max(2, len(cells)) or not (_ascends(places) or _ascends(places[::-1])):
        return None
    if all(_is_number(row[0]) for row in body):  # numbers may be names of spectra, but not of wavelengths elsewhere
        low = PLAUSIBLE_NM[0]
        if _is_number(head[0]) or min(places) < low or all(float(row[0]) >= low for row in body):
            return None
    units = {unit_in(cell[2]) for cell in cells if cell is not None and cell[2]}
    if len(units) > 1 or "" in units:
        return None
    values = _values([row[1:] for row in body], len(places), 2)
    names = _distinct([row[0] or f"spectrum {number}" for number, row in enumerate(body, 1)], [""] * len(body))
    unit = units.pop() if units else unit_in(head[0])
    return Table(names, np.array(places), unit, values, ("each row was read as one spectrum",))


def _ascends(places: Sequence[float]) -> bool:
    return all(low < high for low, high in itertools.pairwise(places))


def _columns(rows: Rows, comment: list[str], stem: str) -> Table:
    """Read one spectrum per column, the wavelengths in the first one, behind any number of other lines."""
    first = next((number for number, row in enumerate(rows) if _starts_numbers(row)), len(rows))
    head, body = rows[:first], rows[first:]
    if not body:
        raise InputError("not a table of spectra: no line begins with two numbers, a wavelength and a value")
    named = head[-1] if head else comment
    width = max(len(row) for row in body)
    titles = named if len(named) == width else []
    places = [_number(row[0]) for row in body]
    for number, (place, row) in enumerate(zip(places, body, strict=True), first + 1):
        if place is None or not np.isfinite(place):
            raise InputError(f"row {number} does not begin with a wavelength: {_shown(row)}")
    values = _values([row[1:] for row in body], width - 1, first + 1).T
    numbered = [stem] if width == 2 else [f"{stem} {number}" for number in range(1, width)]
    names = [title or number for title, number in zip(titles[1:] or numbered, numbered, strict=True)]
    skipped = len(head) - bool(titles and head)
    notes: tuple[str, ...] = (f"the first {skipped} lines were not read",) if skipped else ()
    if not titles:
        notes += ("the spectra have no names",)
    unit = unit_in(titles[0]) if titles else ""
    return Table(_distinct(names, [""] * len(names)), np.array(places, dtype=np.float64), unit, values, notes)


def _starts_numbers(row: list[str]) -> bool:
    return len(row) > 1 and _is_number(row[0]) and all(_number(cell) is not None for cell in row[1:])


def _values(cells: Rows, width: int, first_row: int) -> NDArray[np.float64]:
    """Return cells as numbers, shape (rows, width)."""
    values = np.full((len(cells), width), np.nan)
    for number, row in enumerate(cells):
        if len(row) > width:
            raise InputError(f"row {first_row + number} has more values than the others: {_shown(row)}")
        for column, cell in enumerate(row):
            found = _number(cell)
            if found is None:
                raise InputError(f"row {first_row + number} has a value that is not a number: '{cell[:40]}'")
            values[number, column] = found
    return values


def _shown(row: list[str]) -> str:
    text = ", ".join(row[:4])
    return f"'{text[:60]}...'" if len(text) > 60 or len(row) > 4 else f"'{text}'"
