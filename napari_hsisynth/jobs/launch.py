"""Starting a job as a child process that outlives us, and taking hold of one that already runs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import process
from napari_hsisynth.jobs.events import fold
from napari_hsisynth.jobs.run_folder import RunFolder


@dataclass
class Job:
    """A process at work in a run folder, started by us or found there.

    Parameters
    ----------
    pid : int
        Its process id on this machine.
    run : RunFolder
        Where it writes.
    """

    pid: int
    run: RunFolder
    _named: dict[str, Any] = field(default_factory=dict, repr=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def poll(self) -> int | None:
        """Exit status, or None while it is alive.

        For a process that is not our child the status is not known; it is 0 if the run ended well, else 1.
        """
        if self._child is not None:
            return self._child.poll()
        if process.find(self._named) is not None:
            return None
        return 0 if self.run.state().status in ("done", "stopped") else 1

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end; the exit status as in `poll`, None if it is still alive after `timeout_s`."""
        try:
            if self._child is not None:
                return self._child.wait(timeout_s)
            found = process.find(self._named)
            if found is not None:
                found.wait(timeout_s)
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            return None
        return self.poll()

    def terminate(self) -> None:
        """Ask the process to end at once (SIGTERM: training saves a checkpoint first; on Windows it is ended hard)."""
        found = process.find(self._named)
        if found is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.terminate()

    def kill(self) -> None:
        """End the process without asking."""
        found = process.find(self._named)
        if found is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.kill()


def launch(argv: Sequence[str], run: RunFolder) -> Job:
    """Start ``python -m napari_hsisynth ARGV... --run RUN`` as a child of its own session, its output in ``log.txt``.

    The child goes on when this process ends or its terminal closes. An old request to stop is withdrawn.

    Parameters
    ----------
    argv : sequence of str
        The verb and its arguments, for example ``["train", "my-study", "--model", "vae"]``.
    run : RunFolder
        Where the job writes; it must exist.

    Returns
    -------
    Job
        The running child.

    Raises
    ------
    InputError
        If another process is at work in the folder, or the process or its log cannot be made.
    """
    if attach(run) is not None:
        raise InputError("a process is already at work in this run", where=run.path, fix="stop it first")
    command = [sys.executable, "-m", "napari_hsisynth", *argv, "--run", str(run.path)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    detached: dict[str, Any] = {}
    if sys.platform == "win32":
        detached["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    else:
        detached["start_new_session"] = True
    try:
        run.clear_stop()
        with open(run.log_path, "ab", buffering=0) as log:
            log.write(f"$ napari-hsisynth {subprocess.list2cmdline(command[3:])}\n".encode())
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, **detached
            )
    except OSError as error:
        raise InputError(f"cannot start the job: {error.strerror}", where=run.path) from error
    named = process.identity(child.pid)
    run.append("launched", **named, argv=list(argv))
    return Job(child.pid, run, named, child)


def attach(run: RunFolder) -> Job | None:
    """Take hold of the process at work in a run; None if there is none, or it runs on another machine."""
    _, named = fold(run.events())
    if named is None or process.find(named.fields) is None:
        return None
    return Job(int(named.fields["pid"]), run, dict(named.fields))
