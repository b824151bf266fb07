"""A planned training as a run of its study: one that is there already, or a new child process of the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from napari_hsisynth import __version__
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, launch, list_runs, new_run, tail
from napari_hsisynth.results.plan import Planned
from napari_hsisynth.study import Study
from napari_hsisynth.training.config import parse

#: Called with images done, and images per second.
Tell = Callable[[int, float], None]


class TrainingFailed(RuntimeError):
    """A child process did not finish its training; the text says why."""


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Parameters
    ----------
    run : RunFolder
        With its checkpoint.
    images : int
        Real images shown.
    seconds : float
        From the start of the process to its end, those before an interruption included.
    device : str
        What it was trained on.
    version : str
        Of this package, when it was trained.
    """

    run: RunFolder
    images: int
    seconds: float
    device: str
    version: str


def trained(study: Study, planned: Planned, fingerprint: str, *, tell: Tell = lambda done, rate: None) -> Trained:
    """Return the finished run of a planned training; what is missing of it is trained by a child process.

    A run is used again if its settings, the package's version and the crops and photographs that it was trained on are
    the same; one that was stopped goes on. Ctrl-C stops the child, which keeps its last state.

    Parameters
    ----------
    study : Study
        With crops.
    planned : Planned
        What to train.
    fingerprint : str
        Of the training crops as they are now.
    tell : callable
        Told how far the training is.

    Raises
    ------
    TrainingFailed
        If it ended in any other way than done.
    """
    found = [run for run in list_runs(study.root) if _is_of(run, planned, fingerprint)]
    if found and (folder := getattr(planned.config, "photos", "")):
        from napari_hsisynth.training.photos import load_photos

        photos = load_photos(folder, planned.config.image_size).fingerprint
        found = [run for run in found if run.config["run"].get("photos_fingerprint") == photos]
    done = next((run for run in found if run.state().status == "done"), None)
    if done is not None:
        return _facts(done)
    unfinished = next((run for run in found if not run.state().active and _has_checkpoint(run)), None)
    if unfinished is not None:
        words = ["train", str(study.root), "--resume", unfinished.id]
    else:
        words = ["train", str(study.root), "--model", planned.model]
        for change in planned.changes:
            words += ["--set", change]
    run = unfinished or new_run(study.root, f"{planned.model}-all")
    job = launch(words, run)
    try:
        for event in tail(run):
            if event.kind == "progress":
                tell(int(event.fields["done"]), float(event.fields["rate"]))
    except BaseException:  # it lives in a session of its own, where Ctrl-C does not reach it
        run.request_stop()
        job.wait(60)
        raise
    job.wait(60)
    state = run.state()
    if state.status != "done":
        raise TrainingFailed(f"training {state.status}{': ' + state.reason if state.reason else ''}; see {run.id}")
    return _facts(run)


def _is_of(run: RunFolder, planned: Planned, fingerprint: str) -> bool:
    try:
        stored = run.config
        about = stored.get("run") or {}
        if about.get("verb") != "train" or about.get("diagnosis") or about.get("package_version") != __version__:
            return False
        return parse(stored) == planned.config and about.get("data_fingerprint") == fingerprint
    except InputError:
        return False  # a run of another version, with settings that are no longer known


def _has_checkpoint(run: RunFolder) -> bool:
    return (run.checkpoints_dir / "last.pt").exists()


def _facts(run: RunFolder) -> Trained:
    about = run.config["run"]
    seconds, began, last = 0.0, None, time.time()
    for event in run.history():
        if event.kind == "launched":  # before a resume: what lies between it and the last word was no work
            continue
        if event.kind == "started":
            seconds += 0 if began is None else last - began
            began = event.t
        last = event.t
    seconds += 0 if began is None else last - began
    return Trained(run, run.state().images, seconds, str(about.get("device", "")), str(about["package_version"]))
