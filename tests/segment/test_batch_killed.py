"""``segment STUDY`` killed at any moment: what is there fits together, and the same command finishes the rest."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from napari_hsisynth import Study, cli
from napari_hsisynth.optics import lesion_phantom

CUBES, SHAPE = 8, (64, 96)


def put_study(root: Path) -> Study:
    """Phantoms; a person has outlined the lesion of the first one."""
    study: Study | None = None
    for number in range(CUBES):
        made = lesion_phantom("nevus", SHAPE, seed=number)
        study = study or Study.create(root, wavelengths_nm=made.cube.wavelengths_nm)
        study.add_cube(made.cube, f"C{number}", "nevus", mask=made.mask if number == 0 else None)
    assert study is not None
    return study


def test_segmenting_a_study_goes_on_after_a_kill(tmp_path, capsys):
    study, draw = put_study(tmp_path / "study"), random.Random(1)
    given = (study.masks_dir / "C0.json").read_bytes()
    for wanted in (2, 5):
        child = subprocess.Popen(
            [sys.executable, "-m", "napari_hsisynth", "segment", str(study.root)], stderr=subprocess.DEVNULL
        )
        while child.poll() is None and len(list(study.masks_dir.glob("*.json"))) < wanted:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.02))  # the moment of the kill is the test's random input, not a wait
        child.kill()
        child.wait()
        found = [study.annotation(entry.id) for entry in study.entries]  # raises if a pair is damaged or torn
        assert sum(bool(annotation.instances) for annotation in found) >= wanted
        assert (study.masks_dir / "C0.json").read_bytes() == given
    before = {path.name: path.read_bytes() for path in study.masks_dir.glob("*.json")}
    assert cli.main(["segment", str(study.root), "--json"]) == cli.DONE
    capsys.readouterr()
    after = {path.name: path.read_bytes() for path in study.masks_dir.glob("*.json")}
    assert {name: after[name] for name in before} == before  # nothing is done twice
    assert len(after) == CUBES
    assert all(np.any(study.annotation(entry.id).mask) for entry in study.entries)
