"""What all corrections share: where the values come from, and what is written down about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray, Source

#: Fields of an ENVI header that count the bands of its file.
_PER_BAND = ("band names", "default bands")


def corrected(
    cube: Cube,
    source: Source,
    step: Mapping[str, Any],
    *,
    wavelengths_nm: NDArray[np.float64] | None = None,
    groups: Sequence[NDArray[np.intp]] | None = None,
    notes: Sequence[str] = (),
) -> Cube:
    """Return the cube with the values of `source`, which are computed at once if those of `cube` are in memory.

    Parameters
    ----------
    cube : Cube
        As it was.
    source : Source
        Its corrected values, float32 (bands, y, x).
    step : mapping
        What was done, JSON types, for ``provenance["processing"]``.
    wavelengths_nm : ndarray, shape (bands,), optional
        Of the corrected bands; those of `cube` by default. Where `cube` only numbers its bands, the new ones are
        numbered from 0 again, and a note says so.
    groups : sequence of ndarray of int, optional
        The bands of `cube` behind each new band, where they are others.
    notes : sequence of str
        What the user should know, added to those of `cube`.
    """
    data = LazyArray(source) if cube.is_lazy else source[(slice(None),) * 3]
    return described(cube, data, step, wavelengths_nm=wavelengths_nm, groups=groups, notes=notes)


def described(
    cube: Cube,
    data: Any,
    step: Mapping[str, Any],
    *,
    wavelengths_nm: NDArray[np.float64] | None = None,
    groups: Sequence[NDArray[np.intp]] | None = None,
    notes: Sequence[str] = (),
) -> Cube:
    """Return the cube with other data, and the step and the notes beside those it has; see `corrected`."""
    earlier = cube.provenance.get("processing")
    provenance = dict(cube.provenance) if groups is None else _of_bands(cube, groups)
    provenance["processing"] = [*(earlier if isinstance(earlier, list) else []), dict(step)]
    fields: dict[str, Any] = {"name": cube.name, "provenance": provenance}
    if wavelengths_nm is None or np.array_equal(wavelengths_nm, cube.wavelengths_nm):
        return cube.replace(data=data, provenance=provenance, notes=(*cube.notes, *notes))
    if cube.wavelengths_known:
        return Cube(data, wavelengths_nm, notes=(*cube.notes, *notes), **fields)
    if cube.axis_label == "band":
        kept = tuple(note for note in cube.notes if note not in assumptions(cube))
        renumbered = f"the {data.shape[0]} bands are numbered from 0 again, since no wavelengths are known"
        numbers = np.arange(data.shape[0], dtype=np.float64)
        return Cube.with_assumed_wavelengths(data, numbers, notes=(*kept, *notes, renumbered), **fields)
    return Cube.with_assumed_wavelengths(data, wavelengths_nm, notes=(*cube.notes, *notes), **fields)


def _of_bands(cube: Cube, groups: Sequence[NDArray[np.intp]]) -> dict[str, Any]:
    """Return the provenance with what it says band by band brought to other bands, or left out."""
    found = {key: value for key, value in cube.provenance.items() if key not in ("bad_bands", "fwhm_nm")}
    bad, widths = cube.provenance.get("bad_bands"), cube.provenance.get("fwhm_nm")
    if isinstance(bad, list):
        found["bad_bands"] = [band for band, group in enumerate(groups) if not set(group.tolist()).isdisjoint(bad)]
    if isinstance(widths, list) and len(widths) == cube.bands and all(len(group) == 1 for group in groups):
        found["fwhm_nm"] = [widths[int(group[0])] for group in groups]
    header = found.get("envi")
    if isinstance(header, dict):
        found["envi"] = {key: value for key, value in header.items() if key not in _PER_BAND}
    return found


def assumptions(cube: Cube) -> tuple[str, ...]:
    """Notes with which `Cube` says that it was given no wavelengths; none if they are known."""
    return () if cube.wavelengths_known else Cube(np.zeros((cube.bands, 1, 1), np.float32)).notes


def whole(value: Any, what: str, least: int) -> int:
    """Return a whole number of `least` or more; `InputError` otherwise."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = least - 1
    if isinstance(value, bool) or number != value or number < least:
        raise InputError(f"must be a whole number of {least} or more, not {value!r}", where=what)
    return number


def places(part: int | slice, length: int) -> range:
    """Places along an axis that an index or a slice selects."""
    return range(part, part + 1) if isinstance(part, int) else range(length)[part]


def shaped(values: NDArray[Any], key: Sequence[int | slice]) -> NDArray[np.float32]:
    """Take the axes of integers in `key` away from values that still have all three."""
    return values[tuple(0 if isinstance(part, int) else slice(None) for part in key)].astype(np.float32, copy=False)
