"""Telling whether the process that a run names is still the same one, and alive."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

import psutil

#: A process id is reused sooner or later; the start time tells a stranger. Clocks are set by a few seconds at times.
_SAME_START_S = 5.0


def identity(pid: int | None = None) -> dict[str, Any]:
    """Name a process of this machine for an event: pid, create_time (s since 1970) and host.

    Parameters
    ----------
    pid : int, optional
        The process; this one by default. A process that has already ended has create_time None.
    """
    pid = os.getpid() if pid is None else pid
    try:
        created: float | None = psutil.Process(pid).create_time()
    except psutil.Error:
        created = None
    return {"pid": pid, "create_time": created, "host": socket.gethostname()}


def find(fields: Mapping[str, Any]) -> psutil.Process | None:
    """The live process named by an event's fields; None if it is gone, is a zombie, or belongs to another machine."""
    if fields.get("host") != socket.gethostname():
        return None
    try:
        process = psutil.Process(int(fields["pid"]))
        created = fields.get("create_time")
        same = created is not None and abs(process.create_time() - float(created)) < _SAME_START_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, KeyError, TypeError, ValueError):
        return None


def is_dead(fields: Mapping[str, Any]) -> bool:
    """True if the named process is certainly gone. One on another machine cannot be asked, so it counts as alive."""
    return fields.get("host") == socket.gethostname() and find(fields) is None
