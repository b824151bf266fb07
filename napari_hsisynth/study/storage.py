"""Writing into a study: one writer at a time, and one clear error when the disk refuses."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from napari_hsisynth.atomic import sync_folder
from napari_hsisynth.errors import InputError

#: Called with (done, total) while something long goes on.
Progress = Callable[[int, int], None]

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_IN_THE_WAY = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


class Cancelled(Exception):
    """Raised when the caller's ``cancelled()`` turned true; what was there before is still there, whole."""


def skipped_note(skipped: Sequence[tuple[str, str]]) -> str:
    """Say in one line what was left out: how many, and the first with its reason."""
    what, reason = skipped[0]
    rest = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    return f"left out: {what} ({reason}){rest}"


@contextlib.contextmanager
def writing(where: Path) -> Iterator[None]:
    """Turn the disk's refusals within the block into one InputError that names `where`.

    Raises
    ------
    InputError
        If the disk is full, the folder is read-only, or a file stands where a folder is needed.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise InputError("the disk is full", where=where, fix="free some space and do it again") from error
        if error.errno in _REFUSED:
            raise InputError(
                "cannot write here: permission denied", where=where, fix="choose another folder"
            ) from error
        if error.errno in _IN_THE_WAY:
            found = error.filename2 or error.filename or where
            raise InputError("a file or folder of this name is in the way", where=found, fix="move it away") from error
        raise


@contextlib.contextmanager
def study_lock(root: Path, name: str = ".lock") -> Iterator[None]:
    """Hold the study for writing: waits while another process (or thread) holds it; freed by the system if we die.

    Held for moments only, since a viewer may wait for it. `name` tells apart what need not wait for each other.
    """
    with writing(root), open(root / name, "ab") as handle:
        _lock(handle)
        try:
            yield
        finally:
            _unlock(handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: IO[bytes]) -> None:
        while True:
            with contextlib.suppress(OSError):  # gives up after 10 s; another writer may need longer
                handle.seek(0)
                msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
                return

    def _unlock(handle: IO[bytes]) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(handle: IO[bytes]) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            # some network file systems have no locks; one writer at a time is then up to the user
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:
                raise

    def _unlock(handle: IO[bytes]) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextlib.contextmanager
def replaced_folder(root: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``root/name`` as a whole if the block ends well.

    If it raises, or the process is killed, ``root/name`` is what it was. A folder cannot be renamed over a full one, so
    the old one steps aside for a moment; `recover_folder` undoes that step if we are killed right there.
    """
    token = secrets.token_hex(4)
    new, old, target = (root / f".{name}-{token}.new", root / f".{name}-{token}.old", root / name)
    with study_lock(root, f".{name}.lock"):
        for left in (*root.glob(f".{name}-*.new"), *(root.glob(f".{name}-*.old") if target.exists() else ())):
            shutil.rmtree(left, ignore_errors=True)  # of a killed process; a living one would hold the lock
        try:
            with writing(new):
                new.mkdir()
            yield new
            with study_lock(root), writing(target):
                sync_folder(new)
                if target.exists():
                    target.rename(old)
                try:
                    new.rename(target)
                except OSError:
                    if old.exists():
                        old.rename(target)
                    raise
                sync_folder(root)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if target.exists():
                shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def new_folder(root: Path) -> Iterator[Path]:
    """Yield the name of a hidden folder beside `root`, to be made and filled, that is then renamed to it.

    So `root` appears whole or not at all. It may be there already if it is empty.
    """
    hidden = root.with_name(f".{root.name}-{secrets.token_hex(4)}.new")
    try:
        with writing(root):
            yield hidden
            if root.exists():
                root.rmdir()  # empty; a rename over it fails on some systems
            hidden.rename(root)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


def recover_folder(root: Path, name: str) -> None:
    """Put back ``root/name`` if a process was killed while replacing it."""
    if (root / name).exists() or not any(root.glob(f".{name}-*.old")):
        return
    with contextlib.suppress(InputError), study_lock(root):  # a read-only study can still be read, without them
        for old in sorted(root.glob(f".{name}-*.old"))[:1]:
            if not (root / name).exists():
                old.rename(root / name)
