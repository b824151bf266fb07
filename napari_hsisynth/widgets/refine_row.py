"""`RefineRow`: the mask made better without a prompt."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QGridLayout, QSpinBox, QWidget

from napari_hsisynth.segment import refine
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.push_button import push_button

_BY_PX = "annotate/refine_px"
_MOST_PX = 50


class RefineRow(QWidget):
    """Smooth, fill, largest part, grow and shrink; of the draft, else of the chosen lesion.

    Parameters
    ----------
    annotator : Annotator
    """

    def __init__(self, annotator: Annotator, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.annotator = annotator
        self.by = QSpinBox(self)
        self.by.setRange(1, _MOST_PX)
        self.by.setSuffix(" px")
        self.by.setValue(settings.value(_BY_PX, 1))
        self.by.setAccessibleName("px to grow, shrink or smooth by")
        self.by.setToolTip("How far Grow and Shrink go, and the radius below which Smooth rounds off, px of the image")
        self.by.valueChanged.connect(self._remember)
        what = "of the mask being made, else of the chosen lesion"
        self.smooth_button = push_button(
            self, "Smooth", f"Round off the outline {what}: spikes and notches", self._smooth
        )
        self.fill_button = push_button(self, "Fill", f"Fill the holes {what}", partial(self._do, "fill", refine.filled))
        largest = partial(self._do, "largest part", refine.largest_part)
        self.largest_button = push_button(self, "Largest part", f"Keep the largest part {what}", largest)
        self.grow_button = push_button(self, "Grow", f"Move the outline outwards {what}, by so many px", self._grow)
        self.shrink_button = push_button(
            self, "Shrink", f"Move the outline inwards {what}, by so many px", self._shrink
        )
        self.buttons = (
            self.smooth_button,
            self.fill_button,
            self.largest_button,
            self.grow_button,
            self.shrink_button,
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for place, widget in enumerate((*self.buttons, self.by)):
            grid.addWidget(widget, place // 3, place % 3)

    def _remember(self, by: int) -> None:
        settings.set_value(_BY_PX, by)

    def _do(self, step: str, work: refine.Work) -> None:
        self.annotator.refine(step, work)

    def _smooth(self) -> None:
        by = self.by.value()
        self._do(f"smooth {by} px", partial(refine.smoothed, radius_px=by))

    def _grow(self) -> None:
        by = self.by.value()
        self._do(f"grow {by} px", partial(refine.grown, by_px=by))

    def _shrink(self) -> None:
        by = self.by.value()
        self._do(f"shrink {by} px", partial(refine.shrunk, by_px=by))

    def refresh(self) -> None:
        """Offer what can be refined."""
        annotator, draft = self.annotator, self.annotator.draft
        has_mask = draft.shown is not None if draft is not None else annotator.selected is not None
        for button in self.buttons:
            button.setEnabled(has_mask)
