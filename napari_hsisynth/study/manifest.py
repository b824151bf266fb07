"""``manifest.csv``: which cubes a study has. One row per cube, identity only."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_hsisynth.atomic import write_text
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis

MANIFEST = "manifest.csv"
_COLUMNS = ("id", "path", "diagnosis", "patient", "sha256")
_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_\-]*[A-Za-z0-9_])?")


@dataclass(frozen=True)
class Entry:
    """One cube of a study.

    Parameters
    ----------
    id : str
        Names the cube's mask and crops; letters, digits, ``_`` and ``-``.
    path : str
        The cube's file with forward slashes: relative to the study where it lies inside, else absolute.
    diagnosis : Diagnosis
        Of the cube as a whole; a lesion may have its own.
    patient : str
        Cubes of one patient stay on one side of every split; empty if not known.
    sha256 : str
        Of the file when it was added; empty if not known.
    extra : mapping of str to str
        Columns that others have put into the manifest; kept.
    """

    id: str
    path: str
    diagnosis: Diagnosis
    patient: str = ""
    sha256: str = ""
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)


def id_from_name(name: str) -> str:
    """Make a cube id of a file's name without its suffix: other signs than letters, digits and - become _."""
    cube_id = re.sub(r"[^A-Za-z0-9_\-]+", "_", name).strip("_-")
    return checked_id(cube_id, where=name)


def checked_id(text: str, *, what: str = "cube id", longest: int = 100, where: object = None) -> str:
    """Return `text` if it can be a file name everywhere and be told apart from its endings, else raise InputError."""
    if len(text) > longest or not _ID.fullmatch(text):
        raise InputError(
            f"'{text}' cannot be a {what}",
            where=where,
            fix=f"use up to {longest} letters, digits, _ and -, beginning with a letter or a digit",
        )
    return text


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """Read the rows, sorted by id; InputError names the line of what is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a byte order mark in front
    except FileNotFoundError:
        raise InputError("the manifest is missing", where=path, fix="is this a whole study folder?") from None
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", where=path, fix="save it as CSV in UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = reader.fieldnames or ()
    missing = [name for name in ("id", "path", "diagnosis") if name not in columns]
    if missing:
        raise InputError(f"columns missing: {', '.join(missing)}", where=path, fix=f"needed: {','.join(_COLUMNS)}")
    entries: dict[str, Entry] = {}
    for row in reader:
        entry = _entry(row, f"{path} line {reader.line_num}")
        if entry.id.lower() in entries:  # ids are file names, and not every disk tells A from a
            raise InputError(f"id '{entry.id}' is there twice", where=f"{path} line {reader.line_num}")
        entries[entry.id.lower()] = entry
    return tuple(sorted(entries.values(), key=lambda entry: entry.id))


def _entry(row: dict[str, str], where: str) -> Entry:
    if None in row or None in row.values():
        raise InputError("the row has not as many fields as the header", where=where)
    known = {name: (row.get(name) or "").strip() for name in _COLUMNS}
    checked_id(known["id"], where=where)
    if not known["path"]:
        raise InputError(f"cube '{known['id']}' has no path", where=where)
    return Entry(
        id=known["id"],
        path=known["path"].replace("\\", "/"),
        diagnosis=Diagnosis.parse(known["diagnosis"], where=where),
        patient=known["patient"],
        sha256=known["sha256"].lower(),
        extra={name: value for name, value in row.items() if name not in _COLUMNS},
    )


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    """Replace the manifest, sorted by id."""
    rows = sorted(entries, key=lambda entry: entry.id)
    extra = list(dict.fromkeys(name for entry in rows for name in entry.extra))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *extra])
    for e in rows:
        own = (e.id, e.path, e.diagnosis.value, e.patient, e.sha256)
        writer.writerow([*own, *(e.extra.get(name, "") for name in extra)])
    write_text(path, text.getvalue())
