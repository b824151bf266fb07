"""``bench train``: images per second beside a plain loop, memory, how busy a GPU is, and how long one waits."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_hsisynth.bench.figure import Budget, Figure
from napari_hsisynth.bench.report import Report
from napari_hsisynth.bench.training_bench import BATCH, Amount, TrainingBench, begun

Cases = tuple[tuple[str, int], ...]
#: Models and sides of the images, px; models that are not there are left out.
_CASES: Cases = (("dcgan", 64), ("vae", 64), ("vae", 256))
_BUSY_PX, _BUSY_BATCH = 256, 16
_STARTUP = Budget(most=15)
_FIRST_STEP = (
    "import torch; w = torch.ones(3, requires_grad=True); o = torch.optim.Adam([w]); w.sum().backward(); o.step()"
)


@dataclass(frozen=True)
class _Size:
    """How much is measured.

    Parameters
    ----------
    amount : Amount
        Of training.
    starts : int
        How often the command is started.
    cases : tuple of (str, int)
        Models and sides of the images, px.
    """

    amount: Amount
    starts: int
    cases: Cases = _CASES


_SIZES = {
    "full": _Size(Amount(16, (272, 512), (12, 5), (15, 7)), 3),
    "quick": _Size(Amount(8, (272, 512), (12, 3), (5, 3)), 1),
    # for tests of the command: says nothing about speed
    "small": _Size(
        Amount(2, (48, 64), (3, 3), (2, 2), (("batch_size", 4), ("latent_dim", 4))), 1, (("dcgan", 64), ("vae", 16))
    ),
}


def bench_train(size_name: str, progress: Callable[[int, int, str], None] = lambda done, total, unit: None) -> Report:
    """Train on phantoms by ours and by a plain loop in turn; what needs a GPU is left out where there is none.

    Parameters
    ----------
    size_name : {"full", "quick", "small"}
        How many phantoms, and how often.
    progress : callable, optional
        Called with parts done, parts in all, and their name.
    """
    from napari_hsisynth.training.config import MODELS

    size = _SIZES[size_name]
    report, device = begun("train", size_name)
    parts = len(size.cases) + 2
    with tempfile.TemporaryDirectory(prefix="hsisynth-bench-") as name:
        bench = TrainingBench(Path(name), size.amount, device, report)
        for number, (model, image_px) in enumerate(size.cases):
            progress(number, parts, "parts")
            what = f"{model} {image_px} px"
            if model in MODELS:
                bench.rates(model, image_px)
            else:
                report.left_out.append((what, "this version has no such model"))
        progress(len(size.cases), parts, "parts")
        _busy(bench)
        progress(len(size.cases) + 1, parts, "parts")
        _startup(bench, size)
        progress(parts, parts, "parts")
    return report


def _busy(bench: TrainingBench) -> None:
    """How much of the time a GPU has work."""
    what = f"vae {_BUSY_PX} px, batch {_BUSY_BATCH}: GPU busy"
    if bench.device.type != "cuda":
        bench.report.left_out.append((what, "this machine has no CUDA GPU; the rows above are of its CPU"))
        return
    from napari_hsisynth.bench.gpu_busy import BusyMeter

    meter = BusyMeter(bench.device)
    bench.train_until_enough(bench.config("vae", image_size=_BUSY_PX, batch_size=_BUSY_BATCH), meter)
    bench.report.figures.append(
        Figure(
            name=what,
            value=100 * meter.share,
            unit="%",
            baseline="a GPU that never waits",
            baseline_value=100.0,
            n=meter.watched,
            statistic="mean",
            budget=Budget(least=90),
        )
    )


def _startup(bench: TrainingBench, size: _Size) -> None:
    """From the command to the first step, beside what torch alone takes to make one."""
    config = bench.config("vae", image_size=min(px for _, px in size.cases), batch_size=BATCH)
    own, alone = [], []
    for _ in range(size.starts):
        own.append(bench.start(config, reports=1)[0])
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _FIRST_STEP], check=True)
        alone.append(time.perf_counter() - began)
    bench.report.figures.append(
        Figure(
            name=f"vae {config.image_size} px: from the command to the first step",
            value=float(np.median(own)),
            unit="s",
            baseline="Python imports torch and makes a step of Adam",
            baseline_value=float(np.median(alone)),
            n=len(own),
            budget=_STARTUP if bench.device.type == "cpu" else None,
        )
    )
