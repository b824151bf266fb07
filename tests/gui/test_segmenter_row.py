"""The segmenter's row of the dock: model, view and its picture, weights and their download."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QSizePolicy

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import Prompts, weights, weights_download
from napari_hsisynth.study import Cancelled
from napari_hsisynth.widgets.segmenter_row import SegmenterRow

WAIT_MS = 10_000
CUBE = Cube(np.random.default_rng(0).random((4, 50, 80)).cumsum(axis=2), [465.0, 520.0, 580.0, 630.0])


class PromptsStandIn(QObject):
    changed = Signal(object)

    def __init__(self):
        super().__init__()
        self.prompts = Prompts()


class Drafts:
    """What the row needs of a `DraftMaker`."""

    def __init__(self, name: str = "spectral", options: dict | None = None) -> None:
        self.asked, self.chosen, self.proposed = [], [], 0
        self.prompts = PromptsStandIn()
        self.target = SimpleNamespace(cube=CUBE)
        self.segmenter = SimpleNamespace(name=name, options=options or {}, state="ready", ask=self._ask)

    def _ask(self, cube, question):
        self.asked.append(question)

    def choose_segmenter(self, name, options=None):
        self.segmenter.name, self.segmenter.options = name, dict(options or {})
        self.chosen.append((name, dict(options or {})))

    def propose(self):
        self.proposed += 1


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("HSISYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def make(qtbot):
    def make(drafts: Drafts) -> SegmenterRow:
        row = SegmenterRow(drafts)
        qtbot.addWidget(row)
        row.resize(360, 300)
        row.show()
        qtbot.waitExposed(row)
        row.refresh()
        return row

    return make


def pick(box, text):
    """Choose as a user does with the keyboard."""
    box.setFocus()
    index = box.findText(text)
    assert index >= 0
    while box.currentIndex() != index:
        before = box.currentIndex()
        QTest.keyClick(box, Qt.Key.Key_Down if index > before else Qt.Key.Key_Up)
        assert box.currentIndex() != before


def weights_at(folder, name="sam2"):
    folder.mkdir()
    if name == "sam2":
        for file in ("config.json", "model.safetensors"):
            (folder / file).write_bytes(b"x" * 2_000_000)
    else:
        (folder / "own.pth").write_bytes(b"x" * 3_000_000)
    return folder


def test_the_built_in_segmenter_has_nothing_to_choose(make):
    drafts = Drafts()
    row = make(drafts)
    assert not row.model.isVisible()
    assert not row.seen.isVisible()
    assert "no weights" in row.weights.line.text()
    assert not row.weights.download_button.isVisible()
    assert row.state.text() == "ready"
    row.propose_button.click()
    assert drafts.proposed == 1
    assert row.command_words() == ["--backend", "spectral"]


def test_sam_offers_models_views_and_weights_and_fits_a_narrow_dock(make):
    drafts = Drafts()
    row = make(drafts)
    pick(row.segmenter, "sam2")
    assert drafts.chosen[-1] == ("sam2", {"model": "tiny", "view": "mean"})
    assert [row.model.itemText(number) for number in range(row.model.count())] == [
        "tiny",
        "small",
        "base-plus",
        "large",
    ]
    assert row.seen.isVisible()
    assert "156 MB" in row.weights.line.text()
    assert row.weights.download_button.isVisible()
    assert "Your prompts are kept" in row.state.text()
    assert row.minimumSizeHint().width() <= 340
    for widget in (row.segmenter, row.model, row.seen.box, row.seen.band, row.weights.download_button):
        assert widget.accessibleName() or widget.text()
        assert widget.toolTip()
    pick(row.model, "base-plus")
    assert drafts.chosen[-1] == ("sam2", {"model": "base-plus", "view": "mean"})
    assert "324 MB" in row.weights.line.text()
    pick(row.segmenter, "sam")
    assert drafts.chosen[-1] == ("sam", {"model": "vit_b", "view": "mean"})


def test_choices_come_back_with_their_segmenter_and_at_the_next_start(make):
    drafts = Drafts()
    row = make(drafts)
    pick(row.segmenter, "sam2")
    pick(row.model, "small")
    pick(row.seen.box, "PCA-3")
    chosen = ("sam2", {"model": "small", "view": "pca3"})
    assert drafts.chosen[-1] == chosen
    pick(row.segmenter, "spectral")
    assert drafts.chosen[-1] == ("spectral", {})
    pick(row.segmenter, "sam2")
    assert drafts.chosen[-1] == chosen

    again = make(Drafts(*chosen))
    assert (again.model.currentText(), again.seen.view) == ("small", "pca3")
    assert again.command_words() == ["--backend", "sam2", "--model", "small", "--view", "pca3"]


def test_the_picture_is_what_the_segmenter_sees(make, qtbot):
    row = make(Drafts("sam2", {"model": "tiny", "view": "mean"}))

    def shown():
        pixmap = row.seen.picture.pixmap()
        return None if pixmap.isNull() else pixmap.toImage()

    qtbot.waitUntil(lambda: shown() is not None, timeout=WAIT_MS)
    mean = shown()
    assert mean.width() > mean.height()
    middle = mean.pixelColor(mean.width() // 2, mean.height() // 2)
    assert middle.red() == middle.green() == middle.blue()
    pick(row.seen.box, "PCA-3")
    qtbot.waitUntil(lambda: shown() is not None and shown() != mean, timeout=WAIT_MS)
    # another cube, another picture, without being asked
    pca = shown()
    row.drafts.target = SimpleNamespace(cube=CUBE.replace(data=CUBE.data[:, ::-1]))
    row.refresh()
    qtbot.waitUntil(lambda: shown() != pca, timeout=WAIT_MS)
    row.drafts.target = None
    row.refresh()
    assert shown() is None


def test_a_band_is_named_by_a_wavelength_of_the_cube(make, qtbot):
    row = make(Drafts("sam2", {"model": "tiny", "view": "mean"}))
    assert not row.seen.band.isVisible()
    pick(row.seen.box, "one band")
    assert row.seen.band.isVisible()
    assert row.drafts.chosen[-1][1]["view"] == "band:542"
    assert (row.seen.band.minimum(), row.seen.band.maximum()) == (465, 630)
    row.seen.band.stepUp()
    assert row.drafts.chosen[-1][1]["view"] == "band:597"
    again = make(Drafts("sam2", row.options()))
    assert again.seen.view == "band:597"


def test_a_view_that_the_cube_does_not_have_is_said_in_place_of_the_picture(make, qtbot):
    drafts = Drafts("sam2", {"model": "tiny", "view": "rgb"})
    drafts.target = SimpleNamespace(cube=Cube(np.ones((2, 30, 40)), [800.0, 900.0]))
    row = make(drafts)
    qtbot.waitUntil(lambda: row.seen.picture.text() == "no picture", timeout=WAIT_MS)
    assert row.seen.picture.toolTip()


@pytest.mark.parametrize("name", ["sam2", "sam"])
def test_a_folder_of_the_user_is_taken_and_left_again(make, tmp_path, monkeypatch, name):
    row = make(Drafts(name))
    folder = weights_at(tmp_path / "mine", name)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    row.weights.folder_button.click()
    assert row.drafts.chosen[-1][1]["weights"] == str(folder)
    assert "Your own weights" in row.weights.line.text()
    assert row.state.text() == "ready"
    row.weights.official_button.click()
    assert "weights" not in row.drafts.chosen[-1][1]
    assert row.weights.download_button.isVisible()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    row.weights.folder_button.click()
    assert row.weights.line.text().startswith("✖")
    assert "no weights of" in row.state.text()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    row.weights.folder_button.click()
    assert row.drafts.chosen[-1][1]["weights"] == str(tmp_path)
    for file in folder.iterdir():
        file.rename(tmp_path / file.name)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    row.weights.folder_button.click()
    assert row.drafts.asked == [None], "the same folder is tried again"


class SlowDownload:
    """A download that waits at each step until the test lets it go on."""

    def __init__(self, monkeypatch, end=None):
        self.go_on, self.end = threading.Event(), end
        monkeypatch.setattr(weights_download, "download", self)

    def __call__(self, name, model, *, progress, cancelled):
        progress(50_000_000, 156_000_000)
        while not self.go_on.wait(0.01):
            if cancelled():
                raise Cancelled
        if self.end is not None:
            raise self.end
        folder = weights.hub_cache.repo_folder("facebook/sam2.1-hiera-tiny") / "snapshots" / "0"
        folder.parent.mkdir(parents=True)
        weights_at(folder)
        return weights.locate_weights(name, model)


def test_a_download_shows_its_progress_and_the_question_is_asked_again(make, qtbot, monkeypatch):
    row = make(Drafts("sam2"))
    emitted = []
    row.drafts.prompts.prompts = Prompts(points=[(3, 4)], labels=[1])
    row.drafts.prompts.changed.connect(emitted.append)
    download = SlowDownload(monkeypatch)
    row.weights.download_button.click()
    assert not row.weights.download_button.isVisible()
    qtbot.waitUntil(lambda: "50 of 156 MB" in row.weights.task.status.text(), timeout=WAIT_MS)
    assert row.weights.task.bar.isVisible()
    assert row.state.text() == "The weights of sam2 tiny are being fetched. Your prompts are kept."
    download.go_on.set()
    qtbot.waitUntil(lambda: not row.weights.task.active, timeout=WAIT_MS)
    assert row.weights.line.text() == "Official weights, 2 MB"
    assert emitted == [row.drafts.prompts.prompts]
    assert row.state.text() == "ready"


def test_a_cancelled_or_failed_download_can_be_tried_again(make, qtbot, monkeypatch):
    row = make(Drafts("sam2"))
    SlowDownload(monkeypatch)
    row.weights.download_button.click()
    qtbot.waitUntil(row.weights.task.cancel_button.isVisible, timeout=WAIT_MS)
    row.weights.task.cancel_button.click()
    assert row.weights.task.status.text() == "cancelling …"
    qtbot.waitUntil(lambda: not row.weights.task.active, timeout=WAIT_MS)
    assert "kept for the next time" in row.weights.task.status.text()
    assert row.state.text().startswith("Download the weights of sam2 tiny")
    assert row.weights.download_button.isVisible()
    SlowDownload(monkeypatch, InputError("the download broke off")).go_on.set()
    row.weights.download_button.click()
    qtbot.waitUntil(lambda: not row.weights.task.active, timeout=WAIT_MS)
    assert "broke off" in row.weights.task.status.text()
    assert row.weights.download_button.isVisible()
    assert not row.drafts.asked


def test_weights_that_came_from_elsewhere_are_seen_when_the_dock_is_shown(make, monkeypatch):
    row = make(Drafts("sam2"))
    assert row.weights.problem
    row.hide()
    folder = weights.hub_cache.repo_folder("facebook/sam2.1-hiera-tiny") / "snapshots" / "0"
    folder.parent.mkdir(parents=True)
    weights_at(folder)
    row.show()
    assert not row.weights.problem
    assert row.drafts.asked == [None], "the cube is prepared, now that it can be"
    assert row.weights.line.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Ignored


def test_missing_packages_are_named_with_the_command(make, monkeypatch):
    from napari_hsisynth.widgets import weights_row

    monkeypatch.setattr(weights_row.importlib.util, "find_spec", lambda name: None)
    row = make(Drafts("sam2"))
    assert 'pip install "napari-hsisynth[sam]"' in row.state.text()
    assert not row.weights.download_button.isEnabled()
