"""Arrays and tensors alike: one check for all metrics, through the array API standard."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

from napari_hsisynth.errors import InputError

#: A NumPy array or a torch tensor. What goes in comes out: on the same device, of a floating type.
Array = Any


def as_floating(x: Any, *, name: str = "array", axes: int = 3) -> tuple[Any, Array]:
    """Return the namespace of `x` and `x` as an array of a floating type, at least 32 bits wide.

    Parameters
    ----------
    x : array_like or tensor
        Numbers; whole numbers and float16 are widened.
    name : str
        Its name, for the error.
    axes : int
        Axes that it must have at least.

    Raises
    ------
    InputError
        If it has fewer axes, is empty, or holds no real numbers.
    """
    try:
        xp = array_api_compat.array_namespace(x)
    except TypeError:
        x = np.asarray(x)
        xp = array_api_compat.array_namespace(x)
    if x.ndim < axes:
        wanted = "(..., bands, y, x)" if axes == 3 else f"{axes} axes"
        raise InputError(f"the {name} has shape {tuple(x.shape)}", fix=f"{wanted} is needed")
    if 0 in x.shape:
        raise InputError(f"the {name} is empty: its shape is {tuple(x.shape)}")
    if x.dtype in (xp.float32, xp.float64):
        return xp, x
    if not xp.isdtype(x.dtype, ("bool", "integral", "real floating")):
        raise InputError(f"the {name} holds {x.dtype}, not real numbers")
    small = xp.isdtype(x.dtype, "real floating") or not isinstance(x, np.ndarray)
    return xp, xp.astype(x, xp.float32 if small else xp.float64)


def as_pair(prediction: Any, target: Any) -> tuple[Any, Array, Array]:
    """Return the namespace and both arrays as floating ones, of one type.

    Raises
    ------
    InputError
        If the shapes differ: a paired metric between cubes that do not belong together means nothing, so nothing is
        broadcast. Also if one is an array and the other a tensor.
    """
    xp, a = as_floating(prediction, name="prediction")
    other, b = as_floating(target, name="target")
    if tuple(a.shape) != tuple(b.shape):
        raise InputError(
            f"prediction {tuple(a.shape)} and target {tuple(b.shape)} are not pairs",
            fix="paired metrics need the same shape; compare sets that are not paired with metrics.evaluate",
        )
    if xp is not other:
        raise InputError("one is an array and the other a tensor", fix="pass two of a kind")
    if a.dtype != b.dtype:
        a, b = xp.astype(a, xp.float64), xp.astype(b, xp.float64)
    return xp, a, b


def checked_range(data_range: float | None) -> float:
    """Return `data_range` if it is a positive number; real-valued cubes have no range of their own to fall back on."""
    if data_range is None:
        raise InputError(
            "the data range of real-valued cubes is ambiguous",
            where="data_range",
            fix="pass data_range=maximum - minimum of what the values can be, or of the real set",
        )
    value = float(data_range)
    if not (np.isfinite(value) and value > 0):
        raise InputError(
            f"data_range {data_range} is not a positive number",
            fix="give the range of the data, for example the target's maximum minus its minimum",
        )
    return value
