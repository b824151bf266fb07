"""`ViewDock`: what the cube in front is, pictures of it, its contrast, and corrections of it."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QComboBox, QPushButton, QStackedLayout, QWidget

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Cancelled
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.band_contrast import BandContrast
from napari_hsisynth.widgets.correction_form import Correction, CorrectionForm
from napari_hsisynth.widgets.cube_facts import CubeFacts
from napari_hsisynth.widgets.empty_state import EmptyState
from napari_hsisynth.widgets.fold import Fold
from napari_hsisynth.widgets.layers import (
    cube_layer_data,
    cube_layers,
    front_cube_layer,
    is_borrowed,
    is_cube_layer,
    layer_cube,
    set_band,
    shown_band,
)
from napari_hsisynth.widgets.opening import ask_for_cubes, ask_for_folder
from napari_hsisynth.widgets.scroll_column import ScrollColumn
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.task_row import TaskRow, Work
from napari_hsisynth.widgets.view_chooser import VIEW_TIPS, ViewChooser, WantedView
from napari_hsisynth.widgets.view_layers import ViewLayers
from napari_hsisynth.widgets.when_destroyed import when_destroyed

_CONTRAST, _CORRECTIONS = "view/contrast", "view/corrections_open"
_COMMON, _PER_BAND = "common", "per band"
#: Work on more values than this goes on in a thread, with a bar: the largest that takes less than 0.1 s.
_AT_ONCE_VALUES = 2**22
#: What happens to layers that can change what is shown here.
_LOOK_AGAIN = ("inserted", "removed", "reordered", "visible", "name", "metadata", "data")


class ViewDock(QWidget):
    """The front cube in one line, and what can be made of it: views above it, corrected cubes beside it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.session = session_for(napari_viewer)
        self.viewer = self.session.viewer  # not a plugin's proxy, whose layers are other objects at every access
        self.views = ViewLayers(self.viewer)
        self.band_contrast = BandContrast(self.viewer, self)
        self._layer: Image | None = None
        self._locked = ""
        self._build()
        self._wanted_field: QWidget = self.corrections.white
        self._refresh_timer, self._scroll_timer = QTimer(self), QTimer(self)
        for timer, slot in ((self._refresh_timer, self.refresh), (self._scroll_timer, self._scroll)):
            timer.setSingleShot(True)
            timer.setInterval(0)
            timer.timeout.connect(slot)
        self._connect()
        self.band_contrast.turn(self.contrast.currentText() == _PER_BAND)
        self.refresh()

    # -- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        area = ScrollColumn(self)
        content, column = area.content, area.column
        self.facts = CubeFacts(content)
        self.chooser = ViewChooser(content)
        self.add_button = QPushButton("Add view", content)
        self.task = TaskRow(content)
        self.contrast = QComboBox(content)
        self.contrast.setAccessibleName("contrast")
        for name, tip in (
            (_COMMON, "One range of values for all bands, so that bands can be compared"),
            (_PER_BAND, "The range of the displayed band (0.5th to 99.5th percentile), so that each is well seen"),
        ):
            self.contrast.addItem(name)
            self.contrast.setItemData(self.contrast.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.contrast.setToolTip("What becomes black and white; the values themselves stay as they are")
        self.contrast.setCurrentText(settings.value(_CONTRAST, _COMMON))
        self.chooser.form.addRow("", self.add_button)
        self.chooser.form.addRow(self.task)
        self.chooser.form.addRow("contrast", self.contrast)
        self.corrections = CorrectionForm(content)
        self.fold = Fold("Corrections", self.corrections, settings.value(_CORRECTIONS, False), content)
        for widget in (self.facts, self.chooser, self.fold):
            column.addWidget(widget)
        column.addStretch(1)
        self._full = area
        self.empty = EmptyState(self)
        self.empty.add_button(
            "Open a cube", lambda: ask_for_cubes(self, self.viewer), "Choose a file of any known format"
        )
        self.empty.add_button(
            "Open a folder",
            lambda: ask_for_folder(self, self.viewer),
            "Choose a folder that is a cube: a Zarr store, or one picture per band",
        )
        self.empty.add_button("Make a phantom", self.open_phantom, "Simulate a melanoma; no file is needed")
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(area)

    def _connect(self) -> None:
        self.chooser.changed.connect(self._update_button)
        self.chooser.band_chosen.connect(self._band_chosen)
        self.add_button.clicked.connect(self.add_view)
        self.task.finished.connect(self._update_button)
        self.contrast.currentTextChanged.connect(self._contrast_chosen)
        self.corrections.asked.connect(self.correct)
        self.fold.toggled.connect(lambda is_open: settings.set_value(_CORRECTIONS, is_open))
        viewer = self.viewer
        connections = [
            (viewer.layers.events, self._layers_event),
            (viewer.layers.selection.events.active, self._refresh_soon),
            (viewer.dims.events.point, self._show_band),
        ]
        for emitter, slot in connections:
            emitter.connect(slot)

        def let_go() -> None:
            for emitter, slot in connections:
                emitter.disconnect(slot)

        when_destroyed(self, let_go)

    # -- what is in front -------------------------------------------------------------------------------------------

    def _layers_event(self, event: Any) -> None:
        # the list of layers passes on what happens in its layers
        if event.type in _LOOK_AGAIN:
            self._refresh_soon()

    def _refresh_soon(self, _: object = None) -> None:
        self._refresh_timer.start()

    def refresh(self) -> None:
        """Look at the layers again."""
        layer = self._layer = front_cube_layer(self.viewer)
        self._pages.setCurrentWidget(self._full if layer is not None else self.empty)
        if layer is None:
            hidden = any(is_cube_layer(one) for one in self.viewer.layers)
            self.empty.say(
                "The cubes are hidden: show one in the layer list, or open another."
                if hidden
                else "No cube to show. Open one, or make a phantom: a simulated lesion."
            )
        self._locked = "this is one of the pair that Compare shows" if layer is not None and is_borrowed(layer) else ""
        in_study = layer is not None and layer is self.session.cube_layer
        self.facts.show_layer(layer, self._locked or ("a cube of the study: its axes are settled" if in_study else ""))
        others = [one for one in cube_layers(self.viewer, visible=False) if one is not layer and not is_borrowed(one)]
        self.corrections.show_layer(layer, others, self._locked)
        self._show_band()
        self._update_button()

    def _show_band(self, _: object = None) -> None:
        layer = self._layer
        if layer is not None and layer in self.viewer.layers:
            self.chooser.show_layer(layer, shown_band(self.viewer, layer))

    def _band_chosen(self, band: int) -> None:
        if self._layer is not None and self._layer in self.viewer.layers:
            set_band(self.viewer, self._layer, band)

    def _contrast_chosen(self, name: str) -> None:
        settings.set_value(_CONTRAST, name)
        self.band_contrast.turn(name == _PER_BAND)

    # -- views ------------------------------------------------------------------------------------------------------

    def _update_button(self) -> None:
        wanted, layer = self.chooser.wanted(), self._layer
        if wanted is None:
            text, tip = "Show the cube", "Hide the views that were made of it"
        else:
            there = layer is not None and any(one.name.endswith(f" · {wanted.name}") for one in self.views.of(layer))
            text = "Update view" if there else "Add view"
            tip = f"{VIEW_TIPS[self.chooser.view]}, as a layer above the cube"
        self.add_button.setText(text)
        self.add_button.setEnabled(layer is not None and not self._locked and not self.task.active)
        self.add_button.setToolTip(self._locked or ("Wait for what is being made" if self.task.active else tip))

    def add_view(self) -> None:
        """Make the chosen view of the front cube, or bring it up to date; for the single band, show the cube itself."""
        layer, wanted = self._layer, self.chooser.wanted()
        cube = layer_cube(layer) if layer is not None else None
        if layer is None or cube is None or self.task.active:
            return
        if wanted is None:
            self.views.hide(layer)
            return

        def work(progress: Any = None, cancelled: Any = None) -> Any:
            def tick(done: int, rows: int) -> None:
                if cancelled is not None and cancelled():
                    raise Cancelled
                if progress is not None:
                    progress(done, rows)

            return wanted.make(cube, tick=tick)

        self._do(
            cube, work, lambda picture: self._take_view(layer, cube, wanted, picture), f"{wanted.name} of {cube.name}"
        )

    def _take_view(self, layer: Image, cube: Cube, wanted: WantedView, picture: Any) -> str:
        if layer not in self.viewer.layers or layer.data is not cube.data:
            return f"{cube.name} is no longer there as it was: nothing was added"
        self.views.show(layer, wanted.name, picture, wanted.options)
        return ""

    # -- corrections ------------------------------------------------------------------------------------------------

    def show_corrections(self, what: str) -> None:
        """Open the corrections at ``"flat field"`` or ``"bands"``."""
        self.fold.set_open(True)
        field = self.corrections.white if what == "flat field" else self.corrections.band_factor
        field.setFocus()
        self._wanted_field = field
        self._scroll_timer.start()  # not before the fold has its place

    def _scroll(self) -> None:
        self._full.ensureWidgetVisible(self._wanted_field)

    def correct(self, correction: Correction) -> None:
        """Make a corrected cube of the front one, as a new layer."""
        layer = self._layer
        cube = layer_cube(layer) if layer is not None else None
        if layer is None or cube is None or self.task.active:
            return

        def work(progress: Any = None, cancelled: Any = None) -> Any:
            made = correction.make(cube)
            if cancelled is not None and cancelled():
                raise Cancelled
            notes = tuple(note for note in made.notes if note not in cube.notes)
            made = made.replace(name=f"{cube.name} {correction.name}".strip())
            return cube_layer_data(made), notes

        self._do(cube, work, lambda result: self._take_cube(layer, cube, correction, *result), correction.name)

    def _take_cube(
        self,
        layer: Image,
        cube: Cube,
        correction: Correction,
        made: tuple[Any, dict[str, Any], Any],
        notes: tuple[str, ...],
    ) -> str:
        data, options, _ = made
        options["name"] = f"{cube.name or layer.name} · {correction.name}"
        factor = correction.pixel_factor
        if layer in self.viewer.layers:  # lies over the cube that it was made of
            scale, translate = layer.scale[-2:], layer.translate[-2:]
            options["scale"] = (options["scale"][0], *(factor * scale))
            options["translate"] = (options["translate"][0], *(translate + (factor - 1) / 2 * scale))
        added = self.viewer.add_image(data, **options)
        self.viewer.layers.selection.active = added
        if notes:
            show_info(f"{added.name}: {'; '.join(notes)}")
        return f"✔ {added.name}"

    # -- the rest -----------------------------------------------------------------------------------------------------

    def _do(self, cube: Cube, work: Work, done: Any, title: str) -> None:
        """Do small work at once, and what takes long in a thread with a bar."""
        if cube.is_lazy or cube.data.size > _AT_ONCE_VALUES:
            self.task.start(work, done, title=title, unit="rows")
        else:
            try:
                self.task.say(done(work()))
            except InputError as error:
                self.task.say(f"✖ {error}")
        self._update_button()

    def open_phantom(self) -> None:
        """Open the simulated melanoma."""
        self.viewer.open_sample("napari-hsisynth", "melanoma")

    def sizeHint(self) -> QSize:
        """That of what it shows when there is a cube, so that opening one does not change the window."""
        return self._full.sizeHint()
