"""What a run recorded for other programs says the same as its events, also after a resume and a killed process."""

import csv
import importlib.util
import math

import numpy as np
import pytest
from test_training_runs import trained

from napari_hsisynth.cli import main
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import new_run
from napari_hsisynth.training import loggers
from napari_hsisynth.training.loggers import CsvLog, WandbLog, check_logger, picture
from napari_hsisynth.training.run import resume

NM = np.array([500.0, 560.0, 620.0])


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_nan_is_nan_and_what_was_not_taken_is_empty(tmp_path):
    log = CsvLog(tmp_path / "scalars.csv")
    log.forget_after(0)
    log.scalars(8, {"loss": 0.5, "error": math.nan})
    log.scalars(16, {"loss": -math.inf, "error": None})
    log.scalars(16, {"val_loss": 1 / 3})
    assert rows(log.path) == [
        {"images": "8", "loss": "0.5", "error": "nan", "val_loss": ""},
        {"images": "16", "loss": "-inf", "error": "", "val_loss": ""},
        {"images": "16", "loss": "", "error": "", "val_loss": "0.333333333"},
    ]


def test_what_was_recorded_beyond_a_checkpoint_is_dropped_and_so_is_a_torn_line(tmp_path):
    log = CsvLog(tmp_path / "scalars.csv")
    log.forget_after(0)
    for images in (8, 16, 24):
        log.scalars(images, {"loss": images, "error": 1.5})
    with open(log.path, "ab") as file:
        file.write(b"32,0.")  # killed here
    later = CsvLog(log.path)
    later.forget_after(16)
    assert [row["images"] for row in rows(log.path)] == ["8", "16"]
    later.scalars(20, {"loss": 7, "error": 0})
    assert rows(log.path)[-1] == {"images": "20", "loss": "7", "error": "0"}
    CsvLog(log.path).forget_after(0)
    assert rows(log.path) == []


def test_a_resumed_run_has_each_figure_once(study, small):
    run, _ = trained(study, small())
    run.append("stopped", images=40)
    run.write_config(run.config | {"max_images": 64})
    resume(run)
    figures = [event for event in run.events() if event.kind == "scalars"]
    there = rows(run.path / "scalars.csv")
    assert [int(row["images"]) for row in there] == [event.images for event in figures]
    for row, event in zip(there, figures, strict=True):
        for name, value in event.fields["values"].items():
            assert float(row[name]) == pytest.approx(value, rel=1e-8)


def test_a_missing_package_is_said_before_a_run_is_made(study, monkeypatch, capsys):
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    for name in ("tensorboard", "wandb"):
        with pytest.raises(InputError, match=r'is not installed; run: pip install "napari-hsisynth\[loggers\]"'):
            check_logger(name)
    check_logger("none")
    assert main(["train", str(study.root), "--set", "logger=wandb"]) == 2
    assert "Weights & Biases is not installed" in capsys.readouterr().err
    assert not study.runs_dir.exists() or not list(study.runs_dir.iterdir())


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="needs the extra [loggers]")
def test_tensorboard_reads_what_still_holds(study, small):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, _ = trained(study, small(logger="tensorboard"))
    run.append("stopped", images=40)
    run.write_config(run.config | {"max_images": 64})
    resume(run)
    read = EventAccumulator(str(run.path / "tensorboard"))
    read.Reload()
    figures = [event for event in run.events() if "loss" in event.fields.get("values", {})]
    assert [(one.step, pytest.approx(one.value)) for one in read.Scalars("loss")] == [
        (event.images, event.fields["values"]["loss"]) for event in figures
    ]
    assert [one.step for one in read.Images("samples")] == [
        event.images for event in run.events() if event.kind == "preview"
    ]


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="needs the extra [loggers]")
def test_weights_and_biases_without_network(study, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = new_run(study.root, "vae")
    run.write_config({"lr": 1e-3})
    log = WandbLog(run)
    log.forget_after(0)
    log.scalars(8, {"loss": 0.5, "error": None})
    log.samples(8, np.random.default_rng(0).random((5, 3, 8, 8), dtype=np.float32), NM)
    log.close()
    assert list(run.path.glob("wandb/offline-run-*/*.wandb"))


def test_a_picture_of_samples_keeps_their_order_and_survives_a_specular_pixel():
    samples = np.zeros((5, 3, 4, 6), dtype=np.float32)
    samples[:, 1] = np.arange(1, 6)[:, None, None]  # 560 nm
    samples[0, 1, 0, 0] = 1e6
    made = picture(samples, NM)
    assert (made.shape, made.dtype) == ((8, 24, 3), np.uint8)
    inner = [made[2, 3 + 6 * i, 0] for i in range(4)] + [made[6, 3, 0]]
    assert inner == sorted(inner)
    assert inner[0] == 0
    assert inner[4] == 255
    assert not made[4:, 6:].any()
