"""Fewer bands: binned, cropped to a range, or without the bad ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.corrections.steps import corrected, places, shaped, whole
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError


def bin_bands(cube: Cube, factor: int) -> Cube:
    """Average neighbouring bands.

    Parameters
    ----------
    cube : Cube
        Bands whose wavelengths neither rise nor fall throughout, as those of a mosaic camera, are put in ascending
        order first.
    factor : int
        Bands per new band, 1 or more.

    Returns
    -------
    Cube
        Its wavelengths are the means of those averaged. If the number of bands is no multiple of `factor`, the last new
        band is the mean of the fewer that are left, and a note says so. NaN where one of them is not finite.

    Raises
    ------
    InputError
        If there are fewer bands than `factor`.

    Examples
    --------
    >>> binned = bin_bands(Cube(np.arange(5.0).reshape(5, 1, 1), [500, 510, 520, 530, 540]), 2)
    >>> binned.data[:, 0, 0], binned.wavelengths_nm
    (array([0.5, 2.5, 4. ], dtype=float32), array([505., 525., 540.]))
    """
    factor = whole(factor, "factor", 1)
    if factor > cube.bands:
        raise InputError(f"{factor} bands cannot be averaged in a cube of {cube.bands}", where=cube.name or None)
    order = np.arange(cube.bands)
    notes = []
    steps = np.diff(cube.wavelengths_nm)
    if not ((steps >= 0).all() or (steps <= 0).all()):
        order = np.argsort(cube.wavelengths_nm, kind="stable")
        notes.append("bands were put in ascending order before binning")
    starts = np.arange(0, cube.bands, factor)
    left_over = cube.bands % factor
    if left_over:
        notes.append(f"{cube.bands} bands are no multiple of {factor}: the last new band is the mean of {left_over}")
    counts = np.diff([*starts, cube.bands])
    wavelengths = np.add.reduceat(cube.wavelengths_nm[order], starts) / counts
    step = {"step": "bin bands", "factor": factor}
    groups = np.split(order, starts[1:])
    source = _Bands(cube.data, order, starts)
    return corrected(cube, source, step, wavelengths_nm=wavelengths, groups=groups, notes=notes)


def crop_bands(cube: Cube, low_nm: float, high_nm: float) -> Cube:
    """Keep the bands in a range of wavelengths.

    Parameters
    ----------
    cube : Cube
    low_nm, high_nm : float
        Both included, nm; numbers of bands where the cube has only these.

    Raises
    ------
    InputError
        If no band lies in the range.
    """
    unit = "nm" if cube.axis_label != "band" else ""
    with np.errstate(invalid="ignore"):
        kept = np.flatnonzero((cube.wavelengths_nm >= low_nm) & (cube.wavelengths_nm <= high_nm))
    if not len(kept):
        have = f"{cube.wavelengths_nm.min():g}-{cube.wavelengths_nm.max():g} {unit}".rstrip()
        asked = f"{low_nm:g}-{high_nm:g} {unit}".rstrip()
        raise InputError(f"no band lies in {asked}", where=cube.name or None, fix=f"the cube has {have}")
    step = {"step": "crop bands", "low_nm": float(low_nm), "high_nm": float(high_nm)}
    return _kept(cube, kept, step)


def drop_bands(cube: Cube, indices: Iterable[int]) -> Cube:
    """Leave out bands, such as bad ones.

    Parameters
    ----------
    cube : Cube
    indices : iterable of int
        Their places, 0 to bands - 1, in any order.

    Raises
    ------
    InputError
        If there is no such band, or none would be left.
    """
    bad = sorted({whole(index, "band", 0) for index in indices})
    if bad and bad[-1] >= cube.bands:
        raise InputError(f"there is no band {bad[-1]}", where=cube.name or None, fix=f"bands are 0 to {cube.bands - 1}")
    kept = np.setdiff1d(np.arange(cube.bands), bad)
    if not len(kept):
        raise InputError("no band would be left", where=cube.name or None)
    return _kept(cube, kept, {"step": "drop bands", "bands": bad})


def _kept(cube: Cube, kept: NDArray[np.intp], step: dict[str, Any]) -> Cube:
    source = _Bands(cube.data, kept, np.arange(len(kept)))
    groups = np.split(kept, np.arange(1, len(kept)))
    return corrected(cube, source, step, wavelengths_nm=cube.wavelengths_nm[kept], groups=groups)


class _Bands:
    """Bands of an array in any order, or means of several of them, a `Source`.

    Parameters
    ----------
    data : ndarray or LazyArray, shape (bands, y, x)
    order : ndarray of int
        Bands to take.
    starts : ndarray of int
        Where in `order` each new band begins; it goes on to the next start.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, data: Any, order: NDArray[np.intp], starts: NDArray[np.intp]) -> None:
        self._data, self._order = data, order
        self._ends = np.append(starts, len(order))
        self.shape = (len(starts), *data.shape[1:])

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        bands = places(key[0], self.shape[0])
        where = tuple(slice(part, part + 1) if isinstance(part, int) else part for part in key[1:])
        lengths = [len(range(length)[part]) for part, length in zip(where, self.shape[1:], strict=True)]
        if not len(bands) or 0 in lengths:
            return shaped(np.empty((len(bands), *lengths), np.float32), key)
        taken = [self._order[self._ends[band] : self._ends[band + 1]] for band in bands]
        read = self._read(np.concatenate(taken), where)
        counts = np.array([len(each) for each in taken])
        if (counts > 1).any():
            starts = np.cumsum(counts) - counts
            means = np.add.reduceat(read, starts, axis=0, dtype=np.float64) / counts[:, None, None]
            read = means.astype(np.float32)
        return shaped(read, key)

    def _read(self, bands: NDArray[np.intp], where: tuple[slice, ...]) -> NDArray[np.float32]:
        """Read bands in one piece where they follow one another, else one by one."""
        if len(bands) == 1 or (np.diff(bands) == 1).all():
            return self._data[(slice(int(bands[0]), int(bands[-1]) + 1), *where)]
        return np.stack([self._data[(int(band), *where)] for band in bands])
