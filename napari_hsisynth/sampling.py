"""From a trained run to synthetic cubes on disk, and to reconstructions of held-out crops."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.study import CropRecord

if TYPE_CHECKING:
    from napari_hsisynth.training.generator import Generator
    from napari_hsisynth.training.reconstructions import Reconstructions

#: Which splits a word means.
_SPLITS = {
    "held-out": {"val", "test"},
    "train": {"train"},
    "val": {"val"},
    "test": {"test"},
    "all": {"train", "val", "test"},
}
#: Threads that write cubes while the next ones are drawn: each waits for the disk most of the time.
_WRITERS = 4


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
    diagnosis: str | None = None,
    fabric: Any = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path:
    """Draw synthetic cubes from a trained run and write them in the form of crops.

    Cube number i of a seed is decided by (seed, i) alone: asking for more cubes adds to the first ones. What is already
    there is kept, so the same call again does nothing, and an interrupted one is finished. On the CPU it is the same
    to the bit whether one process draws or several.

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
    diagnosis : str, optional
        What a class-conditional model is to draw; by default its diagnoses in turn. Another model draws its own only.
    fabric : lightning.fabric.Fabric, optional
        From `launch`: each process draws its share of the cubes, all with the same arguments, on Fabric's device.
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
        If the run has no such checkpoint or cannot draw that diagnosis, the folder holds cubes of another
        checkpoint, or the disk has no room.
    MissingExtraError
        If torch is not installed.
    """
    if n < 1:
        raise InputError(f"{n} cubes are not a number to draw", where="n", fix="ask for 1 or more")
    rank, world = (0, 1) if fabric is None else (fabric.global_rank, fabric.world_size)
    generator = _generator(run, checkpoint, device if fabric is None else fabric.device)
    files = _training("synthetic_cubes")
    wanted = files.cubes_asked_for(generator, n, seed, diagnosis)
    place, refusal = "", ""
    missing: list[int] = []
    if rank == 0:
        try:
            place, missing = _prepared(generator, wanted, None if out is None else Path(out))
        except InputError as error:
            if world == 1:
                raise
            refusal = str(error)
    if world > 1:
        place, missing, refusal = fabric.broadcast((place, missing, refusal), src=0)
    if refusal:
        raise InputError(refusal)
    folder = Path(place)
    index = files.GrowingIndex(folder, wanted) if rank == 0 else None
    stopped = False
    with ThreadPoolExecutor(_WRITERS, "cubes") as writers:
        writing: list[Future[None]] = []
        for first in range(0, len(missing), generator.batch * world):
            if progress is not None:
                progress(n - len(missing) + first, n)
            stopped = stop is not None and stop()
            if world > 1:
                stopped = fabric.broadcast(stopped, src=0)
            if stopped:
                break
            begin = first + rank * generator.batch
            records = [wanted[i] for i in missing[begin : begin + generator.batch]]
            cubes = _draw(generator, records)
            _wait(writing)  # those of the round before were written while these were drawn
            writing = [
                writers.submit(files.write_cube, folder, generator, record, data)
                for record, data in zip(records, cubes, strict=True)
            ]
            if index is not None and index.old:
                index.write()  # so that a killed process leaves one of nearly all that is whole
        _wait(writing)
    if world > 1:
        fabric.barrier()
    if index is not None:
        index.write()
    if progress is not None and not stopped:
        progress(n, n)
    return folder


def launch(device: str = "auto", *, devices: int, num_nodes: int = 1) -> Any:
    """Return Lightning Fabric for `sample`, with so many processes on each of so many machines; each returns from here.

    Raises
    ------
    InputError
        If there are not so many devices.
    """
    fabric = _training("device").make_fabric(device, "32", devices=devices, num_nodes=num_nodes)
    import torch

    # what training likes for its speed: a cube would depend on the number of processes
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False
    return fabric


def _prepared(generator: Generator, wanted: list[CropRecord], out: Path | None) -> tuple[str, list[int]]:
    """Make the folder; return it, and which of the cubes are still to be drawn."""
    files = _training("synthetic_cubes")
    folder = _folder(generator, out)
    present = {record.crop_id: record for record in files.cubes_in(folder)}
    missing = [i for i, record in enumerate(wanted) if not files.is_whole(folder, present.get(record.crop_id))]
    check_space(folder, generator, len(missing))
    _make(folder)
    for i in missing:  # left by a killed process, or damaged: a file that is there from now on is whole
        (folder / wanted[i].file).unlink(missing_ok=True)
    return str(folder), missing


def _draw(generator: Generator, records: list[CropRecord]) -> NDArray[np.float32]:
    if not records:  # the last round, which the processes before us have filled
        return np.empty((0, 0, 0, 0), dtype=np.float32)
    return generator.sample([record.seed or 0 for record in records], [record.diagnosis.value for record in records])


def _wait(writing: list[Future[None]]) -> None:
    for one in writing:
        one.result()


def reconstruct(
    run: RunLike | str | os.PathLike[str], split: str = "held-out", *, checkpoint: str = "last", device: str = "auto"
) -> Reconstructions:
    """Send real crops through a trained model that encodes, such as a VAE, or that makes cubes of RGB images.

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
    Reconstructions
        Originals and reconstructions at the training size, in the camera's values; of a model that makes cubes of RGB
        images also what its baselines make of the same images.

    Raises
    ------
    InputError
        If there are no such crops, or the model does not reconstruct.
    """
    if split not in _SPLITS:
        raise InputError(f"no split {split!r}", where="split", fix=f"use one of: {', '.join(_SPLITS)}")
    found: Reconstructions = _training("reconstructions").reconstructions(
        _generator(run, checkpoint, device), _SPLITS[split]
    )
    return found


def sample_command(args: argparse.Namespace, out: Any) -> int:
    """Run the verb ``sample``, as a job with events if it was given a run folder of its own."""
    wishes = {
        "n": args.n,
        "seed": args.seed,
        "out": args.out,
        "checkpoint": args.checkpoint,
        "diagnosis": args.diagnosis,
        "device": args.device,
    }
    fabric = None
    if args.devices * args.num_nodes > 1:
        fabric = launch(args.device, devices=args.devices, num_nodes=args.num_nodes)
        if not fabric.is_global_zero:  # the first process speaks for all
            with contextlib.suppress(InputError):
                sample(args.source, **wishes, fabric=fabric)
            return 0
    job = _training("job").job
    settings = {name: value for name, value in wishes.items() if name != "out"} | {"source": str(args.source)}
    with job(args.run, "sample", unit="cubes", screen=out, settings=settings) as work:
        folder = sample(
            args.source,
            **wishes,
            fabric=fabric,
            progress=work.progress,
            stop=work.should_stop,
        )
        records = _training("synthetic_cubes").cubes_in(folder)
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


def _generator(run: RunLike | str | os.PathLike[str], checkpoint: str, device: Any) -> Generator:
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
    made_by = {
        (record.run, record.checkpoint, record.source_sha256)
        for record in _training("synthetic_cubes").cubes_in(folder)
    }
    return made_by <= {(generator.run.id, generator.label, generator.sha256)}


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
