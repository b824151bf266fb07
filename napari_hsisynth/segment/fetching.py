"""`fetch`: a large file over HTTP that goes on where it was interrupted, and is whole and right or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from napari_hsisynth.atomic import sync_folder
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.cache_folder import cache_folder
from napari_hsisynth.study import Cancelled
from napari_hsisynth.study.storage import patient_lock

#: Called with (bytes done, bytes in all).
Progress = Callable[[int, int], object]

_CHUNK = 256 * 2**10
_TIMEOUT_S = 30.0
_ATTEMPTS = 5  # in a row without a single new byte
_PAUSE_S = 1.0  # before the second attempt, doubled before each further one
_POLL_S = 0.2  # between looks at whether another program is done
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

    One at a time fetches a file: whoever comes second waits, and has the file as soon as the first has it.

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

    def wait() -> None:
        progress(min(size, _size_of(part)), size)
        _wait(_POLL_S, cancelled)

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with patient_lock(_lock_file(target), wait) as waited:
            if not (waited and target.is_file()):
                _make_room(part, size)
                _complete(url, part, size, progress, cancelled)
                _accept(url, part, target, has_hash)
        progress(size, size)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", where=target) from None


def stated_size(url: str, cancelled: Callable[[], bool]) -> int:
    """Return the size that the server states for a file, bytes.

    Raises
    ------
    InputError
        If the server cannot be reached, refuses, or does not say.
    Cancelled
        If `cancelled` returned true.
    """
    reason = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            _wait(_PAUSE_S * 2 ** (attempt - 1), cancelled)
        response = _opened(url, method="HEAD")
        if isinstance(response, str):
            reason = response
            continue
        with response:
            stated = response.headers.get("Content-Length") or ""
        if not stated.isdecimal():
            raise InputError("the server does not say how large its file is", where=url)
        return int(stated)
    raise InputError(f"cannot be fetched ({reason})", where=url, fix="check the network and try again")


def _lock_file(target: Path) -> Path:
    """Return whose lock it is to fetch this file; not beside it, for that may be another program's folder."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / hashlib.sha256(os.fsencode(target.resolve())).hexdigest()[:16]


def _complete(url: str, part: Path, size: int, progress: Progress, cancelled: Callable[[], bool]) -> None:
    """Fetch what is missing of a file."""
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
            raise InputError(f"the download broke off ({reason})", where=url, fix="try again; it goes on from there")
        _wait(_PAUSE_S * 2 ** (attempt - 1), cancelled)
    progress(size, size)


def _accept(url: str, part: Path, target: Path, has_hash: Callable[[Path], bool]) -> None:
    """Give a file its name if it is what was published."""
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


def _read_on(url: str, part: Path, size: int, progress: Progress, cancelled: Callable[[], bool]) -> str | None:
    """Append what the server sends, up to `size`; return why it ended early, or None. OSError is the disk's."""
    done = _size_of(part)
    response = _opened(url, {"Range": f"bytes={done}-"} if done else {})
    if isinstance(response, str):
        return response
    if response is None:  # there is nothing behind what we have: another, shorter file
        part.unlink(missing_ok=True)
        raise InputError("the server has not the published file, but a shorter one", where=url)
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


def _opened(url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Any:
    """Return the answer to a request, or in words why there is none for now; None if the range is past the end."""
    sent = {"User-Agent": "napari-hsisynth", "Accept-Encoding": "identity", **(headers or {})}
    request = urllib.request.Request(url, headers=sent, method=method)
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=_certificates())
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return None
        if error.code < 500 and error.code not in (408, 429):
            raise InputError(f"the server refuses (HTTP {error.code} {error.reason})", where=url) from None
        return f"HTTP {error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return _words(error)


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
