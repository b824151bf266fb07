"""Ask for files of cubes and open them in the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_hsisynth.widgets import settings

_PATTERNS = "cubes (*.mat *.npz *.npy *.tif *.tiff)"
_FOLDER = "opening/folder"


def ask_for_cubes(parent: QWidget, viewer: Any) -> None:
    """Open the files that the user chooses, each as a layer; the folder is remembered."""
    names, _ = QFileDialog.getOpenFileNames(parent, "Open cubes", settings.value(_FOLDER, ""), _PATTERNS)
    for name in names:
        settings.set_value(_FOLDER, str(Path(name).parent))
        try:
            viewer.open(name, plugin="napari-hsisynth")
        except ValueError as error:  # napari's, for a picture that our readers leave to others
            show_warning(str(error))
