"""The whole loop, as a user on a machine without a display runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")


def demo(folder: Path, *more: str) -> subprocess.CompletedProcess:
    words = [sys.executable, "-m", "napari_hsisynth", "demo", "--headless", "--out", str(folder), "--size", "32", *more]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_demo_ends_by_naming_a_report_and_what_it_found(tmp_path):
    study = tmp_path / "my demo"  # a space in the path, as on most people's desktops
    done = demo(study, "--minutes", "0.05", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    page = Path(result["report"])
    assert page.name == "report.html"
    text = page.read_text(encoding="utf-8")
    assert "PHANTOM" in text
    assert "<img" in text or "<svg" in text
    figures = json.loads((page.parent / "metrics.json").read_text(encoding="utf-8"))
    assert figures["n_synthetic"] > 0
    assert result["findings"]
    for verb in ("phantom", "crop", "train", "sample", "evaluate"):
        assert f"$ napari-hsisynth {verb}" in done.stderr  # each step can be repeated by hand


def test_demo_refuses_no_time(tmp_path):
    done = demo(tmp_path / "study", "--minutes", "0")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert not (tmp_path / "study").exists()
