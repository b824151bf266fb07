"""`AnnotationHand`: a scripted user at a window with the Annotate dock, by the mouse and keys that a person has."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPoint, Qt
from qtpy.QtTest import QTest

from napari_hsisynth.segment.click_robot import next_click
from napari_hsisynth.segment.overlaps import overlap
from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.heartbeat import Heartbeat
from napari_hsisynth.widgets.hover_hand import PACE_MS

#: Whatever takes longer than this has failed, s.
_PATIENCE_S = 60.0
#: A click so near to a prompt takes hold of it, screen px; or on its disc, a hundredth of the image in radius.
HOLD_PX = 9
#: A mask this good is accepted; a person would not click on either.
GOOD_IOU = 0.9


@dataclass
class LesionTimes:
    """One lesion as the scripted user annotated it.

    Parameters
    ----------
    cube_id : str
    number : int
        Of the lesion among the true ones of its cube.
    iou : float
        Overlap of the accepted mask with the truth, 0..1.
    click_s : list of float
        From each click until its mask was on the screen.
    save_s : float
        From the key that accepts it until it was on disk.
    seconds : float
        From when its cube was on the screen, or the lesion before it was saved, until it was saved.
    """

    cube_id: str
    number: int
    iou: float = 0.0
    click_s: list[float] = field(default_factory=list)
    save_s: float = 0.0
    seconds: float = 0.0


class AnnotationHand(QObject):
    """Clicks and keys on the canvas of a visible viewer, and the times until what they do is there.

    Parameters
    ----------
    viewer : napari.Viewer
    annotator : Annotator
        Of its Annotate dock.
    """

    def __init__(self, viewer: Any, annotator: Annotator) -> None:
        super().__init__()
        self.viewer, self.annotator = viewer, annotator
        self._canvas = viewer.window._qt_viewer.canvas.native
        self.heartbeat = Heartbeat(self)
        self._saved, self._saved_at = 0, 0.0
        self._painted, self._frames, self._frame_at = False, 0, 0.0
        self._frames_at_answer: int | None = None
        self._canvas.installEventFilter(self)
        self._canvas.frameSwapped.connect(self._swapped)
        annotator.saved.connect(self._heard_saved)
        annotator.drafts.answered.connect(self._heard_answer)

    # --- what a user does

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Let Qt work until something is so; RuntimeError if it never is."""
        patience = time.perf_counter() + _PATIENCE_S
        while not done():
            if time.perf_counter() > patience:
                raise RuntimeError(f"waited in vain for {what}")
            QTest.qWait(1)

    def press(self, key: Qt.Key) -> None:
        """Press a key while the canvas has the keyboard."""
        QTest.keyClick(self._canvas, key)

    def wait_for_cube(self, cube_id: str) -> float:
        """Wait until a cube is annotated and on the screen; return when it was (`time.perf_counter`)."""
        annotator = self.annotator
        self.wait_until(
            lambda: annotator.target is not None and annotator.target.cube_id == cube_id, f"the cube {cube_id}"
        )
        frames = self._frames
        self._canvas.update()
        self.wait_until(lambda: self._frames > frames, "a picture of the cube")
        return self._frame_at

    def click(self, y: int, x: int, *, inside: bool = True) -> float:
        """Click on a pixel and wait until the mask that this gives is on the screen; return how long that took, s."""
        place, drafts = self._place(y, x), self.annotator.drafts
        QTest.qWait(PACE_MS)
        QTest.mouseMove(self._canvas, place)
        self._frames_at_answer = None
        began = time.perf_counter()
        modifier = Qt.KeyboardModifier.NoModifier if inside else Qt.KeyboardModifier.ControlModifier
        QTest.mouseClick(self._canvas, Qt.MouseButton.LeftButton, modifier, place)
        self.wait_until(lambda: self._frames_at_answer is not None and not drafts.waiting, f"a mask at ({y}, {x})")
        answered = self._frames_at_answer or 0
        self.wait_until(lambda: self._frames > answered, "a picture of the mask")
        return self._frame_at - began

    def accept(self) -> float:
        """Accept the draft and wait until it is on disk; return how long that took, s."""
        saved, began = self._saved, time.perf_counter()
        self.press(Qt.Key.Key_G)
        self.wait_until(lambda: self._saved > saved, "the accepted lesion to be saved")
        return self._saved_at - began

    def annotate(self, cube_id: str, truth: NDArray[np.integer], clicks: int) -> list[LesionTimes]:
        """Annotate every lesion of the shown cube: click at its centre, mend the largest mistakes, accept.

        Parameters
        ----------
        cube_id : str
        truth : ndarray of int, shape (y, x)
            Numbers of the true lesions, 0 on skin.
        clicks : int
            How often to click at most for each.
        """
        began = self.wait_for_cube(cube_id)
        found = []
        for number in np.unique(truth[truth > 0]).tolist():
            lesion, times = truth == number, LesionTimes(cube_id, number)
            guess, held = np.zeros(lesion.shape, bool), np.zeros(lesion.shape, bool)
            while len(times.click_s) < clicks and times.iou < GOOD_IOU:
                with self.heartbeat.paused():
                    wanted = next_click(lesion, np.where(held, lesion, guess))
                if wanted is None:
                    break
                (y, x), label = wanted
                held |= self._held(y, x, lesion.shape)
                times.click_s.append(self.click(y, x, inside=bool(label)))
                draft = self.annotator.draft
                with self.heartbeat.paused():
                    guess = draft.mask if draft is not None and draft.mask is not None else np.zeros_like(lesion)
                    times.iou = overlap(lesion, guess)
            times.save_s = self.accept()
            times.seconds, began = self._saved_at - began, self._saved_at
            found.append(times)
        return found

    # --- what it sees

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self._painted = True
        return False

    def _swapped(self) -> None:
        if self._painted:  # else another part of the window was drawn
            self._painted, self._frames, self._frame_at = False, self._frames + 1, time.perf_counter()

    def _heard_saved(self, *_: Any) -> None:
        self._saved, self._saved_at = self._saved + 1, time.perf_counter()

    def _heard_answer(self, *_: Any) -> None:
        self._frames_at_answer = self._frames
        self._canvas.update()  # also where the mask stays as it was, and nothing else has to be drawn

    def _held(self, y: int, x: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Pixels around a prompt where a further click would take hold of it instead."""
        reach = max(HOLD_PX / self.viewer.scene.camera.zoom, max(shape) / 100) + 1
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        return np.hypot(rows - y, columns - x) <= reach

    def _place(self, y: int, x: int) -> QPoint:
        """Canvas pixel of a pixel of the cube."""
        target, camera = self.annotator.target, self.viewer.scene.camera
        assert target is not None, "no cube is shown"
        layer = target.layer
        at = np.array([y, x]) * layer.scale[-2:] + layer.translate[-2:]
        down, right = (at - camera.center[-2:]) * camera.zoom
        return QPoint(round(self._canvas.width() / 2 + right), round(self._canvas.height() / 2 + down))
