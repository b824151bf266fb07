"""Flat field: from the counts of a camera to reflectance, by a white and a dark reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.corrections.steps import corrected
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError

Reference = Any  # NDArray or LazyArray, (bands, y or 1, x or 1)
_BLOCK_VALUES = 2**22
#: Wavelengths of a reference that differ from the cube's by more than this are those of another camera, nm.
_TOLERANCE_NM = 0.5


def flat_field(cube: Cube, white: Cube | ArrayLike, dark: Cube | ArrayLike | None = None) -> Cube:
    """Correct a cube for lamp, optics and offset: (raw - dark) / (white - dark), in every band and pixel.

    Parameters
    ----------
    cube : Cube
        The raw values. Not loaded if they stay in their file; the result then stays there too.
    white : Cube or array_like, shape (bands,)
        The white reference in the unit of `cube`: of the same size, pixel by pixel; of the same width with another
        number of lines, then their mean stands for every line (line scanners); or one spectrum for all pixels.
    dark : Cube or array_like, shape (bands,), optional
        The same with the shutter closed; 0 by default.

    Returns
    -------
    Cube
        1 where a pixel is as bright as the white reference; not clipped. NaN where white - dark is 0, negative or not
        finite, which a note counts.

    Raises
    ------
    InputError
        If a reference has other bands, wavelengths or another width, or is nowhere brighter than the dark one.

    Examples
    --------
    >>> raw = Cube(np.array([[[10.0, 60.0]], [[30.0, 10.0]]]), [500, 600])
    >>> flat_field(raw, white=[110, 210], dark=[10, 10]).data[:, 0]
    array([[0. , 0.5],
           [0.1, 0. ]], dtype=float32)
    """
    bright = _reference(white, cube, "white")
    closed = np.zeros((cube.bands, 1, 1), np.float32) if dark is None else _reference(dark, cube, "dark")
    source = _FlatField(cube.data, bright, closed)
    unusable, in_all = source.count_unusable()
    if unusable == in_all:
        raise InputError(
            "the white reference is nowhere brighter than the dark one", where="white", fix="were they swapped?"
        )
    notes = []
    if unusable:
        notes.append(f"flat field: {unusable:,} of {in_all:,} values of white - dark are not positive; they give NaN")
    step = {"step": "flat field", "white": _described(white)}
    if dark is not None:
        step["dark"] = _described(dark)
    return corrected(cube, source, step, notes=notes)


class _FlatField:
    """The corrected values, a `Source`; references are (bands, y or 1, x or 1)."""

    dtype = np.dtype(np.float32)

    def __init__(self, raw: Any, white: Reference, dark: Reference) -> None:
        self._raw, self._white, self._dark = raw, white, dark
        self.shape = tuple(raw.shape)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        dark = _part(self._dark, key)
        span = _positive(_part(self._white, key) - dark)
        values = np.subtract(self._raw[key], dark, dtype=np.float32)
        values /= span
        return values

    def count_unusable(self) -> tuple[int, int]:
        """How many values of white - dark cannot divide, and of how many."""
        shape = np.broadcast_shapes(self._white.shape, self._dark.shape)
        unusable = 0
        step = max(1, _BLOCK_VALUES // (shape[0] * shape[2]))
        for start in range(0, shape[1], step):
            key = (slice(None), slice(start, start + step), slice(None))
            unusable += int(np.isnan(_positive(_part(self._white, key) - _part(self._dark, key))).sum())
        return unusable, int(np.prod(shape))


def _part(reference: Reference, key: Any) -> NDArray[np.float32]:
    """Part of a reference that belongs to a part of the cube, ready to be broadcast against it."""
    own = []
    for part, length in zip(key, reference.shape, strict=True):
        everywhere: int | slice = 0 if isinstance(part, int) else slice(None)
        own.append(everywhere if length == 1 else part)
    return reference[tuple(own)]


def _positive(span: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isfinite(span) & (span > 0), span, np.float32(np.nan))


def _reference(given: Cube | ArrayLike, cube: Cube, where: str) -> Reference:
    if not isinstance(given, Cube):
        spectrum = np.asarray(given)
        if spectrum.ndim != 1 or spectrum.dtype.kind not in "fiub":
            raise InputError("must be a cube or the spectrum of one", where=where)
        _check_bands(len(spectrum), cube, where)
        return spectrum.astype(np.float32).reshape(-1, 1, 1)
    _check_bands(given.bands, cube, where)
    if given.wavelengths_known and cube.wavelengths_known:
        off_nm = float(np.abs(given.wavelengths_nm - cube.wavelengths_nm).max())
        if off_nm > _TOLERANCE_NM:
            raise InputError(f"its wavelengths are up to {off_nm:.1f} nm from the cube's", where=where)
    if given.shape_yx == cube.shape_yx:
        return given.data
    if given.shape_yx[1] != cube.shape_yx[1]:
        height, width = given.shape_yx
        raise InputError(
            f"{height} x {width} px do not fit a cube of {cube.shape_yx[0]} x {cube.shape_yx[1]} px",
            where=where,
            fix="give one of the same width, or its mean spectrum",
        )
    total = np.zeros((cube.bands, 1, given.shape_yx[1]))
    for _, block in given.blocks(_BLOCK_VALUES):
        total += block.sum(axis=1, keepdims=True, dtype=np.float64)
    return (total / given.shape_yx[0]).astype(np.float32)


def _check_bands(bands: int, cube: Cube, where: str) -> None:
    if bands != cube.bands:
        raise InputError(f"{bands} bands for a cube of {cube.bands}", where=where)


def _described(reference: Cube | ArrayLike) -> Any:
    if not isinstance(reference, Cube):
        return [float(f"{value:.7g}") if np.isfinite(value) else None for value in np.asarray(reference, float)]
    return {"cube": reference.name, "lines": reference.shape_yx[0], "samples": reference.shape_yx[1]}
