"""What turns the stored values of an ENVI image into those of a cube: scale, gains, the missing value, magnitudes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.envi_header import EnviHeader
from napari_hsisynth.formats.envi_layout import Layout
from napari_hsisynth.lazy_array import LazyArray, Source

#: Fields that are used up here.
SCALING_FIELDS = frozenset(("reflectance scale factor", "data ignore value", "data gain values", "data offset values"))


@dataclass(frozen=True, eq=False)
class Scaling:
    """What turns stored values v into those of a cube: (v * gain + offset) / scale, and NaN for the missing value.

    Parameters
    ----------
    scale : float
        1 if the header has none.
    missing : float, optional
    gains, offsets : ndarray, shape (bands,), optional
        Both or neither.
    notes : tuple of str
    """

    scale: float = 1.0
    missing: float | None = None
    gains: NDArray[np.float64] | None = None
    offsets: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    def apply(self, stored: Source, layout: Layout) -> LazyArray:
        """Return stored values as those of a cube, (bands, y, x)."""
        axes = (layout.axes.index("b"), layout.axes.index("y"), layout.axes.index("x"))
        if layout.dtype.kind == "c":
            stored = Magnitude(stored)
        if self.gains is None or self.offsets is None:
            return LazyArray(stored, axes, scale=self.scale, missing=self.missing)
        calibrated = Calibrated(stored, axes[0], self.gains, self.offsets, self.missing)
        return LazyArray(calibrated, axes, scale=self.scale)

    def provenance(self) -> dict[str, Any]:
        """Return what was done to the values, JSON types."""
        found: dict[str, Any] = {}
        if self.scale != 1:
            found["scale_factor"] = self.scale
        if self.missing is not None:
            found["missing_value"] = self.missing
        if self.gains is not None and self.offsets is not None:
            found |= {"gains": self.gains.tolist(), "offsets": self.offsets.tolist()}
        return found


def read_scaling(header: EnviHeader, layout: Layout) -> Scaling:
    """Return the scaling that a header asks for.

    Raises
    ------
    InputError
        If a factor is 0 or not finite, or if there is not one gain for each band.
    """
    notes: tuple[str, ...] = ()
    bands = layout.sizes["b"]
    if layout.dtype.kind == "c":
        notes += ("the values are complex: their magnitudes were read",)
    gains = offsets = None
    if header.text("data gain values") or header.text("data offset values"):
        gains, offsets = np.ones(bands), np.zeros(bands)
        if header.text("data gain values"):
            gains = header.numbers("data gain values", bands)
        if header.text("data offset values"):
            offsets = header.numbers("data offset values", bands)
        if not (np.isfinite(gains).all() and np.isfinite(offsets).all()):
            raise InputError("'data gain values' or 'data offset values' are not finite", fix="correct the header")
        if (gains == 1).all() and (offsets == 0).all():
            gains = offsets = None
        else:
            notes += ("each band was multiplied by its gain and its offset added, as the file says",)
    scale = header.number("reflectance scale factor")
    if scale is not None and not (np.isfinite(scale) and scale > 0):
        raise InputError(f"'reflectance scale factor' is {scale:g}, by which nothing can be divided")
    if scale not in (None, 1):
        notes += (f"values were divided by the reflectance scale factor {scale:g}",)
    missing = header.number("data ignore value")
    if missing is not None and (np.isnan(missing) or not _storable(missing, layout.dtype)):
        missing = None  # no value of the file can be it, or those that are it are NaN already
    if missing is not None:
        notes += (f"values of {missing:g} mean 'no value' and became NaN",)
    return Scaling(1.0 if scale is None else scale, missing, gains, offsets, notes)


def _storable(value: float, dtype: np.dtype[Any]) -> bool:
    """Whether a stored value can compare equal to `value` without overflow."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return bool(np.isfinite(value) and value == int(value) and limits.min <= value <= limits.max)
    return bool(np.isinf(value) or abs(value) <= float(np.finfo(dtype).max))


class Magnitude:
    """Absolute values of a complex array, a `Source`."""

    def __init__(self, source: Source) -> None:
        self._source, self.shape = source, source.shape
        self.dtype = np.dtype(f"f{np.dtype(source.dtype).itemsize // 2}")

    def __getitem__(self, key: Any) -> NDArray[Any]:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.abs(np.asarray(self._source[key]))


class Calibrated:
    """An array whose bands each have a gain and an offset, a `Source`; the missing value becomes NaN.

    Parameters
    ----------
    source : Source
    band_axis : int
    gains, offsets : ndarray, shape (bands,)
    missing : float, optional
        As stored, before gain and offset.
    """

    dtype = np.dtype(np.float64)

    def __init__(
        self,
        source: Source,
        band_axis: int,
        gains: NDArray[np.float64],
        offsets: NDArray[np.float64],
        missing: float | None = None,
    ) -> None:
        self._source, self._axis, self.shape = source, band_axis, source.shape
        self._gains, self._offsets, self._missing = gains, offsets, missing

    def __getitem__(self, key: Any) -> NDArray[np.float64]:
        stored = np.asarray(self._source[key])
        # integers in the key have taken their axes away
        behind = sum(isinstance(place, slice) for place in key[self._axis + 1 :])
        per_band = (self._gains[key[self._axis]], self._offsets[key[self._axis]])
        gains, offsets = (np.reshape(part, np.shape(part) + (1,) * behind) for part in per_band)
        with np.errstate(over="ignore", invalid="ignore"):
            values = stored.astype(np.float64) * gains + offsets
        return values if self._missing is None else np.where(stored == self._missing, np.nan, values)
