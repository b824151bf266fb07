"""A verb's work as a job: with events in a run folder if it has one, else on the terminal only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from napari_hsisynth import __version__
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.training.reporting import Report, Screen, share_text
from napari_hsisynth.training.stopping import stop_requests


class Progress(Protocol):
    """Told how many units are done, of how many, and how much of the next one is done, 0-1."""

    def __call__(self, done: int, total: int, share: float = 0.0, /) -> None: ...


@dataclass
class Work:
    """What the work inside `job` is given.

    Parameters
    ----------
    progress : callable
        To be called with (done, total), and the share of the next one where each takes long; see `Progress`.
    should_stop : callable
        True once a stop has been asked for.
    result : dict
        To be filled in; goes into the last event.
    warn : callable
        To be called with what the user should know, one sentence.
    stopped : bool
        Whether the work ended because of a request. To be set where a request ends it after the last progress; before
        that it is seen by itself.
    """

    progress: Progress
    should_stop: Callable[[], bool]
    warn: Callable[[str], None]
    result: dict[str, Any] = field(default_factory=dict)
    stopped: bool = False


@contextlib.contextmanager
def job(folder: Path | None, verb: str, *, unit: str, screen: Screen, settings: Mapping[str, Any]) -> Iterator[Work]:
    """Do the work of a verb; whoever watches `folder` sees it start, get on and end.

    Parameters
    ----------
    folder : path, optional
        A run folder made by whoever launched us.
    verb, unit : str
        What is done, and what is counted.
    screen : Screen
        The terminal.
    settings : mapping
        For the folder's ``config.yaml``.

    Yields
    ------
    Work
        Progress goes in, requests to stop come out.
    """
    if folder is None:

        def show(done: int, total: int, share: float = 0.0, /) -> None:
            screen.progress(done, total, unit, share_text(share))

        yield Work(show, lambda: False, screen.note)
        return
    run = RunFolder(folder)
    report = Report(run, verb, unit=unit, screen=screen)
    reached = goal = 0

    def progress(done: int, total: int, share: float = 0.0, /) -> None:
        nonlocal reached, goal
        reached, goal = done, total
        if report.due or done == total:
            report.progress(done, total, share=share)

    try:
        run.write_config({**settings, "run": {"verb": verb, "package_version": __version__}})
        report.started(device="")
        with stop_requests(run) as asked:
            work = Work(progress, asked, report.warn)
            yield work
            work.stopped = work.stopped or (asked() and reached < goal)
    except BaseException as error:
        with contextlib.suppress(OSError):
            run.append("failed", message=" ".join(str(error).split()) or type(error).__name__)
        raise
    if work.stopped:
        run.clear_stop()
        run.append("stopped", images=reached, result=work.result)
    else:
        run.append("done", result=work.result)
