"""Imports that napari puts off to the first Labels, Points or Shapes layer, done beforehand and beside the window."""

from __future__ import annotations

import threading
from functools import cache

from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal

#: How often a waiting dock looks, ms.
_LOOK_MS = 20
_done = threading.Event()


def begin_when_idle() -> None:
    """Start importing when the window has come up; at once it would slow that down."""
    if QCoreApplication.instance() is not None:
        QTimer.singleShot(0, begin)


def begin() -> None:
    """Start importing, once in a process.

    The first layer that has features imports pandas, which takes a second or more: in the GUI thread that would be a
    window that stands still at the first pin, or when Annotate is opened.
    """
    _thread()


@cache
def _thread() -> threading.Thread:
    # every layer has a transform, and the first transform reads the definitions of all units: whoever makes a layer
    # while another thread is at it is told that there is no unit called pixel
    from napari.utils.transforms import Affine

    Affine(ndim=2)
    thread = threading.Thread(target=_make_one_of_each, name="napari-hsisynth-warm-up", daemon=True)
    thread.start()
    return thread


def _make_one_of_each() -> None:
    try:
        import numpy as np
        from napari.layers import Labels, Points, Shapes

        Labels(np.zeros((2, 2), int))
        Points(np.zeros((1, 2)))
        Shapes(np.array([[0, 0], [0, 1], [1, 1]]), shape_type="polygon")
    finally:
        _done.set()  # whatever was wrong will be said when the real layer is made


class WarmUp(QObject):
    """Tells a dock when the imports are over; begins them if nobody has.

    Parameters
    ----------
    parent : QObject

    Attributes
    ----------
    ready : Signal
        All is imported. Not sent if it was from the start.
    """

    ready = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        begin()
        if not self.over:
            self._timer.start()

    @property
    def over(self) -> bool:
        """Whether all is imported."""
        return _done.is_set()

    def _look(self) -> None:
        if self.over:
            self._timer.stop()
            self.ready.emit()
