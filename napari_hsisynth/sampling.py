"""From a trained run to synthetic cubes on disk, and to reconstructions of held-out crops."""

from __future__ import annotations

import argparse
import contextlib
import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_hsisynth.errors import InputError, MissingExtraError

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
#: What the verb takes of `sample`.
_WISHES = (
    *("n", "seed", "out", "checkpoint", "diagnosis", "device"),
    *("mask", "rgb", "truncation", "interpolate", "mix"),
)


class RunLike(Protocol):
    """A run folder, as `jobs.RunFolder`."""

    path: Path


def sample(
    run: RunLike | str | os.PathLike[str],
    *,
    n: int | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    checkpoint: str = "last",
    device: str = "auto",
    diagnosis: str | None = None,
    mask: str | os.PathLike[str] | None = None,
    rgb: str | os.PathLike[str] | None = None,
    truncation: float = 1.0,
    interpolate: int | None = None,
    mix: int | None = None,
    settings: Mapping[str, Any] | None = None,
    fabric: Any = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Path:
    """Draw synthetic cubes from a trained run and write them in the form of crops.

    Cube number i of a seed is decided by (seed, i) and what it is to show alone: asking for more cubes adds to the
    first ones. What is already there is kept, so the same call again does nothing, and an interrupted one is finished.
    On the CPU it is the same to the bit whether one process draws or several.

    A model that is shown lesion masks or RGB images takes by default those of the run's own study, of the training
    split only: held-out ones would leak into a synthetic set. Their order is decided by the seed, and each is shown
    once before one is shown again; a class-conditional model is shown those of each cube's diagnosis.

    Parameters
    ----------
    run : RunFolder or path-like
        A training run.
    n : int, optional
        Number of cubes; by default 16, or one per photograph if `rgb` is given.
    seed : int
        Any integer.
    out : path-like, optional
        Folder for the cubes; by default ``STUDY/synthetic/<run id>``, or ``<run id>-last12000`` if that already holds
        cubes of another checkpoint. Those of masks or images that are given end in ``-given``, those of changed noise
        or settings say how: they do not mix with plain ones, which are what is measured against real cubes.
    checkpoint : {"last", "best"}
        From which to draw.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    diagnosis : str, optional
        What a class-conditional model is to draw; by default its diagnoses in turn. A conditioned model of several
        diagnoses shows crops of this one, or what is given is said to be of it; another model draws its own only.
    mask : path-like, optional
        Lesions to draw: PNG, TIFF, BMP, ``.npy`` or ``.npz`` (all that is not zero is the lesion), a folder of such, a
        folder with ``crops.csv``, or the id of a crop of the study. Taken in turn, scaled to the model's size by their
        shorter side and cut at the centre. Of a folder, masks without lesion or without skin are left out.
    rgb : path-like, optional
        Photographs that the cubes are to be seen as, treated likewise: JPEG, PNG, TIFF or BMP, a folder of such (and
        of folders), a folder with ``crops.csv``, or the id of a crop. Of a folder, unreadable ones are left out.
    truncation : float
        The noise is multiplied by it, 0 < truncation <= 1: below 1, cubes are more alike and fewer of them are odd.
    interpolate : int, optional
        Cubes on the spherical way from the noise of each seed to that of the next; what they show changes with the
        seed. `n` counts all of them.
    mix : int, optional
        Another seed: its cube i gives the noise of the fine layers, cube i of `seed` that of the coarse ones.
    settings : mapping, optional
        How to draw instead of as in the training: ``guidance``, ``sampler`` and ``sampler_steps`` of a flow.
    fabric : lightning.fabric.Fabric, optional
        From `launch`: each process draws its share of the cubes, all with the same arguments, on Fabric's device.
    progress : callable, optional
        Called with (done, total) cubes.
    stop : callable, optional
        Asked between batches; true ends early, with a complete index of what is there.
    warn : callable
        Told what is left out and what is odd, one sentence each.

    Returns
    -------
    pathlib.Path
        The folder, with ``crops.csv``. A cube made to show a mask or a crop has that mask (``mask_source``
        "conditioning"), others an empty one ("none"): their lesions are found when measured. ``condition`` names what
        each was to show, its provenance holds the SHA-256 of that file too.

    Raises
    ------
    InputError
        If the run has no such checkpoint, cannot draw that diagnosis or be shown that, the folder holds cubes of
        another checkpoint, or the disk has no room.
    MissingExtraError
        If torch is not installed.
    """
    if n is not None and n < 1:
        raise InputError(f"{n} cubes are not a number to draw", where="n", fix="ask for 1 or more")
    rank, world = (0, 1) if fabric is None else (fabric.global_rank, fabric.world_size)
    generator = _generator(run, checkpoint, device if fabric is None else fabric.device, settings)
    files = _training("synthetic_cubes")
    tools = _training("latents").LatentTools(truncation, interpolate, mix)
    wanted = files.cubes_asked_for(
        generator,
        n,
        seed,
        diagnosis,
        mask=mask,
        rgb=rgb,
        tools=tools,
        warn=warn if rank == 0 else lambda message: None,  # the first process speaks for all
    )
    n, records = len(wanted), [one.record for one in wanted]
    place, refusal = "", ""
    missing: list[int] = []
    if rank == 0:
        try:
            kind = generator.stem + tools.stem + ("" if mask is None and rgb is None else "-given")
            place, missing = _training("synthetic_folder").prepared(
                generator, records, None if out is None else Path(out), kind
            )
        except InputError as error:
            if world == 1:
                raise
            refusal = str(error)
    if world > 1:
        place, missing, refusal = fabric.broadcast((place, missing, refusal), src=0)
    if refusal:
        raise InputError(refusal)
    folder = Path(place)
    index = files.GrowingIndex(folder, records) if rank == 0 else None
    stopped = False
    try:
        with ThreadPoolExecutor(_WRITERS, "cubes") as threads:
            writing: list[Future[None]] = []

            def read(first: int) -> list[tuple[Any, Future[Any]]]:
                """The cubes of a round that this process draws, and what they are to show, which is being read."""
                begin = first + rank * generator.batch
                ours = [wanted[i] for i in missing[begin : begin + generator.batch]]
                return [(one, threads.submit(files.read_shown, generator, one)) for one in ours]

            reading = read(0)
            for first in range(0, len(missing), generator.batch * world):
                if progress is not None:
                    progress(n - len(missing) + first, n)
                stopped = stop is not None and stop()
                if world > 1:
                    stopped = fabric.broadcast(stopped, src=0)
                if stopped:
                    break
                ours, shown = [one for one, _ in reading], [read_one.result() for _, read_one in reading]
                reading = read(first + generator.batch * world)  # while these are drawn
                cubes = files.draw(generator, ours, shown)
                _wait(writing)  # those of the round before were written while these were drawn
                writing = [
                    threads.submit(files.write_cube, folder, generator, *one)
                    for one in zip(ours, shown, cubes, strict=True)
                ]
                if index is not None and index.old:
                    index.write()  # so that a killed process leaves one of nearly all that is whole
            _wait(writing)
        if world > 1:
            fabric.barrier()
    finally:  # also of what was written before an error
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
    _training("device").compute_as_for_sampling()
    return fabric


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
    wishes = {name: getattr(args, name) for name in _WISHES} | {"settings": dict(args.settings)}
    fabric = None
    if args.devices * args.num_nodes > 1:
        fabric = launch(args.device, devices=args.devices, num_nodes=args.num_nodes)
        if not fabric.is_global_zero:  # the first process speaks for all
            with contextlib.suppress(InputError):
                sample(args.source, **wishes, fabric=fabric)
            return 0
    job = _training("job").job
    settings = {name: str(one) if isinstance(one, Path) else one for name, one in wishes.items() if name != "out"}
    settings["source"] = str(args.source)
    n = 0
    with job(args.run, "sample", unit="cubes", screen=out, settings=settings) as work:

        def progress(done: int, total: int) -> None:
            nonlocal n
            n = total  # photographs may have decided it
            work.progress(done, total)

        folder = sample(
            args.source,
            **wishes,
            fabric=fabric,
            progress=progress,
            stop=work.should_stop,
            warn=work.warn,
        )
        records = _training("synthetic_cubes").cubes_in(folder)
        work.result = {"folder": str(folder), "cubes": len(records), "n": n, "seed": args.seed}
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


def _generator(
    run: RunLike | str | os.PathLike[str], checkpoint: str, device: Any, settings: Mapping[str, Any] | None = None
) -> Generator:
    if checkpoint not in ("last", "best"):
        raise InputError(f"no checkpoint {checkpoint!r}", where="checkpoint", fix="use last or best")
    path = run if isinstance(run, str | os.PathLike) else run.path
    return _training("generator").open_generator(path, checkpoint, device=device, settings=settings)
