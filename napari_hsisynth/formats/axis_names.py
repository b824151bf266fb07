"""What names and attributes in a file say about an array: the order of its axes, and how its values are packed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_hsisynth.errors import InputError

#: Names of the three axes in files of imaging spectrometers and of general tools, in lower case.
_NAMES = {
    "b": "b band bands wavelength wavelengths wavelength_nm wavelengths_nm lambda wl channel channels c spectral",
    "y": "y line lines row rows lat latitude northing downtrack along_track height ny",
    "x": "x sample samples column columns col cols lon longitude easting crosstrack cross_track width nx",
}
_AXIS_OF = {name: axis for axis, names in _NAMES.items() for name in names.split()}
#: ENVI's word for the order, from the slowest axis to the fastest.
_INTERLEAVES = {"bsq": "byx", "bil": "ybx", "bip": "yxb"}
#: Attributes whose values mean "no value": those of the CF conventions, and ENVI's.
_MISSING = ("_fillvalue", "missing_value", "data_ignore_value")
_PACKING = ("scale_factor", "add_offset")


def text_of(value: Any) -> str:
    """Return an attribute as text: files hold it as bytes, as text, or as an array of one."""
    if isinstance(value, np.ndarray):
        if value.size != 1:
            return ""
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\0")
    return value if isinstance(value, str) else ""


def named(attributes: Mapping[str, Any], names: Iterable[str]) -> tuple[str, Any] | None:
    """Return the first attribute that has one of `names` in any case, None if there is none."""
    by_name = {key.lower().replace(" ", "_"): key for key in attributes}
    return next(((by_name[name], attributes[by_name[name]]) for name in names if name in by_name), None)


def axes_of(dimensions: Sequence[str], attributes: Mapping[str, Any]) -> str | None:
    """Return the order of three axes, for example ``"yxb"``, if the file says it.

    Parameters
    ----------
    dimensions : sequence of str
        Names of the axes where they have some; the last part of a path counts, in any case.
    attributes : mapping
        Of the array: ``DIMENSION_LABELS`` where `dimensions` say nothing, then ENVI's ``interleave``.

    Notes
    -----
    One axis named like bands, or two like rows and columns, are enough: the others follow in the order (y, x).
    """
    labels = named(attributes, ("dimension_labels", "_array_dimensions"))
    for names in (dimensions, () if labels is None else _several(labels[1])):
        if (found := _order(names)) is not None:
            return found
    interleave = named(attributes, ("interleave",))
    return None if interleave is None else _INTERLEAVES.get(text_of(interleave[1]).strip().lower())


def _several(value: Any) -> list[str]:
    one = text_of(value)
    return one.split(",") if one else [text_of(part) for part in np.ravel(np.asarray(value, dtype=object))]


def _order(names: Sequence[str]) -> str | None:
    if len(names) != 3:
        return None
    known = [_AXIS_OF.get(name.strip().lower().rpartition("/")[2]) for name in names]
    said = [axis for axis in known if axis is not None]
    if len(set(said)) != len(said) or not ("b" in said or len(said) == 2):
        return None
    left = iter(axis for axis in "yxb" if axis not in said)
    return "".join(next(left) if axis is None else axis for axis in known)


def packing(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return how stored values become real ones: the fields of `LazyArray`, and notes that say it.

    ``scale_factor``, ``add_offset``, ``_FillValue`` and ``missing_value`` are those of the CF conventions (chapter 8,
    "Reduction of Dataset Size"); ``data ignore value`` is ENVI's.

    Raises
    ------
    InputError
        If a factor is 0 or no finite number.
    """
    fields: dict[str, Any] = {}
    said = []
    for name in _PACKING:
        if name not in attributes:
            continue
        number = _number(attributes[name])
        if number is None or not math.isfinite(number) or (name == "scale_factor" and number == 0):
            raise InputError(f"damaged: its {name} is {attributes[name]!r}")
        said.append(f"{name} {number:g}")
        fields |= {"scale": 1 / number} if name == "scale_factor" else {"offset": number}
    notes = [f"applied, as the file says: {' and '.join(said)}"] if said else []
    missing = [_number(found[1]) for name in _MISSING if (found := named(attributes, (name,))) is not None]
    finite = list(dict.fromkeys(number for number in missing if number is not None and not math.isnan(number)))
    if finite:
        fields["missing"] = tuple(finite)
        notes.append(f"{' and '.join(f'{number:g}' for number in finite)} means no value in this file and became NaN")
    for name in _PACKING:
        other = named(attributes, (name,))
        if other is not None and name not in attributes:
            notes.append(f"the attribute '{other[0]}' ({_number(other[1])}) was left alone: it is not CF's {name}")
    return fields, tuple(notes)


def _number(value: Any) -> float | None:
    try:
        one = np.asarray(value).reshape(-1)
        return float(one[0]) if len(one) == 1 and one.dtype.kind in "fiu" else None
    except (TypeError, ValueError, OverflowError):
        return None
