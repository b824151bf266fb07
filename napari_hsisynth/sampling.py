"""From a trained run to synthetic cubes on disk, and to reconstructions of held-out crops."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth import Cube
from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.study import (
    Crop,
    CropRecord,
    Diagnosis,
    read_crop,
    read_crops_index,
    write_crop,
    write_crops_index,
)

if TYPE_CHECKING:
    from napari_hsisynth.training.generator import Generator

#: Which splits a word means.
_SPLITS = {
    "held-out": {"val", "test"},
    "train": {"train"},
    "val": {"val"},
    "test": {"test"},
    "all": {"train", "val", "test"},
}


class RunLike(Protocol):
    """A run folder, as `jobs.RunFolder`."""

    path: Path


def sample(
    run: RunLike | str | os.PathLike[str],
    *,
    n: int,
    seed: int,
    out: str | os.PathLike[str] | None = None,
    checkpoint: str = "last",
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path:
    """Draw synthetic cubes from a trained run and write them in the form of crops.

    Cube number i of a seed is decided by (seed, i) alone: asking for more cubes adds to the first ones. What is already
    there is kept, so the same call again does nothing, and an interrupted one is finished.

    Parameters
    ----------
    run : RunFolder or path-like
        A training run.
    n : int
        Number of cubes.
    seed : int
        Any integer.
    out : path-like, optional
        Folder for the cubes; by default ``STUDY/synthetic/<run id>``, or ``<run id>-last12000`` if that already holds
        cubes of another checkpoint.
    checkpoint : {"last", "best"}
        From which to draw.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    progress : callable, optional
        Called with (done, total) cubes.
    stop : callable, optional
        Asked between batches; true ends early, with a complete index of what is there.

    Returns
    -------
    pathlib.Path
        The folder, with ``crops.csv``. All masks are empty (``mask_source`` "none"): lesions are found when measured.

    Raises
    ------
    InputError
        If the run has no such checkpoint, the folder holds cubes of another one, or the disk has no room.
    MissingExtraError
        If torch is not installed.
    """
    if n < 1:
        raise InputError(f"{n} cubes are not a number to draw", where="n", fix="ask for 1 or more")
    generator = _generator(run, checkpoint, device)
    folder = _folder(generator, None if out is None else Path(out))
    present = {record.crop_id: record for record in _index(folder)}
    wanted = _records(generator, n, seed)
    missing = [record for record in wanted if not _complete(folder, present.get(record.crop_id))]
    check_space(folder, generator, len(missing))
    _make(folder)
    for first in range(0, len(missing), generator.batch):
        if progress is not None:
            progress(n - len(missing) + first, n)
        if stop is not None and stop():
            return folder
        records = missing[first : first + generator.batch]
        diagnoses = [record.diagnosis.value for record in records]
        cubes = generator.sample([record.seed or 0 for record in records], diagnoses)
        for record, data in zip(records, cubes, strict=True):
            provenance = {
                "synthetic": True,
                "model": generator.model,
                "run": record.run,
                "checkpoint": record.checkpoint,
                "seed": record.seed,
            }
            cube = Cube(data, generator.wavelengths_nm, name=record.crop_id, provenance=provenance)
            write_crop(folder, Crop(cube, np.zeros(cube.shape_yx, dtype=bool), record))
            present[record.crop_id] = record
        # after every batch, so that a killed process leaves an index of all that is whole
        write_crops_index(folder, [present[name] for name in sorted(present)])
    if progress is not None:
        progress(n, n)
    return folder


def reconstruct(
    run: RunLike | str | os.PathLike[str], split: str = "held-out", *, checkpoint: str = "last", device: str = "auto"
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[CropRecord], NDArray[np.float64]]:
    """Send real crops through a trained model that encodes, such as a VAE.

    Parameters
    ----------
    run : RunFolder or path-like
        A training run, inside its study.
    split : {"held-out", "train", "val", "test", "all"}
        Which crops of the run's diagnosis; held-out is val and test.
    checkpoint : {"last", "best"}
        Of which model.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.

    Returns
    -------
    originals, reconstructions : ndarray of float32, shape (n, bands, size, size)
        At the training size, in the camera's values; invalid pixels of an original have been filled.
    records : list of CropRecord
        Where each came from.
    wavelengths_nm : ndarray, shape (bands,)
        Band centres.

    Raises
    ------
    InputError
        If there are no such crops, or the model does not reconstruct.
    """
    if split not in _SPLITS:
        raise InputError(f"no split {split!r}", where="split", fix=f"use one of: {', '.join(_SPLITS)}")
    generator = _generator(run, checkpoint, device)
    study = generator.study()
    images = _training("data").load_images(
        study, _SPLITS[split], image_size=generator.config.image_size, diagnosis=generator.diagnosis or None
    )
    if not len(images):
        raise InputError(f"no {split} crops of this run's diagnosis", where=study.root, fix="use another split")
    return (
        images.images,
        generator.reconstruct(images.images, [r.diagnosis.value for r in images.records]),
        list(images.records),
        images.wavelengths_nm,
    )


def sample_command(args: argparse.Namespace, out: Any) -> int:
    """Run the verb ``sample``, as a job with events if it was given a run folder of its own."""
    job = _training("job").job
    settings = {"source": str(args.source), "n": args.n, "seed": args.seed, "checkpoint": args.checkpoint}
    with job(args.run, "sample", unit="cubes", screen=out, settings=settings) as work:
        folder = sample(
            args.source,
            n=args.n,
            seed=args.seed,
            out=args.out,
            checkpoint=args.checkpoint,
            progress=work.progress,
            stop=work.should_stop,
        )
        records = _index(folder)
        work.result = {"folder": str(folder), "cubes": len(records), "n": args.n, "seed": args.seed}
    if work.stopped:
        out.note(f"stopped: {len(records)} cubes so far; the same command makes the others")
    out.result(work.result | {"status": "stopped" if work.stopped else "done"}, str(folder))
    return 0


def _training(module: str) -> Any:
    """Import a module of training, which needs torch."""
    try:
        return import_module(f"napari_hsisynth.training.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("napari_hsisynth"):
            raise
        raise MissingExtraError("sampling", "train") from error


def _generator(run: RunLike | str | os.PathLike[str], checkpoint: str, device: str) -> Generator:
    if checkpoint not in ("last", "best"):
        raise InputError(f"no checkpoint {checkpoint!r}", where="checkpoint", fix="use last or best")
    path = run if isinstance(run, str | os.PathLike) else run.path
    return _training("generator").open_generator(path, checkpoint, device=device)


def _folder(generator: Generator, out: Path | None) -> Path:
    """Where the cubes go: never among those of another checkpoint."""
    if out is not None:
        if not _same_checkpoint(generator, out):
            raise InputError(
                f"there are already cubes of another checkpoint than {generator.label}",
                where=out,
                fix="use another --out",
            )
        return out
    study = generator.study()
    usual = study.synthetic_dir(generator.run.id)
    if _same_checkpoint(generator, usual):
        return usual
    return study.synthetic_dir(f"{generator.run.id}-{generator.label.replace('@', '')}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder: {error.strerror}", where=folder, fix="use another --out") from error


def _same_checkpoint(generator: Generator, folder: Path) -> bool:
    made_by = {(record.run, record.checkpoint, record.source_sha256) for record in _index(folder)}
    return made_by <= {(generator.run.id, generator.label, generator.sha256)}


def _index(folder: Path) -> list[CropRecord]:
    return read_crops_index(folder) if (folder / "crops.csv").exists() else []


def _complete(folder: Path, record: CropRecord | None) -> bool:
    if record is None:
        return False
    try:
        read_crop(folder, record)
    except InputError:
        return False
    return True


def _records(generator: Generator, n: int, seed: int) -> list[CropRecord]:
    side = generator.config.image_size
    names = [f"syn-{generator.run.id[-4:]}-{generator.label.replace('@', '')}-s{seed}-{i:05d}" for i in range(n)]
    return [
        CropRecord(
            crop_id=name,
            cube_id=name,
            instance=0,
            diagnosis=Diagnosis.parse(generator.diagnosis) if generator.diagnosis else Diagnosis.OTHER,
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


def check_space(folder: Path, generator: Generator, cubes: int) -> None:
    """Raise InputError if the disk of `folder` (which need not exist yet) has no room for so many cubes."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    side = generator.config.image_size
    needed = cubes * (side * side * (4 * len(generator.wavelengths_nm) + 1) + 4096)
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise InputError(
            f"{cubes} cubes need {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free",
            where=folder,
            fix="free some space or ask for fewer",
        )
