"""The verb ``evaluate``."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth import __version__
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, new_run, without_time
from napari_hsisynth.jobs.process import identity
from napari_hsisynth.metrics.evaluation import Evaluation
from napari_hsisynth.metrics.pairs import evaluate_pairs
from napari_hsisynth.metrics.report import write_report
from napari_hsisynth.metrics.selection import select
from napari_hsisynth.metrics.sizes import fit_mask
from napari_hsisynth.metrics.unpaired import evaluate
from napari_hsisynth.study import DIAGNOSIS_COLOURS, CropRecord, Diagnosis, Study, load_collection, read_crop
from napari_hsisynth.study.storage import writing
from napari_hsisynth.terminal import Output


class Reconstructions(Protocol):
    """What `sampling.reconstruct` returns, see there."""

    @property
    def originals(self) -> NDArray[np.float32]: ...
    @property
    def made(self) -> NDArray[np.float32]: ...
    @property
    def records(self) -> list[CropRecord]: ...
    @property
    def wavelengths_nm(self) -> NDArray[np.float64]: ...
    @property
    def trained_on(self) -> int: ...
    @property
    def baselines(self) -> dict[str, NDArray[np.float32]]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


Reconstruct = Callable[..., Reconstructions]

_BETWEEN_EVENTS_S = 0.5


@dataclass(frozen=True)
class _Task:
    """What is to be done, checked.

    Parameters
    ----------
    study : Study, optional
        That gets the run folder.
    name : str
        Of the run folder.
    settings : dict
        For its ``config.yaml``.
    work : callable
        Takes a progress callback and returns the Evaluation.
    """

    study: Study | None
    name: str
    settings: dict[str, Any]
    work: Callable[[Callable[[int, int], None]], Evaluation]


class _Stopped(Exception):
    """Somebody asked the job to stop."""


def evaluate_command(args: argparse.Namespace, out: Output, reconstruct: Reconstruct | None = None) -> int:
    """Run ``evaluate``: check what can be checked first, so that bad input leaves no run folder behind.

    Parameters
    ----------
    args : argparse.Namespace
        Of the verb.
    out : Output
        Where the result goes.
    reconstruct : callable, optional
        ``sampling.reconstruct``, needed for ``--reconstruct``; handed in, since metrics do not know the generators.

    Returns
    -------
    int
        Exit status.
    """
    run = None if args.run is None else RunFolder(args.run)
    with _telling(run):
        task = _comparison(args) if args.reconstruct is None else _reconstruction(args, reconstruct)
        if args.out is None and task.study is None and run is None:
            raise InputError("these cubes lie in no study", where=args.real, fix="say where to write with --out")
    if run is None and args.out is None and task.study is not None:
        run = new_run(task.study.root, task.name)
    with _telling(run):
        folder = Path(args.out) if args.out is not None else (run.report_dir if run else Path())
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if run is not None:
            about = {"verb": "evaluate", "package_version": __version__, **task.settings}
            with writing(run.path):
                run.write_config({"run": about})
                run.append("started", **identity(), verb="evaluate", device="cpu", resumed_at=None)
        progress = _Progress(run, out)
        try:
            evaluation = task.work(progress)
        except _Stopped:
            assert run is not None
            run.append("stopped", images=progress.done)
            out.result({"run": str(run.path), "status": "stopped"}, "stopped before anything was written")
            return 0
        paths = write_report(evaluation, folder)
        if run is not None:
            for note in evaluation.notes:
                run.append("warning", message=note)
            run.append("done", result=_headline(evaluation) | {"report": _stored_report(paths["html"], run)})
    out.notes(evaluation.notes)
    full = evaluation.to_json()
    shown = {key: value for key, value in full.items() if key not in ("spectra", "cubes", "wavelengths_nm")}
    shown |= {"report": str(paths["html"]), "json": str(paths["json"]), "csv": str(paths["csv"])}
    shown["run"] = None if run is None else str(run.path)
    out.result(shown, "\n".join([*evaluation.findings, f"report: {paths['html']}"]))
    return 0


def _comparison(args: argparse.Namespace) -> _Task:
    if args.real is None or args.synthetic is None:
        raise InputError(
            "two folders are needed: the real and the synthetic cubes",
            where="evaluate",
            fix="write: evaluate REAL SYNTHETIC, or: evaluate --reconstruct RUN",
        )
    real, synthetic = load_collection(args.real), load_collection(args.synthetic)
    select(real, synthetic, split=args.split, diagnosis=args.diagnosis)  # says early what cannot be compared
    study = real.study or synthetic.study
    run_ids = {record.run for record in synthetic.records if record.run}
    name = next(iter(run_ids)) if len(run_ids) == 1 else synthetic.folder.name
    return _Task(
        study=study,
        name=f"evaluate-{without_time(name)}",
        settings={
            "real": _stored(real.folder, study),
            "synthetic": _stored(synthetic.folder, study),
            "split": args.split,
            "diagnosis": args.diagnosis,
            "seed": args.seed,
        },
        work=lambda progress: evaluate(
            real, synthetic, split=args.split, diagnosis=args.diagnosis, seed=args.seed, progress=progress
        ),
    )


def _reconstruction(args: argparse.Namespace, reconstruct: Reconstruct | None) -> _Task:
    for flag, value in (("REAL", args.real), ("--diagnosis", args.diagnosis)):
        if value is not None:
            raise InputError("--reconstruct takes the run's own crops", where=flag, fix="leave it out")
    if reconstruct is None:
        raise InputError("no generator was handed in to reconstruct with", where="--reconstruct")
    trained = RunFolder(args.reconstruct)
    if not trained.exists():
        raise InputError("not a run folder", where=args.reconstruct, fix="pass a training run, STUDY/runs/<run>")
    about = trained.config.get("run") or {}
    study = Study.open(trained.path)

    def work(progress: Callable[[int, int], None]) -> Evaluation:
        progress(0, 1)  # a first sign, before a model is loaded
        pairs = reconstruct(trained, split=args.split)
        records = pairs.records
        size_yx = (pairs.originals.shape[2], pairs.originals.shape[3])
        masks = np.stack([fit_mask(read_crop(study.crops_dir, record).mask, size_yx) for record in records])
        found = {record.diagnosis for record in records}
        return evaluate_pairs(
            pairs.originals,
            pairs.made,
            pairs.wavelengths_nm,
            masks,
            names=[record.crop_id for record in records],
            groups=[record.patient or record.cube_id for record in records],
            baselines=pairs.baselines,
            trained_on=pairs.trained_on,
            notes=pairs.notes,
            compared={
                "model": f"{study.name}/runs/{trained.id}",
                "diagnosis": ", ".join(sorted(diagnosis.label for diagnosis in found)),
                "split": args.split,
                "seen in training": f"{pairs.trained_on} of {len(records)} cubes",
                "lesion and skin": "the masks of the crops",
            }
            | ({"baselines": ", ".join(pairs.baselines)} if pairs.baselines else {})
            | ({"notes of the study": study.notes} if study.notes else {}),
            phantom="PHANTOM" in study.notes or any(record.cube_id.startswith("PHANTOM") for record in records),
            colour=DIAGNOSIS_COLOURS[found.pop() if len(found) == 1 else Diagnosis.OTHER],
            seed=args.seed,
            progress=progress,
        )

    return _Task(
        study=study,
        name=f"evaluate-{without_time(trained.id)}",
        settings={
            "reconstruct": _stored(trained.path, study),
            "split": args.split,
            "diagnosis": about.get("diagnosis"),
            "seed": args.seed,
        },
        work=work,
    )


class _Progress:
    """Writes progress to the run folder and to the terminal, and stops the work if somebody has asked for it."""

    def __init__(self, run: RunFolder | None, out: Output) -> None:
        self._run, self._out = run, out
        self._began = time.monotonic()
        self._said = -_BETWEEN_EVENTS_S
        self.done = 0

    def __call__(self, done: int, total: int) -> None:
        self.done = done
        self._out.progress(done, total)
        if self._run is None:
            return
        if self._run.stop_requested():
            raise _Stopped
        elapsed = time.monotonic() - self._began
        if elapsed - self._said < _BETWEEN_EVENTS_S and done < total:
            return
        self._said = elapsed
        rate = done / elapsed if elapsed > 0 else 0.0
        eta_s = (total - done) / rate if rate > 0 else None
        self._run.append("progress", done=done, total=total, unit="cubes", rate=rate, eta_s=eta_s)


@contextlib.contextmanager
def _telling(run: RunFolder | None) -> Iterator[None]:
    """Write the end of a failed job to its events, for whoever watches the folder."""
    try:
        yield
    except BaseException as error:
        if run is not None:
            with contextlib.suppress(OSError):  # the folder itself may be what failed
                run.append("failed", message=str(error) or type(error).__name__)
        raise


def _stored(path: Path, study: Study | None) -> str:
    """A path as it is written down: relative to the study if it lies in it, so that a moved study stays whole."""
    inside = study is not None and path.is_relative_to(study.root)
    return path.relative_to(study.root).as_posix() if study is not None and inside else str(path)


def _stored_report(page: Path, run: RunFolder) -> str:
    return page.relative_to(run.path).as_posix() if page.is_relative_to(run.path) else str(page)


def _headline(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "n_real": evaluation.n_real,
        "n_synthetic": evaluation.n_synthetic,
        "figures": {name: measure.to_json()["value"] for name, measure in evaluation.metrics.items()},
        "findings": list(evaluation.findings),
    }
