"""Files and folders that are either the old one or the new one, never half of either."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
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


@contextlib.contextmanager
def new_folder(root: Path) -> Iterator[Path]:
    """Yield the name of a hidden folder beside `root`, to be made and filled, that is then renamed to it.

    So `root` appears whole or not at all. It may be there already if it is empty.
    """
    hidden = root.with_name(f".{root.name}-{secrets.token_hex(4)}.new")
    try:
        yield hidden
        if root.exists():
            root.rmdir()  # empty; a rename over it fails on some systems
        hidden.rename(root)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


@contextlib.contextmanager
def replaced_folder(
    root: Path, name: str, *, while_swapping: AbstractContextManager[Any] | None = None
) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``root/name`` as a whole if the block ends well.

    If it raises, or the process is killed, ``root/name`` is what it was. Where the system can swap two folders in one
    step, it is at every moment the old or the new one. Elsewhere the old one steps aside for a moment, for a folder
    cannot be renamed over a full one; `recover_folder` undoes that step if we are killed right there.

    Parameters
    ----------
    root : pathlib.Path
    name : str
    while_swapping : context manager, optional
        Held for this last step, for example a lock.
    """
    token = secrets.token_hex(4)
    hidden = f".{name[:200]}-{token}"  # the whole of a long name with the token could be longer than file systems allow
    new, old, target = root / f"{hidden}.new", root / f"{hidden}.old", root / name
    try:
        new.mkdir()
        yield new
        with while_swapping or nullcontext():
            sync_folder(new)
            if not target.exists():
                new.rename(target)
            elif not _swapped(new, target):
                target.rename(old)
                try:
                    new.rename(target)
                except OSError:
                    old.rename(target)
                    raise
            sync_folder(root)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder that becomes `path`, or takes its place, with all its files flushed to disk.

    As `replaced_folder`; whether a folder that is there already may be replaced is for the caller to say. The parent is
    made if it does not exist.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_folder(path.parent, path.name) as folder:
        yield folder
        sync_files(folder)


def recover_folder(root: Path, name: str) -> None:
    """Put back ``root/name`` if a process was killed while replacing it."""
    for old in sorted(root.glob(f".{_literal(name[:200])}-*.old"))[:1]:
        if not (root / name).exists():
            old.rename(root / name)


def sync_files(folder: Path) -> None:
    """Flush all files and folders in a folder to disk, at any depth."""
    for inner, _, names in os.walk(folder, topdown=False):
        for name in names:
            with open(os.path.join(inner, name), "rb+") as written:
                os.fsync(written.fileno())
        sync_folder(Path(inner))


def _literal(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _swapped(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, if the system and the file system can."""
    import ctypes

    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":  # renameat2 with the working folder and RENAME_EXCHANGE
            here = -100
            failed = library.renameat2(here, os.fsencode(one), here, os.fsencode(other), ctypes.c_uint(2))
        elif sys.platform == "darwin":  # RENAME_SWAP
            failed = library.renamex_np(os.fsencode(one), os.fsencode(other), ctypes.c_uint(2))
        else:
            return False
    except (OSError, AttributeError, TypeError):  # of a C library that has no such function, or cannot be loaded so
        return False
    return not failed
