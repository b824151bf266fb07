"""What a Zarr folder holds, by its metadata alone: plain JSON, checked before the zarr library sees the folder."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.unlabelled import MAX_VALUES

#: Files of metadata, of version 3 and of version 2.
METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
#: Codecs that make bytes shorter; one of them at most, so that the size of what comes out can be foreseen.
COMPRESSORS = ("blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma")
#: What else is undone: nothing of these runs code that a file names, as "pickle" would.
_OTHER_CODECS = ("bytes", "transpose", "sharding_indexed", "crc32c", "delta", "fixedscaleoffset", "bitround", "shuffle")
_LONGEST_JSON, _DEEPEST, _MOST = 2**24, 8, 1000
_V3_DTYPE = re.compile(r"(u?int(8|16|32|64)|float(16|32|64))")
_V2_DTYPE = re.compile(r"[<>|=][iu][1248]|[<>=]f[248]")


@dataclass(frozen=True)
class ZarrArray:
    """An array, as its metadata describe it.

    Parameters
    ----------
    shape : tuple of int
    chunks : tuple of int
        Shape of the blocks that are unpacked one by one.
    dtype : dtype or None
        None if it is not of real numbers.
    dtype_name : str
    codecs : tuple of str
        All of them, those inside shards too.
    shard : tuple of int or None
        Shape of what lies in one file, where that is many blocks.
    checksum_bytes : int
        Behind the index of the blocks in such a file.
    dimensions : tuple of str
        Names of the axes, empty where there are none.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any] | None
    dtype_name: str
    codecs: tuple[str, ...]
    shard: tuple[int, ...] | None
    checksum_bytes: int
    dimensions: tuple[str, ...]

    @property
    def compressor(self) -> str | None:
        """The codec that makes bytes shorter."""
        return next((codec for codec in self.codecs if codec in COMPRESSORS), None)

    @property
    def block_bytes(self) -> int:
        """Most bytes that one block may unpack to."""
        assert self.dtype is not None
        # "delta" and "fixedscaleoffset" may store values as a longer type
        filtered = any(codec in ("delta", "fixedscaleoffset") for codec in self.codecs)
        return math.prod(self.chunks) * (8 if filtered else self.dtype.itemsize) + 64

    def check(self, name: str) -> None:
        """Refuse what cannot be read, or could be made to claim any amount of memory."""
        for codec in self.codecs:
            if codec not in (*COMPRESSORS, *_OTHER_CODECS):
                raise InputError(f"'{name}' is stored with the codec '{codec}', which is not read")
        if sum(codec in COMPRESSORS for codec in self.codecs) > 1 or self.codecs.count("sharding_indexed") > 1:
            raise InputError(f"'{name}' is packed twice, which is not read", fix="write it again with one codec")
        outer = self.shard or self.chunks
        for blocks in (self.chunks, outer):
            if len(blocks) != len(self.shape) or min(blocks, default=1) < 1 or math.prod(blocks) > MAX_VALUES:
                raise InputError(f"damaged: '{name}' claims blocks of {blocks}")
        if any(whole % part for whole, part in zip(outer, self.chunks, strict=True)):
            raise InputError(f"damaged: '{name}' claims blocks of {self.chunks} in files of {outer}")


@dataclass(frozen=True)
class Node:
    """A group or an array.

    Parameters
    ----------
    path : str
        In the folder, with slashes; empty for the folder itself.
    version : int
        2 or 3.
    attributes : mapping
    array : ZarrArray or None
        None for a group.
    """

    path: str
    version: Literal[2, 3]
    attributes: Mapping[str, Any]
    array: ZarrArray | None


def inside(group: str, path: Any) -> str:
    """Return the path of something named in a group's metadata; InputError if it leads out of the group."""
    parts = path.split("/") if isinstance(path, str) else [""]
    if any(part in ("", ".", "..") or set(part) & set("\\:\0") for part in parts):
        raise InputError(f"damaged: its metadata name {path!r}, which is no place in the folder")
    return f"{group}/{path}" if group else path


def read_node(root: Path, path: str) -> Node | None:
    """Return what is at `path` in the folder, None if it is neither a group nor an array."""
    folder = root / path if path else root
    if not folder.resolve().is_relative_to(root.resolve()):
        raise InputError(f"'{path}' is a link out of the folder, which is not followed")
    third = _json(folder / "zarr.json")
    if third is not None:
        array = _array_of_version_3(path, third) if third.get("node_type") == "array" else None
        return Node(path, 3, _mapping(third.get("attributes")), array)
    attributes = _json(folder / ".zattrs")
    second = _json(folder / ".zarray")
    if second is not None:
        return Node(path, 2, attributes or {}, _array_of_version_2(path, second))
    if attributes is not None or (folder / ".zgroup").is_file():
        return Node(path, 2, attributes or {}, None)
    return None


def children(root: Path, node: Node) -> Iterator[Node]:
    """Walk over what is directly in a group, by name."""
    folder = root / node.path
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for name in names[: _MOST + 1]:
        found = read_node(root, inside(node.path, name))
        if found is not None:
            yield found


def walk(root: Path, enters: Callable[[Node], bool]) -> Iterator[Node]:
    """Walk over the folder, level by level; groups are entered where ``enters(node)`` says so."""
    top = read_node(root, "")
    if top is None:
        raise InputError("not a Zarr folder: it has no metadata")
    waiting = deque([(top, 0)])
    count = 0
    while waiting:
        node, depth = waiting.popleft()
        count += 1
        if count > _MOST:
            raise InputError(f"more than {_MOST} arrays and groups inside", fix="open the folder of one image in it")
        yield node
        if node.array is None and depth < _DEEPEST and enters(node):
            waiting.extend((child, depth + 1) for child in children(root, node))


def _json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    if path.stat().st_size > _LONGEST_JSON:
        raise InputError(f"damaged: {path.name} is longer than any metadata")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"damaged: {path.name} is not JSON ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise InputError(f"damaged: {path.name} is not a JSON object")
    return found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _lengths(path: str, value: Any) -> tuple[int, ...]:
    right = isinstance(value, list) and all(isinstance(one, int) and 0 <= one < 2**62 for one in value)
    if not right or len(value) > 32:
        raise InputError(f"damaged: '{path}' has no usable shape")
    return tuple(int(one) for one in value)


def _named(path: str, codec: Any, key: str) -> str:
    name = codec if isinstance(codec, str) else _mapping(codec).get(key)
    if not isinstance(name, str):
        raise InputError(f"damaged: '{path}' has a codec without a name")
    return name.removeprefix("numcodecs.")


def _array_of_version_3(path: str, found: Mapping[str, Any]) -> ZarrArray:
    shape = _lengths(path, found.get("shape"))
    chunks = _lengths(path, _mapping(_mapping(found.get("chunk_grid")).get("configuration")).get("chunk_shape"))
    waiting = list(found.get("codecs") or [])
    codecs = []
    shard, checksum = None, 0
    while waiting:
        codec = waiting.pop(0)
        codecs.append(_named(path, codec, "name"))
        if codecs[-1] == "sharding_indexed":
            shard = chunks
            inner = _mapping(_mapping(codec).get("configuration"))
            chunks = _lengths(path, inner.get("chunk_shape"))
            plain = [_named(path, one, "name") for one in inner.get("index_codecs") or []]
            if plain not in (["bytes", "crc32c"], ["bytes"]) or inner.get("index_location", "end") != "end":
                raise InputError(f"'{path}' has an unusual index of its blocks, which is not read")
            checksum = 4 * (len(plain) - 1)
            waiting = [*list(inner.get("codecs") or []), *waiting]
        if len(codecs) > 16:
            raise InputError(f"damaged: '{path}' has more than 16 codecs")
    name = found.get("data_type")
    numeric = isinstance(name, str) and _V3_DTYPE.fullmatch(name)
    names = found.get("dimension_names")
    dimensions = tuple(one if isinstance(one, str) else "" for one in names) if isinstance(names, list) else ()
    dtype = np.dtype(str(name)) if numeric else None
    return ZarrArray(shape, chunks, dtype, str(name)[:40], tuple(codecs), shard, checksum, dimensions)


def _array_of_version_2(path: str, found: Mapping[str, Any]) -> ZarrArray:
    codecs = [*(found.get("filters") or []), *([found["compressor"]] if found.get("compressor") else [])]
    name = found.get("dtype")
    numeric = isinstance(name, str) and _V2_DTYPE.fullmatch(name)
    dtype = np.dtype(str(name)) if numeric else None
    return ZarrArray(
        _lengths(path, found.get("shape")),
        _lengths(path, found.get("chunks")),
        dtype,
        str(dtype.newbyteorder("=")) if dtype is not None else str(name)[:40],
        tuple(_named(path, codec, "id") for codec in codecs),
        None,
        0,
        (),
    )
