"""Fewer pixels, and axes put right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.corrections.steps import assumptions, corrected, described, places, shaped, whole
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray


def bin_pixels(cube: Cube, factor: int) -> Cube:
    """Average squares of pixels in every band.

    Parameters
    ----------
    cube : Cube
    factor : int
        Side of a square, px, 1 or more.

    Returns
    -------
    Cube
        Of height // factor x width // factor px. Rows and columns that are left over at the bottom and the right are
        cut off, and a note says how many. NaN where one pixel of a square is not finite.

    Raises
    ------
    InputError
        If the image is smaller than one square.
    """
    factor = whole(factor, "factor", 1)
    height, width = cube.shape_yx
    if factor > min(height, width):
        raise InputError(
            f"squares of {factor} px do not fit into an image of {height} x {width} px", where=cube.name or None
        )
    rest_y, rest_x = height % factor, width % factor
    notes = []
    if rest_y or rest_x:
        notes.append(f"binning by {factor} px left over {rest_y} rows and {rest_x} columns, which were cut off")
    return corrected(cube, _Squares(cube.data, factor), {"step": "bin pixels", "factor": factor}, notes=notes)


class _Squares:
    """Means of squares of pixels, a `Source`."""

    dtype = np.dtype(np.float32)

    def __init__(self, data: Any, factor: int) -> None:
        self._data, self._factor = data, factor
        bands, height, width = data.shape
        self.shape = (bands, height // factor, width // factor)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        bands = places(key[0], self.shape[0])
        rows, columns = (places(part, length) for part, length in zip(key[1:], self.shape[1:], strict=True))
        found = np.empty((len(bands), len(rows), len(columns)), np.float32)
        if found.size:
            which = slice(bands.start, bands.stop, bands.step)
            across = range(columns[0], columns[-1] + 1)
            # in one piece where rows follow one another, else row by row: a thumbnail must not read the whole file
            runs = [rows] if rows.step == 1 else [range(row, row + 1) for row in rows]
            for done, run in zip(range(0, len(rows), len(runs[0])), runs, strict=True):
                found[:, done : done + len(run)] = self._means(which, run, across)[:, :, :: columns.step]
        return shaped(found, key)

    def _means(self, bands: slice, rows: range, columns: range) -> NDArray[np.float64]:
        side = self._factor
        read = self._data[bands, rows[0] * side : (rows[-1] + 1) * side, columns[0] * side : (columns[-1] + 1) * side]
        squares = read.reshape(len(read), len(rows), side, len(columns), side)
        return squares.mean(axis=(2, 4), dtype=np.float64)


def reorder(cube: Cube, axes: str) -> Cube:
    """Put the axes of a cube right that was read in the wrong order.

    Parameters
    ----------
    cube : Cube
    axes : str
        What its present three axes really are, a permutation of ``"byx"`` (band, y, x), as when reading a file:
        ``"yxb"`` if the bands are last, ``"bxy"`` if rows and columns are swapped.

    Returns
    -------
    Cube
        The wavelengths are kept if there are as many as the new bands; else the new bands have none, and a note says
        what was assumed.

    Raises
    ------
    InputError
        If `axes` is no such permutation.

    Examples
    --------
    >>> reorder(Cube(np.zeros((40, 50, 3))), "yxb").data.shape
    (3, 40, 50)
    """
    if not isinstance(axes, str) or sorted(axes) != sorted("byx"):
        raise InputError(
            f"'{axes}' is not an order of the axes", where="axes", fix="say byx, yxb, ybx, bxy, xyb or xby"
        )
    order = (axes.index("b"), axes.index("y"), axes.index("x"))
    data = LazyArray(cube.data, order) if cube.is_lazy else np.ascontiguousarray(cube.data.transpose(order))
    step = {"step": "reorder", "axes": axes}
    nothing = [np.empty(0, np.intp)] * data.shape[0]
    if axes[0] == "b":  # the bands are the same; only rows and columns change places
        return described(cube, data, step)
    if data.shape[0] == cube.bands:
        return described(cube, data, step, groups=nothing)
    notes = [note for note in cube.notes if note not in assumptions(cube)]
    if cube.wavelengths_known:
        notes.append(f"{cube.bands} wavelengths do not fit {data.shape[0]} bands and were left out")
    # made without wavelengths, the new cube says itself what it takes them for
    fresh = Cube(data, name=cube.name, provenance=cube.provenance, notes=tuple(notes))
    return described(fresh, data, step, groups=nothing)
