"""Photographs of a folder, brought to the training size."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from napari_hsisynth.errors import InputError
from napari_hsisynth.models.rgb_map import srgb_decode, srgb_encode
from napari_hsisynth.training.data import resize

_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}
#: Photographs are kept up to this size together, bytes. Fixed, so that a resumed run has the same ones.
_MOST_BYTES = 2**31
#: Files that are named one by one where they could not be read; and threads that read.
_NAMED, _READERS = 5, 4
#: What is left larger than so many times the wanted side is first shrunk by a whole factor, which takes less memory.
_MUCH_LARGER = 8
_LINEAR_OF_BYTE = srgb_decode(torch.arange(256, dtype=torch.float64) / 255).float().numpy()


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


def photo_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the image files in a folder and all folders in it, in the order of their paths; hidden ones left out.

    Raises
    ------
    InputError
        If there is no such folder, or no image file in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(
            "no such folder of photographs",
            where=folder,
            fix="check the path; a resumed run needs the folder that it began with",
        )
    found = [
        Path(place) / name
        for place, _, names in os.walk(root)
        for name in names
        if Path(name).suffix.lower() in _SUFFIXES and not name.startswith(".")
    ]
    if not found:
        raise InputError("no photograph in this folder", where=folder, fix=f"it takes {', '.join(sorted(_SUFFIXES))}")
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def load_photos(folder: str | os.PathLike[str], image_size: int, *, most_bytes: int = _MOST_BYTES) -> PhotoSet:
    """Read the photographs of a folder and bring them to one size, as `data.resize` does with crops.

    Areas are averaged in linear light, as those of cubes are. What the file says of its orientation is obeyed, an
    alpha channel laid on black, 16 bits rounded to 8; colours are taken as sRGB, whatever profile there is.

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
    files = photo_files(folder)
    notes: list[str] = []
    most = max(1, most_bytes // (3 * image_size**2))
    if len(files) > most:
        notes.append(f"{len(files):,} photographs are too many to keep: {most:,} of them were taken, evenly spread")
        files = [files[number * len(files) // most] for number in range(most)]
    with ThreadPoolExecutor(_READERS, "photos") as readers:
        read = list(readers.map(partial(_read_or_none, size=image_size), files))
    names = [path.relative_to(folder).as_posix() for path in files]
    bad = [name for name, image in zip(names, read, strict=True) if image is None]
    if len(bad) == len(files):
        raise InputError("none of the image files in this folder can be read", where=folder)
    notes += [f"{name} cannot be read as a photograph and was left out" for name in bad[:_NAMED]]
    if len(bad) > _NAMED:
        notes.append(f"{len(bad) - _NAMED} more photographs cannot be read and were left out")
    images = np.stack([image for image in read if image is not None])
    good = tuple(name for name, image in zip(names, read, strict=True) if image is not None)
    content = hashlib.sha256(images.tobytes())
    content.update("\n".join(good).encode())
    return PhotoSet(images, good, tuple(notes), content.hexdigest())


def read_photo(path: Path, size: int) -> NDArray[np.uint8]:
    """Read one photograph as sRGB, shape (3, size, size).

    Raises
    ------
    OSError, ValueError, SyntaxError
        Whatever its reader raises.
    """
    linear = torch.from_numpy(_linear(path, size)).permute(2, 0, 1)
    encoded = srgb_encode(resize(linear, size)).clamp(0, 1)
    return (encoded * 255).round().to(torch.uint8).numpy()


def _read_or_none(path: Path, size: int) -> NDArray[np.uint8] | None:
    try:
        return read_photo(path, size)
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError, Image.DecompressionBombError):
        return None


def _linear(path: Path, size: int) -> NDArray[np.float32]:
    """The photograph in linear light, shape (y, x, 3), at full size or several times as large as wanted."""
    try:
        with Image.open(path) as file:
            file.draft("RGB", (2 * size, 2 * size))  # a JPEG is unpacked no larger than needed
            image: Image.Image = ImageOps.exif_transpose(file)
            if image.mode.startswith("I;16") or image.mode in ("I", "F"):
                return _of_numbers(np.asarray(image))
            if "A" in image.getbands() or "transparency" in image.info:
                with_alpha = image.convert("RGBA")
                black = Image.new("RGBA", with_alpha.size, (0, 0, 0, 255))
                image = Image.alpha_composite(black, with_alpha)
            image = image.convert("RGB")
            if (factor := min(image.size) // (_MUCH_LARGER * size)) > 1:
                image = image.reduce(factor)
            return _LINEAR_OF_BYTE[np.asarray(image)]
    except UnidentifiedImageError:
        if path.suffix.lower() not in (".tif", ".tiff"):
            raise
        return _of_numbers(tifffile.imread(path))  # colour of 16 bits, which Pillow does not read


def _of_numbers(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Grey or RGB values of 8 or 16 bits in linear light, shape (y, x, 3)."""
    if values.dtype.kind not in "ui" or values.min() < 0 or values.max() > 65535:
        raise ValueError("not a photograph of 8 or 16 bits")
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    if values.ndim != 3 or values.shape[2] not in (3, 4):
        raise ValueError("neither grey nor RGB")
    largest = 255 if values.dtype.itemsize == 1 else 65535
    return srgb_decode(torch.from_numpy(values[..., :3].astype(np.float32) / largest)).numpy()
