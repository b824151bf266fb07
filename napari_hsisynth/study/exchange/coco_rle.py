"""COCO's run lengths: down the columns, background first; as a list of counts, or packed into a string.

The string holds one number in groups of five bits per character (48 + bits, the sixth says that more follow, the last
group's highest bit is the sign); from the third count on, the difference to the count two before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError

_FIRST = 48  # the character that stands for 0
_LAST = _FIRST + 63
_MOST_GROUPS = 8  # 40 bits: more than any count needs


def counts_of(mask: NDArray[np.bool_]) -> list[int]:
    """Return the counts of a mask, shape (y, x).

    Examples
    --------
    >>> counts_of(np.array([[0, 1], [0, 1]], bool))
    [2, 2]
    """
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(ends, prepend=0, append=flat.size).tolist()
    return [0, *counts] if flat.size and flat[0] else counts


def mask_of(counts: Sequence[Any], shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of counts, shape (y, x).

    Raises
    ------
    InputError
        If they are not whole numbers of 0 or more, or do not add up to the image.
    """
    pixels = shape_yx[0] * shape_yx[1]
    total = 0
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InputError(f"run length {str(count)[:40]} is not a whole number of 0 or more")
        total += count
    if total != pixels:
        raise InputError(f"the run lengths cover {total:,} px, the image has {pixels:,}")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, np.array(counts, dtype=np.int64))
    return flat.reshape(shape_yx, order="F")


def packed(counts: Sequence[int]) -> str:
    """Pack counts into COCO's string.

    Examples
    --------
    >>> packed([2, 2]), packed([6, 1, 40, 4, 5, 4, 5, 4, 21])
    ('22', '61X13mN000`0')
    """
    signs = []
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            signs.append(chr(_FIRST + bits + (32 if more else 0)))
    return "".join(signs)


def unpacked(text: str, longest: int) -> list[int]:
    """Return the counts in COCO's string.

    Parameters
    ----------
    text : str
    longest : int
        More counts than this are refused.

    Raises
    ------
    InputError
        If a character does not belong there, the last number is cut off, or there are too many.
    """
    counts: list[int] = []
    value = groups = 0
    for sign in text:
        bits = ord(sign) - _FIRST
        if not 0 <= bits <= _LAST - _FIRST or groups == _MOST_GROUPS:
            raise InputError("the packed run lengths are damaged")
        value |= (bits & 31) << (5 * groups)
        groups += 1
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << (5 * groups)
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        if len(counts) > longest:
            raise InputError("there are more run lengths than the image has pixels")
        value = groups = 0
    if groups:
        raise InputError("the packed run lengths are cut off")
    return counts
