"""`TrainingBench`: our training and the plain loop on the same phantoms."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.bench.figure import Budget, Figure
from napari_hsisynth.bench.machine import machine
from napari_hsisynth.bench.report import Report

#: Images per step, unless a row says another number.
BATCH = 8
#: Below this side, px, reading is a good part of a plain loop's work.
_READING_MATTERS_PX = 128


@dataclass(frozen=True)
class Amount:
    """How much is measured.

    Parameters
    ----------
    per_class : int
        Phantoms of each kind.
    shape : (int, int)
        Of theirs, px.
    batches, rounds : (int, int)
        Batches in a turn and turns that count, at small and at large images.
    changes : tuple of (str, object)
        Of the settings.
    """

    per_class: int
    shape: tuple[int, int]
    batches: tuple[int, int]
    rounds: tuple[int, int]
    changes: tuple[tuple[str, Any], ...] = ()


def begun(what: str, size_name: str) -> tuple[Report, Any]:
    """Return the empty report of a bench that trains, and the device that it trains on."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command `train` does; both loops have it
    import torch

    from napari_hsisynth.training.device import choose_device, describe_device

    device = torch.device(choose_device("auto"))
    report = Report(what, size_name, machine())
    where = describe_device(device) if device.type == "cuda" else device.type
    threads = f"{torch.get_num_threads()} threads in both loops, 1 in each worker of the plain one"
    report.machine["training"] = f"torch {torch.__version__} on {where}, {threads}"
    return report, device


class TrainingBench:
    """A study of phantoms to train on, and what is measured with it.

    Parameters
    ----------
    folder : pathlib.Path
        Empty; for the study.
    amount : Amount
        How much is measured.
    device : torch.device
        Where our loop and the plain one train.
    report : Report
        Gets the figures.
    """

    def __init__(self, folder: Path, amount: Amount, device: Any, report: Report) -> None:
        from napari_hsisynth.phantom_study import make_phantom_study
        from napari_hsisynth.study import make_crops

        self.folder, self.amount, self.device, self.report = folder, amount, device, report
        self.study = make_phantom_study(folder / "study", per_class=amount.per_class, shape=amount.shape)
        make_crops(self.study)
        self.lesions = _lesions_in_mat_files(self.study, folder / "mat")

    def config(self, model: str, **changes: Any) -> Any:
        """Settings that neither end nor save before enough is measured."""
        from napari_hsisynth.training.config import parse

        endless = {"max_images": 10**9, "preview_every": 10**9, "checkpoint_every": 10**9}
        return parse({"model": model, "device": self.device.type, **endless, **changes, **dict(self.amount.changes)})

    def rates(self, model: str, image_px: int, *, batch: int = BATCH, **changes: Any) -> None:
        """Images per second and memory of both loops."""
        from napari_hsisynth.bench.training_memory import Memory
        from napari_hsisynth.bench.training_turns import Turns

        config = self.config(model, image_size=image_px, batch_size=batch, **changes)  # else as by default
        memory = Memory(self.device)
        large = image_px >= _READING_MATTERS_PX
        rounds, shown = self.amount.rounds[large], self.amount.batches[large] * config.batch_size
        with self._plain_loop(config, shown) as plain:
            memory.plain_alone(plain.turn)  # the workers are started, the optimiser has its moments
            turns = Turns(plain.turn, shown, rounds, 1, memory.before, memory.after)
            self.train_until_enough(config, turns)
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
            own, beside, where = self.start(config, reports=3)[1], memory.plain_bytes, "memory of the process, peak"
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

    def train_until_enough(self, config: Any, screen: Any) -> None:
        """Train as the command does, until the screen has seen enough."""
        from napari_hsisynth.bench.training_turns import Enough
        from napari_hsisynth.jobs import new_run
        from napari_hsisynth.training.run import train

        with suppress(Enough):
            train(self.study.root, config, diagnosis=None, run=new_run(self.study.root, "bench"), screen=screen)

    def start(self, config: Any, *, reports: int) -> tuple[float, int]:
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
