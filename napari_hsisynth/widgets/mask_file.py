"""`save_mask`: the lesions of a loose cube as a PNG, where the user wants it."""

from __future__ import annotations

from pathlib import Path

from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.widgets.annotator import Annotator


def save_mask(parent: QWidget, annotator: Annotator) -> None:
    """Write the lesions beside the file of the cube, or where the user says if there is none; ask to overwrite."""
    target = annotator.target
    if target is None:
        return
    source = target.source
    path = source.with_name(f"{source.stem}_mask.png") if source is not None else None
    if path is None:
        suggested = f"{target.cube.name or 'cube'}_mask.png"
        name, _ = QFileDialog.getSaveFileName(parent, "Save the mask", suggested, "PNG (*.png)")
        path = Path(name) if name else None
    elif path.exists():
        answer = QMessageBox.question(parent, "Save the mask", f"{path.name} is there already. Overwrite it?")
        path = path if answer == QMessageBox.StandardButton.Yes else None
    if path is None:
        return
    try:
        annotator.lesions.export(path)
    except InputError as error:
        show_error(str(error))
    else:
        show_info(f"Mask saved: {path}")
