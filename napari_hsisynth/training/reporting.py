"""What a long job says while it works: events in its run folder, and a bar or quiet lines on the terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.jobs.process import identity


class Screen(Protocol):
    """The part of the terminal's output that a job uses."""

    def progress(self, done: int, total: int | None, unit: str = ..., extra: str = ...) -> None: ...
    def note(self, text: str) -> None: ...


class Log(Protocol):
    """A record of a training beside its events."""

    def forget_after(self, images: int) -> None:
        """Begin, or go on, after so many images; what was recorded beyond is undone."""

    def scalars(self, images: int, values: Mapping[str, float | None]) -> None:
        """Record figures."""

    def samples(self, images: int, samples: NDArray[np.float32], wavelengths_nm: NDArray[np.float64]) -> None:
        """Record samples (n, bands, y, x)."""

    def close(self) -> None:
        """Write what is left."""


def share_text(share: float) -> str:
    """Write how much of the next unit is done (0-1), ``40% of the next``; empty for nothing."""
    return f"{share:.0%} of the next" if share else ""


class Report:
    """Writes a job's events and shows its progress.

    Parameters
    ----------
    run : RunFolder
        Where the events go.
    verb : str
        What is being done.
    unit : str
        What is counted, in the plural.
    screen : Screen, optional
        A terminal to show progress on as well.
    log : Log, optional
        Where figures and samples go as well.
    """

    def __init__(
        self,
        run: RunFolder,
        verb: str,
        *,
        unit: str = "images",
        screen: Screen | None = None,
        log: Log | None = None,
    ) -> None:
        self.run, self.verb, self.unit, self.screen, self.log = run, verb, unit, screen, log
        self._began = self._grown_at = time.monotonic()
        self._last_said: float | None = None
        self._reached, self._rate, self._measured = 0.0, 0.0, 0
        self._warned = {event.fields.get("message") for event in run.events() if event.kind == "warning"}

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *error: object) -> None:
        if self.log is not None:
            self.log.close()

    def started(self, device: str, resumed_at: int | None = None) -> None:
        """Say that this process is at work, where, and from which checkpoint it goes on."""
        self.run.append("started", **identity(), verb=self.verb, device=device, resumed_at=resumed_at)
        if self.log is not None:
            self.log.forget_after(resumed_at or 0)
        self._began = self._grown_at = time.monotonic()
        self._reached = resumed_at or 0

    def warn(self, message: str, images: int | None = None) -> None:
        """Say something that the user should know, of a moment or of the whole; once per run, also over resumes."""
        if message not in self._warned:
            self._warned.add(message)
            position = {} if images is None else {"images": images}  # what a resume undoes is said again
            self.run.append("warning", message=message, **position)
            if self.screen is not None:
                self.screen.note(message)

    @property
    def due(self) -> bool:
        """Whether it is time to report: twice a second at first, more and more rarely in a long job."""
        now = time.monotonic()
        pause = min(max(0.5, (now - self._began) / 200), 10.0)
        return self._last_said is None or now - self._last_said >= pause

    def progress(
        self,
        done: int,
        total: int,
        scalars: Mapping[str, float | None] | None = None,
        extra: str = "",
        *,
        share: float = 0.0,
    ) -> None:
        """Write a progress event, and the scalars reached there; `share` is how much of the next unit is done, 0-1."""
        now = self._last_said = time.monotonic()
        reached = done + share
        # a report that says nothing new is no moment to measure from: the next one would seem quick
        if reached > self._reached:
            if (elapsed := now - self._grown_at) > 0:
                latest = (reached - self._reached) / elapsed
                # the first stretch covers the warm-up (compilation, caches) and must not linger
                self._rate = latest if self._measured < 2 else 0.8 * self._rate + 0.2 * latest
                self._measured += 1
            self._grown_at, self._reached = now, reached
        eta_s = (total - reached) / self._rate if self._rate > 0 else None
        part = {"share": share} if share else {}
        self.run.append("progress", done=done, total=total, unit=self.unit, rate=self._rate, eta_s=eta_s, **part)
        if scalars:
            self.scalars(done, scalars)
        if self.screen is not None:
            self.screen.progress(done, total, self.unit, extra or share_text(share))

    def scalars(self, images: int, values: Mapping[str, float | None]) -> None:
        """Write figures reached after so many images."""
        self.run.append("scalars", images=images, values=dict(values))
        if self.log is not None:
            self.log.scalars(images, values)

    def preview(
        self, images: int, file: str, samples: NDArray[np.float32], wavelengths_nm: NDArray[np.float64]
    ) -> None:
        """Say that `file` holds a preview; `samples` are those in it, shape (n, bands, y, x)."""
        self.run.append("preview", images=images, file=file)
        if self.log is not None:
            self.log.samples(images, samples, wavelengths_nm)

    def rolled_back(self, fields: Mapping[str, Any]) -> None:
        """Say that the training goes on from an earlier state; `fields` as in the table of `jobs.events`."""
        self.run.append("rolled_back", **fields)
        self._grown_at = self._last_said = time.monotonic()
        self._reached = resumed_at = int(fields["resumed_at"])
        if self.log is not None:
            self.log.forget_after(resumed_at)
        if self.screen is not None:
            self.screen.note(
                f"{fields['reason']}: back from {fields['reached']:,} to {fields['resumed_at']:,} images, "
                f"learning rate {fields['lr']:g}"
            )

    def event(self, kind: str, **fields: Any) -> None:
        """Write any other event."""
        self.run.append(kind, **fields)
