"""Synthetic cubes as files: what is asked for, what is there, and the index of a folder that is being filled."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
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
from napari_hsisynth.study.storage import study_lock
from napari_hsisynth.training.condition_sources import Shown
from napari_hsisynth.training.conditioning import Chosen, choose, condition_of
from napari_hsisynth.training.generator import Generator
from napari_hsisynth.training.latents import Latent, LatentTools

#: Cubes that are drawn where nothing says how many.
_USUAL = 16
#: Seconds after which the index is written anew while cubes are drawn.
_INDEX_EVERY_S = 2.0


@dataclass(frozen=True)
class Wished:
    """One cube that is asked for.

    Parameters
    ----------
    record : CropRecord
        Its row in the index.
    latent : Latent
        What it is made of.
    chosen : Chosen
        What it is to show.
    """

    record: CropRecord
    latent: Latent
    chosen: Chosen


def cubes_asked_for(
    generator: Generator,
    n: int | None,
    seed: int,
    diagnosis: str | None = None,
    *,
    mask: str | Path | None = None,
    rgb: str | Path | None = None,
    tools: LatentTools = LatentTools(),  # noqa: B008 (frozen)
    warn: Callable[[str], None] = lambda message: None,
) -> list[Wished]:
    """Return what the n first cubes of a seed will be, see `sampling.sample`.

    Raises
    ------
    InputError
        If the model cannot be asked for that.
    """
    tools.check(generator)
    one = _diagnosis(generator, diagnosis)
    n = _USUAL if n is None and rgb is None else n
    count = None if n is None else tools.position(n - 1) + 1
    chosen = choose(generator, seed, count, diagnosis=one, mask=mask, rgb=rgb, warn=warn)
    n = len(chosen) * (tools.interpolate or 1) if n is None else n
    # a conditional model draws other cubes from the same seed if it is asked for one diagnosis
    stem = f"syn-{generator.run.id[-4:]}-{generator.label.replace('@', '')}-s{seed}"
    stem += f"-{one}" if generator.classes and one else ""
    stem += generator.stem + tools.stem
    return [_wished(generator, stem, i, tools.latent(generator, seed, i), chosen[tools.position(i)]) for i in range(n)]


def _wished(generator: Generator, stem: str, number: int, latent: Latent, chosen: Chosen) -> Wished:
    side, source = generator.config.image_size, chosen.source
    name = f"{stem}-{number:05d}"
    masked = False
    if source is not None:
        # cubes that show something else have another name; those of one set still follow each other
        shown = hashlib.blake2b(f"{chosen.sha256} {chosen.diagnosis}".encode(), digest_size=4).hexdigest()
        name += f"-{shown}"
        masked = "masks" in generator.needs or source.record is not None
    record = CropRecord(
        crop_id=name,
        cube_id=name,
        instance=0,
        diagnosis=Diagnosis(chosen.diagnosis or Diagnosis.OTHER),
        patient="",
        y0=0,
        x0=0,
        y1=side,
        x1=side,
        source_sha256=generator.sha256,
        file=f"{name}.npz",
        run=generator.run.id,
        checkpoint=generator.label,
        seed=latent.seed,
        mask_source="conditioning" if masked else "none",
        condition="" if source is None else source.name,
    )
    return Wished(record, latent, chosen)


def _diagnosis(generator: Generator, diagnosis: str | None) -> str | None:
    """The one diagnosis that is asked for, checked; None for those that the model draws anyway."""
    if diagnosis is None:
        return None
    wanted = Diagnosis.parse(diagnosis, where="diagnosis").value
    # a conditioned model shows crops of it, or what is said to be it
    open_to_all = bool(generator.needs) and not generator.classes and not generator.diagnosis
    if open_to_all or wanted in (generator.classes or [generator.diagnosis]):
        return wanted
    fix = (
        f"it draws: {', '.join(generator.classes)}"
        if generator.classes
        else ("leave it out, or train with --set conditional=true")
    )
    raise InputError(f"the run cannot be asked for {wanted}", where="diagnosis", fix=fix)


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


def read_shown(generator: Generator, wished: Wished) -> Shown:
    """Read what a cube is to show; nothing for a model that is not conditioned."""
    source = wished.chosen.source
    return Shown() if source is None else source.read(generator)


def draw(generator: Generator, wished: Sequence[Wished], shown: Sequence[Shown]) -> NDArray[np.float32]:
    """Draw cubes that are to show something, shape (n, bands, size, size)."""
    if not wished:  # the last round, which the processes before us have filled
        return np.empty((0, 0, 0, 0), dtype=np.float32)
    latents = [one.latent for one in wished]
    return generator.from_noise(
        torch.stack([latent.noise(generator) for latent in latents]),
        [one.record.diagnosis.value for one in wished],
        condition_of(generator, shown),
        fine=None if latents[0].fine is None else torch.stack([latent.fine_noise(generator) for latent in latents]),
    )


def write_cube(folder: Path, generator: Generator, wished: Wished, shown: Shown, data: NDArray[np.float32]) -> None:
    """Write a drawn cube, shape (bands, size, size), in the form of a crop with the mask that it shows, if any."""
    record, source = wished.record, wished.chosen.source
    provenance = {
        "synthetic": True,
        "model": generator.model,
        "run": record.run,
        "checkpoint": record.checkpoint,
        "seed": record.seed,
        **wished.latent.to_json(),
        **({"drawn_with": generator.drawn_with} if generator.drawn_with else {}),
    }
    if source is not None:
        provenance["condition"] = {
            "told": sorted(generator.needs),
            "source": "file" if source.record is None else "crop",
            "name": source.name,
            "sha256": wished.chosen.sha256,
        }
    cube = Cube(data, generator.wavelengths_nm, name=record.crop_id, provenance=provenance)
    mask = np.zeros(cube.shape_yx, dtype=bool) if shown.mask is None else shown.mask
    write_crop(folder, Crop(cube, mask, record))


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
        self._written = time.monotonic()

    @property
    def old(self) -> bool:
        """Whether it is time to write it anew; with thousands of cubes, writing it takes longer than a few cubes."""
        return time.monotonic() - self._written > _INDEX_EVERY_S

    def write(self) -> None:
        """List all cubes that are there, also those that another process has written meanwhile."""
        with study_lock(self.folder, ".index.lock"):
            there = {entry.name for entry in os.scandir(self.folder)}
            present = {record.crop_id: record for record in cubes_in(self.folder)}
            present |= {record.crop_id: record for record in self.wanted if record.file in there}
            write_crops_index(self.folder, [present[name] for name in sorted(present)])
        self._written = time.monotonic()
