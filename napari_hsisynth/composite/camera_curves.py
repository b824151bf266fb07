"""A camera's own colours: the spectral sensitivities of its red, green and blue pixels, from a file."""

from __future__ import annotations

import csv
import math
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.composite.colour import interval_nm
from napari_hsisynth.errors import InputError

_COLUMNS = ("wavelength_nm", "r", "g", "b")


def camera_rgb_weights(path: str | os.PathLike[str], wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
    """Weights of each band in the linear red, green and blue of a camera that is balanced to a flat spectrum.

    The curves are interpolated linearly to the bands and integrated over them by the trapezoid rule. Where the lamp
    is not white, its power belongs in the curves. They are taken as those of the picture's channels: no matrix turns
    them into another camera's.

    Parameters
    ----------
    path : path-like
        CSV with the columns ``wavelength_nm,r,g,b``, ascending; any unit of sensitivity, and as 0 outside its range.
    wavelengths_nm : array_like, shape (bands,)

    Returns
    -------
    ndarray, shape (3, bands)
        Each row sums to 1.

    Raises
    ------
    InputError
        If it is no such file, or a channel sees none of the bands.
    """
    curves = read_curves(path)
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    inside = (nm >= curves[0, 0]) & (nm <= curves[-1, 0])
    weights = np.zeros((3, nm.size))
    if np.unique(nm[inside]).size > 1:
        widths = interval_nm(nm, inside)
        weights = np.stack([np.interp(nm, curves[:, 0], curve) * widths for curve in curves[:, 1:].T])
    for name, total in zip(_COLUMNS[1:], weights.sum(axis=1), strict=True):
        if not total > 0:
            raise InputError(
                f"the curve {name} sees none of the bands at {nm.min():g}-{nm.max():g} nm",
                where=path,
                fix="use curves that reach over them",
            )
    return weights / weights.sum(axis=1, keepdims=True)


def read_curves(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """Return the table of such a file, shape (rows, 4): wavelength, nm, and the sensitivities of r, g and b.

    Raises
    ------
    InputError
        If it is no such file.
    """
    fix = f"write a table with the header {','.join(_COLUMNS)}"
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file) if any(map(str.strip, line))]
    except FileNotFoundError:
        raise InputError("no such file of camera curves", where=path) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read as CSV: {error}", where=path, fix=fix) from error
    if not lines or tuple(cell.lower() for cell in lines[0]) != _COLUMNS:
        raise InputError("not a table of camera curves", where=path, fix=fix)
    rows = []
    for number, line in enumerate(lines[1:], start=1):
        try:
            row = [float(cell) for cell in line]
        except ValueError:
            row = []
        if len(row) != len(_COLUMNS) or not all(map(math.isfinite, row)):
            raise InputError(f"row {number} is not four numbers: {','.join(line)}", where=path, fix=fix)
        rows.append(row)
    if len(rows) < 2 or any(later[0] <= earlier[0] for earlier, later in pairwise(rows)):
        raise InputError("the wavelengths must be two or more and ascend", where=path, fix=fix)
    return np.array(rows)
