"""HDF5, and NetCDF 4, which is HDF5 whose axes have names. MATLAB 7.3 shares the reader."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.axis_names import axes_of, packing, text_of
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.stored_wavelengths import find_wavelengths
from napari_hsisynth.formats.unlabelled import MAX_VALUES, Variable, band_axis, check_claim, choose, unlabelled_cube
from napari_hsisynth.lazy_array import Reversed, Source

_MAGIC = b"\x89HDF\r\n\x1a\n"
_NOT_NUMBERS = {"char", "logical", "cell", "struct", "function_handle", "string"}
_GUESSED_ORDER = "the file does not say that MATLAB wrote it; its axes were taken in MATLAB's order, (y, x, bands)"
#: Deeper than this, or more, is no file of cubes.
_DEEPEST, _MOST, _MOST_LINKS = 8, 1000, 20_000
#: Blocks that stay unpacked in memory while a cube is looked at; without them each pixel would unpack its blocks again.
_CACHE_BYTES, _CACHE_SLOTS = 2**26, 10_007
#: An attribute longer than this is no scale factor and no list of wavelengths.
_LONGEST_ATTRIBUTE = 2**20
#: NetCDF writes this in front of the name of an axis that has no values.
_BARE_AXIS = "This is a netCDF dimension but not a netCDF variable"


def begins_hdf5(head: bytes) -> bool:
    """Whether HDF5 begins at 0 or behind a user block, as MATLAB's does at 512."""
    return any(head[start : start + 8] == _MAGIC for start in (0, 512, 1024))


def sniff(path: Path, head: bytes) -> bool:
    """Whether it is HDF5."""
    return begins_hdf5(head)


@dataclass(frozen=True)
class Stored:
    """An array of the file.

    Parameters
    ----------
    variable : Variable
        As the user sees it: MATLAB's arrays in MATLAB's order of the axes.
    dataset : h5py.Dataset
    matlab : str or None
        Its class in MATLAB.
    backwards : bool
        Whether the user sees its axes in the reverse of HDF5's order.
    """

    variable: Variable
    dataset: h5py.Dataset
    matlab: str | None
    backwards: bool

    def checked(self, size: int, *, lazy: bool = False) -> h5py.Dataset:
        """Return the data set once it is sure that it lies in this file, of `size` bytes, and can be unpacked."""
        name, dataset = self.variable.name, self.dataset
        if dataset.external or dataset.is_virtual:
            raise InputError(f"'{name}' lies in another file, which is not followed")
        check_claim(self.variable, size, lazy=lazy)
        if dataset.chunks:
            values = math.prod(dataset.chunks)
            if values > MAX_VALUES:
                raise InputError(f"damaged: '{name}' claims blocks of {values:,} values")
            check_claim(Variable(f"{name} (one block)", tuple(dataset.chunks), ""), size)
        filters = dataset.id.get_create_plist()
        for number in range(filters.get_nfilters()):
            code, _, _, said = filters.get_filter(number)
            if not h5py.h5z.filter_avail(code):
                known = said.decode("utf-8", "replace").split("\0")[0][:40] or "no name"
                raise InputError(
                    f"'{name}' is compressed by HDF5 filter {code} ({known}), which this computer has not",
                    fix="write it again with gzip, or install the filter (for many: pip install hdf5plugin)",
                )
        return dataset

    def attributes(self) -> dict[str, Any]:
        """Return its attributes but those that are longer than any that count."""
        found = {}
        for name in self.dataset.attrs:
            if self.dataset.attrs.get_id(name).get_storage_size() <= _LONGEST_ATTRIBUTE:
                with contextlib.suppress(TypeError, OSError):  # of a type that NumPy has not
                    found[name] = self.dataset.attrs[name]
        return found


class OpenDataset:
    """A data set that holds its file open, a `Source`; the file is closed with it."""

    def __init__(self, file: h5py.File, dataset: h5py.Dataset) -> None:
        self._file, self._dataset = file, dataset
        self.shape: tuple[int, ...] = tuple(dataset.shape)
        self.dtype = dataset.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self._dataset[key])

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the end of the program the library may be gone before
            self._file.close()


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Walk the arrays of this file, each once and by its shortest name; links that lead to others are not followed."""
    seen = {h5py.h5o.get_info(file.id).addr}
    waiting: deque[tuple[h5py.Group, str, int]] = deque([(file, "", 0)])
    links = 0
    while waiting:
        group, prefix, depth = waiting.popleft()
        for key in group:
            links += 1
            if links > _MOST_LINKS:
                raise InputError(f"more than {_MOST_LINKS:,} names inside; not a file of cubes")
            raw, word = (
                (key, key.decode("utf-8", "backslashreplace")) if isinstance(key, bytes) else (key.encode(), key)
            )
            if word.startswith("#") or group.id.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
                continue  # '#refs#' and '#subsystem#' hold the insides of cells and objects
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Dataset):
                yield prefix + word, item
            elif isinstance(item, h5py.Group) and depth < _DEEPEST:
                waiting.append((item, f"{prefix}{word}/", depth + 1))


def _matlab_class(dataset: h5py.Dataset) -> str | None:
    value = dataset.attrs.get("MATLAB_class")
    return None if value is None else text_of(value)


def _stored(name: str, dataset: h5py.Dataset, *, guess_matlab: bool) -> Stored:
    """Describe an array; with `guess_matlab`, axes of one without a class may be in MATLAB's order too.

    It counts them from the fastest, HDF5 from the slowest. Files that other programs write for MATLAB often lack its
    class attribute. Bands that come first in HDF5's order then tell: they are the last axis of (y, x, bands), the
    customary order in MATLAB.
    """
    kind = _matlab_class(dataset)
    shape = tuple(dataset.shape or ())
    guessed = guess_matlab and len(shape) == 3 and band_axis(shape, None, "first") == 0
    backwards = kind is not None or guessed
    bare = "NAME" in dataset.attrs and text_of(dataset.attrs["NAME"]).startswith(_BARE_AXIS)
    numbers = dataset.dtype.kind in "fiu" and kind not in _NOT_NUMBERS
    numeric = numbers and not bare and "MATLAB_empty" not in dataset.attrs
    variable = Variable(name, shape[::-1] if backwards else shape, kind or str(dataset.dtype), numeric)
    return Stored(variable, dataset, kind, backwards)


def _all(file: h5py.File, *, guess_matlab: bool) -> dict[str, Stored]:
    found = {}
    for name, dataset in _datasets(file):
        found[name] = _stored(name, dataset, guess_matlab=guess_matlab)
        if len(found) > _MOST:
            raise InputError(f"more than {_MOST} arrays inside; not a file of cubes")
    return found


def _scales(dataset: h5py.Dataset, found: Mapping[str, Stored]) -> list[list[str]]:
    """Return, for each axis, the names of the arrays attached to it; its label comes last."""
    names = {h5py.h5o.get_info(stored.dataset.id).addr: name for name, stored in found.items()}
    attached = []
    for dimension in dataset.dims:
        scales = dimension.values() if "DIMENSION_LIST" in dataset.attrs else ()
        known = [names.get(h5py.h5o.get_info(scale.id).addr) for scale in scales]
        attached.append([name for name in known if name is not None] + ([dimension.label] if dimension.label else []))
    return attached


def list_arrays(path: Path, *, guess_matlab: bool = False) -> list[Variable]:
    """Return the arrays of the file; those in groups are named ``group/name``."""
    with h5py.File(path, "r", locking=False) as file:
        return [stored.variable for stored in _all(file, guess_matlab=guess_matlab).values()]


def read_array(path: Path, options: ReadOptions, *, guess_matlab: bool = False) -> Cube:
    """Read the one 3-D array, or the one asked for.

    Parameters
    ----------
    path : pathlib.Path
    options : ReadOptions
    guess_matlab : bool
        Whether arrays that do not say their order may be in MATLAB's.
    """
    file = h5py.File(path, "r", locking=False, rdcc_nbytes=_CACHE_BYTES, rdcc_nslots=_CACHE_SLOTS)
    lazy = False
    try:
        found = _all(file, guess_matlab=guess_matlab)
        chosen = choose([stored.variable for stored in found.values()], options.variable)
        lazy = options.lazily(math.prod(chosen.shape))
        cube = _cube(path, file, found, found[chosen.name], options, lazy=lazy)
    except BaseException:
        lazy = False
        raise
    finally:
        if not lazy:
            file.close()
    return cube


def _cube(
    path: Path, file: h5py.File, found: Mapping[str, Stored], stored: Stored, options: ReadOptions, *, lazy: bool
) -> Cube:
    size = path.stat().st_size
    dataset = stored.checked(size, lazy=lazy)
    source: Source = OpenDataset(file, dataset) if lazy else np.asarray(dataset[()])
    attributes = stored.attributes()
    fields, notes = packing(attributes)
    scales: list[list[str]] = []
    axes = None
    if stored.backwards:
        source = Reversed(source) if lazy else np.asarray(source).T
        if stored.matlab is None:
            notes += (_GUESSED_ORDER,)
    else:
        scales = _scales(dataset, found)
        axes = axes_of([names[-1] if names else "" for names in scales], attributes)
    stored_nm = None
    if options.wavelengths_nm is None:

        def load(name: str) -> tuple[Any, Mapping[str, Any]]:
            return found[name].checked(size)[()], found[name].attributes()

        stored_nm, said = find_wavelengths(
            stored.variable,
            options.axes or axes,
            others={name: other.variable for name, other in found.items()},
            load=load,
            attached=[name for names in scales for name in names],
            attributes=attributes,
        )
        notes += said
    cube = unlabelled_cube(
        source,
        path=path,
        options=options,
        provenance={"format": "hdf5" if stored.matlab is None else "matlab 7.3", "variable": stored.variable.name},
        stored_nm=stored_nm,
        tie="last",
        axes=axes,
        **fields,
    )
    return cube.replace(notes=(*cube.notes, *notes))


def read(path: Path, options: ReadOptions) -> Cube:
    """Read the one 3-D array, or the one asked for; names, labels or its shape tell which axis is the bands."""
    return read_array(path, options)


FORMAT = Format("hdf5", "HDF5 or NetCDF 4", (".h5", ".hdf5", ".he5", ".hdf", ".nc", ".nc4"), sniff, list_arrays, read)
