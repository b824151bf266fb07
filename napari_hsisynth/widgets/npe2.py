"""What the manifest names besides docks: readers, writers and sample data for napari."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.utils.notifications import show_error, show_warning

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import write_cube
from napari_hsisynth.lazy_array import LazyArray
from napari_hsisynth.widgets.layers import METADATA, cube_layer_data
from napari_hsisynth.widgets.reading import (
    NOTHING,
    PLUGIN,
    LayerData,
    Reader,
    may_be_cube,
    paths_of,
    read_layers,
)
from napari_hsisynth.widgets.session import session_for


def get_cube_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader of every known format, files and folders; None for those that are no cubes but may be others'.

    A study's folder opens as a study.
    """
    paths = paths_of(path)
    if all((each / "study.yaml").is_file() for each in paths):
        return get_study_reader(path)
    return read_layers if all(may_be_cube(each) for each in paths) else None


def get_study_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader that opens the study of a ``study.yaml`` dropped on napari."""
    return _open_study if napari.current_viewer() is not None else None


def _open_study(path: str | Sequence[str], **_: Any) -> list[LayerData]:
    from napari_hsisynth.widgets.workflow import open_workflow

    viewer = napari.current_viewer()
    assert viewer is not None
    try:
        session_for(viewer).open_study(paths_of(path)[0])
    except InputError as error:
        show_error(str(error))
    else:
        open_workflow(viewer)
    return NOTHING


# --- corrections


def open_flat_field(viewer: napari.Viewer) -> None:
    """Open the View dock at its flat-field and dark correction."""
    _view_dock(viewer).show_corrections("flat field")


def open_fewer_bands(viewer: napari.Viewer) -> None:
    """Open the View dock where bands are binned and cropped."""
    _view_dock(viewer).show_corrections("bands")


def _view_dock(viewer: napari.Viewer) -> Any:
    dock, view = viewer.window.add_plugin_dock_widget(PLUGIN, "View")
    dock.show()
    dock.raise_()
    return view


# --- writing


def write_cube_layer(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one image layer as a cube; the suffix of `path` chooses the format.

    Parameters
    ----------
    path : str
    data : ndarray or LazyArray, shape (bands, y, x)
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


def cube_of_layer_data(data: Any, meta: dict[str, Any]) -> Cube:
    """Return the cube in napari's layer data; InputError if it is none."""
    from napari.layers import Image

    from napari_hsisynth.widgets.layers import layer_cube

    names = ("name", "metadata", "scale", "translate", "units", "axis_labels", "rgb", "multiscale")
    array = data if meta.get("multiscale") or isinstance(data, LazyArray) else np.asarray(data)
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
    return [cube_layer_data(made.cube), (made.instances, mask, "labels")]


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
