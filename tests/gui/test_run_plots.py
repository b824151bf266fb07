"""Loss curves, previews and the table of runs: what they show of the files of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.widgets.devices import list_devices, parse_nvidia_smi
from napari_hsisynth.widgets.evaluation_table import (
    EvaluationTable,
    Report,
    for_eyes,
    list_reports,
    metric_label,
    metric_tip,
)
from napari_hsisynth.widgets.preview import RENDERINGS, Spectra, load_preview
from napari_hsisynth.widgets.preview_grid import PreviewGrid
from napari_hsisynth.widgets.run_plots import SpectraPlot
from napari_hsisynth.widgets.run_table import RunTable, summarise

NM = np.linspace(465, 630, 16)


def write_preview(path: Path, level: float = 0.4, pairs: int = 2, **change: object) -> Path:
    """A preview of flat grey cubes, the second sample twice as bright as the first."""
    cubes = np.full((3, 16, 8, 8), level, np.float32) * np.array([1, 2, 1], np.float32)[:, None, None, None]
    arrays = {
        "samples": cubes,
        "originals": cubes[:pairs],
        "reconstructions": 0.5 * cubes[:pairs],
        "wavelengths_nm": NM,
        "real_mean": np.linspace(0.2, 0.4, 16),
        "real_std": np.full(16, 0.05),
        "synthetic_mean": np.linspace(0.25, 0.35, 16),
        "synthetic_std": np.full(16, 0.02),
    }
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **{k: v for k, v in {**arrays, **change}.items() if v is not None})
    return path


def test_spectra_have_the_line_style_of_their_origin(qtbot) -> None:
    plot = SpectraPlot()
    qtbot.addWidget(plot)
    backwards = slice(None, None, -1)  # bands may come in any order; a curve must not run back
    plot.show_spectra(Spectra(NM[backwards], *(np.full(16, v)[backwards] for v in (0.3, 0.1, 0.4, 0.05))))
    plot.set_colour("#D55E00")
    for origin, style in (("real", Qt.PenStyle.SolidLine), ("synthetic", Qt.PenStyle.DashLine)):
        pen = plot.curves[origin].opts["pen"]
        assert (pen.style(), pen.color().name().upper()) == (style, "#D55E00")
        assert (np.diff(plot.curves[origin].getData()[0]) > 0).all()
    _, low, high = plot.bands["real"]
    assert low.getData()[1] == pytest.approx(np.full(16, 0.2))
    assert high.getData()[1] == pytest.approx(np.full(16, 0.4))
    plot.show_spectra(None)
    at, _ = plot.curves["real"].getData()
    assert at is None or not len(at)


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_pictures_of_a_preview_share_one_white(tmp_path: Path, rendering: str) -> None:
    preview = load_preview(write_preview(tmp_path / "p.npz"), 500, rendering, "vae-melanoma")
    dark, bright, _ = (tile.pixels.mean() for tile in preview.samples)
    assert bright > 1.3 * dark
    assert [tile.title for tile in preview.pairs] == [
        "original 1",
        "reconstruction 1",
        "original 2",
        "reconstruction 2",
    ]
    assert [tile.origin for tile in preview.pairs] == ["real", "synthetic"] * 2
    assert preview.pairs[1].pixels.mean() < preview.pairs[0].pixels.mean()
    assert preview.samples[0].cube.name == "vae-melanoma @ 500 images sample 1"
    np.testing.assert_array_equal(preview.samples[1].cube.data, np.float32(0.8))
    assert preview.spectra is not None
    assert preview.spectra.real_std.tolist() == [0.05] * 16


def test_a_preview_without_reconstructions_or_spectra(tmp_path: Path) -> None:
    path = write_preview(tmp_path / "p.npz", originals=None, reconstructions=None, real_mean=None)
    preview = load_preview(path, 1)
    assert preview.pairs == []
    assert preview.spectra is None
    assert len(preview.samples) == 3


def test_samples_of_a_conditional_model_say_what_they_should_show(qtbot, tmp_path: Path) -> None:
    names = np.array(["melanoma", "dysplastic_nevus"])
    path = write_preview(tmp_path / "1.npz", sample_classes=np.array([0, 1, 0]), class_names=names)
    grid = PreviewGrid()
    qtbot.addWidget(grid)
    grid.clear("vae", "#999999")
    with qtbot.waitSignal(grid.shown, timeout=5_000):
        grid.add(100, path)
    assert [grid.list.item(row).text() for row in range(3)] == ["melanoma", "dysplastic nevus", "melanoma"]
    assert "sample 2, dysplastic nevus" in grid.list.item(1).toolTip()
    assert grid.preview.samples[1].cube.provenance["diagnosis"] == "dysplastic_nevus"
    frames = [grid.list.item(row).icon().pixmap(grid.list.iconSize()).toImage() for row in range(2)]
    assert [frame.pixelColor(1, 1).name().upper() for frame in frames] == ["#D55E00", "#56B4E9"]
    grid.sheet.setCurrentText("reconstructions")
    assert not grid.list.item(0).text()
    outside = write_preview(tmp_path / "2.npz", sample_classes=np.array([0, 1, 2]), class_names=names)
    with pytest.raises(InputError, match=outside.name):
        load_preview(outside, 1)


def test_turning_back_by_keys_stays_there(qtbot, tmp_path: Path) -> None:
    grid = PreviewGrid()
    qtbot.addWidget(grid)
    grid.show()
    for number in (1, 2):
        with qtbot.waitSignal(grid.shown, timeout=5_000):
            grid.add(100 * number, write_preview(tmp_path / f"{number}.npz"))
    with qtbot.waitSignal(grid.shown, timeout=5_000):
        qtbot.keyClick(grid.history, Qt.Key.Key_Left)
    assert not grid.latest.isChecked()
    grid.add(300, write_preview(tmp_path / "3.npz"))
    assert grid.history.value() == 0


def test_broken_previews_are_refused_with_their_name(tmp_path: Path) -> None:
    torn, other = tmp_path / "torn.npz", tmp_path / "other.npz"
    torn.write_bytes(write_preview(tmp_path / "p.npz").read_bytes()[:200])
    np.savez(other, something=np.ones(3))
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, samples=np.array([{"a": 1}], dtype=object), wavelengths_nm=NM)
    for path in (torn, other, pickled, tmp_path / "none.npz"):
        with pytest.raises(InputError, match=path.name):
            load_preview(path, 1)


def test_the_grid_shows_the_newest_and_goes_back(qtbot, tmp_path: Path) -> None:
    grid = PreviewGrid()
    qtbot.addWidget(grid)
    grid.show()
    grid.clear("vae", "#D55E00")
    assert grid.empty.isVisible()
    with qtbot.waitSignal(grid.shown, timeout=5_000):
        grid.add(100, write_preview(tmp_path / "1.npz"))
    assert grid.list.count() == 3
    with qtbot.waitSignal(grid.shown, timeout=5_000):
        grid.add(200, write_preview(tmp_path / "2.npz", level=0.2))
    assert grid.preview is not None
    assert grid.preview.images == 200
    grid.latest.setChecked(False)
    with qtbot.waitSignal(grid.shown, timeout=5_000):
        grid.history.setValue(0)
    assert grid.preview.images == 100
    grid.add(300, write_preview(tmp_path / "3.npz"))  # must not take away what is looked at
    assert grid.preview.images == 100
    grid.sheet.setCurrentText("reconstructions")
    assert grid.list.count() == 4
    with qtbot.waitSignal(grid.chosen) as chosen:
        qtbot.mouseClick(
            grid.list.viewport(),
            Qt.MouseButton.LeftButton,
            pos=grid.list.visualItemRect(grid.list.item(1)).center(),
        )
    assert chosen.args[0].title == "reconstruction 1"
    grid.list.setCurrentRow(0)
    with qtbot.waitSignal(grid.chosen) as chosen:
        qtbot.keyClick(grid.list, Qt.Key.Key_Return)
    assert chosen.args[0].title == "original 1"


def test_a_grid_that_is_destroyed_while_it_reads(qtbot, tmp_path: Path) -> None:
    grid = PreviewGrid()
    grid.clear("vae")
    grid.add(100, write_preview(tmp_path / "1.npz"))
    grid.deleteLater()
    qtbot.wait(1)
    from qtpy.QtCore import QThreadPool

    QThreadPool.globalInstance().waitForDone(5_000)
    qtbot.wait(1)  # deliver what is still queued; an exception here would fail the test


def make_run(root: Path, name: str, *, verb: str = "train", loss: float = 0.5, end: str = "stopped") -> RunFolder:
    run = new_run(root, name)
    run.write_config({"model": "vae", "image_size": 16, "run": {"diagnosis": "melanoma"}})
    run.append("started", pid=1, create_time=0.0, host="elsewhere", verb=verb, resumed_at=None)
    run.append("progress", done=100, total=200, unit="images", rate=50.0, eta_s=2.0)
    run.append("scalars", images=100, values={"loss": 9.0})
    run.append("scalars", images=100, values={"val_loss": loss})
    run.append(end, images=100, message="no space left")
    return run


def test_the_table_lists_training_runs_with_their_state(qtbot, tmp_path: Path) -> None:
    table = RunTable()
    qtbot.addWidget(table)
    table.show()
    assert table.empty.isVisible()
    stopped, _, failed = (
        make_run(tmp_path, "a"),
        make_run(tmp_path, "b", verb="sample"),
        make_run(tmp_path, "c", end="failed"),
    )
    with qtbot.waitSignal(table.loaded, timeout=5_000):
        table.load(tmp_path)
    assert {summary.run for summary in table.summaries} == {stopped, failed}
    lines = {
        table.tree.topLevelItem(i).text(0): [table.tree.topLevelItem(i).text(c) for c in range(1, 5)] for i in range(2)
    }
    assert lines[stopped.id.split("-", 2)[-1]] == ["vae", "stopped", "100", "0.5"]
    assert not table.show_button.isEnabled()
    table.tree.setCurrentItem(table.tree.topLevelItem(0))
    with qtbot.waitSignal(table.resume_asked) as asked:
        table.resume_button.click()
    assert asked.args[0] == table.selected.run
    with qtbot.waitSignal(table.loaded, timeout=5_000):
        table.load(tmp_path)
    assert table.selected is not None  # reading again keeps the selection


def test_a_narrow_table_leaves_out_columns_instead_of_scrolling(qtbot, tmp_path: Path) -> None:
    table = RunTable()
    qtbot.addWidget(table)
    table.resize(1000, 200)
    table.show()
    make_run(tmp_path, "vae-dysplastic_nevus")
    with qtbot.waitSignal(table.loaded, timeout=5_000):
        table.load(tmp_path)
    hidden = [table.tree.isColumnHidden(column) for column in range(6)]
    assert hidden == [False] * 6
    table.resize(200, 200)
    assert not table.tree.isColumnHidden(0)
    assert not table.tree.isColumnHidden(2)
    assert table.tree.isColumnHidden(1)
    assert table.tree.header().length() <= table.tree.viewport().width()
    assert "vae, started" in table.tree.topLevelItem(0).toolTip(0)


def test_a_run_that_has_only_been_launched_already_has_a_diagnosis(tmp_path: Path) -> None:
    run = new_run(tmp_path, "vae-nevus")
    run.append("launched", pid=1, create_time=0.0, host="elsewhere", argv=["train", "s", "--diagnosis", "nevus"])
    summary = summarise(run)
    assert (summary.verb, summary.diagnosis, summary.state.status) == ("train", "nevus", "starting")


REPORT = {
    "n_real": 12,
    "n_synthetic": 40,
    "phantom": True,
    "findings": ["the spectra differ"],
    "notes": ["masks are automatic"],
    "metrics": {
        "sliced_wasserstein": {
            "value": 0.01234,
            "ci": [0.008, 0.017],
            "floor": 0.004,
            "n": 12,
            "unit": "",
            "label": "sliced Wasserstein",
            "better": "lower",
            "m": 6,
            "note": "",
        },
        "class_mean_angle": {"value": None, "ci": None, "floor": None, "n": 0, "unit": "deg", "note": "no lesion"},
    },
}


def test_the_figures_of_a_report(qtbot, tmp_path: Path) -> None:
    import json

    run = make_run(tmp_path, "evaluate-vae", verb="evaluate", end="done")
    run.report_dir.mkdir()
    (run.report_dir / "metrics.json").write_text(json.dumps(REPORT))
    broken = make_run(tmp_path, "evaluate-vae", verb="evaluate")
    broken.report_dir.mkdir()
    (broken.report_dir / "metrics.json").write_text('{"n_real": ')
    assert [report.run for report in list_reports(tmp_path)] == [run]
    report = list_reports(tmp_path)[0]
    assert report.headline == "spectral SW 0.012 [0.008, 0.017] (floor 0.004)"
    assert "PHANTOM" in report.text
    assert "• masks are automatic" in report.text
    table = EvaluationTable()
    qtbot.addWidget(table)
    table.show_report(report)
    lines = [[table.item(row, column).text() for column in range(5)] for row in range(2)]
    assert lines == [
        ["spectral SW", "0.0123", "[0.008, 0.017]", "0.004", "12"],
        ["mean angle (deg)", "", "", "", "0"],  # undefined is empty, never 0
    ]
    tip = metric_tip("sliced_wasserstein", REPORT["metrics"]["sliced_wasserstein"])
    assert "lower is better" in tip
    assert "m: 6" in tip
    table.show_report(None)
    assert table.rowCount() == 0
    assert Report(run, {"metrics": "nonsense"}).metrics == {}


def test_devices_are_found_without_torch() -> None:
    import sys

    before = set(sys.modules)
    names = [device.name for device in list_devices(("auto", "cpu", "cuda", "mps"))]
    assert names[:2] == ["auto", "cpu"]
    assert "torch" not in set(sys.modules) - before


def test_the_answer_of_nvidia_smi() -> None:
    text = "NVIDIA H200, 143156\nTesla, T4, 15000\nBoard, [N/A]\n"
    assert [(name, round(gb)) for name, gb in parse_nvidia_smi(text)] == [
        ("NVIDIA H200", 150),
        ("Tesla, T4", 16),
        ("Board", 0),
    ]
    assert parse_nvidia_smi("") == []


def test_angles_are_shown_in_degrees_everywhere():
    angle = {"value": np.pi / 90, "ci": [np.pi / 180, np.pi / 60], "floor": np.pi / 180, "unit": "rad", "n": 8}
    shown = for_eyes(angle)
    assert (metric_label("class_mean_angle", shown), shown["n"]) == ("class mean angle (°)", 8)
    np.testing.assert_allclose([shown["value"], *shown["ci"], shown["floor"]], [2, 1, 3, 1])
    assert for_eyes({"value": 0.5, "unit": "dB"}) == {"value": 0.5, "unit": "dB"}
