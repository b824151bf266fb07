"""Which files make up an ENVI image: the header and its raw data, whichever of them was named."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.envi_header import EnviHeader, is_header, unquoted

HEADER = ".hdr"
#: Endings of raw files; ENVI itself prescribes none.
DATA_SUFFIXES = (".dat", ".raw", ".img", ".bsq", ".bil", ".bip", ".cube", ".bin", ".hyspex", ".sli")
#: Field of our own headers: the file with their values while a write is under way, see `envi_write`.
OWN_DATA = "hsisynth data"
#: Some programs store a picture of one band or three as PNG under the header of a raw file.
PICTURE = ".png"
#: ``x.foo.hdr`` beside these does not make ``x.foo`` raw data.
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"%PDF", b"SIMPLE  =")
#: The form of names in `OWN_DATA`: a write renames and removes files of such names only.
_OWN_NAME = re.compile(r"[^/\\\0]*\.hsisynth-[0-9a-f]{8}\.dat")
_HEAD_BYTES = 2048


def is_header_name(path: Path) -> bool:
    """Whether a path is that of a header, by its suffix in any case."""
    return path.suffix.lower() == HEADER


def header_beside(path: Path) -> Path | None:
    """Return the ENVI header of the raw file `path`: ``x.dat.hdr`` before ``x.hdr``; None if there is none."""
    names = [path.name + HEADER, path.name + HEADER.upper()]
    if path.suffix.lower() in DATA_SUFFIXES:
        names += [path.stem + HEADER, path.stem + HEADER.upper()]
    elif path.suffix and _head(path).startswith(_PICTURES):
        return None
    for name in names:
        found = path.with_name(name)
        if found.is_file() and is_header(_head(found)):
            return found
    return None


def _head(path: Path) -> bytes:
    with open(path, "rb") as handle:
        return handle.read(_HEAD_BYTES)


def retired_name(header: Path) -> str:
    """Return the name of a foreign data file while a new one takes its place, see `envi_write`."""
    return f"{header.stem}.hsisynth-old.dat"


def new_data_name(data: Path) -> str:
    """Return a name that no file has for values that are to take the place of `data`."""
    # of a long stem a part is enough: the whole with the token could be longer than file systems allow
    return f"{data.stem[:40]}.hsisynth-{secrets.token_hex(4)}.dat"


def own_data_name(header: EnviHeader) -> str:
    """Return the file that a header of ours names for the time of a write; empty for other headers."""
    name = unquoted(header, OWN_DATA)
    return name if _OWN_NAME.fullmatch(name) else ""


def data_files(header: Path) -> list[Path]:
    """Return the files beside a header that can be its raw data, the one without any suffix first."""
    stem = header.stem
    endings = [ending for suffix in DATA_SUFFIXES for ending in (suffix, suffix.upper())]
    found: list[Path] = []
    for name in (stem, *(stem + ending for ending in endings)):
        path = header.with_name(name)
        # file systems that ignore case would show one file under two names
        if path.is_file() and not any(path.samefile(known) for known in found):
            found.append(path)
    return found


def named_data(header: EnviHeader) -> Path | None:
    """Return the file beside the header that it names; never one in another folder."""
    for name in (own_data_name(header), header.text("data file")):
        if name and Path(name).name == name and header.path.with_name(name).is_file():
            return header.path.with_name(name)
    return None


def data_of(header: EnviHeader, interleave: str, needed_bytes: int) -> tuple[Path, tuple[str, ...]]:
    """Return the data of a header and what is to be said about the choice.

    The file that the header names; else the one called as the header without ``.hdr``; else the one with a usual
    suffix: of several the one named by the interleave, or the only one of the size that the header claims; else a PNG.

    Parameters
    ----------
    header : EnviHeader
    interleave : str
        ``"bsq"``, ``"bil"`` or ``"bip"``.
    needed_bytes : int
        Size of the data file that the header claims.

    Raises
    ------
    InputError
        If there is none, or several and nothing tells which.
    """
    named = named_data(header)
    if named is not None:
        return named, ()
    found = data_files(header.path)
    if found and (len(found) == 1 or found[0].name == header.path.stem):
        return found[0], ()
    if found:
        return _one_of(found, interleave, needed_bytes)
    old, picture = (header.path.with_name(name) for name in (retired_name(header.path), header.path.stem + PICTURE))
    if old.is_file() and not own_data_name(header):
        return old, (f"writing over this file was interrupted; its values are in {old.name}",)
    if picture.is_file() and not own_data_name(header):
        return picture, ()
    stem = header.path.stem
    raise InputError(
        f"the data file beside {header.path.name} is missing",
        fix=f"put it there as {stem}, {stem}.dat, {stem}.raw, {stem}.img or the like",
    )


def _one_of(found: Sequence[Path], interleave: str, needed_bytes: int) -> tuple[Path, tuple[str, ...]]:
    for fitting in (
        [path for path in found if path.suffix.lower() == f".{interleave}"],
        [path for path in found if path.stat().st_size == needed_bytes],
    ):
        if len(fitting) == 1:
            others = ", ".join(path.name for path in found if path != fitting[0])
            return fitting[0], (f"the data were read from {fitting[0].name}; beside it there is also {others}",)
    raise InputError(
        f"several data files can belong to this header: {', '.join(path.name for path in found)}",
        fix="open the data file itself",
    )
