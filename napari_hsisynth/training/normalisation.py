"""One fixed affine per band between a camera's values and what a network sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError


@dataclass(frozen=True, eq=False)
class Normalisation:
    """``encoded = (value - offset) / scale`` per band: the same for every cube, never chosen by what is in one.

    Nothing is clipped, so the inverse is exact: a specular pixel of 1.7 comes back as 1.7. Both ways compute in double
    precision; decoding an encoded array returns it within 1e-12 of its range.

    Parameters
    ----------
    offset, scale : array_like, shape (bands,)
        In the units of the cube; `scale` is positive.

    Examples
    --------
    >>> n = Normalisation(offset=[0.2, 0.3], scale=[0.1, 0.5])
    >>> n.encode(np.full((2, 1, 1), 1.7)).ravel().round(6).tolist()
    [15.0, 2.8]
    """

    offset: NDArray[np.float64]
    scale: NDArray[np.float64]

    def __post_init__(self) -> None:
        offset, scale = (np.array(v, dtype=np.float64).reshape(-1) for v in (self.offset, self.scale))
        if offset.shape != scale.shape or not np.isfinite([*offset, *scale]).all() or not (scale > 0).all():
            raise InputError("normalisation needs one finite offset and one positive scale per band")
        object.__setattr__(self, "offset", offset)
        object.__setattr__(self, "scale", scale)

    @classmethod
    def fit(cls, images: ArrayLike) -> Normalisation:
        """Mean and standard deviation of each band over training images (n, bands, y, x), all of them finite.

        A band without any variation keeps scale 1.
        """
        offset, scale = band_statistics(images)
        return cls(offset, np.where(scale > 1e-9 * np.maximum(1.0, np.abs(offset)), scale, 1.0))

    def encode(self, values: ArrayLike) -> NDArray[np.float64]:
        """Values of shape (..., bands, y, x) as the network sees them; float64, to be rounded by the caller."""
        return (np.asarray(values, dtype=np.float64) - self.offset[:, None, None]) / self.scale[:, None, None]

    def decode(self, encoded: ArrayLike) -> NDArray[np.float64]:
        """The inverse of `encode`."""
        return np.asarray(encoded, dtype=np.float64) * self.scale[:, None, None] + self.offset[:, None, None]

    def to_json(self) -> dict[str, list[float]]:
        """As plain numbers, exactly."""
        return {"offset": self.offset.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Normalisation:
        """From what `to_json` gave."""
        return cls(np.asarray(value["offset"]), np.asarray(value["scale"]))


def band_statistics(images: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each band over images (n, bands, y, x), n at least 1.

    In double precision and one image at a time: `images` may be larger than the memory.
    """
    images = np.asarray(images)
    pixels = images.shape[0] * images.shape[2] * images.shape[3]
    mean = sum(image.sum(axis=(1, 2), dtype=np.float64) for image in images) / pixels
    squares = sum(np.square(image - mean[:, None, None]).sum(axis=(1, 2)) for image in images)
    return mean, np.sqrt(squares / pixels)
