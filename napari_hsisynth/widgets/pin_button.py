"""`PinButton`: whether a click on the canvas keeps the spectrum there, and the clicks that do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import QElapsedTimer, Signal
from qtpy.QtWidgets import QApplication, QPushButton, QWidget

from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.layers import front_cube_layer, is_borrowed
from napari_hsisynth.widgets.session import Session
from napari_hsisynth.widgets.when_destroyed import when_destroyed

_SETTING = "spectra/click_pins"
#: A press that ends farther away than this was a drag, canvas px.
_CLICK_PX = 4
_REST = "Labels and Shapes: their mean · drag the line: band"


class PinButton(QPushButton):
    """While it is down and seen, a left click asks for a pin; Shift+click always does.

    A plain click is left alone where it means something else: while a dock has claimed the clicks (`Session`), while
    the active layer's tool draws or selects, and on the pair that Compare shows for a while.

    Parameters
    ----------
    session : Session
    parent : QWidget

    Attributes
    ----------
    asked : Signal(object)
        A pin is wanted at this position, world coordinates.
    taken_back : Signal
        The click asked for last was the first half of a double click, which zooms.
    hint_changed : Signal(str)
        `hint` has another text.
    """

    asked = Signal(object)
    taken_back = Signal()
    hint_changed = Signal(str)

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__("Pin", parent)
        self._session = session
        self._since = QElapsedTimer()
        self.setCheckable(True)
        self.setChecked(settings.value(_SETTING, True))
        self.setToolTip(
            "While pressed, a click on the image keeps the spectrum there. Shift+click does so always.\n"
            "Not while Annotate takes the clicks as prompts, nor while the active layer draws or selects."
        )
        self.toggled.connect(self._chosen)
        viewer, changed = session.viewer, self._say
        session.clicks_changed.connect(changed)
        slots = [
            (viewer.mouse_drag_callbacks, self._pressed),
            (viewer.mouse_double_click_callbacks, self._pressed_twice),
        ]
        for callbacks, slot in slots:
            callbacks.append(slot)

        def let_go() -> None:
            session.clicks_changed.disconnect(changed, missing_ok=True)
            for callbacks, slot in slots:
                callbacks.remove(slot)

        when_destroyed(self, let_go)

    @property
    def hint(self) -> str:
        """What clicks do now, in one line."""
        if taken_by := self._session.clicks_taken_by:
            return f"Clicks belong to {taken_by} · Shift+click: keep a spectrum · {_REST}"
        return f"{'Click' if self.isChecked() else 'Shift+click'}: keep a spectrum · {_REST}"

    def _chosen(self, on: bool) -> None:
        settings.set_value(_SETTING, on)
        self._say()

    def _say(self) -> None:
        self.hint_changed.emit(self.hint)

    def _takes_clicks(self) -> bool:
        if not (self.isChecked() and self.isVisible()) or self._session.clicks_taken_by:
            return False
        viewer = self._session.viewer
        cube = front_cube_layer(viewer)
        tool = getattr(viewer.layers.selection.active, "mode", "pan_zoom")
        return tool == "pan_zoom" and cube is not None and not is_borrowed(cube)

    def _pressed(self, viewer: Any, event: Any) -> Iterator[None]:
        """Ask for a pin where the mouse is pressed and let go."""
        modifiers = set(event.modifiers)
        if event.button != 1 or not (modifiers == {"Shift"} or (not modifiers and self._takes_clicks())):
            return
        start, position = event.pos, event.position
        yield
        while event.type == "mouse_move":
            yield
        if abs(event.pos - start).max() <= _CLICK_PX:
            self._since.start()
            self.asked.emit(position)

    def _pressed_twice(self, viewer: Any, event: Any) -> None:
        if self._since.isValid() and not self._since.hasExpired(QApplication.doubleClickInterval()):
            self._since.invalidate()
            self.taken_back.emit()
