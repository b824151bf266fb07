"""Finding the wavelengths of a cube among the other arrays of its file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.formats.axis_names import named, text_of
from napari_hsisynth.formats.unlabelled import WAVELENGTH_NAMES, Variable, plausible_wavelengths
from napari_hsisynth.formats.wavelength_units import LENGTHS_NM, unit_name

#: Names that mean band centres, and names that may: what these hold is passed over in silence if it cannot be nm.
_SURE = (*WAVELENGTH_NAMES, "wavelength_nm", "lambda")
_UNSURE = ("wl", "band", "bands", "centers", "centres", "spectral")
_ORDER = {name: number for number, name in enumerate((*_SURE, *_UNSURE))}
_UNIT_NAMES = ("units", "unit", "wavelength_units", "wavelength_unit")
#: No camera has more bands.
_MOST_BANDS = 100_000
_ELSEWHERE = 1000


def in_nm(values: Any, unit: str) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Return band centres in nm, or None if the unit is not known, and what there is to say.

    Parameters
    ----------
    values : array_like
    unit : str
        As in the file; nm if it is empty.
    """
    factor = LENGTHS_NM.get(unit_name(unit)) if unit.strip() else 1.0
    if factor is None:
        return None, (f"the stored wavelengths are in '{unit.strip()}', not a length, and were left out",)
    try:
        numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        return None, ("the stored wavelengths are not numbers and were left out",)
    if factor == 1:
        return numbers, ()
    return numbers * factor, (f"the wavelengths in the file are in {unit.strip()} and were converted to nm",)


def unit_of(attributes: Mapping[str, Any]) -> str:
    """Return the unit that the attributes of an array of wavelengths give, empty if none."""
    found = named(attributes, _UNIT_NAMES)
    return "" if found is None else text_of(found[1])


def find_wavelengths(
    chosen: Variable,
    axes: str | None,
    *,
    others: Mapping[str, Variable],
    load: Callable[[str], tuple[Any, Mapping[str, Any]]],
    attached: Sequence[str] = (),
    attributes: Mapping[str, Any],
) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Find the band centres of an array, nm, and what there is to say about them.

    Looked through in this order: arrays attached to its axes, an attribute of its own, then arrays that are named like
    wavelengths in its group, in the groups around it, and anywhere else in the file if all of these are the same.

    Parameters
    ----------
    chosen : Variable
        The cube; its name is a path with slashes.
    axes : str, optional
        The order of its axes if it is known.
    others : mapping of str to Variable
        All arrays of the file by their names.
    load : callable
        ``load(name) -> (values, attributes)`` of one of `others`.
    attached : sequence of str
        Names of arrays that are attached to its axes.
    attributes : mapping
        Of the cube.
    """
    notes: tuple[str, ...] = ()
    elsewhere: dict[str, tuple[NDArray[np.float64], tuple[str, ...]]] = {}

    def usable(values: Any, unit: str, sure: bool) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
        nonlocal notes
        nm, said = in_nm(values, unit)
        if nm is not None:
            nm, why_not = plausible_wavelengths(nm, chosen.shape, axes)
            said = said if nm is not None else why_not
        if nm is None and sure:
            notes = notes or said
        return nm, said

    def tried(name: str, sure: bool) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
        values, its_attributes = load(name)
        return usable(values, unit_of(its_attributes), sure)

    for name in attached:
        if name in others and _is_list(others[name]):
            nm, said = tried(name, sure=_last(name) in _SURE)
            if nm is not None:
                return nm, said
    own = named(attributes, _SURE)
    if own is not None and np.size(own[1]) > 1:
        nm, said = usable(own[1], unit_of({key: value for key, value in attributes.items() if key != "units"}), True)
        if nm is not None:
            return nm, said
    candidates = [name for name, other in others.items() if _last(name) in _ORDER and _is_list(other)]
    for name in sorted(candidates, key=lambda name: (_distance(chosen.name, name), _ORDER[_last(name)])):
        away = _distance(chosen.name, name) == _ELSEWHERE
        if away and math.prod(others[name].shape) not in chosen.shape:
            continue
        nm, said = tried(name, sure=_last(name) in _SURE and not away)
        if nm is not None and not away:
            return nm, said
        if nm is not None:
            elsewhere[name] = nm, said
    if not elsewhere:
        return None, notes
    (first, (nm, said)), *rest = elsewhere.items()
    if any(not np.array_equal(nm, other) for _, (other, _) in rest):
        return None, (f"several lists of wavelengths fit and were left out: {', '.join(elsewhere)}",)
    return nm, (*said, f"wavelengths taken from '{first}'")


def _last(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _is_list(variable: Variable) -> bool:
    return variable.numeric and 0 < math.prod(variable.shape) <= _MOST_BANDS and len(variable.shape) in (1, 2)


def _distance(cube: str, other: str) -> int:
    """Return how many groups `other` lies above the cube's, `_ELSEWHERE` if it lies in none of them."""
    group, place = cube.split("/")[:-1], other.split("/")[:-1]
    return len(group) - len(place) if group[: len(place)] == place else _ELSEWHERE
