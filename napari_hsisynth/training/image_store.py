"""Where the images of a set are kept: in memory, or in a temporary file that memory is mapped to."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.storage import writing
from napari_hsisynth.training.memory import free_bytes

#: Part of the free memory that a set of images may take; networks, and whoever else is there, need the rest.
MOST_OF_MEMORY = 0.5


class ImageStore:
    """Takes images one after the other and gives them back as one array.

    Beyond a size they are written to a file without a name, which the system takes away when nobody uses it any more,
    even if the process is killed. It lies in the folder for temporary files (``TMPDIR``).

    Parameters
    ----------
    shape : tuple of int
        Of the whole array: (images, bands, y, x).
    most_bytes : int, optional
        Keep at most so much in memory; by default `MOST_OF_MEMORY` of what the machine has free.

    Raises
    ------
    InputError
        If the file would not fit on its disk.
    """

    def __init__(self, shape: tuple[int, ...], *, most_bytes: int | None = None) -> None:
        self.shape = shape
        size = 4 * int(np.prod(shape, dtype=np.int64))
        self._array: NDArray[np.float32] | None = None
        self._file: IO[bytes] | None = None
        self._folder = Path(tempfile.gettempdir())
        self._done = 0
        if size <= (int(MOST_OF_MEMORY * free_bytes()) if most_bytes is None else most_bytes):
            self._array = np.empty(shape, dtype=np.float32)
            return
        free = shutil.disk_usage(self._folder).free
        if size > free:
            raise InputError(
                f"the images need {size / 1e9:.1f} GB, more than memory has room for, and {free / 1e9:.1f} GB are free"
                " for a file of them",
                where=self._folder,
                fix="use a smaller image_size, or set TMPDIR to a folder with more room",
            )
        with writing(self._folder):
            self._file = tempfile.TemporaryFile(prefix="napari-hsisynth-")  # noqa: SIM115 (lives as long as its array)

    @property
    def folder(self) -> Path | None:
        """Where the file is, if there is one."""
        return None if self._file is None else self._folder

    def put(self, image: NDArray[np.float32]) -> None:
        """Take the next image, shape (bands, y, x)."""
        if self._file is None:
            assert self._array is not None
            self._array[self._done] = image
        else:
            # written, not mapped: a full disk is then an error, not the end of the process
            with writing(self._folder):
                self._file.write(np.ascontiguousarray(image, dtype=np.float32).data)
        self._done += 1

    def images(self) -> NDArray[np.float32]:
        """All images that were put in; those in a file can only be read."""
        assert self._done == self.shape[0]
        if self._file is None:
            assert self._array is not None
            return self._array
        with writing(self._folder):
            self._file.flush()
        return np.asarray(np.memmap(self._file, dtype=np.float32, mode="r", shape=self.shape))
