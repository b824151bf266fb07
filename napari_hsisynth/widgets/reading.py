"""Files and folders as cubes for napari: whose they are, what has to be asked, and what to say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
from napari.utils.notifications import show_error, show_info

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import AmbiguousVariableError, Variable, format_of, read_cube
from napari_hsisynth.widgets.layers import cube_layer_data
from napari_hsisynth.widgets.session import session_for

PLUGIN = "napari-hsisynth"
LayerData = tuple[Any, ...]
Reader = Callable[..., list[LayerData]]
#: napari's sign for "read, but there is no layer to add".
NOTHING: list[LayerData] = [(None,)]

#: Nobody else reads these: one that cannot be read here is not left to others without a word, reading says why.
_OURS_ALONE = (".mat", ".npz", ".bsq", ".bil", ".bip")
#: One picture in such a file can be a raw frame of a snapshot-mosaic camera.
FRAME_SUFFIXES = (".tif", ".tiff", ".png")


def paths_of(path: str | Path | Sequence[str | Path]) -> list[Path]:
    """Return what napari hands to a reader as a list."""
    return [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]


def may_be_cube(path: Path) -> bool:
    """Whether to offer reading a file or folder as a cube, without reading its values.

    Files of kinds that others read too are left to them unless they hold a cube: most folders are no cubes, and most
    arrays, HDF5 files and raw files are not either.
    """
    if path.name.lower().endswith(_OURS_ALONE):
        return True
    try:
        variables = format_of(path).variables(path)
    except InputError:
        return False
    except Exception:  # a damaged file, met outside of `read_cube`, which would say so
        return False
    return any(variable.is_cube for variable in variables) or _is_frame(path, variables)


def _is_frame(path: Path, variables: Sequence[Variable]) -> bool:
    """Whether a file holds nothing but one grey picture that can be a raw mosaic frame."""
    return (
        path.name.lower().endswith(FRAME_SUFFIXES)
        and len(variables) == 1
        and variables[0].numeric
        and len(variables[0].shape) == 2
    )


def mosaic_settings() -> dict[str, Any]:
    """Return what napari's preferences say of raw mosaic frames, as options of `read_cube`.

    The pattern (``"4x4"``) or the layout file, and whether to demosaic.
    """
    from napari.settings import get_plugin_settings

    try:
        mosaic = get_plugin_settings(PLUGIN).mosaic
    except (KeyError, AttributeError):  # the plugin is used without being installed in napari
        return {"mosaic": "4x4", "layout": None, "demosaic": False}
    layout = mosaic.layout or None
    return {
        "mosaic": None if layout else mosaic.pattern or "4x4",
        "layout": layout,
        "demosaic": bool(getattr(mosaic, "demosaic", False)),
    }


def read_one(path: Path, choose: Callable[[Path, Sequence[Variable]], str | None] | None = None) -> Cube | None:
    """Read one cube; a large one stays in its file, a raw frame is read as the preferences say.

    Parameters
    ----------
    path : pathlib.Path
    choose : callable, optional
        Asked for the name of the array where a file holds several; None from it means none.

    Returns
    -------
    Cube or None
        None if nothing was chosen.

    Raises
    ------
    InputError
        If the file is no cube, or holds several and there is nobody to ask.
    """
    options: dict[str, Any] = {"lazy": None}
    if path.name.lower().endswith(FRAME_SUFFIXES) and _is_frame(path, format_of(path).variables(path)):
        options |= mosaic_settings()
    try:
        return read_cube(path, **options)
    except AmbiguousVariableError as error:
        if choose is None:
            raise
        chosen = choose(path, error.choices)
        return None if chosen is None else read_cube(path, variable=chosen, **options)


def read_layers(path: str | Sequence[str], **_: Any) -> list[LayerData]:
    """Read files as napari's reader: in a viewer, bad ones are named in a notification and the others still open."""
    viewer = napari.current_viewer()
    found: list[LayerData] = []
    for file in paths_of(path):
        try:
            cube = read_one(file, None if viewer is None else ask_for_variable)
        except InputError as error:
            if viewer is None:
                raise
            show_error(str(error))
            continue
        if cube is None:
            continue
        found.append(cube_layer_data(cube))
        if cube.notes:
            show_info(f"{cube.name}: {'; '.join(cube.notes)}")
    if viewer is not None and found:
        session_for(viewer)  # writes the wavelength of the shown band on the canvas
    return found or NOTHING


def ask_for_variable(path: Path, choices: Sequence[Variable]) -> str | None:
    """Ask the user which array of a file to open; None if none."""
    from napari_hsisynth.widgets.variable_dialog import VariableDialog

    viewer = napari.current_viewer()
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    dialog = VariableDialog(path.name, choices, window)
    try:
        return dialog.chosen if dialog.exec() else None
    finally:
        dialog.deleteLater()
