"""Photographs: files of sRGB images as arrays, and what their numbers are in linear light."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.typed_path import typed_path

#: Endings of the files that are taken for photographs.
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
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


def srgb_and_slope(
    linear: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """`srgb` of linear light and its derivative there, both of the same type as `linear`."""
    encoded = srgb(linear)
    rise = (encoded + 0.055) / (2.4 * np.maximum(linear, _LINEAR_TO))
    return encoded, np.where(linear <= _LINEAR_TO, linear.dtype.type(_SLOPE), rise)


def linear_light(encoded: ArrayLike) -> NDArray[np.floating[Any]]:
    """The inverse of `srgb`."""
    values = np.asarray(encoded)
    power = ((np.maximum(values, _ENCODED_TO) + 0.055) / 1.055) ** 2.4
    return np.where(values <= _ENCODED_TO, values / _SLOPE, power)


def files_in(path: str | Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """Return the file itself, or the files below a folder that end so, sorted by their way there; none hidden.

    Raises
    ------
    InputError
        If there is nothing of that name, or nothing of that kind in the folder.
    """
    place = typed_path(path)
    if not place.is_dir():
        if not place.exists():
            raise InputError("no such file or folder", where=place)
        return [place]
    ways = {file.relative_to(place): file for file in place.rglob("*") if file.suffix.lower() in suffixes}
    found = [
        (way.as_posix(), file)
        for way, file in ways.items()
        if file.is_file() and not any(part.startswith(".") for part in way.parts)
    ]
    if not found:
        raise InputError("the folder holds no such files", where=place, fix=f"they end in {', '.join(suffixes)}")
    return [file for _, file in sorted(found)]


def read_photograph(path: str | Path, *, at_least_px: int | None = None) -> NDArray[np.float32]:
    """Read a photograph, upright as its EXIF data say; grey is repeated.

    An embedded colour profile is applied, so that the result is sRGB; without one, and with 16 bits, the values are
    taken as sRGB. A PNG of 16 bits in colour is read with 8.

    Parameters
    ----------
    path : path-like
        JPEG, PNG, TIFF or BMP.
    at_least_px : int, optional
        A much larger photograph may be read smaller, with this or more along its shorter side, which takes far less
        memory: blocks of pixels are then averaged as they are encoded.

    Returns
    -------
    ndarray, float32, shape (3, y, x)
        sRGB in 0-1. NaN where the file says that a pixel is wholly transparent.

    Raises
    ------
    InputError
        If it cannot be read, or is too large.
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
                values = _deep_grey(opened) if opened.mode[0] in "IF" else _eight_bits(opened, at_least_px)
    except InputError as error:
        raise InputError(error.what, where=where, fix=error.fix) from error
    except UnidentifiedImageError:
        raise InputError("not a photograph", where=where, fix="pass a JPEG, PNG, TIFF or BMP") from None
    except Exception as error:  # decoders that meet arbitrary bytes raise anything
        raise InputError(f"not a photograph that can be read ({error or type(error).__name__})", where=where) from error
    image = np.moveaxis(values[..., :3], 2, 0).astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    if values.shape[2] == 4:
        image[:, values[..., 3] == 0] = np.nan
    return np.ascontiguousarray(image)


def _eight_bits(opened: Any, at_least_px: int | None) -> NDArray[np.uint8]:
    """Pixels (y, x, 3 or 4) in sRGB and upright."""
    from PIL import ImageCms, ImageOps

    if at_least_px is not None:
        opened.draft("RGB", (at_least_px, at_least_px))  # a JPEG is unpacked no larger than needed
    profile = opened.info.get("icc_profile")
    image: Any = ImageOps.exif_transpose(opened)
    clear = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
    if image.mode in {"1", "L", "LA", "P", "PA"} or clear:
        image = image.convert("RGBA" if clear else "RGB")
    factor = 1 if at_least_px is None or clear else min(image.size) // at_least_px
    if factor > 1:
        image = image.reduce(factor)
    if profile and opened.mode in {"RGB", "CMYK"} and image.mode in {"RGB", "CMYK"}:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return np.asarray(image if image.mode in {"RGB", "RGBA"} else image.convert("RGB"))


def _deep_grey(opened: Any) -> NDArray[np.uint16]:
    """Pixels (y, x, 3) of a grey picture of 16 bits, upright."""
    from PIL import ImageOps

    if opened.mode == "F":
        raise ValueError("floating-point values have no known white")
    grey = np.asarray(ImageOps.exif_transpose(opened))
    if grey.min() < 0 or grey.max() > np.iinfo(np.uint16).max:
        raise ValueError("more than 16 bits")
    return np.repeat(grey.astype(np.uint16)[..., None], 3, axis=2)


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
