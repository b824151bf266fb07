"""What the tests of the Annotate dock share: a study of discs, and a viewer with hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth import Cube, Study
from napari_hsisynth.widgets.annotate_dock import AnnotateDock
from napari_hsisynth.widgets.session import session_for

SHAPE = (60, 80)
NM = [465.0, 520.0, 580.0, 630.0]
CENTRES = {"A": (30, 40), "B": (25, 30), "C": (35, 50)}
WAIT_MS = 10_000
WINDOW = (1100, 700)
Modifier, Key = Qt.KeyboardModifier, Qt.Key
NONE, CONTROL, SHIFT = Modifier.NoModifier, Modifier.ControlModifier, Modifier.ShiftModifier


def lesion(centre: tuple[int, int], radius: int = 12) -> np.ndarray:
    y, x = np.indices(SHAPE)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2


def cube_of(centre: tuple[int, int], name: str = "") -> Cube:
    dark = np.array([0.08, 0.12, 0.18, 0.25])[:, None, None]
    noise = np.random.default_rng(0).normal(1, 0.01, (4, *SHAPE))
    return Cube(np.where(lesion(centre), dark, 0.5) * noise, NM, name=name)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def study_of_discs(folder: Path) -> Study:
    """Make a study of three cubes, each with one dark disc on light skin, none annotated."""
    study = Study.create(folder, wavelengths_nm=NM)
    for cube_id, centre in CENTRES.items():
        study.add_cube(cube_of(centre), cube_id, "melanoma")
    return study


class Bench:
    """A viewer with the dock, and hands: mouse and keys on its canvas."""

    def __init__(self, viewer: Any, qtbot: Any, mouse: Any) -> None:
        self.viewer, self.qtbot, self.mouse = viewer, qtbot, mouse(viewer)
        viewer.window._qt_window.resize(*WINDOW)  # software that draws takes longer over more pixels
        self.dock = AnnotateDock(viewer)
        viewer.window.add_dock_widget(self.dock, name="Annotate")
        self.annotator = self.dock.annotator
        self.drafts, self.lesions = self.annotator.drafts, self.annotator.lesions
        qtbot.waitUntil(lambda: self.annotator.following, timeout=WAIT_MS)

    def open(self, study: Study, cube_id: str) -> None:
        session = session_for(self.viewer)
        if session.study is None:
            session.open_study(study.root)
        session.show_cube(cube_id)
        self.settle()
        self.viewer.reset_view()

    def press(self, key: Any, modifier: Any = NONE) -> None:
        QTest.keyClick(self.mouse.canvas.native, key, modifier)

    def settle(self) -> None:
        """Wait until the segmenter has answered and all is on disk."""

        def quiet() -> bool:
            preparing = self.drafts.segmenter.state in ("starting", "preparing")
            busy = self.drafts.waiting or preparing or self.drafts.keeper.busy
            return not busy and not self.lesions._unsaved and not self.lesions._save_later.isActive()

        self.qtbot.waitUntil(quiet, timeout=WAIT_MS)

    def ask(self, y: float, x: float, modifier: Any = NONE) -> np.ndarray:
        self.mouse.click(y, x, modifier)
        self.settle()
        return self.drafts.draft.mask

    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]
