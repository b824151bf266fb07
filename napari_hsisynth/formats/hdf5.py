"""HDF5, and NetCDF 4, which is HDF5 whose axes have names. MATLAB 7.3 shares the reader."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.formats.axis_names import axes_of
from napari_hsisynth.formats.hdf5_objects import Stored, arrays_in, scales_of
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.self_describing import self_described_cube
from napari_hsisynth.formats.unlabelled import Variable, choose
from napari_hsisynth.lazy_array import Reversed, Source

_MAGIC = b"\x89HDF\r\n\x1a\n"
_GUESSED_ORDER = "the file does not say that MATLAB wrote it; its axes were taken in MATLAB's order, (y, x, bands)"
#: Blocks that stay unpacked in memory while a cube is looked at; without them each pixel would unpack its blocks again.
_CACHE_BYTES, _CACHE_SLOTS = 2**26, 10_007


def begins_hdf5(head: bytes) -> bool:
    """Whether HDF5 begins at 0 or behind a user block, as MATLAB's does at 512."""
    return any(head[start : start + 8] == _MAGIC for start in (0, 512, 1024))


def sniff(path: Path, head: bytes) -> bool:
    """Whether it is HDF5."""
    return begins_hdf5(head)


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


def list_arrays(path: Path, *, guess_matlab: bool = False) -> list[Variable]:
    """Return the arrays of the file; those in groups are named ``group/name``."""
    with h5py.File(path, "r", locking=False) as file:
        return [stored.variable for stored in arrays_in(path, file, guess_matlab=guess_matlab).values()]


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
        found = arrays_in(path, file, guess_matlab=guess_matlab)
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
    scales: list[list[str]] = []
    axes = None
    if stored.backwards:
        source = Reversed(source) if lazy else np.asarray(source).T
    else:
        scales = scales_of(file, stored, found)
        axes = axes_of([names[-1] if names else "" for names in scales], attributes)
    return self_described_cube(
        source,
        stored.variable,
        path=path,
        options=options,
        kind="hdf5" if stored.matlab is None else "matlab 7.3",
        axes=axes,
        attributes=attributes,
        others={name: other.variable for name, other in found.items()},
        load=lambda name: (found[name].checked(size)[()], found[name].attributes()),
        attached=[name for names in scales for name in names],
        tie="last",
        notes=(_GUESSED_ORDER,) if stored.backwards and stored.matlab is None else (),
    )


def read(path: Path, options: ReadOptions) -> Cube:
    """Read the one 3-D array, or the one asked for; names, labels or its shape tell which axis is the bands."""
    return read_array(path, options)


FORMAT = Format("hdf5", "HDF5 or NetCDF 4", (".h5", ".hdf5", ".he5", ".hdf", ".nc", ".nc4"), sniff, list_arrays, read)
