"""The figures of a training for other programs: a CSV file always, TensorBoard or Weights & Biases if asked for.

The run's events stay the record that this program reads. A resumed or rolled back training takes back what it had
recorded beyond the point it goes on from, as far as the other program allows.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import write_text
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.training.reporting import Log

_NAMES = {"tensorboard": "TensorBoard", "wandb": "Weights & Biases"}
#: Samples in a picture, in a row of which there are so many.
_ROW = 4


def check_logger(name: str) -> None:
    """Refuse a logger whose package is not installed, without importing it.

    Raises
    ------
    InputError
        With the command that installs it.
    """
    if name in _NAMES and find_spec(name) is None:
        raise InputError(
            f"{_NAMES[name]} is not installed", where="logger", fix='run: pip install "napari-hsisynth[loggers]"'
        )


def open_log(name: str, run: RunFolder) -> Log:
    """Return the record of a run, with the named logger beside the CSV file."""
    others: dict[str, type[Log]] = {"tensorboard": TensorBoardLog, "wandb": WandbLog}
    return Logs([CsvLog(run.path / "scalars.csv"), *([others[name](run)] if name in others else [])])  # type: ignore[call-arg]


class Logs:
    """Several records as one.

    Parameters
    ----------
    logs : list of Log
        Told everything in turn.
    """

    def __init__(self, logs: list[Log]) -> None:
        self.logs = logs

    def forget_after(self, images: int) -> None:
        """Go on after so many images."""
        for log in self.logs:
            log.forget_after(images)

    def scalars(self, images: int, values: Mapping[str, float | None]) -> None:
        """Record figures."""
        for log in self.logs:
            log.scalars(images, values)

    def samples(self, images: int, samples: NDArray[np.float32], wavelengths_nm: NDArray[np.float64]) -> None:
        """Record samples."""
        for log in self.logs:
            log.samples(images, samples, wavelengths_nm)

    def close(self) -> None:
        """Write what is left."""
        for log in self.logs:
            log.close()


class CsvLog:
    """Figures in a CSV file: the column ``images``, then one per figure.

    A figure that was not taken is an empty cell, one that is not a number is ``nan``. Rows are appended as they come; a
    figure seen for the first time adds a column, for which the file is replaced.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns: list[str] = []

    def forget_after(self, images: int) -> None:
        """Drop rows beyond `images`, and a last one torn by a killed process."""
        header, rows = self._read()
        kept = [row for row in rows if int(row[0]) <= images] if images else []
        self._columns = header[1:] if kept else []
        self._replace(kept)

    def scalars(self, images: int, values: Mapping[str, float | None]) -> None:
        """Append a row."""
        if new := [name for name in values if name not in self._columns]:
            _, rows = self._read()
            self._columns += new
            self._replace([[*row, *[""] * len(new)] for row in rows])
        row = [str(images), *(_cell(values.get(name)) for name in self._columns)]
        with open(self.path, "ab", buffering=0) as file:
            file.write(_lines([row]).encode())  # one write: a reader sees whole rows

    def samples(self, images: int, samples: NDArray[np.float32], wavelengths_nm: NDArray[np.float64]) -> None:
        """Keep none."""

    def close(self) -> None:
        """Nothing is left: rows are written as they come."""

    def _read(self) -> tuple[list[str], list[list[str]]]:
        """The header, and all whole rows."""
        try:
            text = self.path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return [], []
        header, *rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))) or [[]]
        return header, [row for row in rows if len(row) == len(header) and row[0].isdecimal()]

    def _replace(self, rows: list[list[str]]) -> None:
        write_text(self.path, _lines([["images", *self._columns], *rows]))


class TensorBoardLog:
    """Figures and samples in the folder ``tensorboard`` of the run: ``tensorboard --logdir STUDY/runs``.

    Parameters
    ----------
    run : RunFolder
        Of the training.
    """

    def __init__(self, run: RunFolder) -> None:
        self.folder = run.path / "tensorboard"
        self._writer: Any = None

    def forget_after(self, images: int) -> None:
        """Hide what was recorded beyond `images`; TensorBoard does so when it reads."""
        from torch.utils.tensorboard import SummaryWriter

        self.close()
        self._writer = SummaryWriter(str(self.folder), purge_step=images + 1)

    def scalars(self, images: int, values: Mapping[str, float | None]) -> None:
        """Record figures by the number of images."""
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, images)

    def samples(self, images: int, samples: NDArray[np.float32], wavelengths_nm: NDArray[np.float64]) -> None:
        """Record a picture of the samples, and write out everything so far."""
        self._writer.add_image("samples", picture(samples, wavelengths_nm), images, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()


class WandbLog:
    """Figures and samples at Weights & Biases, in the project ``napari-hsisynth`` or the one in ``WANDB_PROJECT``.

    Without network set ``WANDB_MODE=offline``; the run is then kept in the folder ``wandb`` of the run, for
    ``wandb sync``. What was recorded cannot be taken back there: after a resume the curves hold both, by ``images``.

    Parameters
    ----------
    run : RunFolder
        Of the training.

    Raises
    ------
    InputError
        If Weights & Biases refuses, for example because nobody is logged in.
    """

    def __init__(self, run: RunFolder) -> None:
        import os

        import wandb

        self._wandb = wandb
        try:
            self._session = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "napari-hsisynth"),
                id=run.id,
                name=run.id,
                dir=str(run.path),
                config=run.config,
                resume="allow",
            )
        except Exception as error:  # its own kinds, which change between its versions
            raise InputError(
                f"Weights & Biases did not start: {error}",
                where="logger",
                fix="run: wandb login, or set WANDB_MODE=offline",
            ) from error
        self._session.define_metric("*", step_metric="images")

    def forget_after(self, images: int) -> None:
        """Nothing can be taken back."""

    def scalars(self, images: int, values: Mapping[str, float | None]) -> None:
        """Record figures, and the number of images they are plotted against."""
        self._session.log({"images": images, **{name: value for name, value in values.items() if value is not None}})

    def samples(self, images: int, samples: NDArray[np.float32], wavelengths_nm: NDArray[np.float64]) -> None:
        """Record a picture of the samples."""
        self._session.log({"images": images, "samples": self._wandb.Image(picture(samples, wavelengths_nm))})

    def close(self) -> None:
        """Write what is left."""
        self._session.finish()


def picture(samples: NDArray[np.float32], wavelengths_nm: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Samples (n, bands, y, x) side by side, the band next to 560 nm in grey; shape (height, width, 3).

    From the first to the last percent of all values, so that a specular pixel leaves the rest visible.
    """
    band = samples[:, int(np.abs(wavelengths_nm - 560).argmin())]
    low, high = np.nanpercentile(band, [1, 99])
    grey = np.nan_to_num((band - low) / max(high - low, 1e-12)).clip(0, 1)
    count, height, width = grey.shape
    rows = -(-count // _ROW)
    canvas = np.zeros((rows * _ROW, height, width))
    canvas[:count] = grey
    joined = canvas.reshape(rows, _ROW, height, width).swapaxes(1, 2).reshape(rows * height, _ROW * width)
    return np.repeat(np.round(255 * joined).astype(np.uint8)[..., None], 3, axis=2)


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.9g}" if math.isfinite(value) else str(float(value))


def _lines(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
