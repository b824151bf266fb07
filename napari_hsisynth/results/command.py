"""The verb ``results``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any, Protocol

from napari_hsisynth import __version__
from napari_hsisynth.atomic import write_json, write_text
from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.metrics.evaluation import json_ready
from napari_hsisynth.results.data_set import DataSet, Results, results_of
from napari_hsisynth.results.markdown import markdown
from napari_hsisynth.results.measures import Measured
from napari_hsisynth.results.plan import Planned, plan
from napari_hsisynth.results.sheet import write_sheet
from napari_hsisynth.results.verdicts import MEAN_PLUS_NOISE, SHIFTED_COPIES, verdict
from napari_hsisynth.study import Study
from napari_hsisynth.study.storage import writing
from napari_hsisynth.training.command import with_full_paths
from napari_hsisynth.training.config import check_bands


class Output(Protocol):
    """What the command line gives us to speak through."""

    def progress(self, done: int, total: int | None, unit: str = ..., extra: str = ...) -> None: ...
    def note(self, text: str) -> None: ...
    def result(self, value: dict[str, Any], text: str) -> None: ...


def results_command(args: argparse.Namespace, out: Output) -> int:
    """Run ``results``: the files are written anew after every data set, and finished trainings are used again.

    Returns
    -------
    int
        1 if a model could not be trained; the table then says so, and has the others.
    """
    planned = plan(args.models, max_images=args.max_images, changes=args.set, seeds=args.seeds)
    studies = [Study.open(path) for path in args.studies]
    names = [study.name for study in studies]
    if len(set(names)) < len(names):
        raise InputError("two studies have the same name", where=", ".join(names), fix="rename one of the folders")
    before = None if args.pretrained is None else Study.open(args.pretrained)
    planned = [_checked(one, studies, before) for one in planned]
    try:
        data = [DataSet.open(study, planned[0].config.image_size) for study in studies]
        pretraining = None if before is None else DataSet.open(before, planned[0].config.image_size)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("napari_hsisynth"):
            raise
        raise MissingExtraError("training", "train") from error
    each = 1 if pretraining is None else 3  # without it, before it, and after it
    screen = _Progress(out, [one.config.max_images for _ in studies for one in planned for _ in range(each)])
    found: list[Results] = []
    pictures: dict[str, str] = {}
    for one in data:
        out.note(f"{one.study.name}: {len(one.train)} crops to train on, {len(one.real)} held out")
        results = results_of(
            one,
            planned,
            pretraining=pretraining,
            seed=args.seed,
            tell=screen.training,
            progress=screen.measuring,
        )
        for label, why in results.failed.items():
            out.note(f"{label}: {why}")
        found.append(results)
        # of patients' cubes nothing but figures leaves the study
        sheet = args.out.parent / "pictures" / f"results_{one.study.name}.png"
        sheet = sheet if one.phantom else one.study.root / "results" / "samples.png"
        with writing(sheet.parent):
            write_sheet(results, sheet)
        if one.phantom:
            pictures[one.study.name] = f"pictures/{sheet.name}"
        out.note(f"samples to look at: {sheet}")
        value = {"command": _command(args), "version": __version__, "data_sets": [_json(each) for each in found]}
        with writing(args.out.parent):
            write_text(args.out, markdown(found, command=_command(args), pictures=pictures))
            write_json(args.out.with_suffix(".json"), value)
    out.result(value, str(args.out))
    return 1 if any(each.failed for each in found) else 0


def _checked(planned: Planned, studies: list[Study], before: Study | None) -> Planned:
    """A training as `train` will write it down, once it can be done on every study: trainings take hours."""
    for study in studies if before is None else (*studies, before):
        planned = planned.with_config(with_full_paths(planned.config, study))
        check_bands(planned.config, len(study.wavelengths_nm))
        if before is not None and len(study.wavelengths_nm) != len(before.wavelengths_nm):
            raise InputError(
                f"{study.name} has {len(study.wavelengths_nm)} bands, {before.name} {len(before.wavelengths_nm)}",
                where="--pretrained",
                fix="name a study of the same bands",
            )
    return planned


def _command(args: argparse.Namespace) -> str:
    """The command line without the places of folders on this machine."""
    words = ["napari-hsisynth", "results", *(Path(study).resolve().name for study in args.studies)]
    words += ["--models", args.models]
    words += ["--max-images", str(args.max_images)] if args.max_images else []
    for change in args.set:
        words += ["--set", change]
    words += ["--pretrained", Path(args.pretrained).resolve().name] if args.pretrained else []
    words += ["--seeds", str(args.seeds)] if args.seeds > 1 else []
    words += ["--seed", str(args.seed)] if args.seed else []
    return shlex.join([*words, "--out", args.out.name])


class _Progress:
    """Images of all trainings together, and the time that is left of them.

    Parameters
    ----------
    out : Output
        Where it is shown.
    budgets : list of int
        Images of each training, in their order.
    """

    def __init__(self, out: Output, budgets: list[int]) -> None:
        self.out, self.total = out, sum(budgets)
        self._done = self._before = 0

    def training(self, planned: Planned) -> Any:
        """Begin the next training: what it then tells is shown."""
        self._before, self._done = self._before + self._done, planned.config.max_images
        before = self._before

        def tell(done: int, rate: float) -> None:
            left = (self.total - before - done) / rate if rate > 0 else 0.0
            extra = f"{planned.label}, {rate:.0f}/s, about {left / 60:.0f} min left of training"
            self.out.progress(before + done, self.total, "images", extra)

        return tell

    def measuring(self, done: int, total: int) -> None:
        """Say how many sets of cubes are measured."""
        self.out.note(f"measured {done} of {total} sets of cubes")


def _json(results: Results) -> dict[str, Any]:
    """All figures of a data set as JSON types."""
    noise, copies = results.measured[MEAN_PLUS_NOISE], results.measured[SHIFTED_COPIES]
    generators = {}
    for name, measured in results.measured.items():
        generators[name] = _figures(measured)
        if name in results.trainings:
            one = results.trainings[name]
            generators[name] |= {
                "verdict": verdict(measured, results.real, noise, copies, redrawn=name in results.redrawn),
                "images": one.images,
                "seconds": round(one.seconds, 1),
                "device": one.device,
                "run": one.run.id,
            }
    return {
        "study": results.data.study.name,
        "notes": results.data.study.notes,
        "n_train": len(results.data.train),
        "n_held_out": results.real.n,
        "m": results.real.m,
        "real": vars(results.real) | {"diversity": vars(results.real.diversity)},
        "generators": generators,
        "failed": results.failed,
    }


def _figures(measured: Measured) -> dict[str, Any]:
    nearest = measured.nearest
    value: dict[str, Any] = json_ready(
        {
            "n": measured.n,
            "sliced_wasserstein": vars(measured.spectra),
            "sliced_wasserstein_patches": vars(measured.patches),
            "sliced_wasserstein_patches_by_level": [vars(level) for level in measured.levels],
            "class_mean_angle": vars(measured.class_angle),
            "diversity": vars(measured.diversity),
            "nearest_real": {
                "share": nearest.share,
                "p_value": nearest.p_value,
                "distance": nearest.distance,
                "ratio": nearest.ratio,
            },
        }
    )
    return value
