"""Cubes of files whose arrays have names, attributes and neighbours: HDF5, NetCDF and Zarr."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from napari_hsisynth.cube import Cube
from napari_hsisynth.formats.axis_names import packing
from napari_hsisynth.formats.registry import ReadOptions
from napari_hsisynth.formats.stored_wavelengths import find_wavelengths
from napari_hsisynth.formats.unlabelled import Variable, unlabelled_cube
from napari_hsisynth.lazy_array import Source


def self_described_cube(
    source: Source,
    chosen: Variable,
    *,
    path: Path,
    options: ReadOptions,
    kind: str,
    axes: str | None,
    attributes: Mapping[str, Any],
    others: Mapping[str, Variable],
    load: Callable[[str], tuple[Any, Mapping[str, Any]]],
    attached: Sequence[str],
    tie: Literal["first", "last"],
    notes: tuple[str, ...] = (),
) -> Cube:
    """Make a cube of an array, with what its attributes and the other arrays of its file say about it.

    Parameters
    ----------
    source, path, options, axes, tie
        As for `unlabelled_cube`.
    chosen : Variable
        The array.
    kind : str
        The format, for the provenance.
    attributes, others, load, attached
        As for `find_wavelengths`.
    notes : tuple of str
        What else was assumed.
    """
    fields, said = packing(attributes)
    notes = (*notes, *said)
    stored_nm = None
    if options.wavelengths_nm is None:
        stored_nm, said = find_wavelengths(
            chosen, options.axes or axes, others=others, load=load, attached=attached, attributes=attributes
        )
        notes += said
    cube = unlabelled_cube(
        source,
        path=path,
        options=options,
        provenance={"format": kind, "variable": chosen.name},
        stored_nm=stored_nm,
        tie=tie,
        axes=axes,
        **fields,
    )
    return cube.replace(notes=(*cube.notes, *notes))
