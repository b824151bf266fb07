"""What a study has to draw synthetic cubes from, and what was drawn: read off the GUI thread."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Study, read_crops_index
from napari_hsisynth.study.split_file import SPLITS, read_split
from napari_hsisynth.widgets.run_table import RunSummary, summarise_all


@dataclass(frozen=True)
class StudySamples:
    """What the Sample dock shows of a study.

    Parameters
    ----------
    study : Study or None
        None while no study is open.
    trained : list of RunSummary
        Training runs with a checkpoint.
    sets : dict of str to dict of str to int
        Cubes of each diagnosis in each synthetic set.
    diagnoses : tuple of str
        Of the crops.
    has_training_crops : bool
        Whether there are crops to know the study's camera by; some that are in no split yet may become such.
    """

    study: Study | None
    trained: list[RunSummary] = field(default_factory=list)
    sets: dict[str, dict[str, int]] = field(default_factory=dict)
    diagnoses: tuple[str, ...] = ()
    has_training_crops: bool = False


def read_samples_of(study: Study) -> StudySamples:
    """Look at a study's runs, synthetic sets and crops; what is damaged is left out, the docks that read it say so."""
    trained = [s for s in summarise_all(study.root, "train") if any(s.run.checkpoints_dir.glob("last.*"))]
    sets = {}
    for run_id in study.synthetic_runs():
        try:
            records = read_crops_index(study.synthetic_dir(run_id))
        except InputError:  # a folder that is being written, or a broken one: it has no cubes to show
            continue
        sets[run_id] = dict(Counter(record.diagnosis.value for record in records))
    try:
        crops = study.crops()
    except InputError:
        crops = []
    try:
        split, _ = read_split(study.root / SPLITS)  # only read: to look at a study must not draw its split
    except (OSError, ValueError):  # an InputError among them
        split = {}
    may_train = any(split.get(one.cube_id, "train") == "train" for one in crops)
    return StudySamples(study, trained, sets, tuple(sorted({one.diagnosis.value for one in crops})), may_train)
