"""`MapButton`: the menu that makes maps of a cube out of the spectrum that is selected."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_warning
from numpy.typing import NDArray
from qtpy.QtWidgets import QMenu, QPushButton, QWidget

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.optics import SKIN_INDEX_METHOD
from napari_hsisynth.spectra import MEASURES, resample
from napari_hsisynth.widgets import maps
from napari_hsisynth.widgets.curves import Curve
from napari_hsisynth.widgets.layers import layer_cube
from napari_hsisynth.widgets.work_row import Function, WorkRow

_SELECT = "Select a pin or another curve in the list"
_SELECT_SKIN = f"{_SELECT}: one of normal skin"


class MapButton(QPushButton):
    """Makes layers ``<cube> · angle to pin 1``, ``<cube> · melanin index`` and so on.

    Parameters
    ----------
    viewer : napari.Viewer
    work : WorkRow
        Where the maps are computed.
    chosen : callable
        Returns the curve that is selected; None if none or several are.
    front : callable
        Returns the layer of the front cube; None if there is none.
    parent : QWidget
    """

    def __init__(
        self,
        viewer: object,
        work: WorkRow,
        chosen: Callable[[], Curve | None],
        front: Callable[[], Image | None],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._work, self._chosen, self._front = viewer, work, chosen, front
        self.setText("Map")
        self.setToolTip("Map the whole cube: how alike each pixel is to the selected curve; melanin and blood of skin")
        self.setAccessibleName("make a map")
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)

    def fill(self) -> None:
        """Write the menu for the curve that is selected now."""
        menu, curve = self.menu(), self._chosen()
        menu.clear()
        usable = curve is not None and curve.raw is not None
        name = curve.name if usable and curve is not None else "..."
        for measure, known in MEASURES.items():
            title = maps.map_title(measure, name)
            action = menu.addAction(f"{title[0].upper()}{title[1:]}", partial(self.map_similarity, measure))
            action.setEnabled(usable)
            action.setToolTip(f"{known.label} of every pixel to {name}, as a layer" if usable else _SELECT)
        menu.addSeparator()
        plain = menu.addAction("Melanin and blood, values are reflectance", self.map_skin)
        plain.setToolTip(f"Maps of melanin and blood: {SKIN_INDEX_METHOD}. The values of the cube are reflectance.")
        relative = menu.addAction(f"Melanin and blood, {name} is normal skin", partial(self.map_skin, relative=True))
        relative.setEnabled(usable)
        relative.setToolTip(
            f"The same, with {name} taken for normal skin: units and lamp do not matter" if usable else _SELECT_SKIN
        )

    def map_similarity(self, measure: str) -> None:
        """Map the similarity to the selected curve, in the cube of the curve or else the front one."""
        curve = self._chosen()
        layer, cube = self._cube_of(curve)
        if curve is None or layer is None or cube is None:
            return
        spectrum = _on_bands(curve, cube)
        title = maps.map_title(measure, curve.name)
        self._begin(title, layer, cube, partial(maps.similarity, cube, spectrum, measure, curve.name))

    def map_skin(self, relative: bool = False) -> None:
        """Map melanin and blood; `relative`: the selected curve is normal skin."""
        curve = self._chosen() if relative else None
        layer, cube = self._cube_of(curve)
        if layer is None or cube is None or (relative and curve is None):
            return
        reference = None if curve is None else _on_bands(curve, cube)
        name = "" if curve is None else curve.name
        self._begin("melanin and blood", layer, cube, partial(maps.skin, cube, reference, name))

    def _cube_of(self, curve: Curve | None) -> tuple[Image | None, Cube | None]:
        layer = self._front() if curve is None or curve.layer is None else curve.layer
        return layer, None if layer is None else layer_cube(layer)

    def _begin(self, what: str, layer: Image, cube: Cube, function: Function) -> None:
        def take(found: list[maps.Map]) -> None:
            for each in found:
                maps.show_map(self._viewer, layer, cube, each)
            if not any(np.isfinite(each.values).any() for each in found):
                show_warning(f"{cube.name} · {what}: no pixel has a value")

        self._work.begin(f"{cube.name} · {what}", function, take)


def _on_bands(curve: Curve, cube: Cube) -> NDArray[np.float64]:
    """Return the measured values of a curve on the bands of a cube; NaN where it has none."""
    assert curve.raw is not None
    try:
        return resample(curve.raw, curve.wavelengths_nm, cube.wavelengths_nm)
    except InputError:  # two bands share a wavelength: only the cube's own order can be told
        return curve.raw if len(curve.raw) == cube.bands else np.full(cube.bands, np.nan)
