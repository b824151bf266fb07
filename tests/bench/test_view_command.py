"""``napari-hsisynth bench view`` as a user runs it, with cubes so small that it says nothing about speed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from napari_hsisynth.bench.files import write_large
from napari_hsisynth.demo import has_display
from napari_hsisynth.formats import read_cube

FIELDS = {
    "name": str,
    "value": float,
    "unit": str,
    "statistic": str,
    "n": int,
    "baseline": str,
    "baseline_value": float,
    "ratio": float,
}


def bench(*words: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "napari_hsisynth", "bench", "view", "--size", "small", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def checked(found: dict) -> list[str]:
    """The names of the figures, after a look at every one."""
    assert (found["bench"], found["size"]) == ("view", "small")
    for figure in found["figures"]:
        assert all(isinstance(figure[field], kind) for field, kind in FIELDS.items()), figure
        assert figure["n"] >= 1
        assert figure["baseline_value"] > 0
        assert math.isfinite(figure["value"])
        assert figure["ratio"] == pytest.approx(figure["value"] / figure["baseline_value"])
        assert (figure["budget"] is None) == (figure["met"] is None)
    return [figure["name"] for figure in found["figures"]]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a display")
def test_without_a_display_it_measures_the_rest_and_says_so():
    run = bench("--json", DISPLAY="", WAYLAND_DISPLAY="")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    names = checked(found)
    assert [name.split(",")[0] for name in names] == [
        "open a compressed .mat",
        "open an uncompressed .mat",
        "import napari_hsisynth",
        "list a study of 6 cubes: manifest and annotations",
        "RGB of 24x32x16",
    ]
    assert len(found["left_out"]) == 2
    assert all("no display" in each["why"] for each in found["left_out"])


@pytest.mark.skipif(not has_display(), reason="no display")
def test_with_a_display_every_figure_of_the_window_is_there():
    run = bench("--json")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["left_out"] == []
    names = checked(found)
    for wanted in ("24x32x16 in memory", "button down", "three cubes", "4 pins and 3 labels", "48x40x32 float32"):
        assert any(wanted in name for name in names), names
    assert any("matplotlib" in figure["baseline"] for figure in found["figures"])
    assert {"MB", "ms"} == {figure["unit"] for figure in found["figures"]}
    assert found["machine"]["qt_platform"]
    assert found["machine"]["gl_renderer"]


def test_the_large_file_is_envi_with_smooth_finite_spectra(tmp_path):
    write_large(tmp_path / "a.hdr", (12, 5, 7))
    cube = read_cube(tmp_path / "a.hdr", lazy=True)
    assert cube.is_lazy
    assert cube.wavelengths_nm[[0, -1]].tolist() == [400.0, 1000.0]
    values = np.asarray(cube.data)
    assert np.isfinite(values).all()
    assert np.abs(np.diff(values, axis=0)).max() < 0.2 < np.ptp(values[6])
