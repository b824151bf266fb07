"""Training as a job: a new run, or a resumed one, in a run folder that says how it went."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from napari_hsisynth import __version__
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, attach
from napari_hsisynth.study import Diagnosis, Study
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.config import ModelConfig, parse
from napari_hsisynth.training.data import ImageSet, load_images
from napari_hsisynth.training.device import describe_device, is_first_process, make_fabric
from napari_hsisynth.training.generator import study_of
from napari_hsisynth.training.initial_weights import LAST, check_alike, found_run, take_weights, warn_of_leak
from napari_hsisynth.training.loggers import check_logger, open_log
from napari_hsisynth.training.loop import Diverged, Training
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.photos import load_photos
from napari_hsisynth.training.recipes import Recipe, recipe_for
from napari_hsisynth.training.reporting import Report, Screen
from napari_hsisynth.training.rgb_sources import PhotoSource
from napari_hsisynth.training.stopping import stop_requests

__all__ = ["TrainingFailed", "is_first_process", "launch", "resume", "train"]


class TrainingFailed(RuntimeError):
    """A run that began and could not go on; its folder says ``failed`` with the same words."""


def train(
    study_root: str | os.PathLike[str],
    config: ModelConfig,
    *,
    diagnosis: str | None,
    run: RunFolder,
    screen: Screen | None = None,
    fabric: Any = None,
) -> dict[str, Any]:
    """Train a generator on the training split of a study's crops.

    Parameters
    ----------
    study_root : path-like
        The study.
    config : ModelConfig
        Settings, see `config.parse`.
    diagnosis : str or None
        Learn from crops of this diagnosis; None for all.
    run : RunFolder
        A new run folder; the same one in every process.
    screen : Screen, optional
        A terminal to show progress on; the events are written in any case.
    fabric : lightning.fabric.Fabric, optional
        From `launch`; by default it is called here, which does for a single process.

    Returns
    -------
    dict
        ``run``, ``status`` ("done" or "stopped"), ``images``, ``seconds``, ``images_per_s``, ``train``, ``val``, and
        ``best`` (images and figures of the best validation).

    Raises
    ------
    InputError
        If there are no crops to train on, the device is not there, or the folder cannot be written.
    TrainingFailed
        If the training diverged, ran out of memory, or could not save.
    """
    with _telling(run):
        fabric = fabric or launch(config)
        study = Study.open(Path(study_root))
        named = Diagnosis.parse(diagnosis).value if diagnosis else ""
        if fabric.is_global_zero:
            if run.checkpoints_dir.exists():
                raise InputError("this run folder has been used", where=run.path, fix="use --resume to go on with it")
            run.write_config({**_ordered(config), "run": _about(run, study, named)})
        fabric.barrier()  # the others read the configuration from the folder
        return _fit(fabric, study, config, named, run, screen, kept=None)


def launch(config: ModelConfig) -> Any:
    """Return Lightning Fabric for a configuration, with the processes it asks for; see `device.make_fabric`.

    Raises
    ------
    InputError
        If the device or the logger is not there, or the images of a batch cannot be shared evenly.
    """
    check_logger(config.logger)
    processes = config.devices * config.num_nodes
    for name in ("batch_size", "max_images"):
        if getattr(config, name) % processes:
            raise InputError(
                f"{getattr(config, name)} images cannot be shared evenly by {processes} processes",
                where=name,
                fix=f"use a multiple of {processes}",
            )
    return make_fabric(config.device, config.precision, devices=config.devices, num_nodes=config.num_nodes)


def resume(run: RunFolder, *, screen: Screen | None = None) -> dict[str, Any]:
    """Go on with a run from its last checkpoint, in the same folder, as if it had never been interrupted.

    On one CPU with the same number of threads the result is bit for bit that of the uninterrupted run. A run killed
    before its first checkpoint starts anew; a finished one is left as it is.

    Parameters
    ----------
    run : RunFolder
        Of an earlier `train`.
    screen : Screen, optional
        A terminal to show progress on.

    Returns
    -------
    dict
        As of `train`.

    Raises
    ------
    InputError
        If it is not a training run, another process is at work in it, or its crops have changed since.
    TrainingFailed
        As in `train`.
    """
    stored = run.config
    about = stored.get("run") or {}
    if about.get("verb") != "train":
        raise InputError("not a training run", where=run.path)
    config = parse(stored)
    state = run.state()
    if state.status == "done":
        return {"run": str(run.path), "status": "done", **state.result}
    with _telling(run):
        fabric = launch(config)
        if fabric.is_global_zero:
            job = attach(run)
            if job is not None and job.pid != os.getpid():
                raise InputError(
                    f"process {job.pid} is still training in this run", where=run.path, fix="stop it first"
                )
        study = study_of(run)
        last = run.checkpoints_dir / "last.pt"
        kept = checkpoints.load(last) if last.exists() else None
        fabric.barrier()  # before the first of them writes here again
        return _fit(fabric, study, config, about.get("diagnosis", ""), run, screen, kept=kept, resumed=True)


def _fit(
    fabric: Any,
    study: Study,
    config: ModelConfig,
    diagnosis: str,
    run: RunFolder,
    screen: Screen | None,
    *,
    kept: checkpoints.Checkpoint | None,
    resumed: bool = False,
) -> dict[str, Any]:
    began = time.monotonic()
    writes = fabric.is_global_zero
    report = Report(run, "train", screen=screen, log=open_log(config.logger, run) if writes else None)
    resumed_at = (kept.images if kept else 0) if resumed else None
    device = describe_device(fabric.device, fabric.world_size)
    if writes:
        told = sum(event.kind == "rolled_back" for event in run.history())
        for fields in kept.roll_backs[told:] if kept else ():  # killed before it could say so
            report.event("rolled_back", **fields)
        report.started(device, resumed_at)
    with report, stop_requests(run) as should_stop:
        images, val, warnings = _load(study, config, diagnosis)
        folder = getattr(config, "photos", "")
        photos = load_photos(folder, config.image_size) if folder else None
        if kept is not None and kept.fingerprint != images.fingerprint:
            raise InputError(
                "the training crops are not those this run began with", where=run.path, fix="start a new run"
            )
        stored = run.config
        if photos is not None:
            warnings += photos.warnings
            if kept is not None and stored["run"].get("photos_fingerprint") != photos.fingerprint:
                raise InputError(
                    "the photographs are not those this run began with", where=folder, fix="start a new run"
                )
            stored["run"]["photos_fingerprint"] = photos.fingerprint
        if kept is None:
            normalisation = Normalisation.fit(images.images)
        else:
            normalisation = Normalisation.from_json(kept.normalisation)
        classes = tuple(kept.classes) if kept else _classes(images, config)
        if writes:
            for message in warnings:
                report.warn(message)
            stored["run"] |= {"device": device, "data_fingerprint": images.fingerprint, "classes": list(classes)}
            run.write_config(stored)

        with torch.random.fork_rng(devices=[fabric.device] if fabric.device.type == "cuda" else []):
            torch.manual_seed(config.seed)  # the same first weights in every process
            recipe = recipe_for(stored["model"])(config, images.images.shape[1], max(1, len(classes)))
            recipe.setup(fabric)
            training = Training(
                run, config, recipe, images, val, normalisation, diagnosis, report, should_stop, fabric, classes
            )
            if photos is not None:
                training.photos = PhotoSource(photos, config.seed, fabric.device)
            if kept is None and config.init:
                training.begin = partial(_begin, recipe, study, config, classes, run, fabric)
            if kept is not None:
                recipe.load_state(kept.recipe)
                training.prepared = True
                training.images, training.steps, training.best = kept.images, kept.steps, dict(kept.best)
                training.guard.load_state(kept.guard, fabric.device)
                training.roll_backs = list(kept.roll_backs)
            status = training.fit()
    fabric.barrier()  # the last checkpoint is written
    seconds = time.monotonic() - began
    result = {
        "images": training.images,
        "seconds": round(seconds, 1),
        "images_per_s": round((training.images - (resumed_at or 0)) / seconds, 2),
        "train": len(images),
        "val": len(val),
        "best": training.best,
    }
    if writes and status == "done":
        run.append("done", images=training.images, result=result)
    elif writes:
        run.clear_stop()
        run.append("stopped", images=training.images, result=result)
    return {"run": str(run.path), "status": status, **result}


def _begin(
    recipe: Recipe, study: Study, config: ModelConfig, classes: tuple[str, ...], run: RunFolder, fabric: Any
) -> tuple[str, ...]:
    """Take the weights of the run that `init` names, and write down which they are."""
    other = found_run(config.init, study.runs_dir)
    check_alike(other, config, len(study.wavelengths_nm))
    # read once: that run may still be training, and all processes are to begin alike
    content = (other.checkpoints_dir / LAST).read_bytes() if fabric.is_global_zero else b""
    if fabric.world_size > 1:
        content = fabric.broadcast(content, src=0)
    start = take_weights(recipe, other, content, classes, study.wavelengths_nm)
    if fabric.is_global_zero:
        stored = run.config
        stored["run"]["init"] = start.facts
        run.write_config(stored)
    return (*warn_of_leak(other, study), *start.warnings)


def _classes(images: ImageSet, config: ModelConfig) -> tuple[str, ...]:
    """The diagnoses that a model is conditioned on, sorted; none for a model without conditions."""
    return tuple(sorted({record.diagnosis.value for record in images.records})) if config.conditional else ()


def _load(study: Study, config: ModelConfig, diagnosis: str) -> tuple[ImageSet, ImageSet, list[str]]:
    """Training and validation images, and what is to be said of them."""
    wanted = diagnosis or None
    images = load_images(study, {"train"}, image_size=config.image_size, diagnosis=wanted)
    what = f"{Diagnosis(diagnosis).label} crops" if diagnosis else "crops"
    if not len(images):
        raise InputError(
            f"none of the {what} is in the training split",
            where=study.root / "splits.csv",
            fix="add cubes and crop them",
        )
    images = images.some(config.train_crops, config.seed)
    val = load_images(study, {"val"}, image_size=config.image_size, diagnosis=wanted)
    if config.conditional:
        val = val.only(_classes(images, config))
    warnings = [*images.warnings, *val.warnings]
    if len(images) < config.train_crops:
        warnings.append(f"there are only {len(images)} training crops, fewer than the {config.train_crops} asked for")
    if len(images) < config.batch_size:
        warnings.append(
            f"only {len(images)} {what} to train on, fewer than a batch of {config.batch_size}: images repeat in it"
        )
    if not len(val):
        warnings.append(f"no {what} in the validation split: the best checkpoint is simply the last")
    return images, val, warnings


@contextlib.contextmanager
def _telling(run: RunFolder) -> Iterator[None]:
    """Turn whatever ends the block into a ``failed`` event of one line, and into an error that says the same."""
    try:
        yield
    except InputError as error:
        _fail(run, str(error))
        raise
    except (Diverged, MemoryError, RuntimeError, OSError) as error:
        message = _explain(error, run)
        _fail(run, message)
        raise TrainingFailed(message) from error
    except BaseException as error:
        _fail(run, f"{type(error).__name__}: {error}".rstrip(": "))
        raise


def _explain(error: BaseException, run: RunFolder) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return "out of memory; use a smaller batch_size, image_size or width"
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None)):
            return f"{run.path}: the disk is full; free some space and resume, the last checkpoint is kept"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return f"{error.filename or run.path}: cannot write here; make the folder writable and resume"
    return text if isinstance(error, Diverged) else f"{type(error).__name__}: {text}"


def _fail(run: RunFolder, message: str) -> None:
    with contextlib.suppress(
        OSError
    ):  # a full or read-only folder cannot even take the message; the caller says it too
        if is_first_process():
            run.append("failed", message=message)
        else:  # the first one fails for want of this one, and its reason would hide the cause
            run.append("warning", message=f"process {torch.distributed.get_rank()}: {message}")


def _ordered(config: ModelConfig) -> dict[str, Any]:
    values = config.model_dump()
    return {"model": values.pop("model"), **values}


def _about(run: RunFolder, study: Study, diagnosis: str) -> dict[str, Any]:
    about = {
        "verb": "train",
        "study": Path(os.path.relpath(study.root, run.path)).as_posix(),
        "diagnosis": diagnosis,
        "package_version": __version__,
        "torch_version": str(torch.__version__),
    }
    if commit := _git_commit():
        about["git_commit"] = commit
    return about


def _git_commit() -> str:
    """The commit of the source checkout that we run from; empty for an installed package."""
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
