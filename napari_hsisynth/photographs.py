"""Photographs: files of sRGB images as arrays, and what their numbers are in linear light."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError

#: What is looked for in a folder.
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
#: More pixels than this in one file are taken for a mistake, or for an attempt to fill the memory.
MOST_PIXELS = 200_000_000

_TIFF = (b"II*\0", b"MM\0*")
# Of TIFF: the photometric interpretation RGB, and the tag of the orientation
_RGB, _ORIENTATION = 2, 0x0112

# IEC 61966-2-1: the straight part of the curve, and where it ends in linear light
_SLOPE, _LINEAR_TO = 12.92, 0.0031308
_ENCODED_TO = _SLOPE * _LINEAR_TO


def srgb(linear: ArrayLike) -> NDArray[np.floating[Any]]:
    """Linear light as sRGB encodes it (IEC 61966-2-1); below 0 by the straight part, above 1 by the power.

    Examples
    --------
    >>> srgb([0.0, 0.5, 1.0]).round(3).tolist()
    [0.0, 0.735, 1.0]
    """
    values = np.asarray(linear)
    return np.where(values <= _LINEAR_TO, _SLOPE * values, 1.055 * np.maximum(values, _LINEAR_TO) ** (1 / 2.4) - 0.055)


def linear_light(encoded: ArrayLike) -> NDArray[np.floating[Any]]:
    """The inverse of `srgb`."""
    values = np.asarray(encoded)
    power = ((np.maximum(values, _ENCODED_TO) + 0.055) / 1.055) ** 2.4
    return np.where(values <= _ENCODED_TO, values / _SLOPE, power)


def find_photographs(path: str | Path) -> list[Path]:
    """Return a file, or the photographs of a folder (not of folders in it), by name.

    Raises
    ------
    InputError
        If there is no such file, or no photograph in the folder.
    """
    place = Path(path).expanduser()
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise InputError("no such file or folder", where=place)
    found = sorted(
        each
        for each in place.iterdir()
        if each.suffix.lower() in SUFFIXES and not each.name.startswith(".") and each.is_file()
    )
    if not found:
        raise InputError("no photographs in this folder", where=place, fix=f"they end in {', '.join(SUFFIXES)}")
    return found


def read_photograph(path: str | Path) -> NDArray[np.float32]:
    """Read a colour photograph, upright as its EXIF data say.

    An embedded colour profile is applied, so that the result is sRGB; without one, and in a TIFF of 16 bits, the values
    are taken as sRGB. A PNG of 16 bits is read with 8.

    Parameters
    ----------
    path : path-like
        JPEG, PNG or TIFF.

    Returns
    -------
    ndarray, float32, shape (3, y, x)
        sRGB in 0-1. NaN where the file says that a pixel is wholly transparent.

    Raises
    ------
    InputError
        If it cannot be read, is grey, or is too large.
    """
    from PIL import Image, UnidentifiedImageError

    where = Path(path)
    try:
        with open(where, "rb") as file:
            content = file.read()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=where) from error
    try:
        values: NDArray[Any] | None = _deep_tiff(content) if content[:4] in _TIFF else None
        if values is None:
            with Image.open(io.BytesIO(content)) as opened:
                _check_size(opened.height, opened.width)
                values = _eight_bits(opened)
    except InputError as error:
        raise InputError(error.what, where=where, fix=error.fix) from error
    except UnidentifiedImageError:
        raise InputError("not a photograph", where=where, fix="pass a JPEG, PNG or TIFF") from None
    except Exception as error:  # decoders that meet arbitrary bytes raise anything
        raise InputError(f"not a photograph that can be read ({error or type(error).__name__})", where=where) from error
    if values is None:
        raise InputError("a grey picture: its pixels have no colour", where=where, fix="pass a colour photograph")
    image = np.moveaxis(values[..., :3], 2, 0).astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    if values.shape[2] == 4:
        image[:, values[..., 3] == 0] = np.nan
    return np.ascontiguousarray(image)


def _eight_bits(opened: Any) -> NDArray[np.uint8] | None:
    """Pixels (y, x, 3 or 4) in sRGB and upright; None for a grey picture."""
    from PIL import ImageCms, ImageOps

    if opened.mode in {"1", "L", "LA", "I", "F"} or opened.mode.startswith("I;16"):
        return None
    profile = opened.info.get("icc_profile")
    image: Any = ImageOps.exif_transpose(opened)
    clear = image.mode in {"RGBA", "PA"} or "transparency" in image.info
    if image.mode == "P" or clear:
        image = image.convert("RGBA" if clear else "RGB")
    if profile and image.mode in {"RGB", "CMYK"}:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return np.asarray(image if image.mode in {"RGB", "RGBA"} else image.convert("RGB"))


def _deep_tiff(content: bytes) -> NDArray[np.uint16] | None:
    """Pixels (y, x, 3 or 4) of a TIFF of 16 bits, which Pillow does not open; None if it is no such."""
    from tifffile import TiffFile

    with TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        if page.dtype != np.uint16 or page.photometric != _RGB:
            return None
        _check_size(page.imagelength, page.imagewidth)
        values = page.asarray()
        if page.axes.startswith("S"):
            values = np.moveaxis(values, 0, 2)
        turn = page.tags.get(_ORIENTATION)
        return _turned(values, 1 if turn is None else int(turn.value))


def _turned(values: NDArray[np.uint16], orientation: int) -> NDArray[np.uint16]:
    """Turn pixels as EXIF says: orientations 2 to 8 are mirrorings and quarter turns of the stored picture."""
    if orientation in {5, 6, 7, 8}:
        values = values.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        values = values[::-1]
    if orientation in {2, 3, 6, 7}:
        values = values[:, ::-1]
    return values


def _check_size(height: int, width: int) -> None:
    if height * width > MOST_PIXELS:
        raise InputError(f"{width} x {height} px is more than {MOST_PIXELS:,} px", fix="shrink it first")
