"""What a folder in the Zarr format holds, read from its metadata alone, before the zarr library is let at it.

The library would follow what metadata say: decode with any registered codec, unpickling included. Here only known
codecs of plain numbers pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from napari_hsisynth.errors import InputError

#: Metadata of one array or group are never longer than this, bytes; thousands of channels fit.
_LONGEST = 2**24
_DEEPEST, _MOST = 5, 1000
#: Codecs that do nothing but undo packing; ids of version 2 and names of version 3.
# fmt: off
_CODECS = {
    "bytes", "transpose", "gzip", "blosc", "zstd", "crc32c", "sharding_indexed", "zlib", "lz4", "bz2", "lzma",
    "shuffle", "delta", "bitround", "fixedscaleoffset", "quantize", "packbits", "crc32", "adler32",
    "fletcher32", "astype", "vlen-utf8",
}
# fmt: on


@dataclass(frozen=True)
class Node:
    """One array or group.

    Parameters
    ----------
    name : str
        Path inside the folder, with slashes; empty for the folder itself.
    folder : pathlib.Path
    attributes : dict
    shape : tuple of int, optional
        None for a group.
    dtype : str
        As the metadata call it.
    dimensions : tuple of str
        Names of the axes, empty if there are none.
    chunk_values : int
        Values of one piece that can only be decoded as a whole.
    """

    name: str
    folder: Path
    attributes: dict[str, Any]
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    dimensions: tuple[str, ...] = ()
    chunk_values: int = 0

    @property
    def numeric(self) -> bool:
        """Whether the values are real numbers."""
        try:
            return np.dtype(self.dtype).kind in "fiu"
        except TypeError:
            return False


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((folder / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))


def nodes(root: Path) -> list[Node]:
    """Return the folder itself and all arrays and groups inside.

    Raises
    ------
    InputError
        If the metadata of one of them are damaged, or there are too many.
    """
    found = []
    for node in _walk(root, PurePosixPath()):
        found.append(node)
        if len(found) > _MOST:
            raise InputError(f"more than {_MOST} arrays and groups inside; not a cube")
    return found


def _walk(root: Path, inside: PurePosixPath) -> Iterator[Node]:
    folder = root / inside
    node = _node(folder, "" if inside == PurePosixPath() else str(inside))
    if node is None:
        return
    yield node
    if node.shape is None and len(inside.parts) < _DEEPEST:
        for child in sorted(folder.iterdir()):
            # a link could lead out of the folder
            if child.is_dir() and not child.is_symlink() and not child.name.startswith("."):
                yield from _walk(root, inside / child.name)


def _node(folder: Path, name: str) -> Node | None:
    if (folder / "zarr.json").is_file():
        return _version_3(folder, name, _json(folder / "zarr.json", name))
    attributes = _json(folder / ".zattrs", name) if (folder / ".zattrs").is_file() else {}
    if (folder / ".zarray").is_file():
        return _version_2(folder, name, _json(folder / ".zarray", name), attributes)
    return Node(name, folder, attributes) if (folder / ".zgroup").is_file() else None


def _json(path: Path, name: str) -> dict[str, Any]:
    if path.stat().st_size > _LONGEST:
        raise InputError(f"damaged: the metadata of '{name or '/'}' are {path.stat().st_size:,} bytes long")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"damaged: {path.name} of '{name or '/'}' is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"damaged: {path.name} of '{name or '/'}' is not a JSON object")
    return found


def _version_2(folder: Path, name: str, meta: dict[str, Any], attributes: dict[str, Any]) -> Node:
    codecs = [meta.get("compressor"), *(meta.get("filters") or [])]
    _check_codecs([codec.get("id") if isinstance(codec, dict) else codec for codec in codecs if codec], name)
    dimensions = attributes.get("_ARRAY_DIMENSIONS")
    return _array(name, folder, attributes, meta.get("shape"), meta.get("chunks"), meta.get("dtype"), dimensions)


def _version_3(folder: Path, name: str, meta: dict[str, Any]) -> Node:
    attributes = meta.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    if meta.get("node_type") == "group":
        return Node(name, folder, attributes)
    grid = meta.get("chunk_grid")
    configuration = grid.get("configuration") if isinstance(grid, dict) else None
    chunks = configuration.get("chunk_shape") if isinstance(configuration, dict) else None
    _check_codecs(_names_of_codecs(meta.get("codecs"), name), name)
    return _array(
        name, folder, attributes, meta.get("shape"), chunks, meta.get("data_type"), meta.get("dimension_names")
    )


def _names_of_codecs(codecs: Any, name: str, depth: int = 0) -> list[Any]:
    if not isinstance(codecs, list) or depth > 3:
        raise InputError(f"damaged: the codecs of '{name or '/'}' are no list")
    found: list[Any] = []
    for codec in codecs:
        if not isinstance(codec, dict):
            found.append(codec)
            continue
        found.append(str(codec.get("name")).removeprefix("numcodecs."))
        configuration = codec.get("configuration")
        for key in ("codecs", "index_codecs"):  # of pieces inside a shard
            if isinstance(configuration, dict) and key in configuration:
                found += _names_of_codecs(configuration[key], name, depth + 1)
    return found


def _check_codecs(codecs: list[Any], name: str) -> None:
    for codec in codecs:
        if codec not in _CODECS:
            raise InputError(f"'{name or '/'}' is packed with '{codec}', which is not read")


def _array(
    name: str, folder: Path, attributes: dict[str, Any], shape: Any, chunks: Any, dtype: Any, dimensions: Any
) -> Node:
    for sizes in (shape, chunks):
        if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
            raise InputError(f"damaged: the size of '{name or '/'}' is {str(sizes)[:60]}")
    if len(chunks) != len(shape):
        raise InputError(f"damaged: '{name or '/'}' has {len(shape)} axes and chunks of {len(chunks)}")
    chunk_values = 1
    for size in chunks:
        chunk_values *= size
    names = dimensions if isinstance(dimensions, list) and len(dimensions) == len(shape) else []
    return Node(
        name, folder, attributes, tuple(shape), str(dtype), tuple(str(one or "") for one in names), chunk_values
    )
