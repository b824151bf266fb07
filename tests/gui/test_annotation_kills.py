"""napari killed at any moment of annotating: what was said to be saved is there, and a new start goes on from there."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import zlib
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotation_victim import CENTRES, RADIUS_PX

from napari_hsisynth import Cube, Study

VICTIM = Path(__file__).with_name("annotation_victim.py")
SHAPE, NM = (96, 128), [465.0, 520.0, 580.0, 630.0]
#: How old a change may be that is not on disk yet, s.
PROMISED_S = 1.0
PATIENCE_S = 120


def put_study(root: Path, cubes: int) -> Study:
    """Cubes with nine dark discs each, on which nobody has worked."""
    y, x = np.indices(SHAPE)
    discs = np.any([(y - row) ** 2 + (x - column) ** 2 < RADIUS_PX**2 for row, column in CENTRES], axis=0)
    dark = np.array([0.08, 0.12, 0.18, 0.25])[:, None, None]
    study = Study.create(root, wavelengths_nm=NM)
    for number in range(cubes):
        noise = np.random.default_rng(number).normal(1, 0.01, (4, *SHAPE))
        study.add_cube(Cube(np.where(discs, dark, 0.5) * noise, NM), f"C{number:02d}", "nevus")
    return study


@dataclass
class Kill:
    """What a killed process had written down, and when it was killed."""

    lines: list[dict[str, Any]]
    time: float


def kill_after(lines: int, more_s: float, where: str, folder: Path, number: int) -> Kill:
    """Start napari with its scripted user, and kill it so long after this user has written so many lines."""
    log, errors = folder / f"log{number}", folder / f"errors{number}"
    words = [sys.executable, str(VICTIM), where, str(log), str(number)]
    with open(errors, "wb") as stderr:
        victim = subprocess.Popen(words, stderr=stderr, env={**os.environ, "HSISYNTH_SETTINGS": str(folder / "s.ini")})
    try:
        patience = time.monotonic() + PATIENCE_S
        while not (log.is_file() and log.read_bytes().count(b"\n") >= lines):
            assert victim.poll() is None, errors.read_text()
            assert time.monotonic() < patience, f"napari did not come that far: {log.read_text()}"
            time.sleep(0.02)
        time.sleep(more_s)  # the moment of the kill is the test's random input, not a wait
        assert victim.poll() is None, errors.read_text()
    finally:
        killed = time.time()
        victim.kill()
        victim.wait()
    whole = log.read_bytes().rpartition(b"\n")[0]
    return Kill([json.loads(line) for line in whole.splitlines()], killed)


@dataclass
class Lesions:
    """Of one cube."""

    labels: np.ndarray
    instances: list[dict[str, Any]]

    @classmethod
    def told(cls, line: dict[str, Any]) -> Lesions:
        labels = np.frombuffer(zlib.decompress(b64decode(line["labels"])), "<u2")
        return cls(labels.reshape(SHAPE), line["instances"])

    @classmethod
    def stored(cls, study: Study, cube_id: str) -> Lesions:
        annotation = study.annotation(cube_id)  # raises if the pair is damaged or torn
        return cls(annotation.mask, [instance.to_json() for instance in annotation.instances])

    def without_newest(self) -> Lesions:
        newest = self.instances[-1]["id"]
        assert (self.labels == newest).any()
        return Lesions(np.where(self.labels == newest, 0, self.labels), self.instances[:-1])


class Promises:
    """What the study must hold, and a new start must show, after all that was written down."""

    def __init__(self, study: Study) -> None:
        self.root = study.root
        self.lesions = {entry.id: Lesions(np.zeros(SHAPE), []) for entry in study.entries}
        self._cubes: set[str] = set()
        self._clicks: list[Any] = []

    def hear(self, kill: Kill) -> None:
        """Take up what one process wrote down before it was killed."""
        reached: list[tuple[float, str, Any]] = []  # when, at which cube, with which clicks
        begun: list[tuple[float, str, Any]] = []
        for line in kill.lines:
            state = (line["time"], line["cube"], line.get("clicks", []))
            if line["what"] == "saved":
                self.lesions[line["cube"]] = Lesions.told(line)
            if line["what"] in ("clicking", "going", "accepting"):
                begun = [state]
            else:
                reached.append(state)
                begun = []
        old = sum(time < kill.time - PROMISED_S for time, _, _ in reached)
        possible = [*reached[max(0, old - 1) :], *begun]
        self._cubes = {cube_id for _, cube_id, _ in possible}
        self._clicks = [clicks for _, _, clicks in possible]

    def check_disk(self, kill: Kill) -> None:
        """Compare with the study, bit for bit."""
        study = Study.open(self.root)
        last = kill.lines[-1]
        for cube_id, promised in self.lesions.items():
            found = stored = Lesions.stored(study, cube_id)
            is_accepting = (last["what"], last["cube"]) == ("accepting", cube_id)
            if is_accepting and len(found.instances) == len(promised.instances) + 1:
                found = stored.without_newest()  # that was on disk, but not yet said to be
            assert found.instances == promised.instances
            np.testing.assert_array_equal(found.labels, promised.labels)
            self.lesions[cube_id] = stored

    def check_return(self, kill: Kill) -> None:
        """Compare with what the next start showed first."""
        back = kill.lines[0]
        assert back["what"] == "back"
        assert back["cube"] in self._cubes
        assert back["clicks"] in self._clicks
        assert back["masked"] == bool(back["clicks"])


def kill_again_and_again(folder: Path, kills: int, cubes: int) -> int:
    """Return how many lesions were accepted in spite of it."""
    study = put_study(folder / "study", cubes)
    draw, promises = random.Random(1), Promises(study)
    for number in range(kills):
        where = str(study.root) if number == 0 else "-"
        kill = kill_after(draw.randint(2, 12), draw.uniform(0, 0.5), where, folder, number)
        if number:
            promises.check_return(kill)
        promises.hear(kill)
        promises.check_disk(kill)
    # what the killed left behind is cleared by the next save
    for entry in study.entries:
        study.save_annotation(study.annotation(entry.id))
    named = {json.loads(path.read_text())["mask"] for path in study.masks_dir.glob("*.json")}
    assert {path.name for path in study.masks_dir.iterdir() if path.suffix != ".json"} == named
    return sum(len(lesions.instances) for lesions in promises.lesions.values())


def test_napari_killed_while_annotating_loses_nothing_that_was_saved(tmp_path):
    assert kill_again_and_again(tmp_path, kills=2, cubes=2) > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_napari_killed_at_fifty_moments_loses_nothing_that_was_saved(tmp_path):
    assert kill_again_and_again(tmp_path, kills=50, cubes=24) > 50
