"""The published ablation of the DCGAN's critic, as ordinary runs and one table."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import write_json, write_text
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, list_runs, new_run
from napari_hsisynth.metrics import class_mean_angle
from napari_hsisynth.study import Study
from napari_hsisynth.training.config import DCGANConfig, ModelConfig, parse
from napari_hsisynth.training.data import ImageSet, load_images
from napari_hsisynth.training.generator import open_generator
from napari_hsisynth.training.recipes.dcgan import DCGANRecipe
from napari_hsisynth.training.reporting import Screen
from napari_hsisynth.training.run import TrainingFailed, resume, train
from napari_hsisynth.training.set_distances import set_distances

#: The critics that are compared, in the order of publication, as changes of the settings.
VARIANTS: dict[str, dict[str, Any]] = {
    "2-D": {"critic": "2d", "spectral_norm": False, "fourier_arm": False},
    "3-D": {"critic": "3d", "spectral_norm": False, "fourier_arm": False},
    "3-D+SN": {"critic": "3d", "spectral_norm": True, "fourier_arm": False},
    "3-D+SN+FFT": {"critic": "3d", "spectral_norm": True, "fourier_arm": True},
}
#: Samples drawn of each variant, at least; random halves over which figures are averaged; and the fewest held-out
#: images that have halves.
_SAMPLES, _HALVES, _FEWEST = 64, 10, 4


@dataclass(frozen=True)
class Row:
    """One variant after its training.

    Parameters
    ----------
    variant : str
        One of `VARIANTS`.
    run : str
        Id of its run.
    generator_parameters, critic_parameters : int
        Numbers of weights.
    images_per_s : float or None
        Real images shown per second, checkpoints and previews included.
    figures : dict
        Distances from the held-out images, see `Ablation`; empty if the training failed.
    note : str
        Why it failed.
    """

    variant: str
    run: str
    generator_parameters: int
    critic_parameters: int
    images_per_s: float | None
    figures: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Ablation:
    """All variants beside the floor.

    Figures are ``spectra_distance`` and ``patch_distance`` (sliced Wasserstein, in the camera's values, see
    `set_distances`) and ``mean_angle_deg`` between mean spectra. Each is the mean over random draws of `m` images a
    side; the floor is the same between two halves of the held-out images.

    Parameters
    ----------
    rows : tuple of Row
        In the order of `VARIANTS`.
    floor : dict
        Real against real.
    held_out : int
        Validation and test images together.
    m : int
        Images a side.
    about : dict
        Diagnosis, settings that all variants share, device, and whether the study is of phantoms.
    """

    rows: tuple[Row, ...]
    floor: Mapping[str, float]
    held_out: int
    m: int
    about: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def to_markdown(self) -> str:
        """The table, with what is needed to read it."""
        about = self.about
        lines = [
            f"# DCGAN ablation: {about['diagnosis'] or 'all diagnoses'}",
            "",
            *(["PHANTOM: simulated cubes, no patient.", ""] if about["phantom"] else []),
            f"{about['max_images']:,} images of {about['image_size']} px shown to each critic, {about['loss']}, "
            f"n_critic {about['n_critic']}, lr {about['lr']:g}, batch {about['batch_size']}, seed {about['seed']}, "
            f"on {about['device']}. Distances from {self.held_out} held-out images, {self.m} a side, in the camera's "
            "values; the floor is real against real.",
            "",
            "| critic | generator weights | critic weights | images/s | spectra SW | patch SW | mean angle (deg) |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        for row in self.rows:
            speed = "" if row.images_per_s is None else f"{row.images_per_s:.1f}"
            cells = [row.variant, f"{row.generator_parameters:,}", f"{row.critic_parameters:,}", speed]
            lines.append(f"| {' | '.join([*cells, *_cells(row.figures)])} |")
        lines.append(f"| {' | '.join(['floor', '', '', '', *_cells(self.floor)])} |")
        lines += ["", *(f"{row.variant}: {row.note}" for row in self.rows if row.note)]
        return "\n".join(lines).rstrip() + "\n"

    def write(self, path: Path) -> tuple[Path, Path]:
        """Write the table as markdown and, beside it, as JSON; return both paths."""
        table, values = path.with_suffix(".md"), path.with_suffix(".json")
        write_json(values, self.to_json())
        write_text(table, self.to_markdown())
        return table, values


def ablate(
    study_root: str | os.PathLike[str], config: ModelConfig, *, diagnosis: str | None, screen: Screen
) -> Ablation | None:
    """Train every variant that is not trained yet, one after another, and compare them.

    A variant is an ordinary run of the study with these very settings and crops: it can be watched, stopped, resumed
    and sampled. One that is done is taken as it is, one that was interrupted goes on.

    Parameters
    ----------
    study_root : path-like
        The study.
    config : DCGANConfig
        What all variants share.
    diagnosis : str or None
        Learn from crops of this diagnosis; None for all.
    screen : Screen
        Shows progress.

    Returns
    -------
    Ablation or None
        None if a run was asked to stop.

    Raises
    ------
    InputError
        If there are no crops to train on or to hold against, or more than one process is asked for.
    """
    if config.devices * config.num_nodes > 1:
        raise InputError("variants are trained by one process each", where="devices", fix="use 1")
    study = Study.open(Path(study_root))
    trained_on = load_images(study, {"train"}, image_size=config.image_size, diagnosis=diagnosis)
    held_out = load_images(study, {"val", "test"}, image_size=config.image_size, diagnosis=diagnosis)
    if config.conditional:
        held_out = held_out.only({record.diagnosis.value for record in trained_on.records})
    if not len(held_out):
        raise InputError("no crops are held out to compare with", where=study.root, fix="add cubes and crop them")
    rows = []
    for variant, changes in VARIANTS.items():
        settings = parse(config.model_dump() | changes)
        run = _run_with(study, settings, diagnosis, trained_on.fingerprint)
        screen.note(f"{variant}: {'run ' + run.id if run else 'a new run'}")
        begun = run is not None
        run = run or new_run(study.root, f"dcgan-{diagnosis or 'all'}")
        sizes = _weights(settings, held_out, conditional=config.conditional)
        try:
            if begun:
                result = resume(run, screen=screen)
            else:
                result = train(study.root, settings, diagnosis=diagnosis, run=run, screen=screen)
        except TrainingFailed as error:  # the others can still be compared
            screen.note(f"{variant}: {error}")
            rows.append(Row(variant, run.id, *sizes, None, note=str(error)))
            continue
        if result["status"] != "done":
            return None
        figures = _distances(held_out.images, _samples(run, held_out), config.seed)
        rows.append(Row(variant, run.id, *sizes, result["images_per_s"], figures))
    about = {name: value for name, value in config.model_dump().items() if name not in VARIANTS["2-D"]}
    about |= {"diagnosis": diagnosis or "", "phantom": "PHANTOM" in study.notes}
    about["device"] = (run.config.get("run") or {}).get("device", "") if run else ""
    floor = _distances(held_out.images, None, config.seed)
    return Ablation(tuple(rows), floor, len(held_out), _a_side(len(held_out)), about)


def _run_with(study: Study, config: ModelConfig, diagnosis: str | None, fingerprint: str) -> RunFolder | None:
    """The newest run with these settings and crops."""
    for run in list_runs(study.root):
        about = run.config.get("run") or {}
        if about.get("verb") != "train" or about.get("diagnosis") != (diagnosis or ""):
            continue
        with contextlib.suppress(InputError):  # of a model or with settings that are no more
            if parse(run.config) == config and about.get("data_fingerprint") == fingerprint:
                return run
    return None


def _weights(config: ModelConfig, images: ImageSet, *, conditional: bool) -> tuple[int, int]:
    """Numbers of weights of generator and critic."""
    classes = len({record.diagnosis for record in images.records}) if conditional else 1
    recipe = DCGANRecipe(cast(DCGANConfig, config), images.images.shape[1], classes)
    networks = (recipe.plain_generator, recipe.plain_critic)
    generator, critic = (sum(weight.numel() for weight in network.parameters()) for network in networks)
    return generator, critic


def _samples(run: RunFolder, held_out: ImageSet) -> NDArray[np.float32]:
    """Samples of a run, of the held-out images' diagnoses in turn."""
    generator = open_generator(run.path, "last")
    numbers = range(max(_SAMPLES, len(held_out)))
    diagnoses = [held_out.records[number % len(held_out)].diagnosis.value for number in numbers]
    return generator.sample([generator.seed_of(0, number) for number in numbers], diagnoses)


def _a_side(held_out: int) -> int:
    """Images a side of every comparison: half of those held out, or all where there are too few."""
    return held_out // 2 if held_out >= _FEWEST else held_out


def _distances(real: NDArray[np.float32], synthetic: NDArray[np.float32] | None, seed: int) -> dict[str, float]:
    """Means over random draws of as many images a side; without `synthetic`, between halves of `real`."""
    if synthetic is None and len(real) < _FEWEST:
        return {}
    rng = np.random.default_rng(seed)
    m, drawn = _a_side(len(real)), []
    for number in range(_HALVES):
        shuffled = real[rng.permutation(len(real))]  # the same in every call
        a, b = shuffled[:m], shuffled[-m:]
        if synthetic is not None:
            b = synthetic[np.random.default_rng([seed, number]).permutation(len(synthetic))[:m]]
        angle = class_mean_angle(*(images.mean(axis=(2, 3), dtype=np.float64) for images in (a, b)))
        drawn.append({**set_distances(a, b, seed=number), "mean_angle_deg": float(np.degrees(angle))})
    return {name: float(np.mean([each[name] for each in drawn])) for name in drawn[0]}


def _cells(figures: Mapping[str, float]) -> list[str]:
    formats = {"spectra_distance": ".4f", "patch_distance": ".4f", "mean_angle_deg": ".2f"}
    return [format(figures[name], spec) if figures else "" for name, spec in formats.items()]
