"""Annotations that cannot be read or written, in the Annotate dock: one message, nothing overwritten, work goes on."""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_hsisynth import Cube, Study
from napari_hsisynth.widgets.annotate_dock import AnnotateDock
from napari_hsisynth.widgets.session import session_for

SHAPE, NM = (60, 80), [465.0, 520.0, 580.0, 630.0]
CENTRES = {"A": (30, 40), "B": (25, 30), "C": (35, 50)}
WAIT_MS = 10_000


@pytest.fixture
def study(tmp_path: Path) -> Study:
    y, x = np.indices(SHAPE)
    study = Study.create(tmp_path / "mine", wavelengths_nm=NM)
    for cube_id, (row, column) in CENTRES.items():
        lesion = (y - row) ** 2 + (x - column) ** 2 < 144
        dark = np.array([0.08, 0.12, 0.18, 0.25])[:, None, None]
        noise = np.random.default_rng(0).normal(1, 0.01, (4, *SHAPE))
        mask = lesion if cube_id == "B" else None
        study.add_cube(Cube(np.where(lesion, dark, 0.5) * noise, NM), cube_id, "melanoma", mask=mask)
    return study


class Desk:
    """A window with the Annotate dock on a study, and a user who only has mouse and keys."""

    def __init__(self, viewer: Any, qtbot: Any, mouse: Any, study: Study) -> None:
        self.viewer, self.qtbot, self.mouse = viewer, qtbot, mouse(viewer)
        self.dock = AnnotateDock(viewer)
        viewer.window.add_dock_widget(self.dock, name="Annotate")
        self.annotator, self.session = self.dock.annotator, session_for(viewer)
        qtbot.waitUntil(lambda: self.annotator.following, timeout=WAIT_MS)
        self.session.open_study(study.root)
        self.session.show_cube("A")
        self.wait_for("A")
        viewer.reset_view()
        self.saves = 0
        self.annotator.saved.connect(self._count)

    def _count(self, *_: Any) -> None:
        self.saves += 1

    def wait_for(self, cube_id: str) -> None:
        def there() -> bool:
            return self.annotator.target is not None and self.annotator.target.cube_id == cube_id

        self.qtbot.waitUntil(there, timeout=WAIT_MS)

    def press(self, key: Any) -> None:
        QTest.keyClick(self.mouse.canvas.native, key)

    def mask_lesion(self) -> None:
        self.mouse.click(*CENTRES[self.annotator.target.cube_id])
        annotator = self.annotator
        self.qtbot.waitUntil(
            lambda: not annotator.drafts.waiting and annotator.draft is not None and annotator.draft.mask is not None,
            timeout=WAIT_MS,
        )


@pytest.fixture
def desk(make_napari_viewer_proxy: Any, qtbot: Any, mouse: Any, study: Study) -> Desk:
    desk = Desk(make_napari_viewer_proxy(show=True), qtbot, mouse, study)
    yield desk
    desk.annotator.flush()


def png_of(study: Study) -> Path:
    return study.masks_dir / json.loads((study.masks_dir / "B.json").read_text())["mask"]


def cut_json(study: Study) -> None:
    path = study.masks_dir / "B.json"
    path.write_bytes(path.read_bytes()[:100])


def other_size(study: Study) -> None:
    Image.fromarray(np.ones((5, 6), np.uint8)).save(png_of(study))


def two_of_an_id(study: Study) -> None:
    path = study.masks_dir / "B.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "instances": value["instances"] * 2}))


def broken_head(study: Study) -> None:
    png = png_of(study)
    data = bytearray(png.read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    png.write_bytes(data)


DAMAGES = [cut_json, other_size, two_of_an_id, broken_head]


def test_a_damaged_annotation_is_one_message_and_stays_as_it_is(desk, study, messages):
    whole = {path.name: path.read_bytes() for path in study.masks_dir.iterdir()}
    for damage in DAMAGES:
        for name, content in whole.items():
            (study.masks_dir / name).write_bytes(content)
        damage(study)
        before = {path.name: path.read_bytes() for path in study.masks_dir.iterdir()}
        messages.clear()
        desk.press(Qt.Key.Key_K)
        desk.qtbot.waitUntil(lambda: desk.session.cube_id == "B", timeout=WAIT_MS)
        desk.qtbot.waitUntil(lambda: bool(messages), timeout=WAIT_MS)
        assert desk.annotator.target is None, damage
        for key in (Qt.Key.Key_G, Qt.Key.Key_U, Qt.Key.Key_H, Qt.Key.Key_N):  # what would write is of no effect
            desk.press(key)
        desk.annotator.flush()
        assert len(messages) == 1, (damage, messages)
        assert "B" in messages[0], damage
        assert {path.name: path.read_bytes() for path in study.masks_dir.iterdir()} == before, damage
        desk.press(Qt.Key.Key_J)
        desk.wait_for("A")
    for _ in range(2):
        desk.press(Qt.Key.Key_K)
    desk.wait_for("C")
    desk.mask_lesion()
    desk.press(Qt.Key.Key_G)
    desk.qtbot.waitUntil(lambda: desk.saves > 0, timeout=WAIT_MS)
    assert study.annotation("C").instances[0].status == "accepted"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_is_said_and_the_lesion_kept_until_it_can_be_saved(
    desk, study, messages, monkeypatch, code
):
    real, refuses = os.replace, [True]

    def refusing(source: Any, target: Any, **more: Any) -> None:
        if refuses[0] and "masks" in str(target):
            raise OSError(code, os.strerror(code))
        real(source, target, **more)

    monkeypatch.setattr("os.replace", refusing)
    desk.mask_lesion()
    desk.press(Qt.Key.Key_G)
    desk.qtbot.waitUntil(lambda: bool(messages), timeout=WAIT_MS)
    assert "A is not saved" in messages[0]
    assert not list(study.masks_dir.glob("A*"))
    assert len(desk.annotator.lesions.rows()) == 1  # still on the screen
    refuses[0] = False
    desk.press(Qt.Key.Key_U)  # the next change takes it along
    desk.qtbot.waitUntil(lambda: desk.saves > 0, timeout=WAIT_MS)
    assert len(study.annotation("A").instances) == 1
