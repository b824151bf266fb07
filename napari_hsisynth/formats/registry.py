"""The registry: which format a file is, by its suffix and its first bytes; reading and writing through it."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.mosaic import MosaicLayout, find_layout
from napari_hsisynth.formats.unlabelled import Variable

#: Entry points of this group are `Format` objects of other packages.
ENTRY_POINTS = "napari_hsisynth.formats"
#: So many first bytes of a file are shown to `Format.sniff`; HDF5 may begin as late as at 1024.
HEAD_BYTES = 2048

_BUILT_IN = ("matlab5", "matlab73", "npz", "npy", "tiff")


@dataclass(frozen=True)
class ReadOptions:
    """What the user said about a file, beyond its path.

    Parameters
    ----------
    variable : str, optional
        Which array of a file that holds several.
    layout : MosaicLayout, optional
        Unfold a raw snapshot-mosaic frame by this layout.
    wavelengths_nm : tuple of float, optional
        Band centres that replace those of the file, nm, shape (bands,).
    """

    variable: str | None = None
    layout: MosaicLayout | None = None
    wavelengths_nm: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Format:
    """A file format. Other packages add theirs through the entry point group ``napari_hsisynth.formats``.

    Parameters
    ----------
    name : str
        Short and unique, for example ``"matlab5"``.
    title : str
        For eyes, for example ``"MATLAB 5 .mat"``.
    suffixes : tuple of str
        With the dot, in lower case.
    sniff : callable
        ``sniff(head) -> bool``: do these first bytes (at most `HEAD_BYTES`) belong to the format?
    variables : callable
        ``variables(path) -> sequence of Variable``: the arrays inside, without reading their values.
    read : callable, optional
        ``read(path, options) -> Cube``. Whatever it raises on a bad file becomes one `InputError`.
    write : callable, optional
        ``write(path, cube) -> sequence of str``; replaces `path` atomically and returns what the format cannot keep,
        one sentence each.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    variables: Callable[[Path], Sequence[Variable]]
    read: Callable[[Path, ReadOptions], Cube] | None = field(default=None, repr=False)
    write: Callable[[Path, Cube], Sequence[str]] | None = field(default=None, repr=False)

    @property
    def readable(self) -> bool:
        """Whether files of this format can be read."""
        return self.read is not None

    @property
    def writable(self) -> bool:
        """Whether files of this format can be written."""
        return self.write is not None


@functools.cache
def _formats() -> tuple[Format, ...]:
    found = [import_module(f"napari_hsisynth.formats.{module}").FORMAT for module in _BUILT_IN]
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            made = entry.load()
        except Exception as error:  # a broken package of somebody else must not take the other formats away
            warnings.warn(f"file format '{entry.value}' cannot be loaded: {error}", stacklevel=2)
            continue
        if isinstance(made, Format) and all(made.name != known.name for known in found):
            found.append(made)
        else:
            warnings.warn(f"file format '{entry.value}' is not a Format, or its name is taken", stacklevel=2)
    return tuple(found)


def list_formats() -> list[Format]:
    """Return the known formats, built-in ones first."""
    return list(_formats())


def _suffixes(formats: Sequence[Format]) -> str:
    return ", ".join(dict.fromkeys(suffix for known in formats for suffix in known.suffixes))


def _by_suffix(path: Path, formats: Sequence[Format]) -> list[Format]:
    name = path.name.lower()
    return [known for known in formats if name.endswith(known.suffixes)]


def format_of(path: str | PathLike[str]) -> Format:
    """Return the format of a file: its first bytes decide, then its suffix (in any case).

    Raises
    ------
    InputError
        If there is no such file, it is empty, a folder or unreadable, or no readable format fits.
    """
    path = Path(path)
    readable = [known for known in _formats() if known.readable]
    with _clear_errors(path, "cannot be read"):
        if path.is_dir():
            raise InputError("this is a folder, not a cube's file", where=path)
        if not path.exists():
            raise InputError("no such file", where=path)
        if not path.is_file():
            raise InputError("not a regular file", where=path)
        with open(path, "rb") as handle:
            head = handle.read(HEAD_BYTES)
    if not head:
        raise InputError("the file is empty", where=path)
    named = _by_suffix(path, readable)
    # a wrong suffix is no reason to misread a file whose first bytes say what it is
    for known in (*named, *readable):
        if known.sniff(head):
            return known
    if named:
        raise InputError(
            f"not a {' or '.join(known.title for known in named)} file",
            where=path,
            fix="the file is damaged or of another kind",
        )
    raise InputError("no known file format", where=path, fix=f"readable are {_suffixes(readable)}")


def read_options(
    *,
    variable: str | None = None,
    mosaic: str | PathLike[str] | None = None,
    layout: MosaicLayout | str | PathLike[str] | None = None,
    wavelengths_nm: ArrayLike | None = None,
) -> ReadOptions:
    """Return what the user said, checked; see `read_cube`."""
    try:
        given = None if wavelengths_nm is None else np.array(wavelengths_nm, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError("wavelengths must be numbers, in nm", where="wavelengths_nm") from None
    return ReadOptions(variable, find_layout(mosaic, layout), None if given is None else tuple(given.tolist()))


def read_cube(
    path: str | PathLike[str],
    *,
    variable: str | None = None,
    mosaic: str | PathLike[str] | None = None,
    wavelengths_nm: ArrayLike | None = None,
    layout: MosaicLayout | str | PathLike[str] | None = None,
) -> Cube:
    """Read a cube in any readable format.

    Parameters
    ----------
    path : path-like
        The file. Nothing in it is executed or unpickled.
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

    Returns
    -------
    Cube
        Values as stored, as float32, never scaled. ``cube.notes`` says what had to be assumed: the axis of the bands
        in a file that does not say it, missing wavelengths, pixels that are not finite.

    Raises
    ------
    InputError
        If the file is missing, damaged, of no known format or not a cube, or if the options do not fit it.
    """
    path = Path(path)
    options = read_options(variable=variable, mosaic=mosaic, layout=layout, wavelengths_nm=wavelengths_nm)
    chosen = format_of(path)
    if options.layout is not None and chosen.name != "tiff":
        raise InputError(f"a mosaic layout is for raw TIFF frames; this is {chosen.title}", where=path)
    assert chosen.read is not None  # format_of returns readable formats only
    with _clear_errors(path, f"not a usable {chosen.title} file", fix="the file is damaged or of another kind"):
        cube = chosen.read(path, options)
    invalid = int(np.count_nonzero(~cube.valid()))
    if invalid:
        note = f"{invalid:,} of {cube.valid().size:,} pixels are not finite (NaN or infinity) in some band"
        cube = cube.replace(notes=(*cube.notes, note))
    return cube


def write_cube(path: str | PathLike[str], cube: Cube) -> tuple[str, ...]:
    """Write a cube; the suffix chooses the format. The file is replaced as a whole or stays as it was.

    Parameters
    ----------
    path : path-like
        Its folder is made if it does not exist.
    cube : Cube
        Values come back bit by bit, NaN and infinity included.

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
    writable = [known for known in _formats() if known.writable]
    named = _by_suffix(path, writable)
    if not named:
        raise InputError(
            "no format to write has this suffix", where=path, fix=f"end the name in one of {_suffixes(writable)}"
        )
    if path.is_dir():
        raise InputError("this is a folder; a file's name is needed", where=path)
    write = named[0].write
    assert write is not None
    try:
        return tuple(write(path, cube))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot be written: {reason}", where=path, fix="choose another place or make room") from error


@contextlib.contextmanager
def _clear_errors(path: Path, what: str, fix: str = "") -> Iterator[None]:
    """Turn whatever the block raises into one InputError: parsers that meet arbitrary bytes raise anything."""
    try:
        yield
    except InputError as error:  # of a part inside, which does not know the file
        raise InputError(error.what, where=path, fix=error.fix) from error
    except PermissionError as error:
        raise InputError("cannot be read: permission denied", where=path) from error
    except MemoryError as error:
        raise InputError("too large for this computer's memory", where=path) from error
    except Exception as error:
        raise InputError(f"{what} ({error or type(error).__name__})", where=path, fix=fix) from error
