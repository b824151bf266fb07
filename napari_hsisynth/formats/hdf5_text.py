"""Text of variable length in the attributes of HDF5 files, read without trust.

HDF5 keeps such text in "global heaps". On damaged ones its library never comes back, or ends the whole process, and
with it napari and the user's unsaved work. The way from an object to the text of its attributes is short; this is it,
with every length compared with what is there. Source: "HDF5 File Format Specification Version 3.0", III.E, IV.A.1,
IV.A.2.m and IV.A.2.q, The HDF Group.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10
_SHARED_MESSAGE, _SHARED_TYPE = 0x02, 0x01
_HAS_TIMES, _HAS_PHASES, _HAS_ORDER = 0x20, 0x10, 0x04
#: A descriptor of text: its length, the address of its heap, and its number there.
_DESCRIPTOR = struct.Struct("<IQI")
#: Headers and heaps beyond this are none of those that a cube has.
_LONGEST, _MOST_BLOCKS, _MOST_TEXTS = 2**22, 64, 1000


def variable_texts(handle: IO[bytes], address: int, base: int) -> dict[str, list[str]]:
    """Return the attributes of an object that are text of variable length; empty if its header makes no sense.

    Parameters
    ----------
    handle : binary file
        Of a file whose addresses and lengths take 8 bytes, as nearly all do.
    address : int
        Of the object's header, counted from `base`.
    base : int
        Where HDF5 begins in the file: the length of its user block.

    Notes
    -----
    More than 8 attributes of one object may be stored in another way, which is not followed: they are left out.
    """
    found: dict[str, list[str]] = {}
    heaps: dict[int, dict[int, bytes]] = {}
    for body in _attribute_messages(handle, address, base):
        parts = _attribute(body)
        if parts is None:
            continue
        name, data = parts
        texts = []
        for length, heap, number in _DESCRIPTOR.iter_unpack(data[: len(data) // _DESCRIPTOR.size * _DESCRIPTOR.size]):
            if heap not in heaps and len(heaps) < _MOST_BLOCKS:
                heaps[heap] = dict(_heap_objects(_read(handle, base + heap, _LONGEST)))
            text = heaps.get(heap, {}).get(number, b"")[:length]
            texts.append(text.split(b"\0")[0].decode("utf-8", "replace"))
        found[name] = texts[:_MOST_TEXTS]
    return found


def _read(handle: IO[bytes], start: int, length: int) -> bytes:
    if start >= 2**62:  # "undefined" is an address of ones
        return b""
    handle.seek(start)
    return handle.read(min(length, _LONGEST))


def _attribute_messages(handle: IO[bytes], address: int, base: int) -> Iterator[bytes]:
    """Walk the blocks of an object's header."""
    start = _read(handle, base + address, 64)
    if len(start) < 64:
        return
    if start[:5] == b"OHDR\2":
        flags = start[5]
        at = 6 + (16 if flags & _HAS_TIMES else 0) + (4 if flags & _HAS_PHASES else 0)
        width = 1 << (flags & 3)
        waiting = [(address + at + width, int.from_bytes(start[at : at + width], "little"))]
        head = struct.Struct("<BHBH" if flags & _HAS_ORDER else "<BHB")
        opening = 4  # each further block begins with "OCHK"
    elif start[0] == 1:
        waiting = [(address + 16, struct.unpack_from("<I", start, 8)[0])]
        head = struct.Struct("<HHB3x")
        opening = 0
    else:
        return
    blocks = 0
    while waiting and blocks < _MOST_BLOCKS:
        block_address, length = waiting.pop(0)
        block = _read(handle, base + block_address, length)
        blocks += 1
        at = opening if blocks > 1 else 0
        while at + head.size <= len(block):
            kind, size, flags = head.unpack_from(block, at)[:3]
            body = block[at + head.size : at + head.size + size]
            at += head.size + size
            if len(body) < size or flags & _SHARED_MESSAGE:
                continue
            if kind == _CONTINUATION and size >= 16:
                waiting.append(struct.unpack_from("<QQ", body))
            elif kind == _ATTRIBUTE:
                yield body


def _attribute(body: bytes) -> tuple[str, bytes] | None:
    """Return name and data of an attribute of variable text, None if it is of another type."""
    if len(body) < 9 or body[0] not in (1, 2, 3) or (body[0] > 1 and body[1] & _SHARED_TYPE):
        return None
    lengths = struct.unpack_from("<HHH", body, 2)
    at = 9 if body[0] == 3 else 8
    parts = []
    for length in lengths:
        parts.append(body[at : at + length])
        at += length + (-length % 8 if body[0] == 1 else 0)
    name, kind, _ = parts
    # class 9 is "variable length", and of these 1 is text
    if len(kind) < 8 or kind[0] & 0x0F != 9 or kind[1] & 0x0F != 1:
        return None
    if struct.unpack_from("<I", kind, 4)[0] != _DESCRIPTOR.size:
        return None
    return name.split(b"\0")[0].decode("utf-8", "backslashreplace"), body[at:]


def _heap_objects(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk a global heap: (number, content)."""
    if len(block) < 16 or block[:5] != b"GCOL\1":
        return
    end = min(struct.unpack_from("<Q", block, 8)[0], len(block))
    at = 16
    while at + 16 <= end:
        number, length = struct.unpack_from("<H6xQ", block, at)
        if number == 0 or length > end - at - 16:
            return  # 0 is the free space behind the last one
        yield number, block[at + 16 : at + 16 + length]
        at += 16 + length + -length % 8
