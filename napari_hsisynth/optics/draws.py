"""Random numbers that stay what they are: made from raw bits, which NumPy promises never to change."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

_TABLE_BITS = 16  # a normal number per 16 raw bits: four at once from each draw, and none beyond 4.2


class Draws:
    """A stream of random numbers that depends on its key alone.

    NumPy may change how `numpy.random.Generator` makes normal numbers, and its method branches on floats that differ
    between platforms in their last bit. The raw bits of a bit generator are guaranteed (NEP 19), so everything
    here is made from them by one formula, in the same number of draws whatever comes out.

    Parameters
    ----------
    *key : int or str
        Any integers and words; other keys give streams that have nothing in common.

    Examples
    --------
    >>> round(Draws("texture", 7).uniform(), 6) == round(Draws("texture", 7).uniform(), 6)
    True
    """

    def __init__(self, *key: object) -> None:
        # the fastest of NumPy's generators; noise is a good part of a phantom's time
        self._bits = np.random.SFC64(list("/".join(map(str, key)).encode()))

    def integer(self, bits: int) -> int:
        """Draw one of the 2**bits integers from 0 on."""
        return int(self._bits.random_raw()) >> (64 - bits)

    def uniforms(self, count: int, low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
        """Draw numbers between `low` and `high`, never either, shape (count,)."""
        raw: NDArray[np.uint64] = self._bits.random_raw(count)
        return low + (high - low) * (((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Draw one number between `low` and `high`."""
        return float(self.uniforms(1, low, high)[0])

    def normals(self, count: int) -> NDArray[np.float64]:
        """Draw numbers of mean 0 and standard deviation 1, shape (count,)."""
        return np.asarray(ndtri(self.uniforms(count)))

    def normal(self) -> float:
        """Draw one number of mean 0 and standard deviation 1."""
        return float(self.normals(1)[0])

    def noise(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw many numbers of mean 0 and standard deviation 1 in steps of 1/65536 of the probability; float32."""
        count = int(np.prod(shape))
        raw: NDArray[np.uint64] = self._bits.random_raw(-(-count // 4))
        # little-endian on every machine, so that all take the same bits in the same order
        indices = raw.astype("<u8", copy=False).view("<u2")[:count].astype(np.intp)
        # the mode only spares the check of the indices
        return _normal_quantiles().take(indices, mode="wrap").reshape(shape)


@cache
def _normal_quantiles() -> NDArray[np.float32]:
    steps = 2**_TABLE_BITS
    quantiles = ndtri((np.arange(steps) + 0.5) / steps)
    return (quantiles / quantiles.std()).astype(np.float32)
