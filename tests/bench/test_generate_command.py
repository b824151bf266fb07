"""``napari-hsisynth bench generate``, with networks so small that it says nothing about speed."""

import json

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [train]")

from napari_hsisynth import cli  # noqa: E402
from napari_hsisynth.bench.training_bench import TrainingBench  # noqa: E402


@pytest.mark.slow
def test_training_memory_and_sampling_stand_beside_plain_ones(monkeypatch, capsys):
    monkeypatch.setattr(TrainingBench, "start", lambda self, config, reports: (0.5, 7 * 10**8))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main(["bench", "generate", "--size", "small", "--json"]) == cli.DONE
    found = json.loads(capsys.readouterr().out)
    figures = {figure["name"]: figure for figure in found["figures"]}
    (rate,) = (figure for name, figure in figures.items() if "images shown" in name)
    assert rate["value"] > 0 < rate["baseline_value"]
    memory = figures["fastgan 64 px, batch 16: memory of the process, peak"]
    assert (memory["value"], memory["met"]) == (700, True)
    assert memory["baseline_value"] == pytest.approx(16 * 16 * 64 * 64 * 4 / 1e6)
    sampled = figures["fastgan 64 px: cubes sampled, not written"]
    assert (sampled["unit"], sampled["budget"]) == ("cubes/s", ">= 4 cubes/s")
    assert "no CUDA GPU" in found["left_out"][0]["why"]
