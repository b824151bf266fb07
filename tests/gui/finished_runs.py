"""Runs and jobs for tests of the docks: folders that look like a trained run, and jobs without a child process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_hsisynth.cube import Cube
from napari_hsisynth.jobs import RunFolder, new_run, process
from napari_hsisynth.jobs.launch import Job
from napari_hsisynth.study import Crop, CropRecord, Study, write_crop, write_crops_index


def finished_run(
    study: Study, model: str, *, checkpoint: bool = True, diagnosis: str | None = "melanoma", **config: Any
) -> RunFolder:
    """A training run of a family that need not be installed: its configuration, its events and an empty checkpoint."""
    run = new_run(study.root, f"{model}-melanoma")
    about = {"verb": "train", "diagnosis": diagnosis}
    run.write_config({"model": model, "image_size": 32, **config, "run": about})
    run.append("started", pid=1, create_time=0.0, host="elsewhere", verb="train", resumed_at=None)
    if checkpoint:
        run.checkpoints_dir.mkdir()
        (run.checkpoints_dir / "last.pt").touch()
    run.append("done", result={"images": 2_000})
    return run


class Launches:
    """Stands in for the start of child processes: keeps their words, and plays what they do.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.words: list[str] = []
        self.run: RunFolder | None = None
        monkeypatch.setattr("napari_hsisynth.widgets.job_dock.launch", self._launch)

    def _launch(self, words: list[str], run: RunFolder) -> Job:
        self.words, self.run = list(words), run
        named = process.identity(os.getpid())
        run.append("launched", **named, argv=list(words))
        run.append("started", **named, verb=words[0], resumed_at=None)
        return Job(os.getpid(), run, named)

    def finish(self, **result: Any) -> None:
        """End the job well."""
        assert self.run is not None
        self.run.append("done", result=result)


def synthetic_set(
    study: Study, run: RunFolder, mask: np.ndarray, condition: str, count: int = 4, first: int = 0
) -> Path:
    """Write cubes as the command would that was given a mask: dark where it is."""
    folder = study.synthetic_dir(run.id)
    bands, (height, width) = len(study.wavelengths_nm), mask.shape
    records = []
    for number in range(first, first + count):
        name = f"syn-{number:05}"
        records.append(
            CropRecord(
                name,
                name,
                0,
                "melanoma",
                "",
                0,
                0,
                height,
                width,
                "",
                f"{name}.npz",
                run=run.id,
                checkpoint="last@2000",
                seed=number,
                mask_source="conditioning",
                condition=condition,
            )
        )
        values = np.where(mask, 0.2, 0.5) + 0.01 * number
        cube = Cube(np.broadcast_to(values, (bands, height, width)).astype(np.float32), study.wavelengths_nm, name=name)
        folder.mkdir(parents=True, exist_ok=True)
        write_crop(folder, Crop(cube, mask, records[-1]))
    write_crops_index(folder, records)
    return folder
