"""What a study holds at each step, in one line, read at once: for the steps whose dock does not know better (yet)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from napari_hsisynth.jobs import RunFolder, list_runs
from napari_hsisynth.study import Study
from napari_hsisynth.widgets.evaluation_table import reports
from napari_hsisynth.widgets.live_queue import LiveQueue


@dataclass(frozen=True)
class Brief:
    """One line about a step.

    Parameters
    ----------
    text : str
    has_results : bool
        The study holds something that this step has made.
    """

    text: str = ""
    has_results: bool = False


def counted(count: int, what: str) -> str:
    """Write a number of things, ``1 run``, ``1,234 runs``."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def study_brief(study: Study) -> Brief:
    """Name, cubes and bands."""
    nm = study.wavelengths_nm
    bands = f"{len(nm)} bands {nm.min():.0f}-{nm.max():.0f}\N{NO-BREAK SPACE}nm"
    return Brief(f"{study.name} · {counted(len(study.entries), 'cube')} · {bands}", has_results=True)


def annotate_brief(queue: LiveQueue) -> Brief:
    """How many cubes are done, and how many somebody was unsure of; hundreds of files are not read for one line."""
    return Brief(queue.text(), has_results=queue.queue.counts()["done"] > 0)


def crop_brief(study: Study) -> Brief:
    """How many crops."""
    count = len(study.crops())
    return Brief(counted(count, "crop") if count else "no crops yet", has_results=count > 0)


def train_brief(study: Study) -> Brief:
    """How many training runs; one that has a checkpoint is a result."""
    runs = [run for run in list_runs(study.root) if _is_training(run)]
    kept = any(any(run.checkpoints_dir.glob("last.*")) for run in runs)
    return Brief(counted(len(runs), "run") if runs else "not run", has_results=kept)


def _is_training(run: RunFolder) -> bool:
    try:  # not parsed: there may be hundreds
        return re.search(r"^model:", run.config_path.read_text("utf-8"), re.MULTILINE) is not None
    except (OSError, UnicodeDecodeError):  # of another verb, just launched, or damaged: the Train dock says which
        return False


def sample_brief(study: Study) -> Brief:
    """How many runs have been sampled."""
    count = len(study.synthetic_runs())
    return Brief(f"samples from {counted(count, 'run')}" if count else "none yet", has_results=count > 0)


def evaluate_brief(study: Study) -> Brief:
    """The headline of the newest report."""
    newest = next(reports(study.root), None)
    return Brief(newest.headline if newest is not None else "not run", has_results=newest is not None)
