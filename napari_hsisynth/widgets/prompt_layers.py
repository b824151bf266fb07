"""`PromptLayers`: clicks and a box on a lesion, as napari layers that can be pointed into, moved and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.layers import Layer, Points, Shapes
from napari.utils.notifications import show_warning
from psygnal import Signal

from napari_hsisynth.segment import Prompts
from napari_hsisynth.widgets.box_grip import BoxGrip
from napari_hsisynth.widgets.overlay_layer import lay_over

#: Readable on dark lesions and on light skin, and no diagnosis's colour.
INSIDE, OUTSIDE, EDGE = "#F0E442", "#FFFFFF", "#000000"
_INSIDE_SYMBOL, _OUTSIDE_SYMBOL = "disc", "x"
#: A press and release this close is a click, not a drag; and one this close to a prompt takes hold of it. Screen px.
_CLICK, _HOLD = 5.0, 9.0


class PromptLayers:
    """The prompts on one cube: a Points layer and a Shapes layer with at most one box.

    Left click sets an inside point, with Ctrl an outside one; a drag draws a box in any direction; dragging a point
    moves it, and so the box by its inside, its edges and its corners; Delete removes the point clicked last, else the
    newest prompt; Shift and drag moves the view. A click on a point chooses it, and one that means the other kind (with
    Ctrl on an inside point, without on an outside one) makes it that kind. A drag that is broken off, as by Esc,
    changes nothing. The user may also use napari's own tools on both layers, or delete them: the prompts are kept, and
    come back with `start`. The next cube gets the same layers.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    changed : Signal(Prompts)
        The user changed the prompts, or is about to; not sent by `set`.
    stepped : Signal(str)
        A change is complete: what was done, for people.
    active_changed : Signal(bool)
        Clicks now do, or no longer, make prompts.
    """

    changed = Signal(object)
    stepped = Signal(str)
    active_changed = Signal(bool)

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.points: Points | None = None
        self.box: Shapes | None = None
        self.prompts = Prompts()
        self.dragging = False
        self._press, self._before = 0, self.prompts  # which press of the button it is, and what was there before it
        self._image: Layer | None = None
        self._newest_is_box = False
        self._quiet = False
        viewer.layers.selection.events.active.connect(self._active_changed)
        viewer.layers.events.removed.connect(self._removed)

    # --- what others call

    @property
    def active(self) -> bool:
        """Whether clicks make prompts now."""
        return self.points is not None and self.viewer.layers.selection.active is self.points

    def attach(self, image: Layer) -> None:
        """Belong to the cube of a layer, without prompts."""
        self._let_loose()
        self._image, self.prompts = image, Prompts()
        for layer, what in ((self.points, "prompts"), (self.box, "box")):
            if layer is not None:
                lay_over(self.viewer, layer, image, what)
        self._show()

    def detach(self) -> None:
        """Belong to no cube; the layers stay for the next one, until `remove`."""
        self._let_loose()
        self._image, self.prompts = None, Prompts()

    def start(self) -> None:
        """Let clicks make prompts."""
        if self._image is None or self._image not in self.viewer.layers:
            return
        self._ensure_layers()
        self.viewer.layers.selection.active = self.points

    def stop(self) -> None:
        """Give the mouse back; the prompts stay."""
        if self.active and self._image in self.viewer.layers:
            self.viewer.layers.selection.active = self._image

    def set(self, prompts: Prompts) -> None:
        """Show these prompts."""
        self.prompts = prompts
        if self.points is None and prompts and self._image is not None:
            self._ensure_layers()
        self._show()

    def remove(self) -> None:
        """Take the layers away."""
        points, box = self.points, self.box
        self.points = self.box = None
        for layer in (points, box):
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def disconnect(self) -> None:
        """Remove the layers and stop listening to the viewer."""
        self.remove()
        self.viewer.layers.selection.events.active.disconnect(self._active_changed)
        self.viewer.layers.events.removed.disconnect(self._removed)

    # --- layers

    def _ensure_layers(self) -> None:
        image = self._image
        assert image is not None
        if self.points is not None and self.box is not None:
            return
        before = self.viewer.layers.selection.active
        if self.box is None:
            self.box = self.viewer.add_shapes(edge_color=INSIDE, face_color="transparent")
            lay_over(self.viewer, self.box, image, "box")
            self.box.events.data.connect(self._box_edited)
        if self.points is None:
            self.points = self.viewer.add_points(
                np.zeros((0, 2)),
                features={"inside": np.zeros(0, int)},
                feature_defaults={"inside": 1},
                size=self._size,
                face_color=INSIDE,
                border_color=EDGE,
                border_width=0.15,
            )
            points = self.points
            lay_over(self.viewer, points, image, "prompts")
            points.events.data.connect(self._points_edited)
            points.events.mode.connect(self._keep_still)
            points.mouse_drag_callbacks.append(self._mouse)
            for key in ("Delete", "Backspace"):
                points.bind_key(key, self._delete, overwrite=True)
            self._keep_still()
        self.viewer.layers.selection.active = before
        self._show()

    @property
    def _size(self) -> float:
        # in pixels of the image; a fiftieth of it can be hit and hides little
        return max(2.0, max(self._image.data.shape[-2:]) / 50) if self._image is not None else 10.0

    def _keep_still(self, _: Any = None) -> None:
        # napari pans with the left button in this mode; here it points
        if self.points is not None and self.points.mode == "pan_zoom":
            self.points.mouse_pan = False

    def _removed(self, event: Any) -> None:
        if event.value is self.points:
            self.points = None
        elif event.value is self.box:
            self.box = None

    def _active_changed(self, _: Any = None) -> None:
        if self.points is not None:
            self._keep_still()
        if not self.active:
            # napari tells only the active layer that the button was released
            broken_off, before = self.dragging, self._before
            self._let_loose()
            if broken_off and self._image is not None and self.prompts is not before:
                self._change(before)
        self.active_changed.emit(self.active)

    def _show(self) -> None:
        """Bring both layers up to date; what they show already is left alone, since napari takes long over it."""
        self._quiet = True
        try:
            if self.points is not None:
                self._show_points(self.points)
            if self.box is not None:
                self._show_box(self.box)
        finally:
            self._quiet = False

    def _show_points(self, layer: Points) -> None:
        wanted = np.array(self.prompts.points, float).reshape(-1, 2)
        labels = np.array(self.prompts.labels, int)
        if np.array_equal(layer.data, wanted) and np.array_equal(layer.features.get("inside"), labels):
            return
        layer.selected_data = set()
        layer.data = wanted
        layer.features = {"inside": labels}
        layer.feature_defaults = {"inside": 1}
        if len(labels):
            layer.size = self._size
            layer.symbol = np.where(labels == 1, _INSIDE_SYMBOL, _OUTSIDE_SYMBOL)
            layer.face_color = [INSIDE if label else OUTSIDE for label in labels]

    def _show_box(self, layer: Shapes) -> None:
        wanted = []
        if self.prompts.box is not None:
            y0, x0, y1, x1 = np.array(self.prompts.box) - 0.5  # pixels are centred on whole numbers
            wanted = [np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])]
        if len(layer.data) == len(wanted) and all(map(np.array_equal, layer.data, wanted)):
            return
        layer.selected_data = set()
        layer.data = []
        if wanted:
            layer.add_rectangles(wanted, edge_width=self._size / 8, edge_color=INSIDE)

    def _change(self, prompts: Prompts, done: str = "") -> None:
        """Show other prompts and tell of them; `done` says what was done, if that is complete."""
        self.prompts = prompts
        self._show()
        self.changed.emit(prompts)
        if done:
            self.stepped.emit(done)

    # --- what the user does with napari's own tools

    def _points_edited(self, event: Any) -> None:
        if (
            self._quiet
            or self._image is None
            or self.points is None
            or str(getattr(event, "action", "")).endswith("ing")
        ):
            return
        features = self.points.features
        labels = [int(bool(value)) for value in features["inside"].fillna(1)] if "inside" in features else []
        found = zip(self.points.data, labels, strict=False)
        kept = [(point, label) for point, label in found if self._holds(point)]
        self._change(Prompts([p for p, _ in kept], [label for _, label in kept], self.prompts.box), "points")

    def _box_edited(self, event: Any) -> None:
        if self._quiet or self._image is None or self.box is None or str(getattr(event, "action", "")).endswith("ing"):
            return
        box = None
        if len(self.box.data):
            # a box drawn with napari's tool is any two corners; ours has its edges between pixels
            ends = np.array([self.box.data[-1].min(axis=0), self.box.data[-1].max(axis=0)])
            box = self._clipped(ends[0] + 0.5, ends[1] - 0.5)
        self._change(Prompts(self.prompts.points, self.prompts.labels, box), "box")

    # --- the mouse

    def _let_loose(self) -> None:
        """Whatever the mouse is in the middle of goes no further."""
        self.dragging = False
        self._press += 1

    def _holds(self, point: Any) -> bool:
        height, width = self._image.data.shape[-2:] if self._image is not None else (0, 0)
        return -0.5 <= point[0] < height - 0.5 and -0.5 <= point[1] < width - 0.5

    def _clipped(self, one: Any, other: Any) -> tuple[int, int, int, int] | None:
        """Return the pixels of a drag, in any direction, within the image; None if it misses it."""
        assert self._image is not None
        low = np.floor(np.minimum(one, other) + 0.5)
        high = np.floor(np.maximum(one, other) + 0.5) + 1
        (y0, x0), (y1, x1) = np.maximum(low, 0), np.minimum(high, self._image.data.shape[-2:])
        return (int(y0), int(x0), int(y1), int(x1)) if y1 > y0 and x1 > x0 else None

    @property
    def _sees_pixels(self) -> bool:
        """Whether rows and columns of the cube are what is shown; not so in 3-D, or when a band axis is."""
        dims = self.viewer.dims
        return dims.ndisplay == 2 and set(dims.displayed) == {dims.ndim - 2, dims.ndim - 1}

    def _mouse(self, layer: Points, event: Any) -> Iterator[None]:
        if event.button != 1 or layer.mode != "pan_zoom" or self._image is None:
            return
        if "Shift" in event.modifiers:
            yield from self._pan(event)
            return
        if not self._sees_pixels:
            show_warning("Prompts need the 2-D view of rows and columns: switch back to it.")
            return
        self._let_loose()
        press, start = self._press, np.array(layer.world_to_data(event.position))
        screen, before = np.array(event.pos, float), self.prompts
        self._before = before
        held = self._nearest(start)
        grip = BoxGrip.at(before.box, start, self._reach) if held is None and before.box is not None else None
        yield
        while event.type == "mouse_move":
            if self._press != press:
                return  # another cube was shown meanwhile, or the prompting ended
            self.dragging = self.dragging or float(np.hypot(*(np.array(event.pos) - screen))) > _CLICK
            if self.dragging:
                self._drag(held, grip, start, np.array(layer.world_to_data(event.position)))
            yield
        if self._press != press:
            return
        if self.dragging:
            self.dragging = False
            if self.prompts is not before:
                what = "move a point" if held is not None else "move the box" if grip is not None else "box"
                self._change(self.prompts, what)
        else:
            self._click(layer, held, start, 0 if "Control" in event.modifiers else 1)

    def _click(self, layer: Points, held: int | None, at: Any, label: int) -> None:
        """Set a point, or choose the one that was clicked, or make it one of the other kind."""
        points, labels, box = self.prompts.points, self.prompts.labels, self.prompts.box
        if held is None and not self._holds(at):
            return
        self._newest_is_box = False
        if held is not None and labels[held] == label:
            layer.selected_data = {held}
            return
        if held is None:
            clicked = Prompts((*points, tuple(at)), (*labels, label), box)
        else:
            clicked = Prompts(points, (*labels[:held], label, *labels[held + 1 :]), box)
        self._change(clicked, "click inside" if label else "click outside")

    def _drag(self, held: int | None, grip: BoxGrip | None, start: Any, here: Any) -> None:
        """Show what the drag has come to; the segmenter is asked along the way."""
        assert self._image is not None
        now = self.prompts
        if held is not None:
            if self._holds(here):
                points = [*now.points]
                points[held] = tuple(here)
                self._change(Prompts(points, now.labels, now.box))
            return
        box = self._clipped(start, here) if grip is None else grip.dragged(here, self._image.data.shape[-2:])
        if box is not None and box != now.box:
            self._newest_is_box = True
            self._change(Prompts(now.points, now.labels, box))

    @property
    def _reach(self) -> float:
        """How far from a prompt the mouse still takes hold of it, px of the image.

        No further than a point is wide: on a small picture there would else be no room for a second one.
        """
        return min(_HOLD / self.viewer.scene.camera.zoom, self._size)

    def _nearest(self, at: Any) -> int | None:
        """Index of the point under the mouse."""
        if not self.prompts.points:
            return None
        distances = np.hypot(*(np.array(self.prompts.points, float) - at).T)
        reach = max(self._reach, self._size / 2)
        return int(distances.argmin()) if distances.min() <= reach else None

    def _pan(self, event: Any) -> Iterator[None]:
        camera, last = self.viewer.scene.camera, np.array(event.pos, float)
        yield
        while event.type == "mouse_move":
            here = np.array(event.pos, float)  # x, y on the screen
            shift = (here - last)[::-1] / camera.zoom
            camera.center = (*camera.center[:-2], *(np.array(camera.center[-2:]) - shift))
            last = here
            yield

    def _delete(self, layer: Points) -> None:
        prompts, selected = self.prompts, layer.selected_data
        if prompts.box is not None and not selected and (self._newest_is_box or not prompts.points):
            self._change(Prompts(prompts.points, prompts.labels), "delete the box")
        elif prompts.points:
            gone = {index for index in selected if index < len(prompts.points)} or {len(prompts.points) - 1}
            kept = [index for index in range(len(prompts.points)) if index not in gone]
            points, labels = [prompts.points[i] for i in kept], [prompts.labels[i] for i in kept]
            self._change(Prompts(points, labels, prompts.box), "delete a point")
