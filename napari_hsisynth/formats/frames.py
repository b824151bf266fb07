"""Raw frames of a snapshot-mosaic camera as cubes, from whatever file they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.formats.demosaic import METHOD, demosaic
from napari_hsisynth.formats.registry import ReadOptions

_UNORDERED = (
    "bands are in the order of the mosaic's positions, row by row, and their wavelengths are unknown;"
    " a layout's CSV (--mosaic LAYOUT.csv) sorts and names them"
)


def frame_cube(frame: NDArray[Any], path: Path, options: ReadOptions, *, kind: str) -> Cube:
    """Unfold or demosaic a frame by ``options.layout``.

    Parameters
    ----------
    frame : ndarray, shape (y, x)
    path : pathlib.Path
        Its stem becomes the name.
    options : ReadOptions
        The user's wavelengths win over those of the layout.
    kind : str
        For the provenance.

    Returns
    -------
    Cube
        Unfolded: counts as they are, of the frame's size divided by the pattern's. Demosaiced: of the frame's size.

    Raises
    ------
    InputError
        If the frame does not hold whole patterns (unfolding) or not one of them (demosaicing).
    """
    layout = options.layout
    assert layout is not None
    provenance: dict[str, Any] = {
        "source": path.name,
        "dtype": str(frame.dtype.newbyteorder("=")),
        "format": kind,
        "mosaic": f"{layout.rows}x{layout.cols}",
        "layout": layout.source,
        "mosaic_positions": [[row, col] for row, col in layout.positions],
    }
    notes: tuple[str, ...] = ()
    if options.demosaic:
        data = demosaic(frame, layout)
        provenance |= {"demosaiced": True, "demosaic_method": METHOD}
        notes = (f"demosaiced: of each band, one in {layout.rows * layout.cols} values was measured",)
    else:
        data = layout.unfold(frame)
    given = options.wavelengths_nm or layout.centres_nm
    if given is not None:
        return Cube(data, np.array(given), name=path.stem, provenance=provenance, notes=notes)
    return Cube.with_assumed_wavelengths(
        data, np.arange(len(data)), name=path.stem, provenance=provenance, notes=(*notes, _UNORDERED)
    )
