"""`BandLink`: the line in a plot of spectra and the slider of the canvas show the same band, whichever is moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.widgets.curve_plot import CurvePlot
from napari_hsisynth.widgets.layers import layer_cube, set_band, shown_band
from napari_hsisynth.widgets.readout import place_text
from napari_hsisynth.widgets.when_destroyed import when_destroyed


class BandLink(QObject):
    """Links the two.

    Parameters
    ----------
    viewer : napari.Viewer
    plot : CurvePlot
    layers : callable
        Returns the layers of the cubes that are shown, the front one first.
    parent : QObject

    Attributes
    ----------
    changed : Signal
        Another band is displayed.
    """

    changed = Signal()

    def __init__(self, viewer: Any, plot: CurvePlot, layers: Callable[[], Sequence[Image]], parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._plot, self._layers = viewer, plot, layers
        plot.band_dragged.connect(self._dragged)
        plot.band_line.sigPositionChangeFinished.connect(self.show)
        viewer.dims.events.point.connect(self.show)
        point, show = viewer.dims.events.point, self.show

        def let_go() -> None:
            point.disconnect(show)

        when_destroyed(parent, let_go)

    @property
    def axis_label(self) -> str:
        """What the spectral axis of the front cube is."""
        cube = self._front
        return "band" if cube is None else cube.axis_label

    @property
    def wavelength(self) -> float | None:
        """Wavelength of the displayed band of the front cube, nm; None without a cube."""
        cube = self._front
        return None if cube is None else float(cube.wavelengths_nm[shown_band(self._viewer, self._layers()[0])])

    @property
    def _front(self) -> Any:
        layers = self._layers()
        return layer_cube(layers[0]) if layers else None

    def show(self, _: object = None) -> None:
        """Put the line where the slider is."""
        if self._plot.band_line.moving:
            return  # the slider moves because the line is dragged; it snaps when it is let go
        at = self.wavelength
        self._plot.set_band(at, "" if at is None else place_text(at, self.axis_label))
        self.changed.emit()

    def _dragged(self, at: float) -> None:
        cube = self._front
        if cube is None:
            return
        layer, band = self._layers()[0], int(abs(cube.wavelengths_nm - at).argmin())
        self._plot.band_line.label.setFormat(place_text(float(cube.wavelengths_nm[band]), self.axis_label))
        if band != shown_band(self._viewer, layer):
            set_band(self._viewer, layer, band)
