"""Writing into a study: one writer at a time, and one clear error when the disk refuses."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from napari_hsisynth import atomic
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


@contextlib.contextmanager
def patient_lock(path: Path, while_waiting: Callable[[], object]) -> Iterator[bool]:
    """Hold a file for something that may take long; yields whether another process (or thread) had to be waited for.

    `while_waiting` is called again and again meanwhile: it has to take a moment, and may raise to give up.
    """
    with open(path, "ab") as handle:
        waited = False
        while not _lock_if_free(handle):
            waited = True
            while_waiting()
        try:
            yield waited
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

    def _lock_if_free(handle: IO[bytes]) -> bool:
        with contextlib.suppress(OSError):
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
            return True
        return False

    def _unlock(handle: IO[bytes]) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(handle: IO[bytes], how: int = fcntl.LOCK_EX) -> None:
        try:
            fcntl.flock(handle, how)
        except OSError as error:
            # some network file systems have no locks; one writer at a time is then up to the user
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:
                raise

    def _lock_if_free(handle: IO[bytes]) -> bool:
        try:
            _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: IO[bytes]) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextlib.contextmanager
def replaced_folder(root: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``root/name`` of a study as a whole if the block ends well.

    As `atomic.replaced_folder`, but one writer at a time, which takes away what a killed one left.
    """
    target = root / name
    with study_lock(root, f".{name}.lock"):
        for left in (*root.glob(f".{name}-*.new"), *(root.glob(f".{name}-*.old") if target.exists() else ())):
            shutil.rmtree(left, ignore_errors=True)  # of a killed process; a living one would hold the lock
        with writing(target), atomic.replaced_folder(root, name, while_swapping=study_lock(root)) as new:
            yield new


@contextlib.contextmanager
def new_folder(root: Path) -> Iterator[Path]:
    """Yield the name of a hidden folder that becomes the study `root`: `atomic.new_folder`, with one clear error."""
    with writing(root), atomic.new_folder(root) as hidden:
        yield hidden


def recover_folder(root: Path, name: str) -> None:
    """Put back ``root/name`` if a process was killed while replacing it."""
    if (root / name).exists() or not any(root.glob(f".{name}-*.old")):
        return
    with contextlib.suppress(InputError), study_lock(root):  # a read-only study can still be read, without them
        atomic.recover_folder(root, name)
