"""`SpectraDock`: the spectrum under the cursor, of pins and of regions, for every visible cube, beside references."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Labels, Points, Shapes
from napari.utils.notifications import show_info
from qtpy.QtCore import QEvent, QSize, QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_hsisynth.widgets.axis_titles import AxisTitles
from napari_hsisynth.widgets.band_link import BandLink
from napari_hsisynth.widgets.curve_export import CurveExport
from napari_hsisynth.widgets.curve_list import CurveList
from napari_hsisynth.widgets.curve_plot import CurvePlot
from napari_hsisynth.widgets.curves import Curve, pixel_curve
from napari_hsisynth.widgets.diagnosis_curves import DiagnosisCurves
from napari_hsisynth.widgets.hover import Hover
from napari_hsisynth.widgets.layers import (
    cube_layers,
    front_cube_layer,
    is_cube_layer,
    layer_cube,
)
from napari_hsisynth.widgets.map_button import MapButton
from napari_hsisynth.widgets.nearest_point import NearestPoint
from napari_hsisynth.widgets.pin_button import PinButton
from napari_hsisynth.widgets.pin_editor import PinEditor
from napari_hsisynth.widgets.pins import Pins
from napari_hsisynth.widgets.placing import OpenAtBottom
from napari_hsisynth.widgets.readout import Readout, place_text
from napari_hsisynth.widgets.reference_menu import ReferenceMenu
from napari_hsisynth.widgets.references import References
from napari_hsisynth.widgets.region_spectra import RegionSpectra
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.spectra_layout import SpectraLayout
from napari_hsisynth.widgets.spectra_tools import SpectraTools
from napari_hsisynth.widgets.treatment import Treatment
from napari_hsisynth.widgets.value_range import value_range
from napari_hsisynth.widgets.when_destroyed import when_destroyed
from napari_hsisynth.widgets.work_row import WorkRow

#: More cubes than this are not drawn at once.
MOST_CUBES = 8
#: The list and the readout follow the mouse at this pace, ms; the curve itself does at once.
_WRITE_PACE_MS = 33
_CHANGES_LAYERS = ("inserted", "removed", "reordered", "visible", "name", "metadata", "scale", "translate", "affine")
_CHANGES_COLOURS = ("colormap", "face_color", "edge_color", "edge_width")
_CHANGES_CONTENT = ("data", "features", "paint", "labels_update", "set_data", *_CHANGES_COLOURS)


class SpectraDock(QWidget):
    """Spectra of what is on the canvas; changes nothing there but what is asked for.

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    summary_changed : Signal
        `summary` has another text.
    """

    summary_changed = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.session = session_for(napari_viewer)
        self.viewer = self.session.viewer  # not a plugin's proxy, whose layers are other objects at every access
        self._layers: list[Image] = []
        self._cursor: list[Curve] = []
        self._fixed: list[Curve] = []
        self._treatment = Treatment()
        self._view = (0.0, 1.0), (0.0, 1.0)  # wavelengths and values that the plot shows when it shows everything
        self.hover = Hover(self.viewer, self)
        self.pins = Pins(self.viewer, self)
        self.regions = RegionSpectra(self.viewer, self)
        self._build()
        self._refresh_timer, self._write_timer = QTimer(self), QTimer(self)
        paces = ((self._refresh_timer, 0, self.refresh), (self._write_timer, _WRITE_PACE_MS, self._write))
        for timer, pace, slot in paces:
            timer.setSingleShot(True)
            timer.setInterval(pace)
            timer.timeout.connect(slot)
        self._connect()
        OpenAtBottom(self, self.arrangement.HEIGHT_LINES)
        self.diagnoses.turn(self.tools.shows("class means"))
        self.refresh()

    def _build(self) -> None:
        self.plot = CurvePlot(self)
        self.list = CurveList(self)
        self.tools = SpectraTools(self)
        self.readout = Readout(self)
        self.pin_button = PinButton(self.session, self)
        self.editor = PinEditor(self.pins, self.list, lambda: self._layers, self)
        self.export = CurveExport(self.plot, lambda: (self.curves, str(self._treatment)), self)
        self.references = References(self)
        self.reference_menu = ReferenceMenu(self.references, self.tools)
        self.work = WorkRow(self)
        self.diagnoses = DiagnosisCurves(self.session, self.work, self)
        self.map_button = MapButton(self.viewer, self.work, self._chosen_curve, self._front_layer, self.tools)
        self.band = BandLink(self.viewer, self.plot, lambda: self._layers, self)
        self.axis_titles = AxisTitles(self.plot)
        self.nearest = NearestPoint(self.plot, lambda: self.curves, self._point_text)
        self.arrangement = SpectraLayout(self)

    def _connect(self) -> None:
        tools = self.tools
        tools.treatment_changed.connect(self._treatment_chosen)
        tools.shown_changed.connect(self._shown_changed)
        tools.compared_lost.connect(
            lambda name: show_info(f"{name} was removed: spectra are no longer shown relative to it")
        )
        tools.remove_button.clicked.connect(self.editor.remove_selected)
        tools.put_back_button.clicked.connect(self.editor.put_back)
        tools.fit_button.clicked.connect(self.plot.fit)
        self.pin_button.asked.connect(self.pin)
        self.pin_button.taken_back.connect(self.editor.take_back)
        self.pin_button.hint_changed.connect(self._write_hint)
        self.list.itemSelectionChanged.connect(self._write_readout)
        self.nearest.moved.connect(self._pointed)
        self.band.changed.connect(self._write)
        self.hover.moved.connect(self._moved)
        self.hover.moved_free.connect(self.plot.paint_now)
        self.pins.changed.connect(self._refresh_soon)
        self.regions.changed.connect(self._draw_fixed)
        self.references.changed.connect(self._draw_fixed)
        self.diagnoses.changed.connect(self._draw_fixed)
        self.diagnoses.cancelled.connect(lambda: tools.shown["class means"].setChecked(False))
        viewer = self.viewer
        connections = [
            (viewer.layers.events, self._layers_event),
            (viewer.layers.selection.events.active, self._refresh_soon),
            (viewer.dims.events.ndisplay, self._refresh_soon),
        ]
        for emitter, slot in connections:
            emitter.connect(slot)

        def let_go() -> None:
            for emitter, slot in connections:
                emitter.disconnect(slot)

        when_destroyed(self, let_go)

    # -- what is on the canvas --------------------------------------------------------------------------------------

    @property
    def curves(self) -> list[Curve]:
        """Every curve that is drawn: cursor, pins, regions, references."""
        return [*self._cursor, *self._fixed]

    def _layers_event(self, event: Any) -> None:
        # the list of layers passes on what happens in its layers, with their index
        if event.type in _CHANGES_LAYERS:
            self._refresh_soon()
        elif event.type in _CHANGES_CONTENT:
            index = getattr(event, "index", None)
            layer = self.viewer.layers[index] if index is not None and index < len(self.viewer.layers) else None
            if isinstance(layer, Labels | Shapes):
                self.regions.update_soon()
            elif isinstance(layer, Points):
                if layer is self.pins.layer and self.pins.have_changed:  # "set_data" also comes with another band
                    self._refresh_soon()
            elif event.type == "data" and layer is not None:
                self._refresh_soon()

    def _refresh_soon(self, _: object = None) -> None:
        self._refresh_timer.start()

    def refresh(self) -> None:
        """Look at the layers again and draw everything."""
        self._layers = self._shown_layers()
        shown = [cube for layer in self._layers if (cube := layer_cube(layer)) is not None]
        self.arrangement.show_full(bool(shown), any(is_cube_layer(layer) for layer in self.viewer.layers))
        pins = self.pins.look()
        self.tools.list_pins(pins)
        self.tools.put_back_button.setVisible(bool(self.pins.removed))
        relative = self.editor.compared(self.tools.compared)
        self._treatment = Treatment(self.tools.transform.currentText(), self.tools.window, relative)
        if shown:
            ranges = [value_range(cube, self._treatment) for cube in shown]
            nm = [cube.wavelengths_nm for cube in shown]
            x = float(min(each.min() for each in nm)), float(max(each.max() for each in nm))
            y = min(low for low, _ in ranges), max(high for _, high in ranges)
            self._view = x, y
            self.plot.set_axes(shown[0].axis_label, self._treatment.label, x, y)
            self.axis_titles.place()
            self.reference_menu.set_known_wavelengths(shown[0].axis_label != "band")
        layers = self._layers if self.tools.shows("regions") else []
        self.regions.update(layers, self._treatment, self.tools.quartiles)
        self._draw_fixed()
        self._moved(self.hover.position)
        self.band.show()

    def _shown_layers(self) -> list[Image]:
        """Visible cubes, the front one first; only those whose axis means the same as that of the front one."""
        front = front_cube_layer(self.viewer)
        if front is None or self.viewer.dims.ndisplay != 2:
            return []
        first = layer_cube(front)
        layers = [front, *(layer for layer in cube_layers(self.viewer) if layer is not front)]
        cubes = [(layer, layer_cube(layer)) for layer in layers]
        same = [layer for layer, cube in cubes if cube and first and cube.axis_label == first.axis_label]
        return same[:MOST_CUBES]

    def _chosen_curve(self) -> Curve | None:
        """The selected curve; the only pin if nothing is selected."""
        chosen = self.list.chosen or [curve for curve in self._fixed if curve.kind == "pin"]
        return chosen[0] if len(chosen) == 1 else None

    def _front_layer(self) -> Image | None:
        return self._layers[0] if self._layers else None

    def _shown_changed(self, name: str) -> None:
        if name == "class means":
            self.diagnoses.turn(self.tools.shows(name))
        self._refresh_soon()

    def _treatment_chosen(self) -> None:
        self.refresh()
        self.plot.fit()

    # -- drawing --------------------------------------------------------------------------------------------------

    def _moved(self, position: tuple[float, ...]) -> None:
        """Draw the curves under the cursor; what is written about them follows at a pace that can be read."""
        if not self._layers or not self.tools.shows("cursor"):
            self._cursor = []
        else:
            found = (pixel_curve(layer, position, self._treatment) for layer in self._layers)
            self._cursor = [curve for curve in found if curve is not None]
        self.plot.set_cursor(self._cursor)
        if not self._write_timer.isActive():
            self._write_timer.start()

    def _draw_fixed(self) -> None:
        """Draw the curves that do not follow the cursor."""
        pins = self.pins.pins if self.tools.shows("pins") else []
        self._fixed = [*self.editor.curves(pins, self._treatment), *self.regions.curves]
        if self.band.axis_label != "band":  # what follows has wavelengths
            self._fixed += self.diagnoses.curves(self._treatment, self.tools.quartiles)
            self._fixed += self.references.curves(*self._view, self._treatment)
        self.plot.set_curves(self._fixed)
        self._write()
        self._write_hint()
        self.summary_changed.emit()

    # -- writing ----------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        self.list.set_curves(self.curves, self.band.wavelength, with_cube=len(self._layers) > 1)
        self._write_readout()

    def _write_readout(self) -> None:
        chosen = self.list.chosen
        self.tools.remove_button.setEnabled(any(curve.kind == "pin" for curve in chosen))
        first = next(iter(self._cursor), None)
        self.readout.say_chosen(chosen, first, self.band.wavelength, self.band.axis_label)

    def _write_hint(self, _: str = "") -> None:
        left_out = self.regions.left_out
        more = f"{left_out} more region{'s' * (left_out != 1)} not shown" if left_out else ""
        parts = [self.diagnoses.state, more, self.pin_button.hint]
        self.arrangement.hint.say(" · ".join(part for part in parts if part))

    def _pointed(self, curve: Curve | None, at: float) -> None:
        """The mouse is near a point in the plot, or near none."""
        if curve is None:
            self._write_readout()
        else:
            self.readout.say(curve, at, self.band.axis_label)

    def _point_text(self, curve: Curve, band: int) -> str:
        at = float(curve.wavelengths_nm[band])
        return f"{place_text(at, self.band.axis_label)}: {curve.values[band]:.4g}  {curve.name}"

    # -- the rest -----------------------------------------------------------------------------------------------------

    def pin(self, position: tuple[float, ...]) -> None:
        """Keep the spectrum at a point in world coordinates."""
        self.editor.add(position)

    def open_phantom(self) -> None:
        """Open the simulated melanoma."""
        self.viewer.open_sample("napari-hsisynth", "melanoma")

    def summary(self) -> str:
        """Return ``2 cubes · 3 pins · 1 label``."""
        kinds = [curve.kind for curve in self.regions.curves]
        counts = [
            (len(self._layers), "cube"),
            (len(self.pins.pins), "pin"),
            (kinds.count("label"), "label"),
            (kinds.count("shape"), "shape"),
        ]
        return " · ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts if count) or "no cube"

    def minimumSizeHint(self) -> QSize:
        """As narrow as the narrow arrangement allows and as low as the wide one, whichever is shown."""
        return self.arrangement.minimum

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.arrangement.arrange()

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_write_timer"):
            self.list.refresh_looks()
            self._moved(self.hover.position)
