"""`measured_in_window`: what needs a window is measured by a program of its own, with settings of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from napari_hsisynth.bench.report import Report

#: A window that does not come up in this time will not, s.
_LONGEST_S = 1800


def has_display(report: Report, what: str) -> bool:
    """Whether a window can be opened; else the report says that `what` was left out."""
    from napari_hsisynth.demo import has_display

    if not has_display():
        report.left_out.append((what, "there is no display: set DISPLAY, or use xvfb-run"))
        return False
    return True


def measured_in_window(
    report: Report, what: str, module: str, asked: dict[str, Any], folder: Path
) -> dict[str, Any] | None:
    """Run a module of `napari_hsisynth.widgets` and return what it wrote; None, and a word why, if it could not.

    Parameters
    ----------
    report : Report
        Hears what the window was drawn by, or why there was none.
    what : str
        What is left out if this fails.
    module : str
        Its name; it takes one JSON object with, among others, ``out``: the JSON file that it has to write.
    asked : dict
        The object, without ``out``.
    folder : pathlib.Path
        For its files.
    """
    if not has_display(report, what):
        return None
    out = folder / "window.json"
    out.unlink(missing_ok=True)
    own_settings = {"HSISYNTH_SETTINGS": str(folder / "settings.ini"), "NAPARI_CONFIG": str(folder / "napari.yaml")}
    done = subprocess.run(
        [sys.executable, "-m", f"napari_hsisynth.widgets.{module}", json.dumps({**asked, "out": str(out)})],
        env={**os.environ, **own_settings},
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    if done.returncode or not out.is_file():
        last = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        report.left_out.append((what, f"the window failed: {last}"))
        return None
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    report.machine.update(found["machine"])
    return found
