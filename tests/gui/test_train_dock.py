"""The Train dock with a real viewer and real, tiny trainings as child processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from finished_runs import finished_run
from qtpy.QtCore import QThreadPool

from napari_hsisynth.jobs import RunFolder, attach, list_runs, new_run
from napari_hsisynth.jobs.process import identity
from napari_hsisynth.optics import lesion_phantom
from napari_hsisynth.study import Study, make_crops
from napari_hsisynth.training.config import MODELS, PRESETS
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.train_dock import TrainDock, data_text

pytest.importorskip("torch")

#: The smallest network on the smallest images.
TINY = {"image_size": 16, "width": 4, "latent_dim": 2, "batch_size": 8, "augment": False}
#: Starting a process that imports torch takes its time on a busy machine, ms.
START_MS, STEP_MS = 120_000, 60_000


def make_study(root: Path, melanomas: int = 8, nevi: int = 2) -> Study:
    study = None
    for kind, count in (("melanoma", melanomas), ("nevus", nevi)):
        for seed in range(count):
            phantom = lesion_phantom(kind, shape=(32, 40), seed=seed, sensor="hsidermoscopy")
            study = study or Study.create(root, wavelengths_nm=phantom.cube.wavelengths_nm, notes="PHANTOM")
            study.add_cube(phantom.cube, f"PHANTOM_{kind}_{seed:04}", kind, mask=phantom.mask)
    assert study is not None
    make_crops(study)
    return study


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HSISYNTH_SETTINGS", str(tmp_path / "settings.ini"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of phantoms, made once."""
    return make_study(tmp_path_factory.mktemp("made") / "study").root


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Iterator[Study]:
    """A copy of it; whatever still trains in it is ended with the test."""
    shutil.copytree(made, tmp_path / "study")
    study = Study.open(tmp_path / "study")
    yield study
    for run in list_runs(study.root):
        job = attach(run)
        if job is not None:
            job.kill()


@pytest.fixture
def dock(make_napari_viewer_proxy, study: Study) -> Iterator[TrainDock]:
    viewer = make_napari_viewer_proxy()
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock)
    session_for(viewer).open_study(study.root)
    yield dock
    dock.row.detach()
    QThreadPool.globalInstance().waitForDone(5_000)


def statuses(dock: TrainDock) -> list[str]:
    seen: list[str] = []
    dock.row.state_changed.connect(lambda state: seen.append(state.status) if seen[-1:] != [state.status] else None)
    return seen


def test_a_training_from_the_first_click_to_its_end(dock: TrainDock, study: Study, qtbot, make_napari_viewer) -> None:
    """Start, watch, attach from elsewhere, stop, resume, done: each start costs an import of torch."""
    seen = statuses(dock)
    dock.form.set_values({**TINY, "max_images": 10**9, "preview_every": 200, "checkpoint_every": 200})
    assert dock.start_button.isEnabled(), dock.reason.text()
    dock.start_button.click()
    assert dock.row.state.status == "starting"  # within the click, long before torch is loaded
    assert not dock.start_button.isEnabled()
    assert not dock.settings_fold.is_open
    assert not dock.split.isEnabled()  # the process has yet to read it
    run = dock.row.run
    assert run is not None
    qtbot.waitUntil(lambda: dock.row.state.images > 200, timeout=START_MS)
    assert "of 1,000,000,000 images" in dock.row.status.text()
    assert dock.summary().startswith("vae-melanoma running")
    assert dock.split.isEnabled()
    qtbot.waitUntil(lambda: len(dock.losses.points("val_loss")[0]) >= 2, timeout=STEP_MS)
    assert len(dock.losses.points("loss")[0]) >= 1
    qtbot.waitUntil(lambda: dock.samples.list.count() == 16, timeout=STEP_MS)
    at, _ = dock.spectra.curves["synthetic"].getData()
    assert len(at) == 16
    assert dock.samples.colour.name().upper() == "#D55E00"
    other = TrainDock(make_napari_viewer())  # as if napari had been started again while the training goes on
    qtbot.addWidget(other)
    other.session.open_study(study.root)
    qtbot.waitUntil(lambda: other.row.run == run and other.row.state.images > 200, timeout=STEP_MS)
    assert other.row.state.status == "running"
    other.row.detach()

    dock.stop_button.click()
    assert dock.row.state.status == "stopping"
    qtbot.waitUntil(lambda: dock.row.state.status == "stopped", timeout=STEP_MS)
    assert seen == ["starting", "running", "stopping", "stopped"]
    qtbot.waitUntil(lambda: [s.state.status for s in dock.runs.summaries] == ["stopped"], timeout=STEP_MS)
    assert dock.start_button.isEnabled()
    images = dock.row.state.images

    # let the rest be short: the run's own configuration is what a resume goes by
    run.write_config({**run.config, "max_images": images + 100})
    dock.resume_button.click()
    assert dock.row.state.status == "starting"
    qtbot.waitUntil(lambda: dock.row.state.status == "done", timeout=START_MS)
    assert dock.row.state.images == images + 100
    at, _ = dock.losses.points("loss")
    assert (at[1:] >= at[:-1]).all()
    assert at[-1] == images + 100
    assert not dock.resume_button.isEnabled()
    qtbot.waitUntil(lambda: dock.runs.summaries[0].state.status == "done", timeout=STEP_MS)


def test_a_killed_training_is_a_failed_one_that_can_be_resumed(dock: TrainDock, study: Study, qtbot) -> None:
    """A process that trains nothing dies as one that does; that a killed training goes on is tested at the engine."""
    run = new_run(study.root, "vae-melanoma")
    run.write_config({**MODELS["vae"]().model_dump(), "run": {"verb": "train", "diagnosis": "melanoma"}})
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        run.append("started", **identity(child.pid), verb="train", device="cpu", resumed_at=None)
        run.append("progress", done=100, total=200, unit="images", rate=50.0, eta_s=2.0)
        dock.refresh()
        qtbot.waitUntil(lambda: dock.row.state.status == "running", timeout=STEP_MS)  # found by itself
        assert not dock.resume_button.isEnabled()
        job = attach(run)
        assert job is not None
        job.kill()
        child.wait()
    qtbot.waitUntil(lambda: dock.row.state.status == "failed", timeout=STEP_MS)
    assert "killed" in dock.row.status.text()
    assert dock.resume_button.isEnabled()
    assert dock.start_button.isEnabled()


def test_a_failed_training_shows_its_reason(dock: TrainDock, study: Study, qtbot) -> None:
    (study.crops_dir / "crops.csv").unlink()  # as if somebody had cleaned up the wrong folder
    dock.start()
    qtbot.waitUntil(lambda: dock.row.state.status == "failed", timeout=START_MS)
    assert "the study has no crops" in dock.row.status.text()
    log = dock.row.run.log_path
    qtbot.waitUntil(lambda: "error:" in log.read_text(encoding="utf-8"), timeout=STEP_MS)  # printed after the event
    dock.row.details_button.click()
    assert "error:" in dock.row.log.toPlainText()


def shown_command(dock: TrainDock) -> str:
    return dock.command.command


def test_the_command_is_what_the_form_says(dock: TrainDock, study: Study) -> None:
    assert shown_command(dock).endswith("--model vae --diagnosis melanoma")
    dock.diagnosis.setCurrentIndex(dock.diagnosis.findData(None))
    assert "--diagnosis" not in shown_command(dock)
    assert dock.data.text() == data_text(dock._summary, False)
    assert dock.data.text().startswith("10 crops (8 melanoma, 2 nevus) · train ")
    dock.preset.setCurrentIndex(dock.preset.findData("try"))
    dock.preset.activated.emit(dock.preset.currentIndex())
    assert dock.form.config().max_images == PRESETS["vae"]["try"]["max_images"]
    assert shown_command(dock).endswith("--preset try")
    dock.form.set_values({"lr": 2e-4, "augment": False})
    assert shown_command(dock).endswith("--preset try --set lr=0.0002 --set augment=false")
    parsed = parse_again(dock.words())
    assert parsed == dock.form.config()


def parse_again(words: list[str]) -> Any:
    """Read the dock's command as the command line does."""
    from napari_hsisynth.cli import build_parser
    from napari_hsisynth.training.command import settings
    from napari_hsisynth.training.config import parse

    args = build_parser().parse_args(words)
    return parse(settings(args.model, args.preset, args.config, args.set))


def test_a_training_begins_with_an_earlier_run(dock: TrainDock, study: Study, tmp_path: Path, qtbot) -> None:
    run = finished_run(study, "vae")
    dock.refresh()
    qtbot.waitUntil(lambda: dock.begin.box.count() == 3, timeout=STEP_MS)
    assert "--init" not in dock.words()
    dock.begin.box.setCurrentIndex(1)
    assert dock.words()[-2:] == ["--init", str(run.path)]
    assert parse_again(dock.words()[:-2]) == dock.form.config()
    dock.begin.box.setCurrentIndex(2)
    dock.begin.folder.set_path(tmp_path)
    assert dock.reason.text() == f"Begin with: {tmp_path.name} is not the folder of a run."
    assert not dock.start_button.isEnabled()
    dock.begin.folder.set_path(run.path)
    assert dock.start_button.isEnabled()
    dock.model.setCurrentIndex(dock.model.findData("dcgan"))
    assert dock.reason.text().endswith("has no weights for dcgan.")


def test_an_invalid_field_disables_train_and_says_why(dock: TrainDock) -> None:
    dock.form.editors["image_size"].widget.native.setText("8")
    assert not dock.start_button.isEnabled()
    assert dock.reason.text() == "Settings: image size: must be at least 16 px"
    assert dock.start_button.toolTip() == dock.reason.text()
    dock.form.editors["image_size"].widget.native.setText("32")
    assert dock.start_button.isEnabled()
    assert not dock.reason.isVisible()


def test_empty_states_lead_on(make_napari_viewer_proxy, tmp_path: Path, qtbot) -> None:
    viewer = make_napari_viewer_proxy()
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock)
    dock.show()
    assert not dock.content.isVisibleTo(dock)
    assert dock.empty_button.text() == "Open or make a study"
    phantom = lesion_phantom("nevus", shape=(32, 40), seed=0)
    study = Study.create(tmp_path / "s", wavelengths_nm=phantom.cube.wavelengths_nm)
    study.add_cube(phantom.cube, "PHANTOM_a", "nevus", mask=phantom.mask)
    session = session_for(viewer)
    session.open_study(study.root)
    assert dock.empty_button.text() == "Crop lesions"
    make_crops(study)
    session.crops_changed.emit()
    assert dock.content.isVisibleTo(dock)
    session.close_study()
    assert dock.empty_button.text() == "Open or make a study"


def test_a_reload_of_the_study_keeps_the_followed_run(dock: TrainDock, study: Study) -> None:
    run = RunFolder(study.runs_dir / "20260101-000000-vae-melanoma-0000")
    run.append("started", pid=1, create_time=0.0, host="elsewhere", verb="train", resumed_at=None)
    dock.attach(run)
    dock.session.reload()
    assert dock.row.run == run


def test_a_conditional_model_needs_all_diagnoses(dock: TrainDock, study: Study) -> None:
    assert dock.diagnosis.currentData() == "melanoma"
    dock.form.editors["conditional"].widget.native.setChecked(True)
    assert not dock.start_button.isEnabled()
    assert "choose “all diagnoses”" in dock.reason.text()
    dock.diagnosis.setCurrentIndex(dock.diagnosis.findData(None))
    assert dock.start_button.isEnabled()
    assert shown_command(dock).endswith("--model vae --set conditional=true")


def test_several_machines_are_left_to_the_command(dock: TrainDock, study: Study) -> None:
    dock.form.set_values({"num_nodes": 2})
    assert not dock.start_button.isEnabled()
    assert "copy the command" in dock.reason.text()
    assert shown_command(dock).endswith("--set num_nodes=2")


def test_the_estimate_is_by_a_run_like_this_one_or_there_is_none(dock: TrainDock, study: Study, qtbot) -> None:
    assert not dock.estimate.isVisibleTo(dock)
    run = new_run(study.root, "vae-melanoma")
    run.write_config({**MODELS["vae"](seed=9).model_dump(), "run": {"verb": "train", "diagnosis": "melanoma"}})
    run.append("started", pid=1, create_time=0.0, host="elsewhere", verb="train", resumed_at=None)
    run.append("progress", done=100, total=200, unit="images", rate=50.0, eta_s=2.0)
    run.append("stopped", images=100)
    dock.refresh()
    qtbot.waitUntil(lambda: dock.estimate.isVisibleTo(dock), timeout=STEP_MS)
    dock.form.set_values({"max_images": 120_000, "lr": 2e-4})
    assert dock.estimate.text() == "about 40 min at the 50 images/s of an earlier run"
    dock.form.set_values({"width": 48})
    assert not dock.estimate.isVisibleTo(dock)


def test_what_a_run_says_is_shown_where_it_belongs(dock: TrainDock, study: Study, qtbot) -> None:
    run = new_run(study.root, "vae-melanoma")
    run.append("started", pid=1, create_time=0.0, host="elsewhere", verb="train", resumed_at=None)
    for images in (100, 200, 300):
        run.append("scalars", images=images, values={"loss": 1.0})
    dock.attach(run)
    qtbot.waitUntil(lambda: len(dock.losses.points("loss")[0]) == 3, timeout=STEP_MS)
    run.append("warning", message="the loss has risen", images=300)
    run.append("rolled_back", resumed_at=100, reached=300, lr=5e-4, reason="the loss has risen")
    qtbot.waitUntil(lambda: len(dock.losses.points("loss")[0]) == 1, timeout=STEP_MS)
    (mark,) = dock.losses.warnings.marks.values()
    assert mark.value() == 300
    assert mark.toolTip() == "300 images: rolled back to 100 images: the loss has risen"
    run.append("stopped", images=100)
    qtbot.waitUntil(lambda: dock.row.state.status == "stopped", timeout=STEP_MS)


def test_a_picture_becomes_a_layer_once(dock: TrainDock, tmp_path: Path) -> None:
    import numpy as np

    from napari_hsisynth.widgets.preview import load_preview

    path = tmp_path / "p.npz"
    np.savez(path, samples=np.ones((2, 16, 8, 8), np.float32), wavelengths_nm=np.linspace(465, 630, 16))
    tile = load_preview(path, 100, name="vae-melanoma-3fa2").samples[0]
    for _ in range(2):
        dock.samples.chosen.emit(tile)
    names = [layer.name for layer in dock.viewer.layers]
    assert names == ["vae-melanoma-3fa2 @ 100 images sample 1 · preview"]
    assert dock.viewer.layers[0].metadata["hsisynth"]["origin"] == "synthetic"


def test_a_run_whose_folder_is_gone_is_told_once_and_forgotten(dock: TrainDock, study: Study, qtbot) -> None:
    from napari.utils.notifications import notification_manager

    run = new_run(study.root, "vae-melanoma")
    run.write_config({"model": "vae", "run": {"verb": "train", "diagnosis": "melanoma"}})
    run.append("started", pid=1, create_time=0.0, host="elsewhere", verb="train", resumed_at=None)
    run.append("stopped", images=100)
    dock.refresh()
    qtbot.waitUntil(lambda: len(dock.runs.summaries) == 1, timeout=STEP_MS)
    dock.runs.tree.setCurrentItem(dock.runs.tree.topLevelItem(0))
    dock.runs.show_button.click()
    qtbot.waitUntil(dock.resume_button.isEnabled, timeout=STEP_MS)
    shutil.rmtree(run.path)
    before = len(notification_manager.records)
    dock.resume_button.click()
    (told,) = list(notification_manager.records)[before:]
    assert "this run's folder is gone" in told.message
    assert dock.row.run is None
    assert dock.start_button.isEnabled()
    qtbot.waitUntil(lambda: not dock.runs.summaries, timeout=STEP_MS)


def test_crops_cut_while_the_dock_is_open_begin_with_the_positive_class(
    make_napari_viewer_proxy, study: Study, qtbot
) -> None:
    for file in study.crops_dir.iterdir():
        file.unlink()
    viewer = make_napari_viewer_proxy()
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock)
    session_for(viewer).open_study(study.root)
    assert dock.empty_button.isVisibleTo(dock)
    make_crops(study)
    session_for(viewer).crops_changed.emit()
    assert dock.diagnosis.currentData() == "melanoma"
    assert dock.start_button.isEnabled()
    QThreadPool.globalInstance().waitForDone(5_000)
