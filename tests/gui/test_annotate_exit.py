"""A program that ends by an error, with the Annotate dock open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_hsisynth.study import Study
from napari_hsisynth.study.annotators import annotator_id
from napari_hsisynth.study.drafts import draft_path
from napari_hsisynth.widgets.annotator_identity import annotator_name

SCRIPT = """
import sys

import numpy as np

from napari_hsisynth.study import Study
from napari_hsisynth.widgets.annotation_bench import open_window

if __name__ == "__main__":
    hand, viewer = open_window(Study.open(sys.argv[1]))
    hand.annotator.lesions.masks.lesions.data_setitem((np.array([5]), np.array([6])), 1)
    hand.annotator.drafts.prompts.points.add([[30, 40]])
    raise SystemError("of the script")
"""


@pytest.mark.slow
def test_an_error_in_a_script_loses_nothing_and_is_the_only_one(study: Study, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    words = [sys.executable, str(script), str(study.root)]
    ended = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ), timeout=120, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "SystemError: of the script" in ended.stderr
    assert "RuntimeError" not in ended.stderr
    assert "QThread" not in ended.stderr
    assert study.annotation("A").mask[5, 6] == 1
    assert draft_path(study, "A", annotator_id(annotator_name())).exists()
