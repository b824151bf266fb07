"""Synthetic cubes as files: what is asked for, what is there, and the index of a folder that is being filled."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study import (
    Crop,
    CropRecord,
    Diagnosis,
    read_crop,
    read_crops_index,
    write_crop,
    write_crops_index,
)
from napari_hsisynth.training.generator import Generator

#: Seconds after which the index is written anew while cubes are drawn.
_INDEX_EVERY_S = 2.0


def cubes_asked_for(generator: Generator, n: int, seed: int, diagnosis: str | None = None) -> list[CropRecord]:
    """Return what the n first cubes of a seed will be, of one diagnosis or of the model's in turn.

    Raises
    ------
    InputError
        If the model cannot be asked for that diagnosis.
    """
    side = generator.config.image_size
    shown = _diagnoses(generator, n, diagnosis)
    # a conditional model draws other cubes from the same seed if it is asked for one diagnosis
    stem = f"syn-{generator.run.id[-4:]}-{generator.label.replace('@', '')}-s{seed}"
    stem += f"-{shown[0].value}" if generator.classes and diagnosis is not None else ""
    names = [f"{stem}-{i:05d}" for i in range(n)]
    return [
        CropRecord(
            crop_id=name,
            cube_id=name,
            instance=0,
            diagnosis=shown[i],
            patient="",
            y0=0,
            x0=0,
            y1=side,
            x1=side,
            source_sha256=generator.sha256,
            file=f"{name}.npz",
            run=generator.run.id,
            checkpoint=generator.label,
            seed=generator.seed_of(seed, i),
            mask_source="none",
        )
        for i, name in enumerate(names)
    ]


def _diagnoses(generator: Generator, n: int, diagnosis: str | None) -> list[Diagnosis]:
    """What each of n cubes shows: `diagnosis`, or the model's in turn."""
    chosen = None if diagnosis is None else Diagnosis.parse(diagnosis, where="diagnosis")
    if generator.classes:
        can: list[Diagnosis] = [Diagnosis(name) for name in generator.classes]
        fix = f"it draws: {', '.join(generator.classes)}"
    else:
        can = [Diagnosis(generator.diagnosis)] if generator.diagnosis else [Diagnosis.OTHER]
        fix = "leave it out, or train with --set conditional=true"
    if chosen is not None and (chosen not in can or not (generator.classes or generator.diagnosis)):
        raise InputError(f"the run cannot be asked for {chosen.value}", where="diagnosis", fix=fix)
    return [chosen or can[i % len(can)] for i in range(n)]


def cubes_in(folder: Path) -> list[CropRecord]:
    """Return what the index lists; nothing for a folder that has none or is not there."""
    return read_crops_index(folder) if (folder / "crops.csv").exists() else []


def is_whole(folder: Path, record: CropRecord | None) -> bool:
    """Whether a cube of the index can be read."""
    if record is None:
        return False
    try:
        read_crop(folder, record)
    except InputError:
        return False
    return True


def write_cube(folder: Path, generator: Generator, record: CropRecord, data: NDArray[np.float32]) -> None:
    """Write a drawn cube, shape (bands, size, size), in the form of a crop with an empty mask."""
    provenance = {
        "synthetic": True,
        "model": generator.model,
        "run": record.run,
        "checkpoint": record.checkpoint,
        "seed": record.seed,
    }
    cube = Cube(data, generator.wavelengths_nm, name=record.crop_id, provenance=provenance)
    write_crop(folder, Crop(cube, np.zeros(cube.shape_yx, dtype=bool), record))


class GrowingIndex:
    """``crops.csv`` of a folder that several threads and processes fill; files appear there whole.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.
    wanted : list of CropRecord
        What it will hold besides what its index lists.
    """

    def __init__(self, folder: Path, wanted: list[CropRecord]) -> None:
        self.folder, self.wanted = folder, wanted
        self.present = {record.crop_id: record for record in cubes_in(folder)}
        self._written = time.monotonic()

    @property
    def old(self) -> bool:
        """Whether it is time to write it anew; with thousands of cubes, writing it takes longer than a few cubes."""
        return time.monotonic() - self._written > _INDEX_EVERY_S

    def write(self) -> None:
        """List all cubes that are there."""
        there = {entry.name for entry in os.scandir(self.folder)}
        self.present |= {record.crop_id: record for record in self.wanted if record.file in there}
        write_crops_index(self.folder, [self.present[name] for name in sorted(self.present)])
        self._written = time.monotonic()
