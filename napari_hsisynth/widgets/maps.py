"""Maps of a cube as layers: how alike its pixels are to a spectrum, and what skin they are by the reflectance model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils import Colormap
from napari.utils.colormaps.colormap_utils import ensure_colormap
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.optics import SKIN_INDEX_METHOD, skin_indices
from napari_hsisynth.spectra import MEASURES, similarity_map
from napari_hsisynth.study import Cancelled
from napari_hsisynth.widgets.layers import unwrapped
from napari_hsisynth.widgets.work_row import Told

#: Key in ``layer.metadata`` of a map.
METADATA = "hsisynth_map"
#: Of a cube so many values at a time, after which progress is told and a wish to stop is heard.
_BLOCK_VALUES = 2**21
#: Percentiles of a map between which its colours lie, where the measure has no end of its own.
_CONTRAST = (1.0, 99.0)
_SAME = "viridis"


@dataclass(frozen=True, eq=False)
class Map:
    """A map and how it is shown.

    Parameters
    ----------
    title : str
        What comes after the name of the cube in that of the layer.
    values : ndarray, float32, shape (y, x)
    unit : str
        Empty where there is none.
    about : str
        What the values are, in a sentence.
    colours : str
        Name of a colormap of napari.
    turned : bool
        Whether low values are the bright ones.
    ends : tuple of float or None
        Ends of the colours; None for a percentile of the values.
    """

    title: str
    values: NDArray[np.float32]
    unit: str
    about: str
    colours: str = _SAME
    turned: bool = False
    ends: tuple[float | None, float | None] = (None, None)


def similarity(
    cube: Cube, spectrum: NDArray[np.float64], measure: str, name: str, told: Told, cancelled: Callable[[], bool]
) -> list[Map]:
    """Return the map of the similarity to a spectrum on the bands of a cube; `Cancelled` if that is wished."""
    values = np.empty(cube.shape_yx, np.float32)
    for rows, part in _parts(cube, told, cancelled):
        values[rows] = similarity_map(part, spectrum, measure)
    known = MEASURES[measure]
    similar_is_low = known.similar == "low"
    ends = (known.lowest, None) if similar_is_low else (None, known.highest)
    about = f"{known.label} to {name}; bright is alike"
    return [Map(map_title(measure, name), values, known.unit, about, turned=similar_is_low, ends=ends)]


def map_title(measure: str, name: str) -> str:
    """Return ``"angle to pin 1"``."""
    word = "with" if measure == "correlation" else "to"
    return f"{measure.removeprefix('spectral ')} {word} {name}"


def skin(
    cube: Cube, reference: NDArray[np.float64] | None, name: str, told: Told, cancelled: Callable[[], bool]
) -> list[Map]:
    """Return the maps of melanin and blood; `reference` is normal skin on the bands of the cube, called `name`."""
    melanin, blood = np.empty(cube.shape_yx, np.float32), np.empty(cube.shape_yx, np.float32)
    for rows, part in _parts(cube, told, cancelled):
        found = skin_indices(part, reference=reference)
        melanin[rows], blood[rows] = found.melanin_fraction, found.blood_fraction
    how = f"{SKIN_INDEX_METHOD}; {f'{name} taken for normal skin' if name else 'values taken for reflectance'}"
    return [  # the last one lies on top
        Map("blood index", blood, "", f"volume fraction of blood in the dermis: {how}", "inferno"),
        Map("melanin index", melanin, "", f"volume fraction of melanosomes in the epidermis: {how}", "magma"),
    ]


def _parts(cube: Cube, told: Told, cancelled: Callable[[], bool]) -> Any:
    """Walk over a cube in smaller ones."""
    for rows, block in cube.blocks(_BLOCK_VALUES):
        if cancelled():
            raise Cancelled
        yield rows, cube.replace(data=block)
        told(rows.stop, cube.shape_yx[0])


def show_map(viewer: Any, cube_layer: Image, cube: Cube, found: Map) -> Image:
    """Show a map as a layer above its cube; one of the same title and cube has its values replaced."""
    viewer = unwrapped(viewer)
    key = {"cube": cube.name, "title": found.title}
    for layer in viewer.layers:
        known = layer.metadata.get(METADATA)
        if isinstance(known, dict) and key.items() <= known.items() and layer.data.shape == found.values.shape:
            layer.data = found.values
            layer.metadata[METADATA] = {**known, "about": found.about}
            return layer
    active = viewer.layers.selection.active
    layer = Image(
        found.values,
        name=f"{cube.name} · {found.title}",
        colormap=_colormap(found),
        contrast_limits=_limits(found),
        scale=cube_layer.scale[-2:],
        translate=cube_layer.translate[-2:],
        units=cube_layer.units[-2:],
        axis_labels=cube_layer.axis_labels[-2:],
        interpolation2d="nearest",
        metadata={METADATA: {**key, "unit": found.unit, "about": found.about}},
    )
    layer.colorbar.visible = True
    at = viewer.layers.index(cube_layer) + 1 if cube_layer in viewer.layers else len(viewer.layers)
    while at < len(viewer.layers) and METADATA in viewer.layers[at].metadata:
        viewer.layers[at].colorbar.visible = False  # what lies under the new one has nothing to say
        at += 1
    viewer.layers.insert(at, layer)  # not over the pins and regions that are compared
    if active is not None:
        viewer.layers.selection.active = active
    return layer


def _colormap(found: Map) -> Colormap:
    colours = ensure_colormap(found.colours)
    if not found.turned:
        return colours
    return Colormap(colours.colors[::-1], controls=1 - colours.controls[::-1], name=f"{found.colours} turned")


def _limits(found: Map) -> tuple[float, float]:
    values = found.values[np.isfinite(found.values)]
    if not len(values):
        return 0.0, 1.0
    percentiles = (float(value) for value in np.percentile(values, _CONTRAST))
    low, high = (seen if end is None else end for end, seen in zip(found.ends, percentiles, strict=True))
    return (low, high) if high > low else (low, low + 1.0)
