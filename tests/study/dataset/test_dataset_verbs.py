"""The kind dataset of the verbs import and export."""

import json
import subprocess
import sys

import numpy as np
import pytest

from napari_hsisynth import cli
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.study import Study, read_crops_index, write_crops_index
from napari_hsisynth.study.dataset import importing
from napari_hsisynth.training import stopping


def run(capsys, *words):
    status = cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_study_goes_out_and_comes_back(study, tmp_path, capsys):
    status, out, err = run(capsys, "export", "dataset", study.root, tmp_path / "data", "--json")
    assert status == cli.DONE, err
    said = json.loads(out)
    assert (said["cubes"], said["status"]) == (5, "done")
    assert said["masks"] == {"automatic": 4, "conditioning": 1}
    status, out, _ = run(capsys, "import", "dataset", tmp_path / "data", tmp_path / "new", "--name", "set", "--json")
    assert status == cli.DONE
    assert json.loads(out)["set"] == "set"
    assert len(read_crops_index(Study.open(tmp_path / "new").synthetic_dir("set"))) == 5


def test_a_dock_sees_the_job_get_on_and_can_stop_it(study, tmp_path, capsys):
    job = RunFolder(tmp_path / "job")
    words = ("export", "dataset", study.root, tmp_path / "data", "--masks", "stored")
    assert run(capsys, *words, "--run", job.path)[0] == cli.DONE
    kinds = [event.kind for event in job.events()]
    assert kinds[0] == "started"
    assert "progress" in kinds
    assert job.events()[-1].fields["result"]["path"] == str(tmp_path / "data")
    stopped = RunFolder(tmp_path / "stopped")
    stopped.path.mkdir()
    stopped.request_stop()
    status, out, _ = run(capsys, *words, "--force", "--title", "of the stopped", "--run", stopped.path)
    assert (status, out) == (cli.DONE, "stopped: nothing was written\n")
    assert stopped.state().status == "stopped"
    assert "of the stopped" not in (tmp_path / "data" / "README.md").read_text()


def test_a_stop_at_the_last_moment_of_an_import_is_a_stop(study, tmp_path, capsys, monkeypatch):
    run(capsys, "export", "dataset", study.root, tmp_path / "data", "--masks", "stored")
    job = RunFolder(tmp_path / "job")

    def write_index_and_stop(*args):
        write_crops_index(*args)
        job.request_stop()

    monkeypatch.setattr(importing, "write_crops_index", write_index_and_stop)
    monkeypatch.setattr(stopping, "_LOOK_EVERY_S", 0)
    words = ("import", "dataset", tmp_path / "data", tmp_path / "new", "--run", job.path)
    assert run(capsys, *words)[:2] == (cli.DONE, "stopped: nothing was imported\n")
    assert not (tmp_path / "new").exists()
    state = job.state()
    assert state.status == "stopped"
    assert state.images < state.total
    assert not job.stop_requested()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "coco", "s", "a.json", "--masks", "none"], "--masks: is only for the kind dataset"),
        (["export", "dataset", "s", "d", "--shapes", "mask"], "--shapes: is not for the kind dataset"),
        (["export", "dataset", "s", "d", "--status", "all"], "--status: is not for the kind dataset"),
        (["export", "coco", "s", "a.json", "--title", "skip"], "--title: is only for the kind dataset"),
        (["import", "coco", "a.json", "s", "--name", "x"], "--name: is only for the kind dataset"),
        (["import", "dataset", "a", "s", "--wavelengths", "1:9:3"], "--wavelengths: is not for the kind dataset"),
        (["import", "dataset", "a", "s", "--merge"], "--merge or --replace: is not for the kind dataset"),
        (["import", "dataset", ".", "s"], "datacard.json"),
        (["export", "dataset", "s", "d"], "no such folder"),
    ],
)
def test_what_does_not_go_together_is_bad_input(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *words)
    assert status == cli.BAD_INPUT
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_exporting_loads_neither_torch_nor_a_screen(study, tmp_path):
    code = (
        "import sys; from napari_hsisynth.cli import main\n"
        f"status = main(['export', 'dataset', {str(study.root)!r}, {str(tmp_path / 'data')!r}])\n"
        "heavy = {'torch', 'qtpy', 'napari'} & set(sys.modules)\n"
        "sys.exit(status or ', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_masks_of_the_command_are_those_of_evaluations(study, make, tmp_path, capsys, synthetic):
    from napari_hsisynth.metrics.features import automatic_regions

    run(capsys, "export", "dataset", study.root, tmp_path / "data", "--sets", make.first)
    run(capsys, "import", "dataset", tmp_path / "data", study.root)
    regions = automatic_regions()
    for crop in synthetic(study, "data").values():
        np.testing.assert_array_equal(crop.mask, regions(crop.cube).lesion)
