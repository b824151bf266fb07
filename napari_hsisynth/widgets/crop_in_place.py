"""`CropInPlace`: a crop over its cube, pixel on pixel, where it was cut from."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.cube import Cube
from napari_hsisynth.study import CropRecord, read_crop
from napari_hsisynth.widgets.layers import cube_layer_data
from napari_hsisynth.widgets.session import Session

_ROOM_AROUND = 0.3  # about the crop, as a share of the window


class CropInPlace(QObject):
    """Shows one crop at a time as a layer ``<crop> · crop``; it goes when another cube is shown.

    The cube's layer stays the active one, so that whoever annotates goes on with the cube.

    Parameters
    ----------
    session : Session
    parent : QObject

    Attributes
    ----------
    layer : Image or None
        Of the crop.
    record : CropRecord or None
        Which crop it is.
    changed : Signal
        Another crop is shown, or none.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self.session, self.viewer = session, session.viewer
        self.layer: Image | None = None
        self.record: CropRecord | None = None
        self.viewer.layers.events.removed.connect(self._layer_removed)
        session.cube_changed.connect(self._cube_changed)

    def close(self) -> None:
        """Let go of the session and the viewer; the layer stays."""
        for signal, slot in (
            (self.viewer.layers.events.removed, self._layer_removed),
            (self.session.cube_changed, self._cube_changed),
        ):
            try:
                signal.disconnect(slot)
            except (ValueError, TypeError, RuntimeError):  # gone already, with its viewer
                continue

    def open(self, record: CropRecord) -> None:
        """Show the crop's cube, and the crop over it; another crop goes.

        Raises
        ------
        InputError
            If the crop or its cube cannot be read; then what was shown stays.
        """
        study = self.session.study
        if study is None:
            return
        crop = read_crop(study.crops_dir, record)
        if self.session.cube_id != record.cube_id or self.session.cube_layer is None:
            self.session.show_cube(record.cube_id)
        self._remove()
        cube_layer = self.session.cube_layer
        data, options, _ = in_place(crop.cube, record)
        self.layer, self.record = self.viewer.add_image(data, **options), record
        if cube_layer is not None:  # right above it, below lesions, prompts and boxes
            layers = self.viewer.layers
            layers.move(layers.index(self.layer), layers.index(cube_layer) + 1)
            layers.selection.active = cube_layer
        self.viewer.reset_view(layers=[self.layer], margin=_ROOM_AROUND)
        self.changed.emit()

    def back(self) -> None:
        """Take the crop away and show all of its cube."""
        if self.record is None:
            return
        self._remove()
        cube_layer = self.session.cube_layer
        if cube_layer is not None:
            self.viewer.reset_view(layers=[cube_layer])
        self.changed.emit()

    def _remove(self) -> None:
        layer, self.layer, self.record = self.layer, None, None
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)

    def _cube_changed(self, cube_id: str | None) -> None:
        if self.record is not None and cube_id != self.record.cube_id:
            self._remove()
            self.changed.emit()

    def _layer_removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self.layer = self.record = None
            self.changed.emit()


def in_place(cube: Cube, record: CropRecord) -> tuple[Any, dict[str, Any], str]:
    """Return a crop as a layer whose pixels lie on those of its cube, or, if it was resized, cover the same box."""
    data, options, kind = cube_layer_data(cube)
    heights = [1 / scale for scale in record.scale_yx]  # of a pixel of the crop, in pixels of the cube
    # a layer's place is the centre of its first pixel
    starts = [start - 0.5 + 0.5 * height for start, height in zip((record.y0, record.x0), heights, strict=True)]
    options["scale"] = (options["scale"][0], *heights)
    options["translate"] = (options["translate"][0], *starts)
    options["name"] = f"{record.crop_id} · crop"
    return data, options, kind
