"""The Sample and Evaluate docks with a real viewer, on a really trained (tiny) run, by child processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from qtpy.QtCore import Qt, QThreadPool

from napari_hsisynth.jobs import RunFolder, attach, list_runs, new_run
from napari_hsisynth.optics import lesion_phantom
from napari_hsisynth.study import Study, make_crops
from napari_hsisynth.widgets.evaluate_dock import EvaluateDock
from napari_hsisynth.widgets.sample_dock import SampleDock
from napari_hsisynth.widgets.session import session_for

pytest.importorskip("torch")

#: Starting a process that imports torch takes its time on a busy machine, ms.
START_MS, STEP_MS = 120_000, 30_000


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HSISYNTH_SETTINGS", str(tmp_path / "settings.ini"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of phantoms with one tiny trained run, made once."""
    from napari_hsisynth.training import train
    from napari_hsisynth.training.config import VAEConfig

    root = tmp_path_factory.mktemp("trained") / "study"
    study = None
    for seed in range(16):
        phantom = lesion_phantom("melanoma", shape=(32, 40), seed=seed, sensor="hsidermoscopy")
        study = study or Study.create(root, wavelengths_nm=phantom.cube.wavelengths_nm, notes="PHANTOM")
        study.add_cube(phantom.cube, f"PHANTOM_melanoma_{seed:04}", "melanoma", mask=phantom.mask)
    assert study is not None
    make_crops(study)
    config = VAEConfig(image_size=16, width=4, latent_dim=2, batch_size=2, max_images=20, augment=False)
    train(root, config, diagnosis="melanoma", run=new_run(root, "vae-melanoma"))
    return root


@pytest.fixture
def study(trained: Path, tmp_path: Path) -> Iterator[Study]:
    """A copy of the trained study; whatever still works in it is ended with the test."""
    shutil.copytree(trained, tmp_path / "study")
    study = Study.open(tmp_path / "study")
    yield study
    for run in list_runs(study.root):
        job = attach(run)
        if job is not None:
            job.kill()
    QThreadPool.globalInstance().waitForDone(5_000)


def test_samples_are_drawn_listed_and_shown_then_measured(make_napari_viewer_proxy, study: Study, qtbot) -> None:
    viewer = make_napari_viewer_proxy()
    dock, judge = SampleDock(viewer), EvaluateDock(viewer)
    for one in (dock, judge):
        viewer.window.add_dock_widget(one)
    session_for(viewer).open_study(study.root)
    qtbot.waitUntil(lambda: dock.start_button.isEnabled(), timeout=STEP_MS)
    assert dock.summary() == "none yet"
    nothing = "This study has no synthetic cubes yet: draw samples from a trained run first."
    qtbot.waitUntil(lambda: judge.obstacle() == nothing, timeout=STEP_MS)

    dock.count.setValue(8)
    dock.seed.setValue(3)
    assert dock.command.command.endswith("--n 8 --seed 3")
    dock.start_button.click()
    assert dock.row.state.status == "starting"
    qtbot.waitUntil(lambda: dock.row.state.status == "done", timeout=START_MS)
    qtbot.waitUntil(lambda: dock.summary() == "8 samples from 1 run", timeout=STEP_MS)
    assert dock.sets.list.topLevelItem(0).text(1) == "8"
    dock.sets.shown_count.setValue(2)
    dock.sets.show_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=STEP_MS)
    dock.sets.show_button.click()  # what is shown already is not added again
    qtbot.waitUntil(lambda: dock.sets.show_button.isEnabled(), timeout=STEP_MS)
    assert len(viewer.layers) == 2
    left, right = (layer.extent.world[:, -2:] for layer in viewer.layers)
    assert left[1, 1] < right[0, 1]  # beside each other, not one over the other
    assert left[0, 0] == pytest.approx(right[0, 0])
    assert {layer.metadata["hsisynth"]["origin"] for layer in viewer.layers} == {"synthetic"}

    qtbot.waitUntil(lambda: judge.start_button.isEnabled(), timeout=STEP_MS)  # it has heard of the new samples
    assert judge.checked_sets == study.synthetic_runs()
    judge.start_button.click()
    qtbot.waitUntil(lambda: judge.row.state.status == "done", timeout=START_MS)
    qtbot.waitUntil(lambda: len(judge.reports) == 1, timeout=STEP_MS)
    report = judge.reports[0]
    assert report.html.is_file()
    assert judge.open_button.isEnabled()
    assert judge.table.rowCount() == len(report.metrics) > 0
    assert report.values["n_synthetic"] == 8
    assert "PHANTOM" in judge.notes.text()
    assert judge.summary() == report.headline


def test_reconstructions_are_measured(make_napari_viewer_proxy, study: Study, qtbot) -> None:
    viewer = make_napari_viewer_proxy()
    dock = EvaluateDock(viewer)
    viewer.window.add_dock_widget(dock)
    session_for(viewer).open_study(study.root)
    qtbot.waitUntil(lambda: bool(dock._trained), timeout=STEP_MS)
    dock.what.setCurrentIndex(1)
    assert "--reconstruct" in dock.command.command
    dock.start_button.click()
    qtbot.waitUntil(lambda: dock.row.state.status in ("done", "failed"), timeout=START_MS)
    assert dock.row.state.status == "done", dock.row.state.reason
    qtbot.waitUntil(lambda: len(dock.reports) == 1, timeout=STEP_MS)
    assert {"psnr", "ssim", "spectral_angle", "rase"} <= set(dock.reports[0].metrics)
    assert dock.report.currentText().startswith("reconstructions of ")


def test_several_sets_are_measured_in_turn_and_stop_ends_the_queue(
    make_napari_viewer_proxy, study: Study, qtbot
) -> None:
    """Without torch: the synthetic sets are copies of real crops, under two run ids."""
    for digits in ("aaaa", "bbbb", "cccc"):
        shutil.copytree(study.crops_dir, study.synthetic_dir(f"20260101-000000-vae-melanoma-{digits}"))
    viewer = make_napari_viewer_proxy()
    dock = EvaluateDock(viewer)
    viewer.window.add_dock_widget(dock)
    session_for(viewer).open_study(study.root)
    qtbot.waitUntil(lambda: dock.sets.count() == 3, timeout=STEP_MS)
    for row in range(3):
        dock.sets.item(row).setCheckState(Qt.CheckState.Unchecked)
    assert dock.reason.text() == "Tick at least one synthetic set."
    for row in range(3):
        dock.sets.item(row).setCheckState(Qt.CheckState.Checked)
    dock.start_button.click()
    assert dock.waiting.text() == "2 more queued"
    first = dock.row.run
    qtbot.waitUntil(lambda: dock.row.run != first, timeout=START_MS)  # the next began by itself
    assert dock.waiting.text() == "1 more queued"
    dock.stop_button.click()
    qtbot.waitUntil(lambda: not dock.row.active, timeout=START_MS)
    if dock.row.state.status == "stopped":  # else it was through before it could be stopped, and the last one began
        assert not dock._queue
        assert dock.start_button.isEnabled()


def test_a_run_that_cannot_be_read_fails_with_its_reason(make_napari_viewer_proxy, study: Study, qtbot) -> None:
    viewer = make_napari_viewer_proxy()
    dock = SampleDock(viewer)
    viewer.window.add_dock_widget(dock)
    session_for(viewer).open_study(study.root)
    qtbot.waitUntil(lambda: dock.start_button.isEnabled(), timeout=STEP_MS)
    next(dock.trained[0].run.checkpoints_dir.glob("last.*")).write_bytes(b"not a checkpoint")
    dock.start_button.click()
    qtbot.waitUntil(lambda: dock.row.state.status == "failed", timeout=START_MS)
    assert "last" in dock.row.status.text()
    dock.checkpoint.setCurrentIndex(1)
    for path in dock.trained[0].run.checkpoints_dir.glob("best.*"):
        path.unlink()
    dock.update_controls()
    assert "no “best” checkpoint" in dock.reason.text()


def test_sets_of_another_study_are_not_measured_for_the_one_just_opened(
    make_napari_viewer_proxy, study: Study, tmp_path: Path, qtbot
) -> None:
    shutil.copytree(study.crops_dir, study.synthetic_dir("20260101-000000-vae-melanoma-aaaa"))
    viewer = make_napari_viewer_proxy()
    dock = EvaluateDock(viewer)
    viewer.window.add_dock_widget(dock)
    session_for(viewer).open_study(study.root)
    qtbot.waitUntil(lambda: dock.start_button.isEnabled(), timeout=STEP_MS)
    other = Study.create(tmp_path / "other", wavelengths_nm=[500.0, 600.0])
    session_for(viewer).open_study(other.root)
    # its worker has not come back yet
    assert not dock.start_button.isEnabled()
    assert dock.reason.text() == "The study is being read."
    qtbot.waitUntil(lambda: dock.empty_button.text() == "Sample a run", timeout=STEP_MS)


def test_empty_states(make_napari_viewer_proxy, tmp_path: Path, qtbot) -> None:
    viewer = make_napari_viewer_proxy()
    sample, judge = SampleDock(viewer), EvaluateDock(viewer)
    for one in (sample, judge):
        viewer.window.add_dock_widget(one)
        assert one.empty_button.text() == "Open or make a study"
        assert not one.content.isVisibleTo(one)
    study = Study.create(tmp_path / "new", wavelengths_nm=[500.0, 600.0])
    session_for(viewer).open_study(study.root)
    qtbot.waitUntil(lambda: sample.empty_button.text() == "Train a generator", timeout=STEP_MS)
    qtbot.waitUntil(lambda: judge.empty_button.text() == "Sample a run", timeout=STEP_MS)


def test_a_run_deleted_by_hand_is_said_instead_of_started(make_napari_viewer_proxy, study: Study, qtbot) -> None:
    viewer = make_napari_viewer_proxy()
    dock = SampleDock(viewer)
    viewer.window.add_dock_widget(dock)
    session_for(viewer).open_study(study.root)
    qtbot.waitUntil(lambda: dock.start_button.isEnabled(), timeout=STEP_MS)
    shutil.rmtree(dock.source.currentData())
    dock.start_button.click()
    qtbot.waitUntil(lambda: dock.empty.text() == "No trained run in this study yet.", timeout=STEP_MS)
    assert dock.row.run is None
    session_for(viewer).close_study()
    assert dock.summary() == ""


def test_a_model_that_knows_diagnoses_is_asked_for_one(make_napari_viewer_proxy, study: Study, qtbot) -> None:
    (plain,) = list_runs(study.root)
    told = new_run(study.root, "vae-all")
    shutil.copytree(plain.path, told.path, dirs_exist_ok=True)
    config = {**plain.config, "conditional": True}
    told.write_config({**config, "run": {**config["run"], "diagnosis": ""}})
    dock = SampleDock(make_napari_viewer_proxy())
    qtbot.addWidget(dock)
    dock.session.open_study(study.root)
    qtbot.waitUntil(lambda: len(dock.trained) == 2, timeout=STEP_MS)

    def choose(run: RunFolder) -> None:
        dock.source.setCurrentIndex([summary.run for summary in dock.trained].index(run))

    choose(plain)
    assert not dock.diagnosis.isVisibleTo(dock)
    assert "--diagnosis" not in dock.command.command
    choose(told)
    assert dock.diagnosis.isVisibleTo(dock)
    offered = [dock.diagnosis.itemText(row) for row in range(dock.diagnosis.count())]
    assert offered == ["all in turn", "melanoma"]  # not written in the configuration: those of the study
    assert "--diagnosis" not in dock.command.command
    dock.diagnosis.setCurrentIndex(1)
    assert dock.command.command.endswith("--seed 0 --diagnosis melanoma")
    assert dock.run_name() == "sample-vae-melanoma"
    told.write_config({**config, "run": {**config["run"], "classes": ["dysplastic_nevus", "melanoma"]}})
    dock.refresh()
    qtbot.waitUntil(lambda: dock.diagnosis.count() == 3, timeout=STEP_MS)
    assert dock.diagnosis.currentData() == "melanoma"  # what was chosen stays
    assert dock.source.currentData() == told.path
    choose(plain)
    assert "--diagnosis" not in dock.command.command
