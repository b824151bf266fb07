"""Getting official weights, on demand only: resumable, cancellable, and checked against what was published."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.segment import hub_cache
from napari_hsisynth.segment.fetching import Progress, fetch, stated_size
from napari_hsisynth.segment.weight_files import git_sha1_of, sha256_of
from napari_hsisynth.segment.weights import (
    HUB,
    HUB_FILES,
    LocatedWeights,
    OfficialWeights,
    locate_weights,
    meta_path,
    official_weights,
    weights_status,
)
from napari_hsisynth.study import Cancelled

_SHA256_DIGITS = 64
_LEAST_PART = 0.5  # of the size in our list, which is about right only: the hash decides
_HEX = re.compile(r"[0-9a-f]{40,64}")


def download(name: str, model: str, *, progress: Progress, cancelled: Callable[[], bool]) -> LocatedWeights:
    """Fetch the official weights of a model, unless they are here.

    Parameters
    ----------
    name, model : str
        As for `load_segmenter`.
    progress : callable
        Called with (done, total) bytes.
    cancelled : callable
        Asked after every chunk. What has come by then stays and is not fetched again the next time.

    Raises
    ------
    InputError
        If they cannot be had, or what comes is not what was published.
    Cancelled
        If `cancelled` returned true.
    """
    official = official_weights(name, model)[0]
    if not weights_status(name, model).present:
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
            raise InputError("nothing is fetched while HF_HUB_OFFLINE is set", fix="unset it, or name a folder")
        (_from_meta if official.meta_file else _from_hub)(official, progress, cancelled)
    return locate_weights(name, model)


def _from_meta(official: OfficialWeights, progress: Progress, cancelled: Callable[[], bool]) -> None:
    size = stated_size(official.source, cancelled)
    if size < _LEAST_PART * official.size_mb * 10**6:  # a login page: not worth dropping what has come before for
        raise InputError(f"the server has something else there, of {size:,} bytes", where=official.source)
    fetch(
        official.source,
        meta_path(official),
        size=size,
        has_hash=_Hash(official.sha256, cancelled),
        progress=progress,
        cancelled=cancelled,
    )


def _from_hub(official: OfficialWeights, progress: Progress, cancelled: Callable[[], bool]) -> None:
    files = [_stated(official.repo, name, cancelled) for name in HUB_FILES]
    total, before, blobs = sum(file.size for file in files), 0, {}

    def tell(done: int, _: int) -> None:
        progress(before + done, total)

    for file in files:
        blobs[file.name] = hub_cache.repo_folder(official.repo) / "blobs" / file.hash
        if not blobs[file.name].is_file():
            has_hash = _Hash(file.hash, cancelled)
            fetch(file.url, blobs[file.name], size=file.size, has_hash=has_hash, progress=tell, cancelled=cancelled)
        before += file.size
    hub_cache.place(official.repo, files[-1].commit, blobs)


@dataclass(frozen=True)
class _HubFile:
    """What the hub says of a file: its hash is the sha256 of large files, and git's of small ones."""

    name: str
    url: str
    size: int
    hash: str
    commit: str


def _stated(repo: str, name: str, cancelled: Callable[[], bool]) -> _HubFile:
    """Ask the hub about a file."""
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtraError("fetching weights", "sam") from None
    if cancelled():
        raise Cancelled
    url = huggingface_hub.hf_hub_url(repo, name, endpoint=os.environ.get("HF_ENDPOINT") or HUB)
    try:
        found = huggingface_hub.get_hf_file_metadata(url)
    except Exception as error:  # its network library changes from version to version, and with it the errors
        words = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot be fetched ({words})", where=url, fix="check the network and try again") from None
    etag, commit = found.etag or "", found.commit_hash or ""
    if not found.size or not _HEX.fullmatch(etag) or not _HEX.fullmatch(commit):  # both become names of files
        raise InputError("the server does not say what it has", where=url, fix="check HF_ENDPOINT")
    return _HubFile(name, found.location, found.size, etag, commit)


@dataclass(frozen=True)
class _Hash:
    """Whether a file has the published hash."""

    published: str
    cancelled: Callable[[], bool]

    def __call__(self, path: Path) -> bool:
        is_sha256 = len(self.published) == _SHA256_DIGITS
        return self.published == (sha256_of(path, self.cancelled) if is_sha256 else git_sha1_of(path))
