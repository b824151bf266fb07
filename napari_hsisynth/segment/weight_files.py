"""Whether a file of weights is what it seems to be, found out without loading it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Cancelled

_CHUNK = 4 * 2**20
_LONGEST_HEADER = 100 * 2**20  # as safetensors itself allows
_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
_AGAIN = "fetch it again"


def sha256_of(path: Path, cancelled: Callable[[], bool] = bool) -> str:
    """Return the sha256 of a file, hex.

    Raises
    ------
    Cancelled
        As soon as `cancelled` returns true.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            if cancelled():
                raise Cancelled
            digest.update(chunk)
    return digest.hexdigest()


def git_sha1_of(path: Path) -> str:
    """Return the name that git gives the content of a file, hex; the hub states it for small files."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def check_safetensors(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors in a safetensors file, by name.

    Raises
    ------
    InputError
        If it is no such file, is cut short, or its header does not describe its content.
    """
    with _opened(path) as file:
        start, size = file.read(8), path.stat().st_size
        _refuse_text(path, start + file.read(56))
        length = int.from_bytes(start, "little")
        if not 2 <= length <= min(_LONGEST_HEADER, max(2, size - 8)):
            raise InputError("not a safetensors file, or one that is cut short", where=path, fix=_AGAIN)
        file.seek(8)
        text = file.read(length)
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        shapes = {str(name): tuple(int(side) for side in entry["shape"]) for name, entry in header.items()}
        ends = [int(entry["data_offsets"][1]) for entry in header.values()]
        stated = [int(end) - int(begin) for begin, end in (entry["data_offsets"] for entry in header.values())]
        needed = [_bytes_of(entry["dtype"], shapes[name]) for name, entry in header.items()]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        raise InputError("not a safetensors file: its header makes no sense", where=path, fix=_AGAIN) from None
    if stated != needed:
        raise InputError("damaged: its header does not describe its content", where=path, fix=_AGAIN)
    if not shapes or max(ends) != size - 8 - length:
        whole = 8 + length + max(ends, default=0)
        raise InputError(f"{size:,} bytes instead of {whole:,}: not the whole file", where=path, fix=_AGAIN)
    return shapes


def check_torch_zip(path: Path) -> None:
    """Check that a ``.pth`` file is an archive as torch writes it, whole and no larger inside than outside.

    Raises
    ------
    InputError
        If it is not.
    """
    with _opened(path) as file:
        _refuse_text(path, file.read(64))
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise InputError("not a torch checkpoint, or one that is cut short", where=path, fix=_AGAIN) from None
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise InputError("not a torch checkpoint: it is compressed", where=path)
    if not any(member.filename.endswith("/data.pkl") for member in members):
        raise InputError("not a torch checkpoint", where=path)


def load_torch_tensors(path: Path) -> dict[str, Any]:
    """Return the tensors of a ``.pth`` file by name; nothing in it is executed.

    Raises
    ------
    InputError
        If it is damaged, or holds anything but named tensors.
    """
    import pickle

    import torch

    check_torch_zip(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            "holds code, not only weights: refused", where=path, fix="use a file of a source that you trust"
        ) from None
    except Exception as error:  # torch names no errors for damaged files: all kinds come up
        raise InputError(f"cannot be read ({_first_line(error)})", where=path, fix=_AGAIN) from None
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise InputError("no weights of a network: named tensors are needed", where=path)
    return found


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:200]


def _bytes_of(dtype: str, shape: tuple[int, ...]) -> int:
    values = 1
    for side in shape:
        if side < 0:
            raise ValueError("a negative size")
        values *= side
    return values * _BYTES.get(dtype, 1)


def _opened(path: Path) -> Any:
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from None


def _refuse_text(path: Path, start: bytes) -> None:
    """Name the two things that are taken for weights most often."""
    if start.startswith(b"version https://git-lfs"):
        raise InputError("a Git LFS pointer, not the weights", where=path, fix="run: git lfs pull")
    if start.lstrip()[:1] == b"<":
        raise InputError("a web page, not weights", where=path, fix="the download went to a login or error page")
