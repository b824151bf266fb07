"""The lines of ``events.jsonl``, and what they add up to.

Kinds and their fields (more may be added to any of them; a reader ignores what it does not know):

=============  =======================================================================================
launched       pid, create_time, host, argv; written by whoever started the child, before the child speaks
started        pid, create_time, host, verb, device, resumed_at (images of the checkpoint, None for a new run)
progress       done, total, unit ("images", "cubes", ...), rate (units/s), eta_s; share of the next unit (0-1), where
               one takes long
scalars        images, values {name: float or None}
preview        images, file (relative to the run folder)
checkpoint     images, file
rolled_back    resumed_at, reached (images), lr, reason; goes on at `resumed_at` as after a resume
warning        message; images, unless it is true of the whole run
stopped        images; terminal
failed         message; terminal
done           result {}; terminal
=============  =======================================================================================
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["queued", "starting", "running", "stopping", "stopped", "failed", "done"]

#: Kinds after which a run writes nothing more, unless it is resumed.
TERMINAL = frozenset({"stopped", "failed", "done"})

#: The reason given when a process is gone and left no terminal event.
DIED = "process ended without saying why (killed?)"


@dataclass(frozen=True)
class Event:
    """One line of a run's history.

    Parameters
    ----------
    kind : str
        What happened, see the table above.
    t : float
        When, seconds since 1970 by the writer's clock.
    fields : mapping
        What the kind says; JSON types.
    """

    kind: str
    t: float
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> int | None:
        """How far the job was, in its own unit, or None for kinds that do not say."""
        position = self.fields.get("images", self.fields.get("done") if self.kind == "progress" else None)
        return int(position) if isinstance(position, int | float) else None

    def to_line(self) -> bytes:
        """The event as one line of JSON; numbers that are not finite become null."""
        record = {"t": self.t, "kind": self.kind, **self.fields}
        return json.dumps(_json_ready(record), allow_nan=False, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Event | None:
        """Parse a line; None for a torn or foreign one, which a reader skips."""
        try:
            record = json.loads(line)
            kind, t = record.pop("kind"), float(record.pop("t"))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return cls(kind, t, record) if isinstance(kind, str) else None


@dataclass(frozen=True)
class RunState:
    """Where a run stands, for one row in a table.

    Parameters
    ----------
    status : str
        One of queued, starting, running, stopping, stopped, failed, done.
    reason : str
        Why it failed, in one line; empty otherwise.
    images, total : int
        Done so far and in all, in `unit`; 0 while unknown.
    rate : float
        Units per second at the last report; 0 while unknown.
    eta_s : float or None
        Seconds to go at that rate; None while unknown and when nothing is running.
    started : float or None
        When the run first started, seconds since 1970.
    result : dict
        What a finished run reports.
    unit : str
        What is counted.
    share : float
        How much of the next unit is done, 0 to 1.
    """

    status: Status
    reason: str = ""
    images: int = 0
    total: int = 0
    rate: float = 0.0
    eta_s: float | None = None
    started: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    unit: str = "images"
    share: float = 0.0

    @property
    def active(self) -> bool:
        """True while a process is (or is about to be) at work."""
        return self.status in ("starting", "running", "stopping")

    @property
    def fraction(self) -> float:
        """Done over total, 0 to 1; 1 for a finished run."""
        if self.status == "done":
            return 1.0
        return min(1.0, (self.images + self.share) / self.total) if self.total else 0.0


def without_superseded(events: Iterable[Event]) -> list[Event]:
    """Drop what a later resume has undone.

    A run resumed at the checkpoint of N images, or rolled back to it, repeats everything after N: its earlier reports
    beyond N are dropped, and with them the earlier end (stopped, failed). What carries no position (started, warning)
    stays.

    Parameters
    ----------
    events : iterable of Event
        In the order of the file.

    Returns
    -------
    list of Event
        What is still true, in the same order.
    """
    kept: list[Event] = []
    for event in events:
        resumed_at = event.fields.get("resumed_at") if event.kind in ("started", "rolled_back") else None
        if resumed_at is not None:
            kept = [e for e in kept if e.kind not in TERMINAL and (e.images is None or e.images <= resumed_at)]
        kept.append(event)
    return kept


def fold(events: Iterable[Event], *, stop_requested: bool = False) -> tuple[RunState, Event | None]:
    """Add events up to a state, as if the process that wrote them were still alive.

    Parameters
    ----------
    events : iterable of Event
        In the order of the file, superseded ones removed.
    stop_requested : bool
        Whether the stop file is there: a running job is then stopping.

    Returns
    -------
    state : RunState
        What the events say.
    process : Event or None
        The launched or started event that names the process at work; None if there should be none.
    """
    status: Status = "queued"
    reason, unit, images, total, rate, share = "", "images", 0, 0, 0.0, 0.0
    eta_s: float | None = None
    started: float | None = None
    result: dict[str, Any] = {}
    process: Event | None = None
    spoken: int | None = None
    for event in events:
        match event.kind:
            case "launched":
                # the child may have spoken before its parent could write this line
                if event.fields.get("pid") != spoken:
                    status, process, reason, result = "starting", event, "", {}
            case "started":
                status, process, reason, result, eta_s = "running", event, "", {}, None
                spoken = event.fields.get("pid")
                started = event.t if started is None else started
                images, share = int(event.fields.get("resumed_at") or 0), 0.0
            case "rolled_back":
                images, share, eta_s = int(event.fields.get("resumed_at") or 0), 0.0, None
            case "progress":
                images, total = int(event.fields.get("done") or 0), int(event.fields.get("total") or 0)
                rate, eta_s = float(event.fields.get("rate") or 0.0), event.fields.get("eta_s")
                share, unit = float(event.fields.get("share") or 0.0), str(event.fields.get("unit") or unit)
            case "stopped" | "done":
                status, process, eta_s = ("stopped" if event.kind == "stopped" else "done"), None, None
                images, share = event.images if event.images is not None else images, 0.0
                result = dict(event.fields.get("result") or {})
            case "failed":
                status, process, eta_s, reason = "failed", None, None, str(event.fields.get("message") or "failed")
    if stop_requested and status in ("starting", "running"):
        status = "stopping"
    return RunState(status, reason, images, total, rate, eta_s, started, result, unit, share), process


def _json_ready(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _json_ready(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
