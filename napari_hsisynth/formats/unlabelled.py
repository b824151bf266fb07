"""Arrays that do not say what their axes are: which one is the cube, and which of its axes are the bands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import HSIDERMOSCOPY_BANDS, Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray, Source

if TYPE_CHECKING:
    from napari_hsisynth.formats.registry import ReadOptions

#: Larger arrays are refused before memory is asked for: 4 GiB as float32, 60 times a cube of 1000 x 1000 x 16.
MAX_VALUES = 2**30
#: No camera has more.
MOST_BANDS = 100_000
#: Deflate cannot do better, so that a header claiming more is wrong.
MAX_DEFLATE_RATIO = 1032
#: Names under which other programs store band centres.
WAVELENGTH_NAMES = ("wavelengths_nm", "wavelengths", "wavelength")
#: Stored wavelengths outside are not nm.
PLAUSIBLE_NM = (100.0, 25_000.0)


@dataclass(frozen=True)
class Variable:
    """An array inside a file, as its header describes it.

    Parameters
    ----------
    name : str
    shape : tuple of int
    dtype : str
        As the format calls it.
    numeric : bool
        Real numbers: not text, not logical, not a container.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    numeric: bool = True

    @property
    def is_cube(self) -> bool:
        """Whether it can be a cube: numeric, three axes, none empty."""
        return self.numeric and len(self.shape) == 3 and min(self.shape) > 0

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape)) or 'scalar'} {self.dtype}"


class AmbiguousVariableError(InputError):
    """Several arrays of a file can be the cube, and the user did not say which.

    Parameters
    ----------
    choices : sequence of Variable
    """

    def __init__(self, choices: Sequence[Variable]) -> None:
        self.choices = tuple(choices)
        super().__init__(
            f"several 3-D numeric arrays: {'; '.join(map(str, choices))}", fix="choose one with --variable NAME"
        )


def check_claim(variable: Variable, stored_bytes: int, *, lazy: bool = False) -> None:
    """Refuse an array whose header claims more values than `stored_bytes` can hold, or than anyone can use.

    With `lazy`, when the values are to stay in the file, only the first.
    """
    values = math.prod(variable.shape)
    if min(variable.shape, default=0) < 0 or values > MAX_DEFLATE_RATIO * max(stored_bytes, 1):
        raise InputError(
            f"damaged: the header of '{variable.name}' claims {'x'.join(map(str, variable.shape))} values"
            f" in {stored_bytes:,} bytes"
        )
    if values > MAX_VALUES and not lazy:
        raise InputError(f"too large: '{variable.name}' has {values:,} values, at most {MAX_VALUES:,} are read")


def choose(variables: Sequence[Variable], wanted: str | None) -> Variable:
    """Return the array to read: the `wanted` one, else the only one that can be a cube.

    Raises
    ------
    InputError
        If there is none or there are several; the message names what there is.
    """
    listing = "; ".join(map(str, variables[:12])) or "nothing"
    if len(variables) > 12:
        listing += f"; and {len(variables) - 12} more"
    cubes = [variable for variable in variables if variable.is_cube]
    if wanted is not None:
        for variable in variables:
            if variable.name == wanted:
                if not variable.is_cube:
                    raise InputError(f"'{wanted}' is not a cube: {variable}", fix="a 3-D numeric array is needed")
                return variable
        raise InputError(f"no variable '{wanted}'", fix=f"the file holds: {listing}")
    if not cubes:
        raise InputError(f"not a cube: no 3-D numeric array (it holds: {listing})")
    if len(cubes) > 1:
        raise AmbiguousVariableError(cubes)
    return cubes[0]


def band_axis(shape: tuple[int, ...], bands: int | None, tie: Literal["first", "last"]) -> int:
    """Return which axis of an unlabelled 3-D array holds the bands: 0 or 2.

    The axis as long as the list of wavelengths, if there is one; else the one of 16, as in HSIDermoscopy; else the
    shorter of the first and the last; `tie` where these say nothing.

    Raises
    ------
    InputError
        If there are `bands` wavelengths and neither axis has that length.
    """
    ends = (0, 2)
    if bands is not None:
        fitting = [axis for axis in ends if shape[axis] == bands]
        if not fitting:
            raise InputError(f"{bands} wavelengths fit neither the first nor the last axis of {shape}")
        if len(fitting) == 1:
            return fitting[0]
    of_sixteen = [axis for axis in ends if shape[axis] == HSIDERMOSCOPY_BANDS]
    if len(of_sixteen) == 1:
        return of_sixteen[0]
    if shape[0] == shape[2]:
        return 0 if tie == "first" else 2
    return 0 if shape[0] < shape[2] else 2


def plausible_wavelengths(
    values: Any, shape: tuple[int, ...], axes: str | None = None
) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Return stored band centres if they can be those of an array of `shape`, else None and a note why not.

    Its bands are the axis "b" of `axes`, the first or the last where that is not known.
    """
    lengths = (shape[0], shape[2]) if axes is None else (shape[axes.index("b")],)
    try:
        found = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        return None, ("the stored wavelengths are not numbers and were left out",)
    if len(found) not in lengths:
        return None, (f"the {len(found)} stored wavelengths fit no band axis of {shape} and were left out",)
    low, high = PLAUSIBLE_NM
    if not (np.isfinite(found).all() and (found >= low).all() and (found <= high).all()):
        return None, (f"the stored wavelengths are not nm between {low:g} and {high:g} and were left out",)
    return found, ()


def unlabelled_cube(
    source: Source,
    *,
    path: Path,
    options: ReadOptions,
    provenance: Mapping[str, Any],
    stored_nm: Any = None,
    tie: Literal["first", "last"],
    axes: str | None = None,
    **fields: Any,
) -> Cube:
    """Make a cube of an array from another program.

    Parameters
    ----------
    source : Source
        3-D, in memory or not; `options` say whether the values may stay there.
    path : pathlib.Path
        Its stem becomes the name.
    options : ReadOptions
        The user's wavelengths and order of the axes win over what the file says or seems to be.
    provenance : mapping
        Beside the file's name, the stored dtype and the order of the axes.
    stored_nm : array_like, optional
        Wavelengths from the file.
    tie : {"first", "last"}
        Band axis where the shape says nothing.
    axes : str, optional
        The order of the axes if the file says it, for example ``"yxb"``.
    **fields
        ``scale``, ``missing`` and ``offset`` of `LazyArray`.
    """
    notes: tuple[str, ...] = ()
    axes = options.axes or axes
    given_nm = options.wavelengths_nm
    if given_nm is None and stored_nm is not None:
        stored_nm, notes = plausible_wavelengths(stored_nm, source.shape, axes)
    wavelengths = stored_nm if given_nm is None else np.array(given_nm, dtype=np.float64)
    if axes is None:
        axis = band_axis(source.shape, None if wavelengths is None else len(wavelengths), tie)
        axes = "byx" if axis == 0 else "yxb"
        place = "first" if axis == 0 else "last"
        notes = (f"the {place} of the three axes was taken as the bands", *notes)  # alike for a whole folder
    if source.shape[axes.index("b")] > MOST_BANDS:
        raise InputError(
            f"not a cube: {source.shape[axes.index('b')]:,} bands", fix="say the order of its axes, --axes"
        )
    data = LazyArray(source, (axes.index("b"), axes.index("y"), axes.index("x")), where=path, **fields)
    lazily = options.lazily(data.size) and not isinstance(source, np.ndarray)
    return Cube(
        data if lazily else np.asarray(data),
        wavelengths,
        name=path.stem,
        provenance={"source": path.name, **provenance, "dtype": str(source.dtype), "axes": axes},
        notes=notes,
    )
