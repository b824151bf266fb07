"""Label Studio's run lengths of brush strokes: the bit stream of the JavaScript package ``@thi.ng/rle-pack``.

A head of 32 bits (number of words), 5 bits (bits per word, less 1) and four times 4 bits (bits of a run's length, less
1), then blocks: 1 bit (1 a repeated word, 0 words one by one), 2 bits (which of the four sizes), the number of words
less 1, and the word or words. The words are the red, green, blue and alpha of one pixel after the other, row by row;
alpha is the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError

_HEAD_BITS = 32 + 5 + 4 * 4
_CHANNELS = 4
#: Bits of a run's length that Label Studio itself writes.
_SIZES = (3, 4, 8, 16)
_PAINTED = 255


def encoded(mask: NDArray[np.bool_]) -> list[int]:
    """Return the bytes of a mask, shape (y, x), as Label Studio keeps them: a list of numbers 0..255."""
    flat = np.ravel(mask)
    ends = np.append(np.flatnonzero(np.diff(flat)) + 1, flat.size) if flat.size else np.zeros(0, int)
    lengths = np.diff(ends, prepend=0) * _CHANNELS
    values = np.where(flat[ends - 1], _PAINTED, 0)
    return pack(values.tolist(), lengths.tolist())


def decoded(data: Any, shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask, shape (y, x), of the bytes that Label Studio keeps; whatever is not transparent belongs to it.

    Raises
    ------
    InputError
        If it is not a list of bytes, is damaged or cut off, or is of another image.
    """
    if not isinstance(data, list):
        raise InputError("the brush has no list of run lengths")
    try:
        stream = bytes(data)
    except (TypeError, ValueError, OverflowError):
        raise InputError("the brush's run lengths are not numbers from 0 to 255") from None
    words = unpack(stream, _CHANNELS * shape_yx[0] * shape_yx[1])
    return words.reshape(*shape_yx, _CHANNELS)[..., 3] > 0


def pack(values: Sequence[int], lengths: Sequence[int]) -> list[int]:
    """Pack runs of 8-bit words.

    Parameters
    ----------
    values, lengths : sequence of int
        The word of every run, and how often it is there.

    Examples
    --------
    >>> pack([7], [3])
    [0, 0, 0, 3, 57, 27, 252, 64, 224]
    """
    bits = [f"{sum(lengths):032b}{8 - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for value, length in zip(values, lengths, strict=True):
        left = length
        while left:
            now = min(left, 1 << _SIZES[-1])
            which = next(number for number, size in enumerate(_SIZES) if now <= 1 << size)
            bits.append(f"{int(now > 1)}{which:02b}{now - 1:0{_SIZES[which]}b}{value:08b}")
            left -= now
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def unpack(stream: bytes, words: int) -> NDArray[np.uint32]:
    """Return the words of a stream, shape (words,).

    Parameters
    ----------
    stream : bytes
    words : int
        How many there must be; memory is taken for no more.

    Raises
    ------
    InputError
        If the stream says another number, or is cut off or damaged.
    """
    if len(stream) * 8 < _HEAD_BITS:
        raise InputError("the brush's run lengths are cut off")
    said = _number(stream, 0, 32)
    if said != words:
        raise InputError(f"the brush holds {said:,} values, the image needs {words:,}")
    word_bits = _number(stream, 32, 5) + 1
    sizes = [_number(stream, 37 + 4 * which, 4) + 1 for which in range(4)]
    out = np.zeros(words, np.uint32)
    done, at, end = 0, _HEAD_BITS, len(stream) * 8
    while done < words:
        size = sizes[_number(stream, at + 1, 2)] if at + 3 <= end else end
        if at + 3 + size + word_bits > end:
            raise InputError("the brush's run lengths are cut off")
        is_repeated = _number(stream, at, 1)
        count = _number(stream, at + 3, size) + 1
        at += 3 + size
        if done + count > words:
            raise InputError("the brush's run lengths go beyond the image")
        if is_repeated:
            out[done : done + count] = _number(stream, at, word_bits)
            at += word_bits
        else:
            if at + count * word_bits > end:
                raise InputError("the brush's run lengths are cut off")
            out[done : done + count] = _numbers(stream, at, count, word_bits)
            at += count * word_bits
        done += count
    return out


def _number(stream: bytes, at: int, bits: int) -> int:
    """Return the number in some bits of a stream, the highest first."""
    end = at + bits
    return int.from_bytes(stream[at // 8 : -(-end // 8)], "big") >> (-end % 8) & ((1 << bits) - 1)


def _numbers(stream: bytes, at: int, count: int, bits: int) -> NDArray[np.uint32]:
    first, end = at // 8, at + count * bits
    unpacked = np.unpackbits(np.frombuffer(stream[first : -(-end // 8)], np.uint8))[at - 8 * first :]
    weights = np.uint32(1) << np.arange(bits - 1, -1, -1, dtype=np.uint32)
    return unpacked[: count * bits].reshape(count, bits).astype(np.uint32) @ weights
