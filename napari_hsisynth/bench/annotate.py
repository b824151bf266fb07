"""``bench annotate``: a scripted user masks phantoms by the mouse; how long a lesion takes, and how often one waits."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.bench.figure import Budget, Figure, Times, timing
from napari_hsisynth.bench.machine import machine
from napari_hsisynth.bench.report import Report
from napari_hsisynth.bench.window import measured_in_window

#: After so many clicks the masks are compared with the truth.
CLICKS = (1, 3, 5)
_CLICK, _SECOND = Budget(most=150), Budget(most=1000)
_ALONE = "napari without our docks, exchanging cubes and labels"


@dataclass(frozen=True)
class _Size:
    """How many phantoms are annotated, and their height and width, px."""

    cubes: int
    shape: tuple[int, int]


_SIZES = {
    "full": _Size(20, (272, 512)),
    "quick": _Size(4, (272, 512)),
    "small": _Size(2, (64, 96)),  # for tests of the command: says nothing about speed
}


def bench_annotate(
    size_name: str, progress: Callable[[int, int, str], None] = lambda done, total, unit: None
) -> Report:
    """Annotate phantoms in a window and without one; what needs a display is left out where there is none.

    Parameters
    ----------
    size_name : {"full", "quick", "small"}
        How many, and how large.
    progress : callable, optional
        Called with parts done, parts in all, and their name.
    """
    size = _SIZES[size_name]
    report = Report("annotate", size_name, machine())
    with tempfile.TemporaryDirectory(prefix="hsisynth-bench-") as name:
        folder = Path(name)
        progress(0, 3, "parts")
        truths = _write_study(folder, size)
        progress(1, 3, "parts")
        curves = _without_window(folder, truths)
        report.figures += _masks(curves, size)
        progress(2, 3, "parts")
        report.figures += _in_window(report, folder, size, curves, next(iter(truths.values())))
        progress(3, 3, "parts")
    return report


def _write_study(folder: Path, size: _Size) -> dict[str, NDArray[np.uint16]]:
    """Make a study of phantoms that nobody has annotated, of all kinds; return the true lesions of each cube."""
    from napari_hsisynth.optics import phantom_series
    from napari_hsisynth.optics.phantom import KINDS
    from napari_hsisynth.study import Study

    per_kind = -(-size.cubes // len(KINDS))
    study: Study | None = None
    truths: dict[str, NDArray[np.uint16]] = {}
    (folder / "truth").mkdir()
    series = list(phantom_series(per_kind, size.shape, sensor="hsidermoscopy"))
    for number in range(size.cubes):  # every kind in turn
        cube_id, made = series[number % len(KINDS) * per_kind + number // len(KINDS)]
        if study is None:
            study = Study.create(folder / "study", wavelengths_nm=made.cube.wavelengths_nm)
        study.add_cube(made.cube, cube_id, made.kind)
        truths[cube_id] = made.instances.astype(np.uint16)
        np.save(folder / "truth" / f"{cube_id}.npy", truths[cube_id])
    return dict(sorted(truths.items()))


# --- without a window


@dataclass
class _Curves:
    """Of every cube, for one segmenter: the overlap after each click, and how long each answer took."""

    overlaps: NDArray[np.float64]
    seconds: NDArray[np.float64]

    @property
    def times(self) -> Times:
        return Times(tuple(self.seconds[np.isfinite(self.seconds)].tolist()))

    def clicks_to(self, iou: float) -> float:
        """Clicks after which the overlap first was at least this, on average; all of them where it never was."""
        reached = self.overlaps >= iou
        return float(np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, self.overlaps.shape[1]).mean())


def _without_window(folder: Path, truths: dict[str, NDArray[np.uint16]]) -> dict[str, _Curves]:
    """Click curves of our segmenter and of those that it is compared with, cube by cube in turn."""
    from napari_hsisynth.bench.segmenter_baselines import OtsuSegmenter, RandomWalkerSegmenter
    from napari_hsisynth.segment import load_segmenter
    from napari_hsisynth.segment.click_robot import click_curve
    from napari_hsisynth.study import Study

    study = Study.open(folder / "study")
    segmenters = {"own": load_segmenter("spectral"), "otsu": OtsuSegmenter(), "walker": RandomWalkerSegmenter()}
    found: dict[str, list[Any]] = {name: [] for name in segmenters}
    for cube_id, truth in truths.items():
        cube = study.read_cube(cube_id)
        for name, segmenter in segmenters.items():
            found[name].append(click_curve(segmenter, cube, truth == 1, max(CLICKS)))
    return {
        name: _Curves(np.array([c.iou for c in curves]), np.array([c.seconds for c in curves]))
        for name, curves in found.items()
    }


def _masks(curves: dict[str, _Curves], size: _Size) -> list[Figure]:
    """How good the masks are after some clicks, and how long an answer takes."""
    own, found = curves["own"], []
    names = {"otsu": "Otsu's threshold of the mean image", "walker": "random walker on the mean image"}
    for clicks in CLICKS:
        for other, baseline in names.items():
            found.append(
                Figure(
                    name=f"IoU of the spectral segmenter after {clicks} click{'s' if clicks > 1 else ''}, phantoms",
                    value=float(own.overlaps[:, clicks - 1].mean()),
                    unit="IoU",
                    baseline=baseline,
                    baseline_value=float(curves[other].overlaps[:, clicks - 1].mean()),
                    n=len(own.overlaps),
                    statistic="mean",
                )
            )
    what = f"answer to a click, {size.shape[0]}x{size.shape[1]}x16, without a window"
    found.append(timing(what, own.times, names["walker"], curves["walker"].times, "p95", _CLICK))
    return found


# --- in a window


def _in_window(
    report: Report, folder: Path, size: _Size, curves: dict[str, _Curves], labels: NDArray[np.uint16]
) -> list[Figure]:
    """The scripted user: clicks, keys, and how long the window stood still."""
    what = f"{size.cubes} cubes annotated by mouse and keys, {size.shape[0]}x{size.shape[1]}x16"
    asked = {
        "study": str(folder / "study"),
        "truth": str(folder / "truth"),
        "cubes": size.cubes,
        "clicks": max(CLICKS),
    }
    found = measured_in_window(report, what, "annotation_bench", asked, folder)
    if found is None:
        return []
    lesions, own, walker = found["lesions"], curves["own"], curves["walker"]
    clicks = Times(tuple(second for lesion in lesions for second in lesion["click_s"]))
    saves, whole = (Times(tuple(lesion[key] for lesion in lesions)) for key in ("save_s", "seconds"))
    answers = Times(tuple(len(lesion["click_s"]) * own.times.ms("median") / 1000 for lesion in lesions))
    plain = _plain_saves(folder / "plain.png", labels, max(5, len(lesions)))
    stalls, alone = Times(tuple(found["stalls_s"])), Times(tuple(found["napari_stalls_s"]))
    good = found["good_iou"]
    return [
        timing("click to mask drawn", clicks, "the answer of a random walker, not drawn", walker.times, "p95", _CLICK),
        timing("accept to file on disk", saves, "the labels as PNG by Pillow, and fsync", plain, "p95", _SECOND),
        timing("lesion, from its cube shown to saved", whole, "the segmenter's answers alone", answers),
        Figure(
            name=f"clicks per lesion, to IoU {good:g} or {max(CLICKS)} clicks",
            value=float(np.mean([len(lesion["click_s"]) for lesion in lesions])),
            unit="clicks",
            baseline="random walker on the mean image, without a window",
            baseline_value=walker.clicks_to(good),
            n=len(lesions),
            statistic="mean",
        ),
        Figure(
            name="IoU of the accepted lesions",
            value=float(np.mean([lesion["iou"] for lesion in lesions])),
            unit="IoU",
            baseline="Otsu's threshold of the mean image after 1 click",
            baseline_value=float(curves["otsu"].overlaps[:, 0].mean()),
            n=len(lesions),
            statistic="mean",
        ),
        timing("stalls of the window meanwhile", stalls, _ALONE, alone, "p95"),
        Figure(
            name="longest stall of the window",
            value=1e3 * max(stalls.seconds),
            unit="ms",
            baseline=_ALONE,
            baseline_value=1e3 * max(alone.seconds),
            n=stalls.n,
            statistic="worst",
            budget=Budget(most=100),
        ),
    ]


def _plain_saves(path: Path, labels: NDArray[np.uint16], rounds: int) -> Times:
    """The least that saving could cost: encode, write, and wait for the disk."""
    from PIL import Image

    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        with open(path, "wb") as file:
            Image.fromarray(labels).save(file, format="PNG")
            file.flush()
            os.fsync(file.fileno())
        seconds.append(time.perf_counter() - began)
    return Times(tuple(seconds))
