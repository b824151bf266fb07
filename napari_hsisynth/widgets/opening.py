"""Ask for files and folders of cubes and open them in the viewer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_hsisynth.formats import list_formats
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.reading import PLUGIN, may_be_cube, read_layers

_FOLDER = "opening/folder"


def file_patterns() -> str:
    """Return the filters of a file dialog: what the known formats are called, and all, for raw files of any name."""
    suffixes = dict.fromkeys(
        suffix for known in list_formats() if known.readable and not known.folders for suffix in known.suffixes
    )
    return f"cubes ({' '.join('*' + suffix for suffix in suffixes)});;all files (*)"


def ask_for_cubes(parent: QWidget, viewer: Any) -> None:
    """Open the files that the user chooses, each as a layer; the folder is remembered."""
    names, _ = QFileDialog.getOpenFileNames(parent, "Open cubes", settings.value(_FOLDER, ""), file_patterns())
    _open(viewer, names)


def ask_for_folder(parent: QWidget, viewer: Any) -> None:
    """Open a folder that is a cube: a Zarr store, or one picture per band."""
    name = QFileDialog.getExistingDirectory(parent, "Open a folder as a cube", settings.value(_FOLDER, ""))
    _open(viewer, [name] if name else [])


def _open(viewer: Any, names: Iterable[str]) -> None:
    for name in names:
        settings.set_value(_FOLDER, str(Path(name).parent))
        try:
            viewer.open(name, plugin=PLUGIN)
        except ValueError as error:  # napari's, for a name that it has no reader for or that ours leaves to others
            if not may_be_cube(Path(name)):
                show_warning(str(error))
                continue
            # raw files may have any name or none that napari could know
            for data, *rest in read_layers(name):
                if data is not None:
                    viewer.add_image(data, **rest[0])
