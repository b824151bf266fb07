"""MATLAB 7.3 ``.mat``, which is HDF5 with the axes reversed."""

from __future__ import annotations

from pathlib import Path

from napari_hsisynth.cube import Cube
from napari_hsisynth.formats.hdf5 import begins_hdf5, list_arrays, read_array
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import Variable

_SUFFIXES = (".mat",)
_HEADER = b"MATLAB 7.3"


def sniff(path: Path, head: bytes) -> bool:
    """Whether it is HDF5 that MATLAB wrote, or that was named as if."""
    return begins_hdf5(head) and (head.startswith(_HEADER) or path.name.lower().endswith(_SUFFIXES))


def variables(path: Path) -> list[Variable]:
    """Return the arrays of the file; fields of structs are named ``struct/field``."""
    return list_arrays(path, guess_matlab=True)


def read(path: Path, options: ReadOptions) -> Cube:
    """Read the one 3-D array, or the one asked for; its bands may be the last axis or the first."""
    return read_array(path, options, guess_matlab=True)


FORMAT = Format("matlab73", "MATLAB 7.3 .mat", _SUFFIXES, sniff, variables, read)
