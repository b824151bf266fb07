"""What our own files say about a cube beside its values: name, provenance, and whether its wavelengths are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray


def provenance_json(cube: Cube) -> str:
    """Return the provenance as JSON in ASCII, which every format and MATLAB's ``jsondecode`` can hold."""
    try:
        return json.dumps(dict(cube.provenance), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"its provenance cannot be stored ({error})", where=cube.name or "cube", fix="use JSON types only"
        ) from None


def storable_name(cube: Cube) -> str:
    """Return the name without what no file can hold: file names on Linux may be bytes that are no text."""
    return cube.name.encode("utf-8", "replace").decode("utf-8")


def labelled_cube(
    data: NDArray[Any] | LazyArray,
    *,
    given_nm: Sequence[float] | None,
    stored_nm: NDArray[Any] | None,
    known: bool,
    name: str,
    provenance: str,
) -> Cube:
    """Make the cube that one of our own files holds, as it was written.

    Parameters
    ----------
    data : ndarray or LazyArray, shape (bands, y, x)
    given_nm : sequence of float, optional
        The user's wavelengths, which win.
    stored_nm : ndarray, shape (bands,), optional
        The file's.
    known : bool
        False where the stored ones were only assumed when the file was written.
    name : str
    provenance : str
        JSON object.
    """
    try:
        meta = json.loads(provenance) if provenance else {}
    except json.JSONDecodeError as error:
        raise InputError(f"damaged: its provenance is not JSON ({error})") from None
    if not isinstance(meta, dict):
        raise InputError("damaged: its provenance is not a JSON object")
    if given_nm is not None:
        return Cube(data, np.array(given_nm, dtype=np.float64), name=name, provenance=meta)
    if stored_nm is None or known:
        return Cube(data, stored_nm, name=name, provenance=meta)  # type: ignore[arg-type]
    return Cube.with_assumed_wavelengths(
        data,
        stored_nm,
        name=name,
        provenance=meta,
        notes=("the wavelengths are not known: those in the file were assumed when it was written",),
    )
