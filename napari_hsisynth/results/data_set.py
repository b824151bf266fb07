"""One data set of the table: its cubes, every model trained and sampled, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.results.measures import Cubes, Measured, RealFigures, measure
from napari_hsisynth.results.plan import Planned
from napari_hsisynth.results.runs import Tell, Trained, TrainingFailed, trained
from napari_hsisynth.results.trivial import mean_plus_noise, shifted_copies
from napari_hsisynth.results.verdicts import MEAN_PLUS_NOISE, SHIFTED_COPIES
from napari_hsisynth.study import HELD_OUT, Study

#: Two halves of the held-out set have two cubes each, or there is no floor.
_FEWEST = 4


@dataclass(frozen=True, eq=False)
class DataSet:
    """What is known of a study before anything is trained on it.

    Parameters
    ----------
    study : Study
    train, real : Cubes
        Training and held-out split, at the training size.
    wavelengths_nm : ndarray, shape (bands,)
        Of the study.
    fingerprint : str
        Of the training crops.
    notes : tuple of str
        What had to be mended or left out.
    """

    study: Study
    train: Cubes
    real: Cubes
    wavelengths_nm: NDArray[np.float64]
    fingerprint: str
    notes: tuple[str, ...]

    @property
    def phantom(self) -> bool:
        """Whether the study says that its cubes are simulated lesions: pictures of them may be shown to anybody."""
        return "PHANTOM" in self.study.notes

    @classmethod
    def open(cls, study: Study, image_size: int) -> DataSet:
        """Read the crops of a study.

        Raises
        ------
        InputError
            If there are too few.
        """
        from napari_hsisynth.training.data import load_images

        train = load_images(study, {"train"}, image_size=image_size)
        held_out = load_images(study, set(HELD_OUT), image_size=image_size)
        known = {record.diagnosis.value for record in train.records}
        real = held_out.only(known)
        notes = [*train.warnings, *held_out.warnings]
        if len(real) < len(held_out):
            notes.append(f"{len(held_out) - len(real)} held-out crops are of diagnoses without a training crop")
        if len(real) < _FEWEST:
            raise InputError(
                f"only {len(real)} held-out crops: too few for a floor", where=study.root, fix=f"{_FEWEST} at least"
            )
        if len({record.patient or record.cube_id for record in train.records}) < 2:
            raise InputError("all training crops are of one patient or cube", where=study.root, fix="add others")
        return cls(study, _cubes(train), _cubes(real), real.wavelengths_nm, train.fingerprint, tuple(notes))


@dataclass(frozen=True, eq=False)
class Results:
    """The figures of one data set.

    Parameters
    ----------
    data : DataSet
    real : RealFigures
    measured : dict of str to Measured
        The two trivial generators first.
    trainings : dict of str to Trained
        Of the models among them.
    made : dict of str to Cubes
        What was measured, for the pictures.
    failed : dict of str to str
        Models that could not be trained, and why.
    redrawn : set of str
        Models whose cubes were made of RGB images of training crops.
    """

    data: DataSet
    real: RealFigures
    measured: dict[str, Measured]
    trainings: dict[str, Trained]
    made: dict[str, Cubes]
    failed: dict[str, str] = field(default_factory=dict)
    redrawn: set[str] = field(default_factory=set)


def results_of(
    data: DataSet,
    planned: Sequence[Planned],
    *,
    pretraining: DataSet | None = None,
    seed: int = 0,
    tell: Callable[[Planned], Tell] = lambda planned: lambda done, rate: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Results:
    """Train, sample and measure every planned model on one data set, beside the trivial generators.

    Parameters
    ----------
    data : DataSet
    planned : sequence of Planned
    pretraining : DataSet, optional
        Every model is also trained beginning with the weights that the same training, but on all training crops, leaves
        on this data set; it has a row of its own.
    seed : int
        Of samples and measures.
    tell : callable
        Gives for a training what is told its progress, see `runs.trained`.
    progress : callable
        Told (done, total) sets that are measured.
    """
    made = {
        MEAN_PLUS_NOISE: _of_each_diagnosis(data, mean_plus_noise, seed),
        SHIFTED_COPIES: _of_each_diagnosis(data, shifted_copies, seed),
    }
    trainings: dict[str, Trained] = {}
    failed: dict[str, str] = {}
    redrawn: set[str] = set()
    for one, begins in ((one, begins) for one in planned for begins in (False, *([True] if pretraining else []))):
        label = one.label if pretraining is None or not begins else f"{one.label}, from {pretraining.study.name}"
        try:
            if begins and pretraining is not None:
                earlier = one.without("train_crops")
                source = trained(pretraining.study, earlier, pretraining.fingerprint, tell=tell(earlier))
                one = one.beginning_with(source.run.path, pretraining.study.name)
            training = trained(data.study, one, data.fingerprint, tell=tell(one))
        except TrainingFailed as error:
            failed[label] = str(error)
            continue
        trainings[label] = training
        made[label], needs = _samples(training, data.real, seed)
        if "rgb" in needs:
            redrawn.add(label)
    real, measured = measure(data.train, data.real, made, seed=seed, progress=progress)
    return Results(data, real, measured, trainings, made, failed, redrawn)


def _cubes(images: object) -> Cubes:
    from napari_hsisynth.training.data import ImageSet

    assert isinstance(images, ImageSet)
    return Cubes(
        images.images,
        np.array([record.diagnosis.value for record in images.records]),
        np.array([record.patient or record.cube_id for record in images.records]),
    )


def _of_each_diagnosis(data: DataSet, generator: Callable[..., NDArray[np.float32]], seed: int) -> Cubes:
    """Let a trivial generator learn every diagnosis by itself, and draw as many of it as are held out."""
    images = np.empty_like(data.real.images)
    for number, diagnosis in enumerate(sorted(set(data.real.diagnoses))):
        wanted = data.real.diagnoses == diagnosis
        known = data.train.images[data.train.diagnoses == diagnosis]
        images[wanted] = generator(known, int(wanted.sum()), seed=seed + 1000 * number)
    return Cubes(images, data.real.diagnoses, _single(len(images)))


def _samples(training: Trained, real: Cubes, seed: int) -> tuple[Cubes, frozenset[str]]:
    """Draw as many cubes of each diagnosis as are held out, from the last checkpoint; and say what it was shown.

    A conditioned model is shown masks or renders of training crops of that diagnosis: it must not see held-out ones.
    """
    from napari_hsisynth.training.conditioning import training_condition
    from napari_hsisynth.training.generator import open_generator

    generator = open_generator(training.run.path)
    seeds = [generator.seed_of(seed, number) for number in range(len(real))]
    diagnoses = [str(one) for one in real.diagnoses]
    shown = training_condition(generator, seed, diagnoses)
    return Cubes(generator.sample(seeds, diagnoses, shown), real.diagnoses, _single(len(real))), generator.needs


def _single(n: int) -> NDArray[np.str_]:
    return np.array([str(number) for number in range(n)])
