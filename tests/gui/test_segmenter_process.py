"""The segmenter's process behind the Annotate dock: it may die, be slow or be left behind without any harm."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from qtpy.QtCore import QTimer
from segmenter_on_command import OnCommand

from napari_hsisynth import Cube, Study
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.annotate_dock import AnnotateDock
from napari_hsisynth.widgets.session import session_for

NM = [465.0, 520.0, 580.0, 630.0]
WAIT_MS = 30_000


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnCommand:
    command = OnCommand(tmp_path, monkeypatch)
    settings.set_value("annotate/segmenter", {"name": "on-command", "options": command.options})
    return command


class Scene:
    """A window with the Annotate dock on a cube of a study."""

    def __init__(self, viewer: Any, folder: Path, qtbot: Any, mouse: Any) -> None:
        study = Study.create(folder / "mine", wavelengths_nm=NM)
        for cube_id in "ABCD":
            study.add_cube(Cube(np.random.default_rng(0).uniform(0.1, 1, (4, 40, 60)), NM), cube_id, "nevus")
        self.viewer, self.qtbot, self.mouse, self.study = viewer, qtbot, mouse(viewer), study
        self.session = session_for(viewer)
        self.session.open_study(study.root)
        self.dock = AnnotateDock(viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Annotate")
        self.drafts = self.dock.annotator.drafts
        self.segmenter = self.drafts.segmenter
        self.until(lambda: self.dock.annotator.following)
        assert self.pid is None, "without a cube there is nothing to start it for"
        self.session.show_cube("A")
        self.until(lambda: self.dock.annotator.target is not None)
        assert self.segmenter.state == "starting"
        self.settle()
        viewer.reset_view()

    @property
    def pid(self) -> int | None:
        return self.segmenter._worker.pid

    def until(self, condition: Any) -> None:
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)

    def settle(self) -> None:
        self.until(lambda: not self.drafts.waiting and not self.segmenter.busy)

    def kill(self) -> None:
        pid = self.pid
        psutil.Process(pid).kill()
        self.until(lambda: self.pid != pid)


@pytest.fixture
def scene(command: OnCommand, make_napari_viewer: Any, tmp_path: Path, qtbot: Any, mouse: Any) -> Iterator[Scene]:
    scene = Scene(make_napari_viewer(show=True), tmp_path, qtbot, mouse)
    yield scene
    scene.dock.annotator.flush()


def test_killed_between_click_and_answer_it_says_so_keeps_the_prompts_and_answers(scene, command, messages):
    command.order("hold predict")
    scene.mouse.click(12, 20)
    scene.until(lambda: "predict 1" in command.notes())
    assert scene.segmenter.state == "working"
    scene.kill()
    scene.until(lambda: any("started again" in text for text in messages))
    assert scene.drafts.prompts.prompts.points == ((12, 20),)
    assert scene.drafts.waiting
    command.release("hold predict")
    scene.settle()
    assert np.argwhere(scene.drafts.draft.mask).tolist() == [[12, 20]]
    assert scene.segmenter.state == "ready"
    # given up when it dies twice over one click, with the prompts still there
    command.order("die")
    scene.mouse.click(20, 30)
    scene.until(lambda: any("ended twice" in text for text in messages))
    assert scene.drafts.prompts.prompts.points == ((12, 20), (20, 30))
    command.release("die")
    scene.mouse.click(30, 40)
    scene.settle()
    assert scene.drafts.draft.mask.sum() == 3
    # nothing is left behind
    pid = scene.pid
    scene.viewer.close()
    scene.until(lambda: not psutil.pid_exists(pid))


def test_cubes_ahead_and_long_computations_hold_up_neither_the_window_nor_its_end(scene, command):
    scene.until(lambda: {"embed B", "embed C"} <= set(command.notes()))
    scene.session.show_cube("C")
    scene.until(lambda: "embed D" in command.notes())
    assert "cube B" not in command.notes()
    scene.settle()
    scene.dock.segmenter_row.propose_button.click()  # which has no end
    scene.until(lambda: "propose" in command.notes())
    scene.mouse.click(12, 20)
    assert scene.drafts.prompts.prompts.points == ((12, 20),)
    assert scene.drafts.waiting
    # closed by its cross, the dock frees what the segmenter held; open again, it goes on
    pid = scene.pid
    scene.viewer.window.remove_dock_widget(scene.dock)
    scene.until(lambda: not psutil.pid_exists(pid))
    assert scene.pid is None
    scene.viewer.window.add_dock_widget(scene.dock, name="Annotate")
    scene.until(lambda: scene.pid is not None)
    scene.settle()
    assert scene.drafts.draft.mask.sum() == 1
    pid = scene.pid
    scene.viewer.window.remove_dock_widget(scene.dock)
    scene.dock.deleteLater()
    scene.until(lambda: not psutil.pid_exists(pid) and not scene.segmenter._worker._thread.is_alive())


@pytest.mark.slow
def test_killed_at_fifty_moments_no_prompt_is_lost(scene, command):
    draw = random.Random(0)
    for number in range(50):
        scene.mouse.click(2 + number // 10 * 7, 2 + number % 10 * 5)
        QTimer.singleShot(draw.randrange(300), scene.dock.update)  # the window has something to do meanwhile
        end = time.monotonic() + draw.uniform(0, 0.3)
        scene.until(lambda end=end: time.monotonic() > end)
        if scene.pid is not None:
            scene.kill()
        scene.settle()
        assert len(scene.drafts.prompts.prompts.points) == number + 1
        assert scene.drafts.draft.mask.sum() == number + 1
