"""The registry: the known formats, and which of them a file is, by its suffix and its first bytes."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from os import PathLike
from pathlib import Path

from napari_hsisynth.atomic import recover_folder
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.mosaic import MosaicLayout
from napari_hsisynth.formats.unlabelled import Variable

#: Entry points of this group are `Format` objects of other packages.
ENTRY_POINTS = "napari_hsisynth.formats"
#: So many first bytes of a file are shown to `Format.sniff`; HDF5 may begin as late as at 1024.
HEAD_BYTES = 2048
#: With ``lazy=None`` larger cubes stay in their file, bytes as float32.
LAZY_FROM_BYTES = 2**28

# ENVI last: it takes any file with a header beside it
_BUILT_IN = ("matlab5", "matlab73", "npz", "npy", "tiff", "hdf5", "netcdf3", "ome_zarr", "png", "series", "envi")


@dataclass(frozen=True)
class ReadOptions:
    """What the user said about a file, beyond its path.

    Parameters
    ----------
    variable : str, optional
        Which array of a file that holds several.
    layout : MosaicLayout, optional
        Unfold a raw snapshot-mosaic frame by this layout.
    demosaic : bool
        Fill in what each filter of the mosaic has not seen, to the size of the frame, instead of unfolding.
    wavelengths_nm : tuple of float, optional
        Band centres that replace those of the file, nm, shape (bands,).
    axes : str, optional
        The order of the axes in the file, a permutation of ``"byx"`` (band, y, x); found out by default.
    lazy : bool, optional
        Leave the values in the file (`LazyArray`), where the format can; a format that cannot reads them all. None: if
        they are many, see `lazily`.
    """

    variable: str | None = None
    layout: MosaicLayout | None = None
    demosaic: bool = False
    wavelengths_nm: tuple[float, ...] | None = None
    axes: str | None = None
    lazy: bool | None = False

    def lazily(self, values: int) -> bool:
        """Whether an array of so many values is to stay in its file."""
        return 4 * values > LAZY_FROM_BYTES if self.lazy is None else self.lazy


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
        ``sniff(path, head) -> bool``: is this the format? `head` are the first bytes (at most `HEAD_BYTES`), empty for
        a folder. Looking at other files beside `path` is allowed, reading long is not.
    variables : callable
        ``variables(path) -> sequence of Variable``: the arrays inside, without reading their values.
    read : callable, optional
        ``read(path, options) -> Cube``. Whatever it raises on a bad file becomes one `InputError`.
    write : callable, optional
        ``write(path, cube) -> sequence of str``; replaces `path` atomically and returns what the format cannot keep,
        one sentence each.
    folders : bool
        Whether `path` is a folder, not a file.
    parts : callable, optional
        ``parts(path) -> sequence of Path``: all files that make up the cube at `path`; `path` alone by default.
    write_suffixes : tuple of str, optional
        Those of `suffixes` that choose this format for writing; all by default.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Path, bytes], bool]
    variables: Callable[[Path], Sequence[Variable]]
    read: Callable[[Path, ReadOptions], Cube] | None = field(default=None, repr=False)
    write: Callable[[Path, Cube], Sequence[str]] | None = field(default=None, repr=False)
    folders: bool = False
    parts: Callable[[Path], Sequence[Path]] | None = field(default=None, repr=False)
    write_suffixes: tuple[str, ...] | None = field(default=None, repr=False)

    @property
    def readable(self) -> bool:
        """Whether files of this format can be read."""
        return self.read is not None

    @property
    def writable(self) -> bool:
        """Whether files of this format can be written."""
        return self.write is not None

    @property
    def written_suffixes(self) -> tuple[str, ...]:
        """Suffixes that choose this format for writing."""
        return self.suffixes if self.write_suffixes is None else self.write_suffixes


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


def _listed(suffixes: Iterable[tuple[str, ...]]) -> str:
    return ", ".join(dict.fromkeys(suffix for some in suffixes for suffix in some))


def _head(path: Path) -> bytes:
    if not path.exists():
        raise InputError("no such file")
    if not path.is_file():
        raise InputError("not a regular file")
    with open(path, "rb") as handle:
        head = handle.read(HEAD_BYTES)
    if not head:
        raise InputError("the file is empty")
    return head


def format_of(path: str | PathLike[str]) -> Format:
    """Return the format of a file or folder: its first bytes decide, then its suffix (in any case).

    Raises
    ------
    InputError
        If there is no such file, it is empty or unreadable, or no readable format fits.
    """
    path = Path(path)
    readable = [known for known in _formats() if known.readable]
    with clear_errors(path, "cannot be read"):
        if not path.exists():
            with contextlib.suppress(OSError):  # a writer of a folder may have been killed between two renames
                recover_folder(path.parent, path.name)
        is_folder = path.is_dir()
        head = b"" if is_folder else _head(path)
        named = [known for known in readable if path.name.lower().endswith(known.suffixes)]
        # a wrong suffix is no reason to misread a file whose first bytes say what it is
        for known in (*named, *readable):
            if known.folders == is_folder and known.sniff(path, head):
                return known
    if is_folder:
        raise InputError("this is a folder, and not one that holds a cube", where=path)
    if named:
        article = "an" if named[0].title[0] in "AEIOU" else "a"
        raise InputError(
            f"not {article} {' or '.join(known.title for known in named)} file",
            where=path,
            fix="the file is damaged or of another kind",
        )
    raise InputError("no known file format", where=path, fix=f"readable are {_listed(k.suffixes for k in readable)}")


def parts_of(path: str | PathLike[str]) -> list[Path]:
    """Return all files that make up the cube at `path`, in a fixed order: most formats have one only.

    Raises
    ------
    InputError
        As `format_of`.
    """
    path = Path(path)
    parts = format_of(path).parts
    if parts is None:
        return [path]
    with clear_errors(path, "cannot be read"):
        return list(parts(path))


def writable_format(path: Path, name: str | None = None) -> Format:
    """Return the format to write: the one called `name`, else by the suffix of `path`.

    Raises
    ------
    InputError
        If there is none.
    """
    writable = [known for known in _formats() if known.writable]
    if name is not None:
        for known in writable:
            if known.name == name:
                return known
        raise InputError(f"no writable format '{name}'", fix=f"choose one of {', '.join(k.name for k in writable)}")
    ends = [(suffix, known) for known in writable for suffix in known.written_suffixes]
    fitting = [(len(suffix), known) for suffix, known in ends if path.name.lower().endswith(suffix)]
    if not fitting:
        raise InputError(
            "no format to write has this suffix",
            where=path,
            fix=f"end the name in one of {_listed(k.written_suffixes for k in writable)}",
        )
    return max(fitting, key=lambda fit: fit[0])[1]


@contextlib.contextmanager
def clear_errors(path: Path, what: str, fix: str = "") -> Iterator[None]:
    """Turn whatever the block raises into one InputError: parsers that meet arbitrary bytes raise anything."""
    try:
        yield
    except InputError as error:  # of a part inside, which does not know the file
        raise error.at(path) from error
    except PermissionError as error:
        raise InputError("cannot be read: permission denied", where=path) from error
    except MemoryError as error:
        raise InputError("too large for this computer's memory", where=path) from error
    except Exception as error:
        raise InputError(f"{what} ({error or type(error).__name__})", where=path, fix=fix) from error
