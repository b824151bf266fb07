"""The Sample dock asks conditioned models for what they need, and a mask can be painted where its cubes then appear."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_runs import Launches, finished_run, synthetic_set
from napari.layers import Labels
from PIL import Image
from qtpy.QtCore import QThreadPool

from napari_hsisynth.cli import build_parser
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.study import Diagnosis, Study
from napari_hsisynth.training.config import FlowConfig
from napari_hsisynth.widgets.layers import unwrapped
from napari_hsisynth.widgets.sample_dock import SampleDock
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.shown_samples import mask_colours

STEP_MS = 30_000


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    monkeypatch.setattr("napari_hsisynth.widgets.sample_dock.missing_training", str)
    return Launches(monkeypatch)


@pytest.fixture
def runs(study: Study) -> dict[str, RunFolder]:
    """One finished run of each kind of model."""
    return {
        "plain": finished_run(study, "vae"),
        "masked": finished_run(study, "spade-fastgan"),
        "styles": finished_run(study, "fastgan"),
        "flow": finished_run(study, "flow", mask_conditional=True, guidance=1.5, sampler_steps=20),
        "unguided": finished_run(study, "flow", guidance=1.0, sampler_steps=12),
        "rgb": finished_run(study, "shs-gan"),
        "any": finished_run(study, "spade-fastgan", diagnosis=None),
        "any plain": finished_run(study, "vae", diagnosis=None),
    }


@pytest.fixture
def dock(qtbot, make_napari_viewer_proxy, study: Study, runs: dict[str, RunFolder], launches: Launches) -> Any:
    dock = SampleDock(make_napari_viewer_proxy())
    qtbot.addWidget(dock)
    dock.session.open_study(study.root)
    qtbot.waitUntil(lambda: len(dock.trained) == len(runs), timeout=STEP_MS)
    yield dock
    dock.row.detach()
    QThreadPool.globalInstance().waitForDone(5_000)


def choose(dock: SampleDock, run: RunFolder) -> None:
    dock.source.setCurrentIndex([summary.run for summary in dock.trained].index(run))


def pick(box: Any, kind: Any) -> None:
    """Choose as a user does."""
    box.setCurrentIndex(box.findData(kind))


def rows(dock: SampleDock) -> set[str]:
    """Which of the rows that some models have are shown."""
    parts = {"masks": dock.masks, "rgb": dock.photos, "latent": dock.latent_fold}
    return {name for name, part in parts.items() if part.isVisibleTo(dock)}


def test_each_model_is_asked_for_what_it_is_made_from(dock: SampleDock, runs: dict[str, RunFolder]) -> None:
    for name, shown in {
        "plain": {"latent"},
        "masked": {"masks", "latent"},
        "rgb": {"rgb"},
        "flow": {"masks", "latent"},
    }.items():
        choose(dock, runs[name])
        assert rows(dock) == shown, name
        assert dock.words() == ["sample", str(runs[name].path), "--n", "16", "--seed", "0"]  # the study's own
        assert dock.start_button.isEnabled()
    dock.latent_fold.set_open(True)
    for name in ("plain", "flow"):
        choose(dock, runs[name])
        assert not dock.latents.mix.isVisibleTo(dock)
    choose(dock, runs["styles"])
    assert dock.latents.mix.isVisibleTo(dock)


def test_files_and_folders_are_said_in_the_command_or_why_they_cannot_be(
    dock: SampleDock, runs: dict[str, RunFolder], tmp_path: Path
) -> None:
    choose(dock, runs["masked"])
    for kind, there in (("file", tmp_path / "mask.png"), ("folder", tmp_path / "masks")):
        pick(dock.masks.box, kind)
        assert dock.masks.path.isVisibleTo(dock)
        assert dock.masks.path.asks_for == kind
        assert not dock.start_button.isEnabled()
        assert dock.reason.text() == {"file": "Choose the mask file.", "folder": "Choose the folder of masks."}[kind]
        dock.masks.path.set_path(there)
        assert dock.reason.text() == f"There is no {kind} {there.name}."
        there.touch() if kind == "file" else there.mkdir()
        dock.update_controls()
        assert dock.start_button.isEnabled()
        assert dock.words()[-2:] == ["--mask", str(there)]
    pick(dock.masks.box, "file")
    assert dock.masks.path.path == tmp_path / "mask.png"  # each choice keeps its own path
    choose(dock, runs["rgb"])
    pick(dock.photos.box, "folder")
    assert dock.reason.text() == "Choose the folder of photographs."
    dock.photos.path.set_path(tmp_path / "masks")
    assert dock.words()[-4:] == ["--seed", "0", "--rgb", str(tmp_path / "masks")]
    assert "--n" not in dock.words()  # one cube of each photograph
    dock.count.setValue(5)
    assert dock.words()[2:4] == ["--n", "5"]
    choose(dock, runs["plain"])
    assert dock.words() == ["sample", str(runs["plain"].path), "--n", "16", "--seed", "0"]


def test_latents_are_said_in_the_command(dock: SampleDock, runs: dict[str, RunFolder]) -> None:
    choose(dock, runs["styles"])
    assert not dock.latent_fold.is_open
    latents = dock.latents
    latents.truncation.setValue(0.7)
    latents.steps.setValue(8)
    assert dock.words()[-4:] == ["--truncation", "0.7", "--interpolate", "8"]
    assert not latents.mix.isEnabled()  # noise is either walked along or mixed
    latents.steps.setValue(1)
    latents.mix.setValue(3)
    assert dock.words()[-4:] == ["--truncation", "0.7", "--mix", "3"]
    assert not latents.steps.isEnabled()
    choose(dock, runs["plain"])
    assert dock.words()[-2:] == ["--truncation", "0.7"]
    assert latents.steps.isEnabled()
    choose(dock, runs["rgb"])  # has no latents
    assert dock.words()[-2:] == ["--seed", "0"]


def test_a_flow_can_be_drawn_from_with_other_guidance_and_steps(dock: SampleDock, runs: dict[str, RunFolder]) -> None:
    latents = dock.latents
    dock.latent_fold.set_open(True)
    choose(dock, runs["flow"])
    assert latents.guidance.text() == "as trained (1.5)"
    assert latents.sampler_steps.text() == "as trained (20)"
    latents.guidance.setValue(0.0)
    latents.sampler_steps.setValue(30)
    assert dock.words()[-4:] == ["--set", "guidance=0", "--set", "sampler_steps=30"]
    args = build_parser().parse_args(dock.words())
    assert set(dict(args.settings)) <= set(FlowConfig.DRAWING)
    choose(dock, runs["plain"])
    assert "--set" not in dock.words()
    assert not latents.guidance.isVisibleTo(dock)
    choose(dock, runs["unguided"])
    assert latents.sampler_steps.isVisibleTo(dock)
    assert not latents.guidance.isVisibleTo(dock)  # it is told nothing that could guide it
    latents.restore(latents.state())
    choose(dock, runs["flow"])
    assert dock.words()[-4:] == ["--set", "guidance=0", "--set", "sampler_steps=30"]
    latents.restore({})
    assert dock.words()[-2:] == ["--seed", "0"]


def test_what_is_set_for_one_model_never_locks_the_tools_of_another(
    dock: SampleDock, runs: dict[str, RunFolder]
) -> None:
    latents = dock.latents
    choose(dock, runs["styles"])
    latents.mix.setValue(3)
    choose(dock, runs["plain"])
    latents.steps.setValue(5)
    choose(dock, runs["styles"])
    assert dock.words()[-2:] == ["--interpolate", "5"]  # the later choice; the command takes one of the two
    assert latents.steps.isEnabled()
    latents.steps.setValue(1)
    assert latents.mix.isEnabled()
    latents.restore({"steps": 4, "mix": 2})
    assert sum(box.isEnabled() for box in (latents.steps, latents.mix)) == 1


def test_choices_come_back_with_their_study(
    dock: SampleDock, runs: dict[str, RunFolder], launches: Launches, qtbot, make_napari_viewer, tmp_path: Path
) -> None:
    choose(dock, runs["masked"])
    pick(dock.masks.box, "folder")
    dock.masks.path.set_path(tmp_path)
    dock.latents.truncation.setValue(0.5)
    dock.start_button.click()
    qtbot.waitUntil(lambda: dock.row.words == launches.words, timeout=STEP_MS)
    launches.finish(folder=str(tmp_path))
    qtbot.waitUntil(lambda: not dock.row.active, timeout=STEP_MS)
    again = SampleDock(make_napari_viewer())
    qtbot.addWidget(again)
    again.session.open_study(dock.study.root)
    qtbot.waitUntil(lambda: bool(again.trained), timeout=STEP_MS)
    choose(again, runs["masked"])
    assert again.words()[-4:] == ["--mask", str(tmp_path), "--truncation", "0.5"]
    other = Study.create(tmp_path / "other", wavelengths_nm=[500.0, 600.0])
    finished_run(other, "spade-fastgan")
    again.session.open_study(other.root)
    qtbot.waitUntil(lambda: len(again.trained) == 1, timeout=STEP_MS)
    assert again.words()[-2:] == ["--seed", "0"]
    QThreadPool.globalInstance().waitForDone(5_000)


def test_what_is_painted_is_drawn_beside_the_painting(
    make_napari_viewer_proxy, study: Study, launches: Launches, qtbot, mouse
) -> None:
    """By the real mouse: brush, Draw, and the cubes with the border of the mask appear; then a change draws others."""
    run = finished_run(study, "spade-fastgan")
    viewer = unwrapped(make_napari_viewer_proxy(show=True))
    viewer.window._qt_window.resize(1100, 700)
    dock = SampleDock(viewer)
    viewer.window.add_dock_widget(dock)
    session_for(viewer).open_study(study.root)
    session_for(viewer).show_cube("A")  # it stays where it is, and so does the wavelength
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=STEP_MS)
    pick(dock.masks.box, "painted")
    assert dock.count.value() == 4
    assert not dock.start_button.isEnabled()
    assert "Press “Paint a mask”" in dock.reason.text()

    dock.masks.painting.button.click()
    layer = viewer.layers.selection.active
    assert isinstance(layer, Labels)
    assert (layer.mode, layer.data.shape, layer.name) == ("paint", (32, 32), "mask 1 · painted")
    ground = viewer.layers["mask 1 · background"]
    assert np.array_equal(ground.extent.world, layer.extent.world)
    assert ground.extent.world[0, 1] > viewer.layers["A · cube"].extent.world[1, 2]
    assert dock.reason.text() == "Paint the lesion first: the layer is empty."
    hand, middle = mouse(viewer), layer.extent.world.mean(axis=0)
    centre = hand.canvas.native.rect().center
    qtbot.waitUntil(lambda: (hand.place(*middle) - centre()).manhattanLength() < 10)  # the camera has turned to it
    hand.drag(*(tuple(layer.translate + place) for place in ((10, 10), (18, 20))))
    assert layer.data.any()
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=STEP_MS)
    painted = np.asarray(layer.data) != 0
    assert 0 < painted.sum() < painted.size // 2

    dock.start_button.click()
    args = build_parser().parse_args(without(launches.words, "--mask"))
    assert (args.n, args.seed, str(args.source)) == (4, 0, str(run.path))
    file = Path(launches.words[launches.words.index("--mask") + 1])
    assert file.parent == study.root / "synthetic" / "masks"
    with Image.open(file) as image:
        assert np.array_equal(np.asarray(image) != 0, painted)
    launches.finish(folder=str(synthetic_set(study, run, painted, file.name)))
    qtbot.waitUntil(lambda: len(viewer.layers) == 11, timeout=STEP_MS)
    cubes = [one for one in viewer.layers if one.name.endswith(" · synthetic")]
    outlines = [one for one in viewer.layers if one.name.endswith(" · mask")]
    assert len(cubes) == len(outlines) == 4
    for cube, outline in zip(cubes, outlines, strict=True):
        assert outline.contour == 1
        assert np.array_equal(outline.data != 0, painted)
        assert np.array_equal(outline.translate, cube.translate[-2:])
        assert cube.extent.world[0, -1] > layer.extent.world[1, -1]  # beside the painting, not over it
    assert viewer.layers.selection.active is layer  # the brush is still in hand
    assert layer.mode == "paint"
    assert dock.masks.painting.box.count() == 1  # outlines are not paintings
    assert dock.summary() == "4 samples from 1 run"

    layer.data_setitem((np.array([0]), np.array([0])), 1)
    qtbot.waitUntil(lambda: dock.words()[-1] != str(file), timeout=STEP_MS)  # another mask is another file
    viewer.layers.remove(layer)
    assert not dock.start_button.isEnabled()
    layer.data_setitem((np.array([1]), np.array([1])), 1)  # nobody listens any more
    QThreadPool.globalInstance().waitForDone(5_000)


@pytest.mark.parametrize("diagnosis", ["", *Diagnosis])
def test_masks_are_seen_on_the_grey_that_they_are_painted_on(diagnosis: str) -> None:
    assert np.ptp(mask_colours(diagnosis).map(1)[:3]) > 0.5
    assert mask_colours(diagnosis).map(0)[3] == 0


def test_any_labels_layer_can_be_the_mask(
    dock: SampleDock, runs: dict[str, RunFolder], launches: Launches, qtbot
) -> None:
    choose(dock, runs["masked"])
    viewer = dock.session.viewer
    stack = viewer.add_labels(np.ones((3, 8, 8), np.uint8), name="stack")
    lesions = viewer.add_labels(np.eye(20, 30, dtype=np.uint16) * 7, name="lesions")
    pick(dock.masks.box, "painted")
    assert [dock.masks.painting.box.itemText(row) for row in range(dock.masks.painting.box.count())] == ["lesions"]
    lesions.name = "mine"
    assert dock.masks.painting.box.currentText() == "mine"
    dock.start_button.click()
    first = launches.run
    qtbot.waitUntil(lambda: dock.row.active, timeout=STEP_MS)
    dock.start()  # as a script may
    assert launches.run == first
    with Image.open(launches.words[-1]) as image:
        assert np.array_equal(np.asarray(image) != 0, np.eye(20, 30, dtype=bool))
    launches.finish(folder=str(dock.study.root))
    viewer.layers.remove(stack)
    qtbot.waitUntil(lambda: not dock.row.active, timeout=STEP_MS)


def test_pixels_are_followed_only_while_that_choice_is_shown_and_cost_no_look_at_files(
    dock: SampleDock, runs: dict[str, RunFolder], qtbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    painting = dock.masks.painting
    layer = dock.session.viewer.add_labels(np.zeros((8, 8), np.uint8), name="theirs")
    with qtbot.waitSignal(dock.summary_changed, timeout=STEP_MS):  # the study is looked at again
        dock.show()
    listeners = len(layer.events.paint.callbacks)
    for run, kind, follows in (("masked", "study", 0), ("masked", "painted", 1), ("plain", "painted", 0)):
        choose(dock, runs[run])
        pick(dock.masks.box, kind)
        assert len(layer.events.paint.callbacks) == listeners + follows, (run, kind)
    layer.data_setitem((np.array([0]), np.array([0])), 1)  # while nobody looks
    choose(dock, runs["masked"])
    assert dock.start_button.isEnabled()
    before = dock.words()[-1]

    def too_much(*_: object) -> str:
        raise AssertionError("the files of the run have not changed")

    with monkeypatch.context() as patched:
        patched.setattr(SampleDock, "_obstacle_of_run", too_much)
        with qtbot.waitSignal(painting.painted, timeout=STEP_MS):
            layer.data_setitem((np.array([4]), np.array([4])), 1)
        assert dock.words()[-1] != before
        assert dock.words()[-1] in dock.command.command
        with qtbot.waitSignal(painting.painted, timeout=STEP_MS):
            layer.data = np.zeros((8, 8), np.uint8)
    assert dock.reason.text() == "Paint the lesion first: the layer is empty."
    dock.hide()
    assert len(layer.events.paint.callbacks) == listeners


def test_a_layer_of_several_scales_is_no_painting(dock: SampleDock) -> None:
    scales = [np.ones((16, 16), np.uint8), np.ones((8, 8), np.uint8)]
    dock.session.viewer.add_labels(scales, multiscale=True)
    assert dock.masks.painting.layer is None


def test_a_model_that_was_not_told_diagnoses_can_be_asked_for_one(dock: SampleDock, runs: dict[str, RunFolder]) -> None:
    """As the command can: cubes of a painted mask are then said to be of it."""
    dock._found = replace(dock._found, diagnoses=("melanoma", "nevus"))  # of the study's crops
    for name, offered in {"any": ["", "melanoma", "nevus"], "any plain": [""], "masked": [""]}.items():
        choose(dock, runs[name])
        assert [dock.diagnosis.itemData(row) for row in range(dock.diagnosis.count())] == offered
        assert dock.diagnosis.isVisibleTo(dock) is (name == "any")
    choose(dock, runs["any"])
    pick(dock.diagnosis, "nevus")
    assert dock.words()[-2:] == ["--diagnosis", "nevus"]


def test_a_mask_that_cannot_be_written_is_said_and_nothing_starts(
    dock: SampleDock, runs: dict[str, RunFolder], launches: Launches, messages: list[str]
) -> None:
    choose(dock, runs["masked"])
    dock.session.viewer.add_labels(np.eye(8, dtype=np.uint8))
    pick(dock.masks.box, "painted")
    (dock.study.root / "synthetic").write_text("a file is in the way")
    dock.start_button.click()
    assert launches.run is None
    assert len(messages) == 1


def without(words: list[str], flag: str) -> list[str]:
    """Leave out a flag and its value."""
    at = words.index(flag)
    return words[:at] + words[at + 2 :]
