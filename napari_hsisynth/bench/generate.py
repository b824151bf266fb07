"""``bench generate``: FastGAN as published, 256 x 256 px in 16 bands: training, memory, and samples per second."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.bench.figure import Budget, Figure
from napari_hsisynth.bench.report import Report
from napari_hsisynth.bench.training_bench import BATCH, Amount, TrainingBench, begun

_MODEL = "fastgan"
_MEMORY_BATCH = 16
_MOST_MEMORY_MB = 12_000
#: Cubes of the baseline in a turn.
_ONE_BY_ONE = 4
#: Cubes per second without writing them: of a large GPU, and of two cores.
_LEAST_CUBES = {"cuda": 1000.0, "cpu": 4.0}


@dataclass(frozen=True)
class _Size:
    """How much is measured.

    Parameters
    ----------
    amount : Amount
        Of training.
    image_px : int
        Side of the images.
    rounds : int
        Batches of samples that count.
    """

    amount: Amount
    image_px: int
    rounds: int


_SIZES = {
    "full": _Size(Amount(8, (272, 512), (3, 2), (5, 3)), 256, 8),
    "quick": _Size(Amount(8, (272, 512), (1, 1), (2, 1)), 256, 3),
    # for tests of the command: says nothing about speed
    "small": _Size(Amount(2, (48, 64), (1, 1), (1, 1), (("width", 8), ("latent_dim", 8))), 64, 1),
}


def bench_generate(
    size_name: str, progress: Callable[[int, int, str], None] = lambda done, total, unit: None
) -> Report:
    """Train and sample FastGAN in its published settings on phantoms, beside plain loops of the same networks.

    Parameters
    ----------
    size_name : {"full", "quick", "small"}
        How often.
    progress : callable, optional
        Called with parts done, parts in all, and their name.
    """
    size = _SIZES[size_name]
    report, device = begun("generate", size_name)
    if device.type != "cuda":
        what = "training at 3 x a plain loop and sampling of 1,000 cubes/s"
        report.left_out.append((what, "this machine has no CUDA GPU; the rows above are of its CPU"))
    with tempfile.TemporaryDirectory(prefix="hsisynth-bench-") as name:
        bench = TrainingBench(Path(name), size.amount, device, report)
        published = _published()
        bench.rates(_MODEL, size.image_px, batch=BATCH, **published)
        progress(1, 3, "parts")
        _memory(bench, size, published)
        progress(2, 3, "parts")
        _sampling(bench, size, published)
        progress(3, 3, "parts")
    return report


def _published() -> dict[str, Any]:
    """The published settings of the networks and their training, without its length."""
    from napari_hsisynth.training.config import PRESETS

    leave = {"image_size", "batch_size", "max_images", "preview_every", "checkpoint_every"}
    return {name: value for name, value in PRESETS[_MODEL]["published"].items() if name not in leave}


def _memory(bench: TrainingBench, size: _Size, published: dict[str, Any]) -> None:
    """The most memory that training needs with twice the batch."""
    import torch

    config = bench.config(_MODEL, image_size=size.image_px, batch_size=_MEMORY_BATCH, **published)
    if bench.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(bench.device)
        bench.train_until_enough(config, _AfterReports(3))
        most, where = torch.cuda.max_memory_allocated(bench.device), "device memory, peak"
    else:
        most, where = bench.start(config, reports=2)[1], "memory of the process, peak"
    images = _MEMORY_BATCH * len(bench.study.wavelengths_nm) * size.image_px**2 * 4
    bench.report.figures.append(
        Figure(
            name=f"{_MODEL} {size.image_px} px, batch {_MEMORY_BATCH}: {where}",
            value=most / 1e6,
            unit="MB",
            baseline="the images of a batch in float32",
            baseline_value=images / 1e6,
            n=1,
            statistic="peak",
            budget=Budget(most=_MOST_MEMORY_MB),
        )
    )


def _sampling(bench: TrainingBench, size: _Size, published: dict[str, Any]) -> None:
    """Cubes per second as `sample` draws them, without writing; the baseline sends one noise at a time through."""
    import torch

    from napari_hsisynth.training.condition import Condition
    from napari_hsisynth.training.device import compute_as_for_sampling
    from napari_hsisynth.training.generator import BATCH as TOGETHER
    from napari_hsisynth.training.recipes import recipe_for

    compute_as_for_sampling()  # the trainings before left their own ways
    config = bench.config(_MODEL, image_size=size.image_px, **published)
    generator = _untrained(bench, config)
    plain = recipe_for(_MODEL)(config, len(generator.wavelengths_nm))
    plain.to(bench.device)

    def one_at_a_time() -> None:
        for seed in range(_ONE_BY_ONE):
            told = Condition(torch.zeros(1, dtype=torch.int64))
            image = plain.sample(generator.noise(seed)[None], told).cpu().numpy()
            generator.normalisation.decode(image).astype(np.float32)

    ours, theirs = [], []
    for turn in range(size.rounds + 1):
        began = time.perf_counter()
        generator.sample(list(range(TOGETHER)))
        between = time.perf_counter()
        one_at_a_time()
        if turn:  # the first has plans to make and memory to get
            ours.append(TOGETHER / (between - began))
            theirs.append(_ONE_BY_ONE / (time.perf_counter() - between))
    bench.report.figures.append(
        Figure(
            name=f"{_MODEL} {size.image_px} px: cubes sampled, not written",
            value=float(np.median(ours)),
            unit="cubes/s",
            baseline="the same network, one noise at a time",
            baseline_value=float(np.median(theirs)),
            n=len(ours),
            budget=Budget(least=_LEAST_CUBES.get(bench.device.type)),
        )
    )


def _untrained(bench: TrainingBench, config: Any) -> Any:
    """A generator with its first weights, which do not matter to the speed."""
    import torch

    from napari_hsisynth import __version__
    from napari_hsisynth.jobs import new_run
    from napari_hsisynth.training import checkpoint as checkpoints
    from napari_hsisynth.training.generator import open_generator
    from napari_hsisynth.training.recipes import recipe_for

    run = new_run(bench.study.root, "bench")
    run.write_config({**config.model_dump(), "run": {"verb": "train", "study": "../..", "diagnosis": ""}})
    run.checkpoints_dir.mkdir(parents=True)
    torch.manual_seed(0)
    bands = len(bench.study.wavelengths_nm)
    untrained = checkpoints.Checkpoint(
        images=0,
        steps=0,
        config=config.model_dump(),
        recipe=recipe_for(_MODEL)(config, bands).state(),
        normalisation={"offset": [0.0] * bands, "scale": [1.0] * bands},
        wavelengths_nm=[float(nm) for nm in bench.study.wavelengths_nm],
        diagnosis="",
        classes=[],
        fingerprint="",
        best={},
        version=__version__,
    )
    checkpoints.save(run.checkpoints_dir / "last.pt", untrained)
    return open_generator(run.path, device=bench.device)


class _AfterReports:
    """A screen that ends the training after so many reports of progress."""

    def __init__(self, count: int) -> None:
        self._left = count

    def note(self, text: str) -> None:
        """Take a note: nothing that matters here."""

    def progress(self, done: int, total: int | None, unit: str = "", extra: str = "") -> None:
        """Hear that so many images have been shown."""
        from napari_hsisynth.bench.training_turns import Enough

        self._left -= 1
        if not self._left:
            raise Enough
