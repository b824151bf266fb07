"""Files that are either the old one or the new one, never half of either."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it is flushed to disk and renamed to `path`.

    The temporary name keeps the suffix of `path`, because many writers choose the format by it. If the block raises,
    the temporary file is removed and `path` stays as it was.

    Parameters
    ----------
    path : path-like
        The file to (re)place. Its folder is made if it does not exist.

    Yields
    ------
    pathlib.Path
        Where to write.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # of a long stem a part is enough: the whole with the token could be longer than file systems allow
    temporary = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success its files are flushed to disk and it is renamed to `path`.

    A folder that is there already is replaced as a whole: whether it may be is for the caller to say. If the block
    raises, `path` stays as it was. A folder cannot be renamed over a full one, so the old one steps aside for a moment;
    a process killed right there leaves it beside, under a hidden name that ends in ``.old``.

    Parameters
    ----------
    path : path-like
        The folder to (re)place. Its parent is made if it does not exist.

    Yields
    ------
    pathlib.Path
        Where to write.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = f".{path.name[:40]}.{secrets.token_hex(4)}"
    new, old = path.with_name(f"{hidden}.tmp"), path.with_name(f"{hidden}.old")
    try:
        new.mkdir()
        yield new
        for folder, _, names in os.walk(new, topdown=False):
            for name in names:
                with open(os.path.join(folder, name), "rb+") as written:
                    os.fsync(written.fileno())
            sync_folder(Path(folder))
        if path.exists():
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    # a folder may be writable but not readable, and some network file systems refuse; the rename itself has happened
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace `path` by `text` (UTF-8, newlines kept as given)."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Replace `path` by `value` as indented JSON; NaN and infinity are refused, because JSON has neither."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
