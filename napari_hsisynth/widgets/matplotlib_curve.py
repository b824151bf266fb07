"""`MatplotlibCurve`: the spectrum under the cursor drawn by matplotlib, to measure our own plot against."""

from __future__ import annotations

from typing import Any

from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure

from napari_hsisynth.widgets.layers import front_cube_layer, layer_cube, pixel_at


class MatplotlibCurve(FigureCanvasQTAgg):
    """Clears and plots again at every move, as spectral plugins do that use matplotlib.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__(Figure())
        self._viewer = viewer
        self._axes = self.figure.add_subplot()

    def moved(self, viewer: Any, event: Any) -> None:
        """Draw the spectrum at the position of napari's mouse event; found and read as for our own plot."""
        layer = front_cube_layer(self._viewer)
        cube, pixel = layer_cube(layer), pixel_at(layer, event.position) if layer is not None else None
        self._axes.clear()
        if cube is not None and pixel is not None:
            self._axes.plot(cube.wavelengths_nm, cube.data[(slice(None), *pixel)])
        self._axes.set_xlabel("wavelength (nm)")
        self._axes.set_ylabel("value")
        self.draw()
