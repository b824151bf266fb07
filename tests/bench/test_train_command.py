"""``napari-hsisynth bench train``, with phantoms so small that it says nothing about speed."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [train]")

from scipy.io import savemat  # noqa: E402

from napari_hsisynth import cli  # noqa: E402
from napari_hsisynth.bench import train as bench  # noqa: E402
from napari_hsisynth.bench.gpu_busy import BusyMeter, covered  # noqa: E402
from napari_hsisynth.bench.plain_loop import Lesion, LesionImages  # noqa: E402
from napari_hsisynth.bench.training_bench import TrainingBench  # noqa: E402
from napari_hsisynth.bench.training_turns import Enough, Turns  # noqa: E402


class Clock:
    """Tells the time that the work has said it took."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_loop_is_timed_while_it_has_its_turn_only():
    clock, done = Clock(), []

    def plain() -> int:
        clock.now += 4
        return 20

    def seen(whose: str) -> None:
        done.append(whose)
        clock.now += 1000  # looking at the memory is nobody's time

    turns = Turns(plain, stretch=16, rounds=2, warm_up=1, before=seen, after=seen, clock=clock)
    images = 0
    with suppress(Enough):
        while images < 1000:
            images += 8
            clock.now += 2  # reports come while a stretch is not yet whole
            turns.progress(images, None)
    assert turns.own == [16 / 4, 16 / 4]
    assert turns.other == [20 / 4, 20 / 4]
    assert images == 8 + 3 * 16
    assert done == ["own", *["own", "plain", "plain", "own"] * 2, "own", "plain", "plain"]


def test_work_that_overlaps_keeps_the_device_busy_once():
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 200, 40)
    stops = starts + rng.integers(1, 9, 40)
    ticks = {tick for start, stop in zip(starts, stops, strict=True) for tick in range(start, stop)}
    assert covered(zip(starts, stops, strict=True)) == len(ticks)
    assert covered([]) == 0


def test_a_device_that_waits_is_seen_to_be_less_busy():
    shares = []
    for idle_s in (0.0, 0.2):
        meter = BusyMeter(torch.device("cpu"), warm_up=1, watched=2)
        with suppress(Enough):
            for _ in range(9):
                meter.progress(0, None)
                for _ in range(20):
                    torch.ones(300, 300) @ torch.ones(300, 300)
                time.sleep(idle_s)
        shares.append(meter.share)
    busy, waiting = shares
    assert 0 < waiting < busy <= 1


def test_the_plain_loop_reads_the_lesion_as_it_is_in_the_file(tmp_path):
    cube = np.random.default_rng(0).random((20, 30, 5), dtype=np.float32)
    savemat(tmp_path / "a.mat", {"cube": cube})
    mean, std = np.arange(5) / 10, np.arange(1.0, 6.0)
    images = LesionImages([Lesion(tmp_path / "a.mat", 2, 5, 18, 21)], 16, mean, std, augment=False)
    expected = ((cube[2:18, 5:21] - mean) / std).transpose(2, 0, 1)
    np.testing.assert_allclose(images[0].numpy(), expected, rtol=1e-5, atol=1e-6)
    augmented = LesionImages(images.lesions, 16, mean, std, augment=True)[0]
    assert augmented.shape == (5, 16, 16)


def test_without_a_gpu_the_rows_of_the_cpu_are_there_and_the_rest_left_out(monkeypatch, capsys):
    monkeypatch.setattr(TrainingBench, "start", lambda self, config, reports: (0.5, 7 * 10**8))
    monkeypatch.setattr(bench, "_FIRST_STEP", "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main(["bench", "train", "--size", "small", "--json"]) == cli.DONE
    found = json.loads(capsys.readouterr().out)
    figures = {figure["name"]: figure for figure in found["figures"]}
    (rate,) = (figure for name, figure in figures.items() if name.startswith("vae 16 px") and "shown" in name)
    assert (rate["unit"], rate["n"], rate["budget"]) == ("images/s", 2, ">= 1.2 x baseline")
    assert rate["value"] > 0 < rate["baseline_value"]
    assert "2 workers that reads the .mat files" in rate["baseline"]
    (memory,) = (figure for name, figure in figures.items() if name.startswith("vae 16 px") and "memory" in name)
    assert memory["baseline_value"] > 100 < memory["value"]
    assert figures["vae 16 px: from the command to the first step"]["met"] is True
    assert "threads in both loops" in found["machine"]["training"]
    left_out = {each["what"]: each["why"] for each in found["left_out"]}
    assert "no CUDA GPU" in left_out["vae 256 px, batch 16: GPU busy"]


@pytest.mark.slow
def test_the_whole_of_it(capsys):
    assert cli.main(["bench", "train", "--size", "small", "--json"]) == cli.DONE
    figures = json.loads(capsys.readouterr().out)["figures"]
    start = next(figure for figure in figures if "first step" in figure["name"])
    assert start["baseline_value"] > 0.5
    assert start["value"] > 0.5
    memory = next(figure for figure in figures if "memory of the process" in figure["name"])
    assert memory["value"] > 100
