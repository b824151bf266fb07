"""`SpectraDock`: the spectrum under the cursor, of pins and of labels, for every visible cube."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Labels
from qtpy.QtCore import QEvent, QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.spectra import TRANSFORM_LABELS, TRANSFORMS
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.curve_export import CurveExport
from napari_hsisynth.widgets.curve_list import CurveList, value_text
from napari_hsisynth.widgets.curve_plot import CurvePlot
from napari_hsisynth.widgets.curves import Curve, angle_deg, pixel_curve, value_range
from napari_hsisynth.widgets.empty_state import EmptyState
from napari_hsisynth.widgets.hover import Hover
from napari_hsisynth.widgets.label_spectra import LabelSpectra
from napari_hsisynth.widgets.layers import (
    cube_layers,
    front_cube_layer,
    is_cube_layer,
    layer_cube,
    pixel_at,
    set_band,
    shown_band,
)
from napari_hsisynth.widgets.opening import ask_for_cubes
from napari_hsisynth.widgets.pin_button import PinButton
from napari_hsisynth.widgets.pins import Pins
from napari_hsisynth.widgets.placing import OpenAtBottom
from napari_hsisynth.widgets.session import session_for

#: More cubes than this are not drawn at once.
MOST_CUBES = 8
#: Width of the list, and of the dock below which the list goes under the plot, in average characters.
_LIST_CHARACTERS, _NARROW = 34, 90
#: Height at which it opens, that below which the hint makes room, and the least, in lines of text: napari's layer
#: controls stand above it and need most of a low window.
_HEIGHT_LINES, _HINT_LINES, _LEAST_LINES = 15, 11, 8
_PLOT_LINES = 4


class SpectraDock(QWidget):
    """Spectra of what is on the canvas; changes nothing there but the pins, which are asked for.

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
        self._pinned = False
        self.hover = Hover(self.viewer, self)
        self.pins = Pins(self.viewer, self)
        self.labels = LabelSpectra(self.viewer, self)
        self._build()
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(0)
        self._refresh_timer.timeout.connect(self.refresh)
        self._connect()
        OpenAtBottom(self, _HEIGHT_LINES)
        self.refresh()

    # -- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.transform = QComboBox(self)
        self.transform.addItems(list(TRANSFORMS))
        self.transform.setToolTip("How spectra are shown; each pixel is transformed before a label is averaged")
        self.transform.setAccessibleName("transform")
        self.transform.setCurrentText(settings.value("spectra/transform", "raw"))
        self.pin_button = PinButton(self.session, self)
        self.remove_button = QPushButton("Remove", self)
        self.remove_button.setToolTip("Remove the selected pins (Delete)")
        self.fit_button = QPushButton("Fit", self)
        self.fit_button.setToolTip("Show all of the plot again after zooming")
        self.readout = QLabel(self)
        self.readout.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.readout.setTextFormat(Qt.TextFormat.PlainText)
        self.hint = QLabel(self.pin_button.hint, self)
        self.hint.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.hint.setWordWrap(True)
        self.plot = CurvePlot(self)
        self.plot.setMinimumHeight(_PLOT_LINES * self.fontMetrics().lineSpacing())
        self.list = CurveList(self)
        self.export = CurveExport(self.plot, lambda: (self.curves, self.transform_name), self)

        first, second = QHBoxLayout(), QHBoxLayout()
        for widget in (self.transform, self.pin_button, self.remove_button):
            first.addWidget(widget)
        second.addWidget(self.fit_button)
        second.addWidget(self.export)
        self._tools = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._tools.addLayout(first)
        self._tools.addWidget(self.readout, 1)
        self._tools.addLayout(second)
        self._splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._splitter.addWidget(self.plot)
        self._splitter.addWidget(self.list)
        self._splitter.setStretchFactor(0, 3)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([3000, 1000])
        self._splitter.setChildrenCollapsible(False)
        self._full = QWidget(self)
        column = QVBoxLayout(self._full)
        column.setContentsMargins(4, 2, 4, 2)
        column.setSpacing(2)
        column.addLayout(self._tools)
        column.addWidget(self._splitter, 1)
        column.addWidget(self.hint)
        self.empty = EmptyState(self)
        self.empty.add_button(
            "Open a cube",
            lambda: ask_for_cubes(self, self.viewer),
            "Choose a file: .mat, .npz, .npy or a raw mosaic TIFF",
        )
        self.empty.add_button("Make a phantom", self.open_phantom, "Simulate a melanoma; no file is needed")
        self._pages = QStackedLayout(self)
        self._pages.setSizeConstraint(QStackedLayout.SizeConstraint.SetNoConstraint)  # see minimumSizeHint
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self._full)

    def _connect(self) -> None:
        self.transform.currentTextChanged.connect(self._transform_chosen)
        self.pin_button.asked.connect(self.pin)
        self.pin_button.taken_back.connect(self._unpin)
        self.pin_button.hint_changed.connect(self.hint.setText)
        self.remove_button.clicked.connect(self.remove_selected)
        self.fit_button.clicked.connect(self.plot.fit)
        self.list.renamed.connect(self._rename)
        self.list.remove_asked.connect(self.remove_selected)
        self.list.itemSelectionChanged.connect(self._write_readout)
        self.plot.band_dragged.connect(self._band_dragged)
        self.plot.pointed.connect(self._write_readout)
        self.plot.band_line.sigPositionChangeFinished.connect(self._show_band)
        self.hover.moved.connect(self._moved)
        self.hover.moved_free.connect(self.plot.paint_now)
        self.pins.changed.connect(self._refresh_soon)
        self.labels.changed.connect(self._draw_fixed)
        viewer = self.viewer
        connections = [
            (viewer.layers.events, self._layers_event),
            (viewer.layers.selection.events.active, self._refresh_soon),
            (viewer.dims.events.point, self._show_band),
            (viewer.dims.events.ndisplay, self._refresh_soon),
        ]
        for emitter, slot in connections:
            emitter.connect(slot)

        def let_go(*_: object) -> None:
            for emitter, slot in connections:
                emitter.disconnect(slot)

        self.destroyed.connect(let_go)

    # -- what is on the canvas --------------------------------------------------------------------------------------

    @property
    def transform_name(self) -> str:
        """The chosen transform, a key of `spectra.TRANSFORMS`."""
        return self.transform.currentText()

    @property
    def curves(self) -> list[Curve]:
        """Every curve that is drawn: cursor, pins, labels."""
        return [*self._cursor, *self._fixed]

    def _layers_event(self, event: Any) -> None:
        # the list of layers passes on what happens in its layers, with their index
        if event.type in ("inserted", "removed", "reordered", "visible", "name", "metadata"):
            self._refresh_soon()
        elif event.type in ("data", "features", "face_color", "paint", "labels_update", "set_data", "colormap"):
            index = getattr(event, "index", None)
            layer = self.viewer.layers[index] if index is not None and index < len(self.viewer.layers) else None
            if isinstance(layer, Labels):
                self.labels.update_soon()
            elif event.type in ("data", "features", "face_color") and layer is not None:
                self._refresh_soon()

    def _refresh_soon(self, _: object = None) -> None:
        self._refresh_timer.start()

    def refresh(self) -> None:
        """Look at the layers again and draw everything."""
        self._layers = self._shown_layers()
        cubes = [(layer, layer_cube(layer)) for layer in self._layers]
        self._pages.setCurrentWidget(self._full if cubes else self.empty)
        if not cubes:
            hidden = any(is_cube_layer(layer) for layer in self.viewer.layers)
            self.empty.say(
                "The cubes are hidden: show one in the layer list, or open another."
                if hidden
                else "No cube to show. Open one, or make a phantom: a simulated lesion."
            )
        else:
            shown = [cube for _, cube in cubes if cube is not None]
            ranges = [value_range(cube, self.transform_name) for cube in shown]
            nm = [cube.wavelengths_nm for cube in shown]
            x = float(min(each.min() for each in nm)), float(max(each.max() for each in nm))
            y = min(low for low, _ in ranges), max(high for _, high in ranges)
            label = TRANSFORM_LABELS.get(self.transform_name, self.transform_name)
            self.plot.set_axes(shown[0].axis_label, label, x, y)
        self.labels.update(self._layers, self.transform_name)
        self._draw_fixed()
        self._moved(self.hover.position)
        self._show_band()

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

    # -- drawing --------------------------------------------------------------------------------------------------

    def _moved(self, position: tuple[float, ...]) -> None:
        """Draw the curves under the cursor."""
        if self._pages.currentWidget() is not self._full:
            self._cursor = []
            return
        found = (pixel_curve(layer, position, self.transform_name) for layer in self._layers)
        self._cursor = [curve for curve in found if curve is not None]
        self.plot.set_cursor(self._cursor)
        self._write_list()
        self._write_readout()

    def _draw_fixed(self) -> None:
        """Draw the curves of pins and labels."""
        self._fixed = [
            curve
            for pin in self.pins.pins
            for layer in self._layers
            if (
                curve := pixel_curve(
                    layer, pin.position_in(layer), self.transform_name, kind="pin", name=pin.name, colour=pin.colour
                )
            )
        ]
        self._fixed += self.labels.curves
        self.plot.set_curves(self._fixed)
        self._write_list()
        self._write_readout()
        self.summary_changed.emit()

    def _write_list(self) -> None:
        self.list.set_curves(self.curves, self._shown_wavelength(), with_cube=len(self._layers) > 1)

    def _write_readout(self, pointed: float | None = None) -> None:
        """Say angle of two selected curves, else the value at the mouse in the plot or at the displayed band."""
        chosen = self.list.chosen
        at = pointed if isinstance(pointed, float) else self._shown_wavelength()
        self.remove_button.setEnabled(any(curve.kind == "pin" for curve in chosen))
        if len(chosen) == 2:
            angle = angle_deg(*chosen)
            first, second = (
                f"{curve.name} ({curve.cube})" if len(self._layers) > 1 else curve.name for curve in chosen
            )
            self.readout.setText(f"{first} – {second}: spectral angle {angle:.2f}°")
            return
        curve = chosen[0] if chosen else next(iter(self._cursor), None)
        if curve is None or at is None:
            self.readout.setText("cursor outside the image")
            return
        nearest = float(curve.wavelengths_nm[abs(curve.wavelengths_nm - at).argmin()])
        self.readout.setText(
            f"{self._place_text(nearest)}: {value_text(curve.value_at(at))}   {curve.name}, {curve.detail}"
        )

    def _place_text(self, at: float) -> str:
        cube = layer_cube(self._layers[0]) if self._layers else None
        return f"band {at:g}" if cube is None or cube.axis_label == "band" else f"{at:.4g} nm"

    # -- the displayed band -----------------------------------------------------------------------------------------

    def _shown_wavelength(self) -> float | None:
        cube = layer_cube(self._layers[0]) if self._layers else None
        return None if cube is None else float(cube.wavelengths_nm[shown_band(self.viewer, self._layers[0])])

    def _show_band(self, _: object = None) -> None:
        if self.plot.band_line.moving:
            return  # the slider moves because the line is dragged; it snaps when it is let go
        at = self._shown_wavelength()
        self.plot.set_band(at, "" if at is None else self._place_text(at))
        self._write_list()
        self._write_readout()

    def _band_dragged(self, at: float) -> None:
        cube = layer_cube(self._layers[0]) if self._layers else None
        if cube is None:
            return
        band = int(abs(cube.wavelengths_nm - at).argmin())
        self.plot.band_line.label.setFormat(self._place_text(float(cube.wavelengths_nm[band])))
        if band != shown_band(self.viewer, self._layers[0]):
            set_band(self.viewer, self._layers[0], band)

    # -- pins -----------------------------------------------------------------------------------------------------

    def pin(self, position: tuple[float, ...]) -> None:
        """Keep the spectrum at a point in world coordinates."""
        inside = next((layer for layer in self._layers if pixel_at(layer, position) is not None), None)
        cube = layer_cube(inside) if inside is not None else None
        self._pinned = cube is not None
        if cube is not None:
            self.pins.add(position, cube.name)

    def _unpin(self) -> None:
        """Take the newest pin back."""
        if self._pinned and self.pins.pins:
            self.pins.remove([len(self.pins.pins) - 1])
        self._pinned = False

    def remove_selected(self) -> None:
        """Remove the selected pins."""
        chosen = {curve.name for curve in self.list.chosen if curve.kind == "pin"}
        self.pins.remove([number for number, pin in enumerate(self.pins.pins) if pin.name in chosen])

    def _rename(self, row: int, name: str) -> None:
        curve = self.list.curves[row]
        number = next((number for number, pin in enumerate(self.pins.pins) if pin.name == curve.name), None)
        if number is not None:
            self.pins.rename(number, name)

    # -- empty ------------------------------------------------------------------------------------------------------

    def open_phantom(self) -> None:
        """Open the simulated melanoma."""
        self.viewer.open_sample("napari-hsisynth", "melanoma")

    # -- the rest -----------------------------------------------------------------------------------------------------

    def summary(self) -> str:
        """Return ``2 cubes · 3 pins · 1 label``."""
        counts = [(len(self._layers), "cube"), (len(self.pins.pins), "pin"), (len(self.labels.curves), "label")]
        return " · ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts if count) or "no cube"

    def _transform_chosen(self, name: str) -> None:
        settings.set_value("spectra/transform", name)
        self.refresh()
        self.plot.fit()

    def minimumSizeHint(self) -> QSize:
        """As narrow as the narrow arrangement allows and as low as the wide one, whichever is shown."""
        metrics = self.fontMetrics()
        return QSize(_LIST_CHARACTERS * metrics.averageCharWidth(), _LEAST_LINES * metrics.lineSpacing())

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        metrics = self.fontMetrics()
        narrow = self.width() < _NARROW * metrics.averageCharWidth()
        self._tools.setDirection(QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight)
        self._splitter.setOrientation(Qt.Orientation.Vertical if narrow else Qt.Orientation.Horizontal)
        self.list.setMinimumWidth(1 if narrow else _LIST_CHARACTERS * metrics.averageCharWidth())
        self.hint.setVisible(self.height() >= _HINT_LINES * metrics.lineSpacing())

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "list"):
            self.list.refresh_looks()
            self._moved(self.hover.position)
