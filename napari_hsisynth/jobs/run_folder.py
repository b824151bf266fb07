"""The run folder: one long job, as files that outlive the process that wrote them."""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path
from typing import Any

import yaml

from napari_hsisynth.atomic import write_text
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs.events import DIED, TERMINAL, Event, RunState, fold, without_superseded
from napari_hsisynth.jobs.process import is_dead

_EVENTS, _CONFIG = "events.jsonl", "config.yaml"
#: What the name of a run begins with: date and time; something must be left of the name.
_TIME = re.compile(r"^[0-9]{8}-[0-9]{6}-(?=.)")


class RunFolder:
    """One job's folder. Making the object touches nothing on disk.

    Parameters
    ----------
    path : path-like
        The folder, ``STUDY/runs/<run id>``.

    Attributes
    ----------
    path : pathlib.Path
        The folder, absolute.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunFolder) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def id(self) -> str:
        """The folder's name: time, what it is, four random hex digits."""
        return self.path.name

    @property
    def events_path(self) -> Path:
        """``events.jsonl``."""
        return self.path / _EVENTS

    @property
    def config_path(self) -> Path:
        """``config.yaml``."""
        return self.path / _CONFIG

    @property
    def checkpoints_dir(self) -> Path:
        """Holds ``last.*`` and ``best.*``."""
        return self.path / "checkpoints"

    @property
    def report_dir(self) -> Path:
        """Holds an evaluation's report."""
        return self.path / "report"

    @property
    def log_path(self) -> Path:
        """Everything the child process printed."""
        return self.path / "log.txt"

    @property
    def stop_path(self) -> Path:
        """The file whose existence asks the job to stop."""
        return self.path / "stop"

    def exists(self) -> bool:
        """True if this is a folder in which a job has been prepared or has run."""
        return self.events_path.is_file() or self.config_path.is_file()

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration of the job.

        Raises
        ------
        InputError
            If there is none, or it is not a YAML mapping.
        """
        try:
            value = yaml.safe_load(self.config_path.read_text("utf-8"))
        except FileNotFoundError:
            raise InputError(
                "not a run folder (no config.yaml)", where=self.path, fix="pass a folder of STUDY/runs"
            ) from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"cannot read the run's configuration: {error}", where=self.config_path) from error
        if not isinstance(value, dict):
            raise InputError("the run's configuration is not a YAML mapping", where=self.config_path)
        return value

    def write_config(self, config: dict[str, Any]) -> None:
        """Replace ``config.yaml`` (atomically; plain YAML types only)."""
        write_text(self.config_path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120))

    def append(self, kind: str, **fields: Any) -> Event:
        """Write one event and hand it to the operating system at once.

        A line torn by a killed process is closed first, so that it spoils only itself. Terminal and checkpoint events
        are also flushed to the disk.
        """
        event = Event(kind, time.time(), fields)
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.events_path, "ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            torn = False
            if size:
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"
            file.write(b"\n" * torn + event.to_line())  # one write: a reader or another writer sees whole lines
            if kind in TERMINAL or kind == "checkpoint":
                os.fsync(file.fileno())
        return event

    def history(self) -> list[Event]:
        """Every readable event in the order of the file, also those that a resume has undone."""
        try:
            content = self.events_path.read_bytes()
        except FileNotFoundError:
            return []
        return [event for line in content.splitlines() if (event := Event.from_line(line)) is not None]

    def events(self) -> list[Event]:
        """The events that still hold: torn lines are skipped, and what a later resume has undone is dropped."""
        return without_superseded(self.history())

    def state(self) -> RunState:
        """Where the run stands now; a process that is gone without a terminal event has failed."""
        state, process = fold(self.events(), stop_requested=self.stop_requested())
        if process is not None and is_dead(process.fields):
            # it may have written its last line and ended between our reading and our asking
            state, process = fold(self.events(), stop_requested=self.stop_requested())
            if process is not None:
                return RunState(
                    "failed", DIED, state.images, state.total, state.rate, None, state.started, {}, state.unit
                )
        return state

    def request_stop(self) -> None:
        """Ask the job to stop at its next safe point."""
        try:
            self.stop_path.touch()
        except OSError as error:
            raise InputError(f"cannot ask the run to stop: {error.strerror}", where=self.stop_path) from error

    def stop_requested(self) -> bool:
        """True if someone has asked for a stop."""
        return self.stop_path.exists()

    def clear_stop(self) -> None:
        """Withdraw the request, for example before a resume."""
        self.stop_path.unlink(missing_ok=True)


def without_time(run_id: str) -> str:
    """What a run is, without when; a name that does not begin with a time stays as it is.

    Examples
    --------
    >>> without_time("20261123-101500-vae-melanoma-3fa2"), without_time("my-data-set")
    ('vae-melanoma-3fa2', 'my-data-set')
    """
    return _TIME.sub("", run_id)


def new_run(study_root: str | os.PathLike[str], name: str) -> RunFolder:
    """Make an empty run folder in a study.

    Parameters
    ----------
    study_root : path-like
        The study folder.
    name : str
        What the job is, for example ``"vae-melanoma"``; what is not a letter, digit, ``-`` or ``_`` becomes ``-``.

    Returns
    -------
    RunFolder
        ``STUDY/runs/20261123-101500-vae-melanoma-3fa2``, in local time.

    Raises
    ------
    InputError
        If the study does not exist or the folder cannot be made (read-only, full).
    """
    root = Path(study_root)
    if not root.is_dir():
        raise InputError("no such study folder", where=root)
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "run"
    while True:
        path = root / "runs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(2)}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue  # the same second and the same four digits
        except OSError as error:
            raise InputError(
                f"cannot make a run folder: {error.strerror}",
                where=root / "runs",
                fix="check permissions and free space",
            ) from error
        return RunFolder(path)


def list_runs(study_root: str | os.PathLike[str]) -> list[RunFolder]:
    """The runs of a study, newest first; an empty list for a study without any."""
    runs = Path(study_root) / "runs"
    try:
        folders = [RunFolder(path) for path in runs.iterdir() if path.is_dir()]
    except OSError:
        return []
    return sorted((run for run in folders if run.exists()), key=lambda run: run.id, reverse=True)
