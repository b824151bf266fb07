"""``napari-hsisynth bench annotate`` as a user runs it, with phantoms so small that it says nothing about speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from napari_hsisynth.bench.annotate import bench_annotate
from napari_hsisynth.bench.segmenter_baselines import OtsuSegmenter, RandomWalkerSegmenter
from napari_hsisynth.cube import Cube
from napari_hsisynth.demo import has_display
from napari_hsisynth.segment import Prompts

IN_WINDOW = [
    "click to mask drawn",
    "accept to file on disk",
    "lesion, from its cube shown to saved",
    "clicks per lesion, to IoU 0.9 or 5 clicks",
    "IoU of the accepted lesions",
    "stalls of the window meanwhile",
    "longest stall of the window",
]


def test_without_a_display_the_masks_are_compared_and_the_rest_left_out(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    report = bench_annotate("small")
    names = [figure.name for figure in report.figures]
    assert len([name for name in names if name.startswith("IoU of the spectral segmenter")]) == 6
    assert names[-1] == "answer to a click, 64x96x16, without a window"
    assert all(0 <= figure.value <= 1 for figure in report.figures if figure.unit == "IoU")
    (left_out,) = report.left_out
    assert "no display" in left_out[1]
    assert "left out: 2 cubes annotated by mouse and keys" in report.text()


@pytest.mark.skipif(not has_display(), reason="no display")
def test_with_a_display_a_scripted_user_annotates_every_lesion():
    words = [sys.executable, "-m", "napari_hsisynth", "bench", "annotate", "--size", "small", "--json"]
    run = subprocess.run(words, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["left_out"] == []
    figures = {figure["name"]: figure for figure in found["figures"]}
    assert list(figures)[-len(IN_WINDOW) :] == IN_WINDOW
    assert all(figure["baseline"] and figure["n"] >= 1 for figure in found["figures"])
    assert figures["accept to file on disk"]["n"] >= 2  # a lesion in each of the cubes, or more
    assert figures["IoU of the accepted lesions"]["value"] > 0.7
    assert 1 <= figures["clicks per lesion, to IoU 0.9 or 5 clicks"]["value"] <= 5
    assert found["machine"]["gl_renderer"]


@pytest.mark.parametrize("segmenter", [OtsuSegmenter(), RandomWalkerSegmenter()])
def test_the_baselines_find_a_disc_by_a_click(segmenter):
    y, x = np.indices((60, 80))
    disc = (y - 30) ** 2 + (x - 40) ** 2 < 144
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 60, 80))
    segmenter.set_cube(Cube(np.where(disc, 0.2, 0.6) + noise, [500.0, 550.0, 600.0]))
    (mask,) = segmenter.predict(Prompts(points=[(30, 40)], labels=[1])).masks
    assert (mask & disc).sum() / (mask | disc).sum() > 0.9
