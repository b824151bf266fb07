"""`CubeFacts`: what a cube is, in one line, and the button that takes its axes for others."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.widgets.axes import axes_text, file_axes, other_axes, swap_axes
from napari_hsisynth.widgets.layers import layer_cube, value_sample
from napari_hsisynth.widgets.scroll_column import wrapping_label


def facts_of(cube: Cube) -> list[str]:
    """Return what a cube is, piece by piece: size, bands, type, axes of its file, range of its values."""
    height, width = cube.shape_yx
    facts = [f"{height} x {width} px", bands_text(cube)]
    stored = cube.provenance.get("dtype")
    facts.append(stored if isinstance(stored, str) and stored else "float32")
    axes = file_axes(cube.provenance)
    if axes is not None:
        # the readers' words for an axis that they had to guess
        inferred = any("taken as the bands" in note for note in cube.notes) and not _swapped(cube)
        facts.append(f"axes of the file {axes_text(axes)}{' (inferred)' if inferred else ''}")
    values = value_sample(cube.data)
    finite = values[np.isfinite(values)]
    if finite.size:
        about = "about " if finite.size < cube.data.size else ""
        facts.append(f"values {about}{finite.min():.4g} to {finite.max():.4g}")
    else:
        facts.append("no finite value found")
    if cube.is_lazy:
        facts.append("read from the file as needed")
    return facts


def bands_text(cube: Cube) -> str:
    """Return ``16 bands 465-630 nm``."""
    count = f"{cube.bands} band{'' if cube.bands == 1 else 's'}"
    if cube.axis_label == "band":
        return f"{count}, wavelengths unknown"
    low, high = float(cube.wavelengths_nm.min()), float(cube.wavelengths_nm.max())
    place = f"{low:.4g} nm" if low == high else f"{low:.4g}-{high:.4g} nm"
    return f"{count} {place}{'' if cube.wavelengths_known else ' (assumed)'}"


def _swapped(cube: Cube) -> bool:
    steps = cube.provenance.get("processing")
    return isinstance(steps, list) and any(isinstance(one, dict) and one.get("step") == "reorder" for one in steps)


class CubeFacts(QWidget):
    """The line and the button.

    Parameters
    ----------
    parent : QWidget

    Attributes
    ----------
    swapped : Signal
        The axes of the layer are other ones.
    """

    swapped = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._layer: Image | None = None
        self._told: tuple[Any, Cube | None] = (None, None)
        self.line = wrapping_label(self)
        self.swap_button = QPushButton("Swap axes", self)
        self.swap_menu = QMenu(self.swap_button)
        self.swap_button.setMenu(self.swap_menu)
        row = QHBoxLayout()
        row.addWidget(self.swap_button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        layout.addLayout(row)

    def show_layer(self, layer: Image | None, locked: str = "") -> None:
        """Describe a cube layer.

        Parameters
        ----------
        layer : Image, optional
        locked : str
            Why its axes cannot be swapped; empty if they can.
        """
        self._layer = layer
        cube = layer_cube(layer) if layer is not None else None
        self.swap_button.setEnabled(cube is not None and not locked)
        self.swap_button.setToolTip(
            locked or "Take the three axes for others, if the image looks wrong; swapping back undoes it"
        )
        if self._told == (layer, cube) and cube is not None:
            return
        self._told = (layer, cube)
        facts = facts_of(cube) if cube is not None else []
        self.line.setText(" · ".join(facts))
        self.line.setToolTip("\n".join([*facts, *(cube.notes if cube is not None else ())]))
        self.swap_menu.clear()
        for axes, text in other_axes(cube) if cube is not None else []:
            self.swap_menu.addAction(text, lambda axes=axes: self.swap(axes))

    def swap(self, axes: str) -> None:
        """Take the axes of the shown layer for others, as for `swap_axes`."""
        if self._layer is None:
            return
        try:
            swap_axes(self._layer, axes)
        except InputError as error:
            show_error(str(error))
        else:
            self.swapped.emit()
