"""`Cube`: a hyperspectral image with its wavelengths. The one type that the rooms pass around."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import BLOCK_VALUES, LazyArray

#: Range of the 16-band camera of HSIDermoscopy, nm. Its files hold no wavelengths; an even grid is assumed, and said.
HSIDERMOSCOPY_RANGE_NM = (465.0, 630.0)
HSIDERMOSCOPY_BANDS = 16


def even_wavelengths_nm(bands: int, first_nm: float = 465.0, last_nm: float = 630.0) -> NDArray[np.float64]:
    """Centres of `bands` evenly spaced bands from `first_nm` to `last_nm`, both included, nm, shape (bands,)."""
    return np.linspace(first_nm, last_nm, bands)


@dataclass(frozen=True, eq=False)
class Cube:
    """A hyperspectral image: one value per band and pixel.

    Parameters
    ----------
    data : array_like or LazyArray, shape (bands, y, x)
        Corrected intensity or reflectance, stored as float32. Values are never clipped: real cubes leave [0, 1].
        NaN and infinity mark invalid pixels and are kept. A `LazyArray` stays in its file: parts of it are arrays,
        `blocks` walks over it, `loaded` brings it into memory.
    wavelengths_nm : array_like, shape (bands,), optional
        Band centres in nm, finite and positive, in the order of the bands (any order, even or uneven). Without them, 16
        bands are taken to be the even 465-630 nm grid of HSIDermoscopy and any other number is numbered from 0; `notes`
        says so, and `wavelengths_known` is then false.
    name : str
        For titles and file names.
    provenance : mapping
        Where the cube came from; JSON types only. Travels with the cube through every writable format.
    notes : tuple of str
        What had to be assumed to make sense of the source, one sentence each, to be shown to the user.

    Raises
    ------
    InputError
        If the array is not 3-D, is empty or is not numeric, or if the wavelengths do not fit the bands.

    Examples
    --------
    >>> cube = Cube(np.ones((16, 4, 5)), name="flat")
    >>> cube.data.shape, cube.data.dtype, cube.wavelengths_nm[:2], cube.wavelengths_known
    ((16, 4, 5), dtype('float32'), array([465., 476.]), False)
    """

    data: Any
    wavelengths_nm: NDArray[np.float64] = None  # type: ignore[assignment]  # filled in below; never None afterwards
    name: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    wavelengths_known: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        data = self.data if isinstance(self.data, LazyArray) else np.asarray(self.data)
        if data.dtype.kind not in "fiub":
            raise InputError(f"not a cube: values are {data.dtype}, not real numbers", where=self.name or None)
        if data.ndim != 3 or 0 in data.shape:
            raise InputError(
                f"not a cube: the array has shape {data.shape}", where=self.name or None, fix="(bands, y, x) is needed"
            )
        if not isinstance(data, LazyArray):
            data = np.ascontiguousarray(data, dtype=np.float32)
        notes = tuple(self.notes)
        known = self.wavelengths_nm is not None
        if known:
            wavelengths = _checked_wavelengths(self.wavelengths_nm, len(data), self.name)
        elif len(data) == HSIDERMOSCOPY_BANDS:
            wavelengths = even_wavelengths_nm(len(data), *HSIDERMOSCOPY_RANGE_NM)
            notes += ("no wavelengths given: 16 bands taken as the even grid 465-630 nm of HSIDermoscopy",)
        else:
            wavelengths = np.arange(len(data), dtype=np.float64)
            notes += (f"no wavelengths given: the {len(data)} bands are numbered from 0",)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "wavelengths_nm", wavelengths)
        object.__setattr__(self, "provenance", dict(self.provenance))
        object.__setattr__(self, "notes", notes)
        object.__setattr__(self, "wavelengths_known", known)

    @classmethod
    def with_assumed_wavelengths(cls, data: ArrayLike, wavelengths_nm: ArrayLike, **fields: Any) -> Cube:
        """Make a cube whose wavelengths are a guess or mere numbers: `wavelengths_known` is false.

        Parameters
        ----------
        data, **fields
            As for `Cube`; say in `notes` what was assumed.
        wavelengths_nm : array_like, shape (bands,)
            0, 1, 2, ... where nothing is known, not even the order of the bands in the spectrum.
        """
        cube = cls(data, wavelengths_nm, **fields)  # type: ignore[arg-type]
        object.__setattr__(cube, "wavelengths_known", False)
        return cube

    @property
    def bands(self) -> int:
        """Number of bands."""
        return self.data.shape[0]

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.data.shape[1], self.data.shape[2]

    @property
    def axis_label(self) -> str:
        """Name of the spectral axis: ``"wavelength (nm)"``, or ``"band"`` where only numbers are known."""
        return "band" if self.wavelengths_nm[0] == 0 else "wavelength (nm)"

    @property
    def is_lazy(self) -> bool:
        """Whether the values stay in a file until they are asked for."""
        return isinstance(self.data, LazyArray)

    def loaded(self) -> Cube:
        """Return the cube with all values in memory; itself if they are."""
        return self.replace(data=np.asarray(self.data)) if self.is_lazy else self

    def blocks(self, most_values: int = BLOCK_VALUES) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Walk over the cube in blocks of whole rows, for work that needs all bands of a pixel but not all pixels.

        Parameters
        ----------
        most_values : int
            About so many values at a time, one row at least.

        Yields
        ------
        rows : slice
        block : ndarray, float32, shape (bands, rows, x)
            A view of the cube's values where they are in memory.
        """
        height, width = self.shape_yx
        step = max(1, most_values // (self.bands * width))
        for start in range(0, height, step):
            rows = slice(start, min(start + step, height))
            yield rows, self.data[:, rows]

    def valid(self) -> NDArray[np.bool_]:
        """Pixels that are finite in every band, shape (y, x)."""
        found = np.empty(self.shape_yx, dtype=bool)
        for rows, block in self.blocks():
            found[rows] = np.isfinite(block).all(axis=0)
        return found

    def replace(self, **changes: Any) -> Cube:
        """Return a copy with some parameters changed; wavelengths stay as they were, known or not."""
        if "wavelengths_nm" in changes or self.wavelengths_known:
            return replace(self, **changes)
        copy = replace(self, **changes)
        object.__setattr__(copy, "wavelengths_known", False)
        return copy

    def crop(self, y0: int, x0: int, y1: int, x1: int) -> Cube:
        """Cut out rows y0..y1 and columns x0..x1 (ends exclusive, inside the image) at native resolution."""
        height, width = self.shape_yx
        if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
            raise InputError(
                f"box {(y0, x0, y1, x1)} is not inside the image of {height} x {width} px", where=self.name
            )
        return self.replace(data=self.data[:, y0:y1, x0:x1])

    def __repr__(self) -> str:
        low, high = self.wavelengths_nm.min(), self.wavelengths_nm.max()
        unit = " nm" if self.axis_label != "band" else ""
        height, width = self.shape_yx
        return f"Cube({self.name!r}, {self.bands} bands {low:g}-{high:g}{unit}, {height} x {width} px)"


def _checked_wavelengths(wavelengths_nm: ArrayLike, bands: int, name: str) -> NDArray[np.float64]:
    where = name or None
    try:
        wavelengths = np.array(wavelengths_nm, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError("wavelengths must be numbers, in nm", where=where) from None
    if len(wavelengths) != bands:
        raise InputError(f"{len(wavelengths)} wavelengths for {bands} bands", where=where)
    if not np.isfinite(wavelengths).all() or (wavelengths < 0).any():
        raise InputError("wavelengths must be finite and not negative, in nm", where=where)
    return wavelengths
