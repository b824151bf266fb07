"""What the manifest names besides docks: readers, writers and sample data for napari."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.utils.notifications import show_error, show_info, show_warning
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import format_of, read_cube, write_cube
from napari_hsisynth.widgets.layers import METADATA, cube_layer_data
from napari_hsisynth.widgets.session import session_for

PLUGIN = "napari-hsisynth"
LayerData = tuple[Any, ...]
Reader = Callable[..., list[LayerData]]
#: napari's sign for "read, but there is no layer to add".
_NOTHING: list[LayerData] = [(None,)]


def _paths(path: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]


def get_cube_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader of ``.mat``, ``.npz`` and ``.npy``; None for arrays that are no cubes but images of others.

    A ``.mat`` is never refused here, because nobody else reads it: reading says what is wrong with it.
    """
    return _read_cubes if all(_may_be_cube(each) for each in _paths(path)) else None


def _may_be_cube(path: Path) -> bool:
    if path.suffix.lower() != ".npy":
        return True
    try:
        return any(len(shape) == 3 for shape in _shapes(path))
    except (InputError, KeyError):
        return False


def _shapes(path: Path) -> list[Sequence[int]]:
    return [variable.shape for variable in format_of(path).variables(path)]


def get_tiff_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader of TIFF as a snapshot-mosaic frame (one page) or a stack of bands (several pages).

    It is one choice among others in napari's reader dialog, since most TIFF files are neither. Colour pictures are left
    to other readers.
    """
    try:
        dims = {len(shape) for each in _paths(path) for shape in _shapes(each)}
    except InputError:
        return None
    return _read_tiffs if dims <= {2, 3} else None


def _read_cubes(path: str | Sequence[str], **_: Any) -> list[LayerData]:
    return _layers(path, read_cube)


def _read_tiffs(path: str | Sequence[str], **_: Any) -> list[LayerData]:
    def read(file: Path) -> Cube:
        if len(_shapes(file)[0]) != 2:
            return read_cube(file)
        pattern, layout = mosaic_settings()
        return read_cube(file, mosaic=None if layout else pattern, layout=layout)

    return _layers(path, read)


def mosaic_settings() -> tuple[str, str | None]:
    """Return pattern (``"4x4"``) and layout file (None: unknown camera) from napari's preferences."""
    from napari.settings import get_plugin_settings

    try:
        mosaic = get_plugin_settings(PLUGIN).mosaic
    except (KeyError, AttributeError):  # the plugin is used without being installed in napari
        return "4x4", None
    return mosaic.pattern or "4x4", mosaic.layout or None


def _layers(path: str | Sequence[str], read: Callable[[Path], Cube]) -> list[LayerData]:
    """Read every file; in a viewer, one that is not a cube is named in a notification and the others still open."""
    viewer = napari.current_viewer()
    found: list[LayerData] = []
    for file in _paths(path):
        try:
            cube = read(file)
        except InputError as error:
            if viewer is None:
                raise
            show_error(str(error))
            continue
        found.append(cube_layer_data(cube))
        if cube.notes:
            show_info(f"{cube.name}: {'; '.join(cube.notes)}")
    if viewer is not None and found:
        session_for(viewer)  # writes the wavelength of the shown band on the canvas
    return found or _NOTHING


def get_study_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader that opens the study of a ``study.yaml`` dropped on napari."""
    return _open_study if napari.current_viewer() is not None else None


def _open_study(path: str | Sequence[str], **_: Any) -> list[LayerData]:
    from napari_hsisynth.widgets.workflow import open_workflow

    viewer = napari.current_viewer()
    assert viewer is not None
    try:
        session_for(viewer).open_study(_paths(path)[0])
    except InputError as error:
        show_error(str(error))
    else:
        open_workflow(viewer)
    return _NOTHING


# --- writing


def write_cube_layer(path: str, data: NDArray[Any], meta: dict[str, Any]) -> list[str]:
    """Write one image layer as a cube; the suffix of `path` chooses the format.

    Parameters
    ----------
    path : str
    data : ndarray, shape (bands, y, x)
    meta : dict
        The layer's state. Wavelengths come from our metadata, else from the first axis where that is in nm.

    Raises
    ------
    InputError
        If the layer is no cube or the file cannot be written.
    """
    lost = write_cube(path, cube_of_layer_data(data, meta))
    if lost:
        show_warning(f"{Path(path).name}: {'; '.join(lost)}")
    return [path]


def cube_of_layer_data(data: NDArray[Any], meta: dict[str, Any]) -> Cube:
    """Return the cube in napari's layer data; InputError if it is none."""
    from napari.layers import Image

    from napari_hsisynth.widgets.layers import layer_cube

    names = ("name", "metadata", "scale", "translate", "units", "axis_labels", "rgb", "multiscale")
    array = data if meta.get("multiscale") else np.asarray(data)
    cube = layer_cube(Image(array, **{name: meta[name] for name in names if meta.get(name) is not None}))
    if cube is None:
        raise InputError(
            f"the layer is not a cube: its shape is {np.shape(array)}",
            where=meta.get("name"),
            fix="save it as an image, or choose a layer of (bands, y, x)",
        )
    known = (meta.get("metadata") or {}).get(METADATA) or {}
    return cube.replace(provenance=known.get("provenance", {}))


# --- sample data


def _phantom(kind: str, sensor: str) -> list[LayerData]:
    from napari_hsisynth.optics import lesion_phantom

    made = lesion_phantom(kind, sensor=sensor)
    viewer = napari.current_viewer()
    if viewer is not None:
        session_for(viewer)
    mask = {"name": f"{made.cube.name} · lesion", "opacity": 0.4, "axis_labels": ("y", "x"), "visible": False}
    mask["units"] = ("pixel", "pixel")
    return [cube_layer_data(made.cube), (made.mask.astype(np.uint8), mask, "labels")]


def melanoma_phantom() -> list[LayerData]:
    """Simulate a melanoma as the 16-band camera of HSIDermoscopy would see it, with its true mask (hidden)."""
    return _phantom("melanoma", "hsidermoscopy")


def dysplastic_nevus_phantom() -> list[LayerData]:
    """Simulate a dysplastic nevus as the 16-band camera of HSIDermoscopy would see it, with its true mask (hidden)."""
    return _phantom("dysplastic_nevus", "hsidermoscopy")


def nevus_phantom() -> list[LayerData]:
    """Simulate a nevus as the 16-band camera of HSIDermoscopy would see it, with its true mask (hidden)."""
    return _phantom("nevus", "hsidermoscopy")


def ideal_melanoma_phantom() -> list[LayerData]:
    """Simulate the reflectance of a melanoma in even bands without noise, with its true mask (hidden)."""
    return _phantom("melanoma", "ideal")


def ideal_dysplastic_nevus_phantom() -> list[LayerData]:
    """Simulate the reflectance of a dysplastic nevus in even bands without noise, with its true mask (hidden)."""
    return _phantom("dysplastic_nevus", "ideal")


def ideal_nevus_phantom() -> list[LayerData]:
    """Simulate the reflectance of a nevus in even bands without noise, with its true mask (hidden)."""
    return _phantom("nevus", "ideal")
