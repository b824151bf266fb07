"""`read_cube` and `write_cube`: cubes in any known format."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.mosaic import MosaicLayout, find_layout
from napari_hsisynth.formats.registry import ReadOptions, clear_errors, format_of, writable_format

#: Formats that can hold a raw frame of a mosaic.
_OF_FRAMES = ("tiff", "png")


def read_options(
    *,
    variable: str | None = None,
    mosaic: str | PathLike[str] | None = None,
    layout: MosaicLayout | str | PathLike[str] | None = None,
    demosaic: bool = False,
    wavelengths_nm: ArrayLike | None = None,
    axes: str | None = None,
    lazy: bool | None = False,
) -> ReadOptions:
    """Return what the user said, checked; see `read_cube`."""
    if axes is not None and sorted(axes) != sorted("byx"):
        raise InputError(
            f"'{axes}' is not an order of the axes", where="axes", fix="say byx, yxb, ybx, bxy, xyb or xby"
        )
    try:
        given = None if wavelengths_nm is None else np.array(wavelengths_nm, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError("wavelengths must be numbers, in nm", where="wavelengths_nm") from None
    found = find_layout(mosaic, layout)
    if demosaic and found is None:
        raise InputError("demosaicing needs the pattern of the filters", fix="say --mosaic 4x4 or --mosaic LAYOUT.csv")
    nm = None if given is None else tuple(given.tolist())
    return ReadOptions(variable, found, demosaic, nm, axes, lazy)


def read_cube(
    path: str | PathLike[str],
    *,
    variable: str | None = None,
    mosaic: str | PathLike[str] | None = None,
    wavelengths_nm: ArrayLike | None = None,
    layout: MosaicLayout | str | PathLike[str] | None = None,
    demosaic: bool = False,
    axes: str | None = None,
    lazy: bool | None = False,
) -> Cube:
    """Read a cube in any readable format.

    Parameters
    ----------
    path : path-like
        The file, or the folder of a format that is one. Nothing in it is executed or unpickled.
    variable : str, optional
        Which array of a file that holds several.
    mosaic : str or path-like, optional
        Unfold a raw snapshot-mosaic frame: ``"4x4"`` (rows x columns of the pattern), or the path of a layout's CSV.
    wavelengths_nm : array_like, shape (bands,), optional
        Band centres in nm; they replace those of the file.
    layout : MosaicLayout or path-like, optional
        Where each band sits in the mosaic and what its centre is: a table with the columns ``band, centre_nm,
        mosaic_row, mosaic_col``. Implies `mosaic`. Without a table the bands come in the order of the mosaic's
        positions and their wavelengths are unknown.
    demosaic : bool
        Fill in what each filter of the mosaic has not seen, to the full size of the frame, instead of unfolding.
    axes : str, optional
        The order of the axes in the file, for example ``"yxb"`` for (y, x, band); found out by default.
    lazy : bool, optional
        Leave the values in the file until they are needed (`LazyArray`), where the format can. None does so for cubes
        of more than 256 MiB.

    Returns
    -------
    Cube
        Values as stored, as float32, scaled only by a factor that the file itself gives. ``cube.notes`` says what had
        to be assumed: the axis of the bands in a file that does not say it, missing wavelengths, pixels that are not
        finite.

    Raises
    ------
    InputError
        If the file is missing, damaged, of no known format or not a cube, or if the options do not fit it.
    """
    path = Path(path)
    options = read_options(
        variable=variable,
        mosaic=mosaic,
        layout=layout,
        demosaic=demosaic,
        wavelengths_nm=wavelengths_nm,
        axes=axes,
        lazy=lazy,
    )
    chosen = format_of(path)
    if options.layout is not None and chosen.name not in _OF_FRAMES:
        raise InputError(f"a mosaic layout is for raw frames (TIFF, PNG); this is {chosen.title}", where=path)
    assert chosen.read is not None  # format_of returns readable formats only
    with clear_errors(path, f"not a usable {chosen.title} file", fix="the file is damaged or of another kind"):
        cube = chosen.read(path, options)
    if cube.is_lazy:
        return cube  # looking for pixels that are not finite would read all of the file
    invalid = int(np.count_nonzero(~cube.valid()))
    if invalid:
        note = f"{invalid:,} of {cube.valid().size:,} pixels are not finite (NaN or infinity) in some band"
        cube = cube.replace(notes=(*cube.notes, note))
    return cube


def write_cube(path: str | PathLike[str], cube: Cube, *, format: str | None = None) -> tuple[str, ...]:
    """Write a cube; the suffix chooses the format. The file is replaced as a whole or stays as it was.

    Parameters
    ----------
    path : path-like
        Its folder is made if it does not exist.
    cube : Cube
        Values come back bit by bit, NaN and infinity included.
    format : str, optional
        Name of a format (`list_formats`) where the suffix does not say it.

    Returns
    -------
    tuple of str
        What the format cannot keep, one sentence each; empty for those that keep everything.

    Raises
    ------
    InputError
        If no writable format has this suffix, the format cannot hold the cube, or the disk refuses.
    """
    path = Path(path)
    known = writable_format(path, format)
    if path.is_dir() and not known.folders:
        raise InputError("this is a folder; a file's name is needed", where=path)
    write = known.write
    assert write is not None
    try:
        return tuple(write(path, cube))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot be written: {reason}", where=path, fix="choose another place or make room") from error
