"""``bench train``: images per second beside a plain loop, memory, how busy a GPU is, and how long one waits."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.bench.figure import Budget, Figure
from napari_hsisynth.bench.machine import machine
from napari_hsisynth.bench.report import Report

Cases = tuple[tuple[str, int], ...]
#: Models and sides of the images, px; models that are not there are left out.
_CASES: Cases = (("dcgan", 64), ("vae", 64), ("vae", 256))
_BUSY_PX = 256
_BATCH, _BUSY_BATCH = 8, 16
#: Below this side, px, reading is a good part of a plain loop's work.
_READING_MATTERS_PX = 128
_STARTUP = Budget(most=15)
_FIRST_STEP = (
    "import torch; w = torch.ones(3, requires_grad=True); o = torch.optim.Adam([w]); w.sum().backward(); o.step()"
)


@dataclass(frozen=True)
class _Size:
    """How much is measured.

    Parameters
    ----------
    per_class : int
        Phantoms of each kind.
    shape : (int, int)
        Of theirs, px.
    batches, rounds : (int, int)
        Batches in a turn and turns that count, at small and at large images.
    starts : int
        How often the command is started.
    cases : tuple of (str, int)
        Models and sides of the images, px.
    changes : tuple of (str, object)
        Of the settings.
    """

    per_class: int
    shape: tuple[int, int]
    batches: tuple[int, int]
    rounds: tuple[int, int]
    starts: int
    cases: Cases = _CASES
    changes: tuple[tuple[str, Any], ...] = ()


_SIZES = {
    "full": _Size(16, (272, 512), (12, 5), (15, 7), 3),
    "quick": _Size(8, (272, 512), (12, 3), (5, 3), 1),
    # for tests of the command: says nothing about speed
    "small": _Size(
        2, (48, 64), (3, 3), (2, 2), 1, (("dcgan", 64), ("vae", 16)), (("batch_size", 4), ("latent_dim", 4))
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
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command `train` does; both loops have it
    import torch

    from napari_hsisynth.training.config import MODELS
    from napari_hsisynth.training.device import choose_device, describe_device

    size = _SIZES[size_name]
    device = torch.device(choose_device("auto"))
    report = Report("train", size_name, machine())
    where = describe_device(device) if device.type == "cuda" else device.type
    threads = f"{torch.get_num_threads()} threads in both loops, 1 in each worker of the plain one"
    report.machine["training"] = f"torch {torch.__version__} on {where}, {threads}"
    parts = len(size.cases) + 2
    with tempfile.TemporaryDirectory(prefix="hsisynth-bench-") as name:
        bench = _Bench(Path(name), size, device, report)
        for number, (model, image_px) in enumerate(size.cases):
            progress(number, parts, "parts")
            what = f"{model} {image_px} px"
            if model in MODELS:
                bench.rates(model, image_px)
            else:
                report.left_out.append((what, "this version has no such model"))
        progress(len(size.cases), parts, "parts")
        bench.busy()
        progress(len(size.cases) + 1, parts, "parts")
        bench.startup()
        progress(parts, parts, "parts")
    return report


class _Bench:
    """The study that is trained on, and what is measured with it."""

    def __init__(self, folder: Path, size: _Size, device: Any, report: Report) -> None:
        from napari_hsisynth.phantom_study import make_phantom_study
        from napari_hsisynth.study import make_crops

        self.folder, self.size, self.device, self.report = folder, size, device, report
        self.study = make_phantom_study(folder / "study", per_class=size.per_class, shape=size.shape)
        make_crops(self.study)
        self.lesions = _lesions_in_mat_files(self.study, folder / "mat")

    def config(self, model: str, **changes: Any) -> Any:
        """Settings that neither end nor save before enough is measured."""
        from napari_hsisynth.training.config import parse

        endless = {"max_images": 10**9, "preview_every": 10**9, "checkpoint_every": 10**9}
        return parse({"model": model, "device": self.device.type, **endless, **changes, **dict(self.size.changes)})

    def rates(self, model: str, image_px: int) -> None:
        """Images per second and memory of both loops."""
        from napari_hsisynth.bench.training_memory import Memory
        from napari_hsisynth.bench.training_turns import Turns

        config = self.config(model, image_size=image_px, batch_size=_BATCH)  # else as by default
        memory = Memory(self.device)
        large = image_px >= _READING_MATTERS_PX
        rounds, shown = self.size.rounds[large], self.size.batches[large] * config.batch_size
        with self._plain_loop(config, shown) as plain:
            memory.plain_alone(plain.turn)  # the workers are started, the optimiser has its moments
            turns = Turns(plain.turn, shown, rounds, 1, memory.before, memory.after)
            self._train_until_enough(config, turns)
        what = f"{model} {image_px} px, batch {config.batch_size}, precision {config.precision}"
        self._add_rates(what, image_px, turns)
        self._add_memory(what, config, memory)

    def _add_rates(self, what: str, image_px: int, turns: Any) -> None:
        from napari_hsisynth.bench.plain_loop import PLAIN

        reading_matters = image_px < _READING_MATTERS_PX
        least = 3.0 if self.device.type == "cuda" else 1.2 if reading_matters else 1.0
        self.report.figures.append(
            Figure(
                name=f"{what}: images shown",
                value=float(np.median(turns.own)),
                unit="images/s",
                baseline=PLAIN,
                baseline_value=float(np.median(turns.other)),
                n=len(turns.own),
                budget=Budget(least_ratio=least),
            )
        )

    def _add_memory(self, what: str, config: Any, memory: Any) -> None:
        if self.device.type == "cuda":
            own, beside, where = memory.own_bytes, memory.plain_bytes, "device memory, peak"
        else:
            own, beside, where = self._start(config, reports=3)[1], memory.plain_bytes, "memory of the process, peak"
        self.report.figures.append(
            Figure(
                name=f"{what}: {where}",
                value=own / 1e6,
                unit="MB",
                baseline="the plain loop, on the CPU with its workers",
                baseline_value=beside / 1e6,
                n=1,
                statistic="peak",
            )
        )

    def busy(self) -> None:
        """How much of the time a GPU has work."""
        what = f"vae {_BUSY_PX} px, batch {_BUSY_BATCH}: GPU busy"
        if self.device.type != "cuda":
            self.report.left_out.append((what, "this machine has no CUDA GPU; the rows above are of its CPU"))
            return
        from napari_hsisynth.bench.gpu_busy import BusyMeter

        meter = BusyMeter(self.device)
        self._train_until_enough(self.config("vae", image_size=_BUSY_PX, batch_size=_BUSY_BATCH), meter)
        self.report.figures.append(
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

    def startup(self) -> None:
        """From the command to the first step, beside what torch alone takes to make one."""
        config = self.config("vae", image_size=min(px for _, px in self.size.cases), batch_size=_BATCH)
        own, alone = [], []
        for _ in range(self.size.starts):
            own.append(self._start(config, reports=1)[0])
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", _FIRST_STEP], check=True)
            alone.append(time.perf_counter() - began)
        self.report.figures.append(
            Figure(
                name=f"vae {config.image_size} px: from the command to the first step",
                value=float(np.median(own)),
                unit="s",
                baseline="Python imports torch and makes a step of Adam",
                baseline_value=float(np.median(alone)),
                n=len(own),
                budget=_STARTUP if self.device.type == "cpu" else None,
            )
        )

    # --- how

    @contextmanager
    def _plain_loop(self, config: Any, shown: int) -> Iterator[Any]:
        from napari_hsisynth.bench.plain_loop import LesionImages, PlainLoop
        from napari_hsisynth.training.data import load_images
        from napari_hsisynth.training.device_data import DeviceData
        from napari_hsisynth.training.normalisation import Normalisation

        images = load_images(self.study, {"train"}, image_size=config.image_size)
        normalisation = Normalisation.fit(images.images)
        read = LesionImages(self.lesions, config.image_size, normalisation.offset, normalisation.scale, config.augment)
        plain = PlainLoop(config, read, images.images.shape[1], self.device, shown)
        plain.recipe.prepare(DeviceData(images, normalisation, (), self.device).spectra(50_000, 0), normalisation)
        del images
        try:
            yield plain
        finally:
            plain.close()

    def _train_until_enough(self, config: Any, screen: Any) -> None:
        """Train as the command does, until the screen has seen enough."""
        from napari_hsisynth.bench.training_turns import Enough
        from napari_hsisynth.jobs import new_run
        from napari_hsisynth.training.run import train

        with suppress(Enough):
            train(self.study.root, config, diagnosis=None, run=new_run(self.study.root, "bench"), screen=screen)

    def _start(self, config: Any, *, reports: int) -> tuple[float, int]:
        """Call the command; return seconds until its first report, and its most memory until the last of `reports`."""
        import psutil

        from napari_hsisynth.jobs import launch, new_run, tail

        run = new_run(self.study.root, "bench")
        changes = config.model_dump(exclude={"model"})
        sets = [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
        began = time.perf_counter()
        job = launch(["train", str(self.study.root), "--model", config.model, *sets], run)
        most, first_s, heard = 0, 0.0, 0
        child = psutil.Process(job.pid)

        def look() -> bool:
            nonlocal most
            with suppress(psutil.Error):
                most = max(most, child.memory_info().rss)
            return False

        try:
            for event in tail(run, poll_s=0.01, stop=look):
                if event.kind == "failed":
                    raise RuntimeError(f"the command failed: {event.fields.get('message')}")
                if event.kind == "progress":
                    heard += 1
                    first_s = first_s or time.perf_counter() - began
                    if heard == reports:
                        break
        finally:
            job.kill()
            job.wait(30)
        return first_s, most


def _lesions_in_mat_files(study: Any, folder: Path) -> list[Any]:
    """Write the cubes of the training split as ``.mat``, uncompressed, bands last; return the lesions in them."""
    from scipy.io import savemat

    from napari_hsisynth.bench.plain_loop import Lesion

    folder.mkdir()
    splits, lesions = study.splits(), []
    for record in study.crops():
        if splits[record.cube_id] != "train":
            continue
        path = folder / f"{record.cube_id}.mat"
        if not path.exists():
            data = np.asarray(study.read_cube(record.cube_id).data, dtype=np.float32)
            savemat(path, {"cube": data.transpose(1, 2, 0)})
        lesions.append(Lesion(path, record.y0, record.x0, record.y1, record.x1))
    return lesions
