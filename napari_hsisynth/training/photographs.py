"""Photographs as files: which there are, and one of them as sRGB of a model's size."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from tifffile import PHOTOMETRIC, TiffFile

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.data import resize

#: Endings of the files that are taken for photographs.
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
#: A picture this many times as large as needed is first shrunk by a whole factor, which takes far less memory.
_MUCH_LARGER = 8


def files_in(path: Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """Return the file itself, or the files below a folder that end so, sorted by their way there; none hidden.

    Raises
    ------
    InputError
        If there is nothing of that name, or nothing of that kind in the folder.
    """
    if not path.is_dir():
        if not path.exists():
            raise InputError("no such file or folder", where=path)
        return [path]
    ways = {file.relative_to(path): file for file in path.rglob("*") if file.suffix.lower() in suffixes}
    found = [
        (way.as_posix(), file)
        for way, file in ways.items()
        if file.is_file() and not any(part.startswith(".") for part in way.parts)
    ]
    if not found:
        raise InputError("the folder holds no such files", where=path, fix=f"they end in {', '.join(suffixes)}")
    return [file for _, file in sorted(found)]


def read_photograph(path: Path, size: int) -> NDArray[np.float32]:
    """Read a photograph, scale its shorter side to `size` and cut the square out of its centre, see `data.resize`.

    It is turned as its EXIF orientation says; grey is repeated; what is transparent becomes black, as the corners of a
    dermoscope's view are. Colour profiles are not looked at: all is taken for sRGB.

    Parameters
    ----------
    path : pathlib.Path
        JPEG, PNG, TIFF or BMP with 8 or 16 bits.
    size : int
        Side of the result, px.

    Returns
    -------
    ndarray of float32, shape (3, size, size)
        sRGB in [0, 1].

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        values = _deep_tiff(path) if path.suffix.lower() in (".tif", ".tiff") else None
        if values is None:
            with Image.open(path) as opened:
                values = _values(ImageOps.exif_transpose(opened), size)
    except Image.UnidentifiedImageError:
        raise InputError("not a photograph", where=path) from None
    except Exception as error:  # decoders that meet arbitrary bytes raise anything
        raise InputError(f"the photograph cannot be read ({error or type(error).__name__})", where=path) from error
    return resize(torch.from_numpy(values), size).numpy()


def _values(image: Image.Image, size: int) -> NDArray[np.float32]:
    """Bring a picture of any mode to sRGB in [0, 1], shape (3, y, x)."""
    if image.mode == "F":
        raise ValueError("floating-point values have no known white")
    if image.mode.startswith("I"):  # 16 bits of grey
        grey = np.asarray(image, dtype=np.float32) / 65535
        if grey.max() > 1 or grey.min() < 0:
            raise ValueError("more than 16 bits")
        return np.repeat(grey[None], 3, axis=0)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    image = image.convert("RGB")
    if min(image.size) >= _MUCH_LARGER * size:
        image = image.reduce(2 * min(image.size) // (_MUCH_LARGER * size))  # to at least four times as large
    colours: NDArray[np.float32] = np.asarray(image, dtype=np.float32) / np.float32(255)
    return colours.transpose(2, 0, 1)


def _deep_tiff(path: Path) -> NDArray[np.float32] | None:
    """Read a TIFF with 16 bits of each colour, which Pillow mistakes or does not open, shape (3, y, x); else None."""
    with TiffFile(path) as file:
        page = file.pages.first
        if page.dtype != np.uint16 or page.photometric != PHOTOMETRIC.RGB:
            return None
        values = page.asarray()
    colours = values if page.axes.startswith("S") else values.transpose(2, 0, 1)
    return np.divide(colours[:3], np.float32(65535), dtype=np.float32)
