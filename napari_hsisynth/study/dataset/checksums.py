"""``SHA256SUMS``: the hash of every file of a folder, as ``sha256sum -c SHA256SUMS`` checks it on any system."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from napari_hsisynth.atomic import write_text
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.dataset.layout import inside
from napari_hsisynth.study.storage import Cancelled, Progress, sha256_of

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def write_sums(folder: Path, known: dict[str, str]) -> None:
    """Write the hashes of all files in `folder` but hidden ones; `known` are those that need not be read again."""
    names = sorted(
        path.relative_to(folder).as_posix()
        for inner, _, files in os.walk(folder)
        for path in (Path(inner, file) for file in files)
        if not path.name.startswith(".") and path.name != SUMS
    )
    lines = [f"{known.get(name) or sha256_of(folder / name)}  {name}\n" for name in names]
    write_text(folder / SUMS, "".join(lines))


def verify(
    folder: Path, *, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
) -> dict[str, str]:
    """Hash every listed file; returns the hashes by path.

    Raises
    ------
    InputError
        Names the first file that is missing, cannot be read or is not what it was, and says how many there are.
    """
    path = folder / SUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{SUMS} cannot be read", where=path, fix="copy the data set again") from None
    stated: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError("not a hash and a file", where=f"{path} line {number}", fix="copy the data set again")
        stated[match[2]] = match[1]
    wrong: list[tuple[Path, str]] = []
    for done, (name, sha256) in enumerate(stated.items()):
        if progress is not None:
            progress(done, len(stated))
        if cancelled is not None and cancelled():
            raise Cancelled
        file = inside(folder, name, where=path)
        try:
            if not file.is_file():
                wrong.append((file, "missing"))
            elif sha256_of(file) != sha256:
                wrong.append((file, "damaged: its SHA-256 is not the one stated"))
        except OSError as error:
            wrong.append((file, f"cannot be read ({error.strerror or error})"))
    if wrong:
        file, reason = wrong[0]
        more = f" (and {len(wrong) - 1} more files)" if len(wrong) > 1 else ""
        raise InputError(f"{reason}{more}", where=file, fix="copy the data set again")
    return stated
