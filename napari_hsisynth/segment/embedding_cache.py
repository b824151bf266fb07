"""`EmbeddingCache`: what a network made of an image, kept on disk so that it is made only once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.cube import Cube
from napari_hsisynth.segment.cache_folder import cache_folder

#: Size that the files of a cache may have together; those unused for longest go first.
MOST_BYTES = 2 * 10**9
_SUFFIX = ".safetensors"
_ABANDONED_S = 3600.0  # age from which an unfinished file belongs to a process that was killed

Embedding = dict[str, NDArray[np.float16]]


def cube_digest(cube: Cube) -> str:
    """Return the sha256 of a cube's values and wavelengths, hex."""
    digest = hashlib.sha256(f"{cube.data.shape}".encode())
    digest.update(np.asarray(cube.loaded().data).data)
    digest.update(np.asarray(cube.wavelengths_nm, dtype="<f8").tobytes())
    return digest.hexdigest()


class EmbeddingCache:
    """Files in one folder, shared by all processes of the user.

    A file that is damaged, or of something else, counts as missing. Not being able to write is no error: then nothing
    is remembered.

    Parameters
    ----------
    folder : path-like, optional
        By default ``embeddings`` in the user's cache folder.
    most_bytes : int
        Size limit of the folder.
    """

    def __init__(self, folder: str | Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self.folder = cache_folder() / "embeddings" if folder is None else Path(folder).expanduser()
        self.most_bytes = most_bytes

    def get(self, made_from: Mapping[str, object]) -> Embedding | None:
        """Return what was put for the same `made_from`, or None."""
        try:
            path = self._path(made_from)
            content = path.read_bytes()
            found = _unpacked(content, _name(made_from))
        except (OSError, ValueError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used now; what was used last is kept longest
        return found

    def put(self, made_from: Mapping[str, object], embedding: Embedding) -> None:
        """Keep an embedding under all that decides about its values (JSON types)."""
        path = self._path(made_from)
        with contextlib.suppress(OSError):
            with atomic_path(path) as temporary:
                temporary.write_bytes(_packed(embedding, _name(made_from)))
            self._prune(path)

    def _path(self, made_from: Mapping[str, object]) -> Path:
        return self.folder / (_name(made_from) + _SUFFIX)

    def _prune(self, newest: Path) -> None:
        files = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):  # another process may be pruning too
                stat = path.stat()
                if path.name.startswith(".") and time.time() - stat.st_mtime > _ABANDONED_S:
                    path.unlink()
                elif path.suffix == _SUFFIX and path != newest and not path.name.startswith("."):
                    files.append((stat.st_mtime, stat.st_size, path))
        total = newest.stat().st_size + sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.most_bytes:
                return
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size


def _name(made_from: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _packed(embedding: Embedding, name: str) -> bytes:
    from safetensors.numpy import save

    kept = {key: np.ascontiguousarray(array) for key, array in embedding.items()}
    return save(kept, metadata={"name": name, "crc32": str(_checksum(kept))})


def _unpacked(content: bytes, name: str) -> Embedding:
    """Read what `_packed` wrote; ValueError if it is not exactly that."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        found = load(content)
        length = int.from_bytes(content[:8], "little")
        stated = json.loads(content[8 : 8 + length])["__metadata__"]
    except (SafetensorError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    if stated.get("name") != name or stated.get("crc32") != str(_checksum(found)):
        raise ValueError("damaged")
    return found


def _checksum(embedding: Embedding) -> int:
    # safetensors notices a file that is cut short, but not a changed byte
    found = 0
    for key in sorted(embedding):
        found = zlib.crc32(embedding[key].tobytes(), zlib.crc32(f"{key}{embedding[key].shape}".encode(), found))
    return found
