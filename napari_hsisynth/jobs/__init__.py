"""Run folders and the processes that fill them: the interface between whoever starts a long job and whoever watches.

A run folder is written by one command-line process and read by anything: a dock, a shell, a script on another machine.
Nothing here imports Qt or torch.
"""

from napari_hsisynth.jobs.events import TERMINAL, Event, RunState, fold, without_superseded
from napari_hsisynth.jobs.launch import Job, attach, launch
from napari_hsisynth.jobs.run_folder import RunFolder, list_runs, new_run, without_time
from napari_hsisynth.jobs.tail import tail

__all__ = [
    "TERMINAL",
    "Event",
    "Job",
    "RunFolder",
    "RunState",
    "attach",
    "fold",
    "launch",
    "list_runs",
    "new_run",
    "tail",
    "without_superseded",
    "without_time",
]
