"""The values of a Zarr array: read by the zarr library, from its folder alone, and no longer than its metadata say.

A block of a few bytes may unpack to gigabytes, or claim to. Each is looked at before the library unpacks it.
"""

from __future__ import annotations

import bz2
import itertools
import lzma
import math
import os
import struct
import threading
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import RangeByteRequest
from zarr.storage import LocalStore, WrapperStore

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.zarr_tree import METADATA, Node, ZarrArray

#: Unpacked blocks that are kept, for the next pixel will mostly be in the same ones; not for reads of many blocks.
CACHE_BYTES, _MOST_KEPT = 2**26, 256

_BLOSC_COPIED = 0x02


class CheckedStore(WrapperStore[LocalStore]):
    """A folder whose files are looked at before they are handed on."""

    def __init__(self, store: LocalStore, array: ZarrArray) -> None:
        super().__init__(store)
        self._array = array
        self._root = os.path.realpath(store.root)

    def _with_store(self, store: LocalStore) -> CheckedStore:
        return type(self)(store, self._array)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the bytes of a file or of a part of it; InputError if they are not what they should be."""
        if os.path.commonpath([self._root, os.path.realpath(os.path.join(self._root, key))]) != self._root:
            raise InputError(f"'{key}' is a link out of the folder, which is not followed")
        found = await super().get(key, prototype, byte_range)
        if found is None or key.rpartition("/")[2] in METADATA or self._array.compressor is None:
            return found
        content = memoryview(np.ascontiguousarray(found.as_numpy_array()).view(np.uint8).data)
        if self._array.shard is None:
            self._check(content)
        elif byte_range is None:
            for start, length in _shard_index(content, self._array):
                self._check(content[start : start + length])
        elif isinstance(byte_range, RangeByteRequest):  # one block; anything else is the index
            self._check(content)
        return found

    def _check(self, content: memoryview) -> None:
        if not _unpacks_within(self._array.compressor, content, self._array.block_bytes):
            raise InputError("damaged: a block would unpack to more than its size")
        if self._array.compressor == "blosc" and not _is_whole_blosc(content):
            raise InputError("damaged: a block is not whole")

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
        """Return parts of files, each as `get` does."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]


def _shard_index(content: memoryview, array: ZarrArray) -> list[tuple[int, int]]:
    """Return start and length of the blocks in a file of many."""
    assert array.shard is not None
    length = 16 * (math.prod(array.shard) // math.prod(array.chunks))
    index = content[: len(content) - array.checksum_bytes][-length:]
    if len(index) < length:
        raise InputError("damaged: a file of blocks is too short")
    return [entry for entry in struct.iter_unpack("<QQ", index) if sum(entry) <= len(content)]


def _unpacks_within(compressor: str | None, content: memoryview, most: int) -> bool:
    """Whether a packed block says, or shows, that it unpacks to `most` bytes or fewer."""
    if compressor == "blosc":
        return len(content) < 8 or struct.unpack_from("<I", content, 4)[0] <= most
    if compressor == "lz4":
        return len(content) < 4 or struct.unpack_from("<I", content)[0] <= most
    if compressor == "zstd":
        claimed = _zstd_content_size(content)
        return claimed is None or claimed <= most
    unpacker: Any = {"bz2": bz2.BZ2Decompressor, "lzma": lzma.LZMADecompressor}.get(
        str(compressor), lambda: zlib.decompressobj(wbits=47)
    )()
    try:
        return len(unpacker.decompress(bytes(content), most + 1)) <= most
    except (zlib.error, lzma.LZMAError, OSError, ValueError):
        return True  # the library will say it


def _is_whole_blosc(content: memoryview) -> bool:
    """Whether the lengths in the header of a Blosc 1 buffer agree with it; the library believes them and reads on.

    Source: "Blosc1 header format", README_CHUNK_FORMAT.rst of c-blosc.
    """
    if len(content) < 16:
        return False
    flags, typesize = content[2], content[3]
    unpacked, blocksize, packed = struct.unpack_from("<III", content, 4)
    if packed != len(content) or typesize == 0 or (unpacked and not 0 < blocksize <= unpacked):
        return False
    if flags & _BLOSC_COPIED or not unpacked:
        return packed == 16 + unpacked or not unpacked
    blocks = -(-unpacked // blocksize)
    first = 16 + 4 * blocks
    if first > packed:
        return False
    starts = np.frombuffer(content[16:first], "<i4")
    return bool((starts >= first).all() and (starts <= packed - 4).all())


def _zstd_content_size(content: memoryview) -> int | None:
    """Return the size in the header of a Zstandard frame (RFC 8878, 3.1.1.1), None where it says none."""
    if len(content) < 18 or content[:4] != b"\x28\xb5\x2f\xfd":
        return None
    flags = content[4]
    single = bool(flags & 0x20)
    at = 5 + (0 if single else 1) + (0, 1, 2, 4)[flags & 3]
    width = (1 if single else 0, 2, 4, 8)[flags >> 6]
    size = int.from_bytes(content[at : at + width], "little")
    return None if width == 0 else size + (256 if width == 2 else 0)


class OpenArray:
    """An array as a `Source` of three axes; those left out have length 1.

    Parameters
    ----------
    root : pathlib.Path
        The folder.
    node : Node
        The array in it, which was checked.
    kept : tuple of int
        Its three axes, in its order.
    """

    def __init__(self, root: Path, node: Node, kept: tuple[int, ...]) -> None:
        assert node.array is not None
        self._array = open_array(root, node)
        self._kept = kept
        self.dtype = node.array.dtype
        self.shape: tuple[int, ...] = tuple(node.array.shape[axis] for axis in kept)
        self._chunks = tuple(node.array.chunks[axis] for axis in kept)
        self._blocks: OrderedDict[tuple[int, ...], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        spans = [range(place, place + 1) if isinstance(place, int) else _range(place) for place in key]
        kept = tuple(len(span) for span, place in zip(spans, key, strict=True) if isinstance(place, slice))
        if 0 in kept:
            return np.empty(kept, self.dtype)
        numbers = [range(span[0] // n, span[-1] // n + 1) for span, n in zip(spans, self._chunks, strict=True)]
        assert self.dtype is not None
        blocks = math.prod(len(part) for part in numbers)
        if blocks > _MOST_KEPT or blocks * math.prod(self._chunks) * self.dtype.itemsize > CACHE_BYTES:
            return self._read(tuple(slice(s.start, s.stop, s.step) for s in spans)).reshape(kept)
        found = np.empty([len(span) for span in spans], self.dtype)
        for block in itertools.product(*numbers):
            parts = [_part(span, number, n) for span, number, n in zip(spans, block, self._chunks, strict=True)]
            if all(part is not None for part in parts):
                there, here = zip(*parts, strict=True)
                found[there] = self._block(block)[here]
        return found.reshape(kept)

    def _block(self, number: tuple[int, ...]) -> NDArray[Any]:
        with self._lock:
            if number in self._blocks:
                self._blocks.move_to_end(number)
                return self._blocks[number]
        place = (slice(i * n, (i + 1) * n) for i, n in zip(number, self._chunks, strict=True))
        block = self._read(tuple(place))
        with self._lock:
            self._blocks[number] = block
            kept = max(1, min(_MOST_KEPT, CACHE_BYTES // (math.prod(self._chunks) * block.itemsize)))
            while len(self._blocks) > kept:
                self._blocks.popitem(last=False)
        return block

    def _read(self, places: tuple[slice, ...]) -> NDArray[Any]:
        key: list[int | slice] = [0] * self._array.ndim
        for axis, place in zip(self._kept, places, strict=True):
            key[axis] = place
        return np.asarray(self._array[tuple(key)])


def open_array(root: Path, node: Node) -> Any:
    """Open an array for reading; nothing but what is in its folder is read."""
    assert node.array is not None
    store = CheckedStore(LocalStore(root, read_only=True), node.array)
    return zarr.open_array(store, path=node.path, mode="r", zarr_format=node.version)


def _range(place: slice) -> range:
    return range(place.start, place.stop, place.step)


def _part(span: range, number: int, length: int) -> tuple[slice, slice] | None:
    """Return which places of `span` lie in a block, and where in the block they are."""
    first = max(0, -((span.start - number * length) // span.step))
    last = min(len(span) - 1, ((number + 1) * length - 1 - span.start) // span.step)
    if first > last:
        return None
    start = span[first] - number * length
    return slice(first, last + 1), slice(start, span[last] - number * length + 1, span.step)
