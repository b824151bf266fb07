"""Photographs of a folder, brought to the training size."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.photographs import files_in, linear_light, read_photograph, srgb
from napari_hsisynth.training.data import resize

#: Photographs are kept up to this size together, bytes. Fixed, so that a resumed run has the same ones.
_MOST_BYTES = 2**31
#: Files that are named one by one where they could not be read; and threads that read.
_NAMED, _READERS = 5, 4
#: A photograph is read at this many times the wanted size or more, before it is brought to it.
_LARGER = 4


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """Photographs of one size.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 3, size, size)
        sRGB.
    names : tuple of str
        Paths within the folder.
    warnings : tuple of str
        What was left out, one sentence each.
    fingerprint : str
        Tells whether two sets hold the same photographs.
    """

    images: NDArray[np.uint8]
    names: tuple[str, ...]
    warnings: tuple[str, ...]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.names)


def load_photos(folder: str | os.PathLike[str], image_size: int, *, most_bytes: int = _MOST_BYTES) -> PhotoSet:
    """Read the photographs of a folder and bring them to one size, as `data.resize` does with crops.

    See `sized_photograph`; 16 bits are rounded to 8.

    Parameters
    ----------
    folder : path-like
        Searched with all folders in it.
    image_size : int
        Side, px.
    most_bytes : int
        Of more photographs than fit in, as many are taken, evenly spread in the order of their paths.

    Raises
    ------
    InputError
        If there is no such folder, or no photograph in it that can be read.
    """
    if not Path(folder).is_dir():
        raise InputError("no such folder of photographs", where=folder, fix="bring it back, or give another as photos")
    files = files_in(Path(folder))
    notes: list[str] = []
    most = max(1, most_bytes // (3 * image_size**2))
    if len(files) > most:
        notes.append(f"{len(files):,} photographs are too many to keep: {most:,} of them were taken, evenly spread")
        files = [files[number * len(files) // most] for number in range(most)]
    images = np.empty((len(files), 3, image_size, image_size), np.uint8)
    with ThreadPoolExecutor(_READERS, "photos") as readers:
        read = list(readers.map(_read_into, images, files))
    names = [path.relative_to(folder).as_posix() for path in files]
    bad = [name for name, done in zip(names, read, strict=True) if not done]
    if len(bad) == len(files):
        raise InputError("none of the image files in this folder can be read", where=folder)
    notes += [f"{name} cannot be read as a photograph and was left out" for name in bad[:_NAMED]]
    if len(bad) > _NAMED:
        notes.append(f"{len(bad) - _NAMED} more photographs cannot be read and were left out")
    for place, number in enumerate(np.flatnonzero(read)):
        images[place] = images[number]  # in place: a copy would take as much again
    images = images[: len(files) - len(bad)]
    good = tuple(name for name, done in zip(names, read, strict=True) if done)
    content = hashlib.sha256(images.reshape(-1).data)
    content.update("\n".join(good).encode())
    return PhotoSet(images, good, tuple(notes), content.hexdigest())


def sized_photograph(path: Path, size: int) -> NDArray[np.float32]:
    """Read a photograph, scale its shorter side to `size` and cut the square out of its centre, see `data.resize`.

    Areas are averaged in linear light, as those of cubes are. What is transparent becomes black, as the corners of a
    dermoscope's view are.

    Returns
    -------
    ndarray of float32, shape (3, size, size)
        sRGB in [0, 1].

    Raises
    ------
    InputError
        If it cannot be read.
    """
    encoded = np.nan_to_num(read_photograph(path, at_least_px=_LARGER * size), nan=0.0)
    light = resize(torch.from_numpy(linear_light(encoded).astype(np.float32)), size).numpy()
    return srgb(light).clip(0, 1).astype(np.float32)


def _read_into(image: NDArray[np.uint8], path: Path) -> bool:
    """Read a photograph into an array (3, size, size); returns whether it can be read."""
    try:
        image[...] = (255 * sized_photograph(path, image.shape[-1])).round()
    except InputError:
        return False
    return True
