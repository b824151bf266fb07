"""Which axis of a file became the bands, and putting it right in the layer."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Layer

from napari_hsisynth.corrections import reorder
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.widgets.layers import METADATA, cube_layer_data, layer_cube, layer_origin

_NAMES = {"b": "band", "y": "y", "x": "x"}
#: What depends on the axes of a layer, beside its data and our metadata.
_STATE = ("contrast_limits", "gamma", "scale", "translate", "units", "axis_labels")
#: Where the axes of a swapped layer have come, and its state before, for when they are as they were.
_before: WeakKeyDictionary[Layer, tuple[str, dict[str, Any]]] = WeakKeyDictionary()


def axes_text(axes: str) -> str:
    """Return ``y, x, band`` for ``yxb``."""
    return ", ".join(_NAMES[axis] for axis in axes)


def file_axes(provenance: Mapping[str, Any]) -> str | None:
    """Return the order of the axes in the file, as ``yxb``, after all that was swapped since; None if it is not known.

    Parameters
    ----------
    provenance : mapping
        Of the cube: ``axes`` as read, and the reorderings in ``processing``.
    """
    axes = provenance.get("axes")
    if not isinstance(axes, str) or sorted(axes) != sorted("byx"):
        return None
    steps = provenance.get("processing")
    for step in steps if isinstance(steps, list) else []:
        swapped = step.get("axes") if isinstance(step, dict) and step.get("step") == "reorder" else None
        if isinstance(swapped, str) and sorted(swapped) == sorted("byx"):
            axes = _then(axes, swapped)
    return axes


def _then(axes: str, swapped: str) -> str:
    """What `axes` were called, after band, y and x turned out to be `swapped`."""
    return "".join(swapped["byx".index(axis)] for axis in axes)


def other_axes(cube: Cube) -> list[tuple[str, str]]:
    """Return the other orders that a cube's axes can have: for `reorder`, and in words.

    Bands along another axis come first, then the same bands with rows and columns swapped.
    """
    found = []
    known = file_axes(cube.provenance)
    for axes in sorted(("".join(order) for order in permutations("byx")), key=lambda axes: (axes[0] == "b", axes)):
        if axes == "byx":
            continue
        sizes = dict(zip(axes, cube.data.shape, strict=True))
        result = f"{sizes['b']} bands of {sizes['y']} x {sizes['x']} px"
        order = f"{axes_text(_then(known, axes))}: " if known is not None else ""
        found.append((axes, f"{order}{result}"))
    return found


def swap_axes(layer: Image, axes: str) -> None:
    """Take the three axes of a cube layer for others, in place; swapping them back brings back all that was known.

    Parameters
    ----------
    layer : Image
    axes : str
        What its axes (bands, y, x) really are, as for `corrections.reorder`.

    Raises
    ------
    InputError
        If the layer shows no cube, or `axes` is no order.
    """
    cube = layer_cube(layer)
    if cube is None:
        raise InputError("the layer is not a cube", where=layer.name)
    so_far, before = _before.get(layer, ("byx", _state(layer)))
    swapped = reorder(cube, axes)
    data, options, _ = cube_layer_data(swapped, layer_origin(layer))
    so_far = _then(so_far, axes)  # where the bands, rows and columns of before any swap are now
    if so_far == "byx":
        _before.pop(layer, None)
        state = before
    else:
        _before[layer] = (so_far, before)
        state = {name: options[name] for name in _STATE} | {METADATA: options["metadata"][METADATA]}
    # before the data, whose event makes everybody look again
    layer.metadata = {**_without(layer.metadata), **({METADATA: state[METADATA]} if state[METADATA] else {})}
    for name in ("contrast_limits", "gamma"):
        setattr(layer, name, state[name])
    layer.data = data
    for name in ("scale", "translate", "units", "axis_labels"):
        setattr(layer, name, state[name])


def _state(layer: Image) -> dict[str, Any]:
    return {name: getattr(layer, name) for name in _STATE} | {METADATA: layer.metadata.get(METADATA)}


def _without(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key != METADATA}
