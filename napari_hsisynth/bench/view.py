"""``bench view``: from the mouse to the curve, opening, importing, listing, colour."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from napari_hsisynth.bench import without_window
from napari_hsisynth.bench.figure import Budget, Figure, Times, timing
from napari_hsisynth.bench.files import write_large, write_study
from napari_hsisynth.bench.machine import machine
from napari_hsisynth.bench.report import Report
from napari_hsisynth.bench.size import SIZES
from napari_hsisynth.bench.window import has_display, measured_in_window

_MATPLOTLIB = "the same drawn by matplotlib: clear, plot, draw"
_SECOND = Budget(most=1000)


def bench_view(size_name: str, progress: Callable[[int, int, str], None] = lambda done, total, unit: None) -> Report:
    """Measure everything; what needs a display is left out where there is none, and so said.

    Parameters
    ----------
    size_name : str
        A key of `size.SIZES`.
    progress : callable, optional
        Called with parts done, parts in all, and their name.
    """
    size = SIZES[size_name]
    report = Report("view", size_name, machine())
    with tempfile.TemporaryDirectory(prefix="hsisynth-bench-") as name:
        folder = Path(name)
        parts: list[Callable[[], None]] = [
            lambda: report.figures.extend(_dermoscopy(report, folder, size_name)),
            lambda: report.figures.extend(_large(report, folder, size_name)),
            lambda: report.figures.extend(without_window.opening(folder, size)),
            lambda: report.figures.append(without_window.importing(size)),
            lambda: report.figures.append(without_window.listing(folder / "study", size)),
            lambda: report.figures.append(without_window.colour(size)),
        ]
        write_study(folder / "study", size.study)
        for done, part in enumerate(parts):
            progress(done, len(parts), "parts")
            part()
        progress(len(parts), len(parts), "parts")
    return report


def _dermoscopy(report: Report, folder: Path, size_name: str) -> list[Figure]:
    """The mouse over a cube in memory, and the Study dock."""
    size = SIZES[size_name]
    bands, height, width = size.cube
    what = f"hover to curve drawn, {height}x{width}x{bands} in memory"
    times = _in_window(report, what, "dermoscopy", folder, size_name)
    if times is None:
        return []
    own, plain = times["own"], f"the plain hover: {what}"
    turn = f"event to window on the screen, {height}x{width}x{bands}"
    listed = f"list a study of {size.study} cubes: the Study dock, until its table is painted"
    return [
        timing(what, own, _MATPLOTLIB, times["matplotlib"], "p95", Budget(most=8)),
        timing(f"{what}, 10 x faster", own, _MATPLOTLIB, times["matplotlib"], budget=Budget(most_ratio=0.1)),
        timing(f"{what}, moves every 15 ms", times["own, fast"], _MATPLOTLIB, times["matplotlib, fast"], "p95"),
        timing(f"{what}, button down", times["dragged"], plain, own, "p95"),
        timing(f"{what}, three cubes", times["three cubes"], plain, own, "p95"),
        timing(f"{what}, three with 4 pins and 3 labels", times["pins and labels"], plain, own, "p95"),
        timing(turn, times["own, turn"], "napari without our dock: its status bar", times["nobody, turn"]),
        timing(listed, times["study"], "csv.DictReader and os.stat of every file", times["manifest"], "p95", _SECOND),
    ]


def _large(report: Report, folder: Path, size_name: str) -> list[Figure]:
    """The mouse over a cube that stays in its file."""
    size = SIZES[size_name]
    bands, height, width = size.large
    what = f"hover to curve drawn, {height}x{width}x{bands} float32 ENVI file (BSQ), lazy"
    needed = 4 * bands * height * width
    if shutil.disk_usage(folder).free < 1.2 * needed:
        report.left_out.append((what, f"{folder} has no room for {needed / 2**20:.0f} MB"))
        return []
    if not has_display(report, what):
        return []
    write_large(folder / "large.hdr", size.large)
    memory: list[float] = []
    times = _in_window(report, what, "large", folder, size_name, memory)
    if times is None:
        return []
    alone, own, plain = times["alone"], times["own"], times["matplotlib"]
    before, peak = memory
    grown = Figure(
        name=f"memory that it takes: {height}x{width}x{bands}, before opening to the peak while hovering",
        value=(peak - before) / 2**20,
        unit="MB",
        baseline="all of its values in memory",
        baseline_value=needed / 2**20,
        n=alone.n,
        statistic="growth",
        budget=Budget(most=300),
    )
    return [
        timing(what, alone, _MATPLOTLIB, plain, "p95", Budget(most=16)),
        timing(f"{what}, 10 x faster", own, _MATPLOTLIB, plain, budget=Budget(most_ratio=0.1)),
        grown,
    ]


def _in_window(
    report: Report, what: str, case: str, folder: Path, size_name: str, memory: list[float] | None = None
) -> dict[str, Times] | None:
    """Measure one case in a window; None if that cannot be."""
    found = measured_in_window(
        report, what, "hover_bench", {"case": case, "size": size_name, "folder": str(folder)}, folder
    )
    if found is None:
        return None
    if memory is not None:
        memory.extend(found["memory"])
    return {name: Times(tuple(seconds)) for name, seconds in found["times"].items()}
