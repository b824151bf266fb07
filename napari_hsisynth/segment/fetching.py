"""`fetch`: a large file over HTTP that goes on where it was interrupted, and is whole and right or not there at all."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path

from napari_hsisynth.atomic import sync_folder
from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Cancelled

#: Called with (bytes done, bytes in all).
Progress = Callable[[int, int], object]

_CHUNK = 256 * 2**10
_TIMEOUT_S = 30.0
_ATTEMPTS = 5  # in a row without a single new byte
_PAUSE_S = 1.0  # before the second attempt, doubled before each further one
_PART = ".part"


def fetch(
    url: str,
    target: Path,
    *,
    size: int,
    has_hash: Callable[[Path], bool],
    progress: Progress,
    cancelled: Callable[[], bool],
) -> None:
    """Fetch a file; what was fetched of it before, in this process or another, is not fetched again.

    Parameters
    ----------
    url : str
    target : Path
        Gets the file once it is whole and right; until then its bytes are in ``<target>.part`` beside it.
    size : int
        That the file must have, bytes.
    has_hash : callable
        Whether a whole file is what was published.
    progress : callable
        Called with (done, total) bytes.
    cancelled : callable
        Asked after every chunk; what has come so far stays for the next time.

    Raises
    ------
    InputError
        If the server cannot be reached, refuses, sends something else, or the disk is full.
    Cancelled
        If `cancelled` returned true.
    """
    part = target.with_name(target.name + _PART)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _make_room(part, size)
        attempt = 0
        while (done := _size_of(part)) != size:
            if done > size:  # of another version of the file
                part.unlink()
                continue
            reason = _read_on(url, part, size, progress, cancelled)
            if reason is None:
                continue
            attempt = 1 if _size_of(part) > done else attempt + 1
            if attempt >= _ATTEMPTS:
                raise InputError(
                    f"the download broke off ({reason})", where=url, fix="try again; it goes on from there"
                )
            _wait(_PAUSE_S * 2 ** (attempt - 1), cancelled)
        progress(size, size)
        if not has_hash(part):
            part.unlink()
            raise InputError(
                "what came is not the published file (its sha256 differs), so it was deleted",
                where=url,
                fix="try again, or from another network",
            )
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
        sync_folder(target.parent)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", where=target) from None


def _read_on(url: str, part: Path, size: int, progress: Progress, cancelled: Callable[[], bool]) -> str | None:
    """Append what the server sends, up to `size`; return why it ended early, or None. OSError is the disk's."""
    done = _size_of(part)
    request = urllib.request.Request(url, headers={"User-Agent": "napari-hsisynth", "Accept-Encoding": "identity"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=_certificates())
    except urllib.error.HTTPError as error:
        if error.code == 416:  # there is nothing behind what we have: another, shorter file
            part.unlink(missing_ok=True)
            raise InputError("the server has not the published file, but a shorter one", where=url) from None
        if error.code < 500 and error.code not in (408, 429):
            raise InputError(f"the server refuses (HTTP {error.code} {error.reason})", where=url) from None
        return f"HTTP {error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return _words(error)
    with response, open(part, "r+b" if part.exists() else "w+b") as file:
        if response.status != 206 or not _starts_at(response.headers.get("Content-Range"), done):
            done = 0  # the server sends the file from its start
        file.seek(done)
        file.truncate()
        while done < size:
            progress(done, size)
            if cancelled():
                raise Cancelled
            try:
                chunk = response.read1(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                return _words(error)
            if not chunk:
                return "the connection was closed"
            file.write(chunk[: size - done])
            done += len(chunk)
    return None


def _starts_at(content_range: str | None, done: int) -> bool:
    return (content_range or "").removeprefix("bytes ").startswith(f"{done}-")


def _size_of(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _make_room(part: Path, size: int) -> None:
    missing, free = size - _size_of(part), shutil.disk_usage(part.parent).free
    if missing > free:
        raise InputError(
            f"{missing / 1e6:,.0f} MB are needed, and the disk has {free / 1e6:,.0f} MB left", where=part.parent
        )


def _wait(seconds: float, cancelled: Callable[[], bool]) -> None:
    until, pause = time.monotonic() + seconds, threading.Event()
    while (rest := until - time.monotonic()) > 0:
        if cancelled():
            raise Cancelled
        pause.wait(min(rest, 0.1))


@cache
def _certificates() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # Python from python.org knows no certificates on a Mac; napari brings some
    with contextlib.suppress(ImportError, OSError):
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _words(error: BaseException) -> str:
    reason = getattr(error, "reason", error)
    return str(reason) or type(error).__name__
