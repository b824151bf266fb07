"""What the command line prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from typing import Any

#: On something that is not a terminal, a progress line is printed at most this often, s.
QUIET_INTERVAL_S = 5.0


class Output:
    """One command's words: its result once on stdout, notes and progress on stderr.

    Parameters
    ----------
    as_json : bool
        Print the result as one JSON object instead of text.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._bar: Any = None
        self._last_line = 0.0

    def result(self, value: dict[str, Any], text: str) -> None:
        """Print the outcome of the command: `value` as JSON, or `text`."""
        self.end_progress()
        print(json.dumps(value, ensure_ascii=False, allow_nan=False) if self.as_json else text, flush=True)

    def note(self, text: str) -> None:
        """Say something that the user should know but that is not the result."""
        self.end_progress()
        print(f"note: {text}", file=sys.stderr, flush=True)

    def notes(self, texts: Iterable[str]) -> None:
        """Say several things, each once."""
        for text in dict.fromkeys(texts):
            self.note(text)

    def progress(self, done: int, total: int | None, unit: str = "cubes", extra: str = "") -> None:
        """Show how far the work is: a bar on a terminal, a quiet line now and then elsewhere.

        Parameters
        ----------
        done, total : int
            Units done and in all; `total` may be unknown.
        unit : str
            What is counted, in the plural.
        extra : str
            A short text behind the bar, for example the present loss.
        """
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(total=total, unit=f" {unit}", dynamic_ncols=True, leave=False, initial=done)
            self._bar.set_postfix_str(extra, refresh=False)
            self._bar.update(done - self._bar.n)
        elif time.monotonic() - self._last_line >= QUIET_INTERVAL_S or done == total:
            self._last_line = time.monotonic()
            of = f" of {total:,}" if total else ""
            print(f"{done:,}{of} {unit}{'  ' + extra if extra else ''}", file=sys.stderr, flush=True)

    def end_progress(self) -> None:
        """Take the bar away before other text is printed."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def error_line(text: object) -> None:
    """Print the one line that a failed command ends with."""
    print(f"error: {' '.join(str(text).split())}", file=sys.stderr, flush=True)
