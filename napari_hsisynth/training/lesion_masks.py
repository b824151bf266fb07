"""Lesion masks as files, brought to a model's size."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.data import resize

#: Endings of the files that are taken for masks. JPEG is none: its losses put values beside the outline.
SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".npy", ".npz")


def read_mask(path: Path, size: int) -> NDArray[np.bool_]:
    """Read a mask as a model is told it.

    Parameters
    ----------
    path : pathlib.Path
        PNG, TIFF or BMP (0 and 255, or labels), ``.npy``, or an ``.npz`` with an array ``mask``, such as a crop. All
        that is not zero is the lesion, several labels together.
    size : int
        Side of the result, px.

    Returns
    -------
    ndarray of bool, shape (size, size)
        See `resized_mask`; with lesion and with skin.

    Raises
    ------
    InputError
        If it is not a mask, or there is no lesion or nothing but lesion in it.
    """
    return check(resized_mask(_values(path), size), where=path)


def resized_mask(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Scale the shorter side of a mask to `size`, and cut the square out of the centre, as training does."""
    return resize(torch.from_numpy(mask[None].astype(np.float32)), size).numpy()[0] >= 0.5


def check(mask: NDArray[np.bool_], *, where: object) -> NDArray[np.bool_]:
    """Return a resized mask that has lesion and skin.

    Raises
    ------
    InputError
        If it has not.
    """
    if not mask.any():
        raise InputError("no lesion in the central square of the mask", where=where)
    if mask.all():
        raise InputError("lesion everywhere in the central square of the mask, and no skin", where=where)
    return mask


def _values(path: Path) -> NDArray[np.bool_]:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError("not a mask", where=path, fix=f"masks end in {', '.join(SUFFIXES)}")
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, allow_pickle=False)
        elif path.suffix.lower() == ".npz":
            values = _from_archive(path)
        else:
            with Image.open(path) as image:
                values = np.asarray(image.convert("LA" if image.mode == "PA" else image.mode))
            if values.ndim == 3:  # colours; an alpha channel says nothing of lesions
                values = values[..., : 3 if values.shape[-1] > 2 else 1].any(axis=-1)
        values = np.asarray(values).squeeze()
        if values.ndim != 2 or values.dtype.kind not in "biuf":
            raise ValueError(f"{values.dtype} of shape {values.shape}, not a picture")
    except Image.UnidentifiedImageError:
        raise InputError("not a picture", where=path) from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        KeyError,
        zipfile.BadZipFile,
        Image.DecompressionBombError,
    ) as error:
        raise InputError(f"the mask cannot be read ({error})", where=path) from None
    return np.nan_to_num(values).astype(bool)


def _from_archive(path: Path) -> Any:
    with np.load(path, allow_pickle=False) as stored:
        names = ["mask"] if "mask" in stored.files else stored.files
        if len(names) != 1:
            raise ValueError(f"no array 'mask' among {', '.join(names) or 'no arrays'}")
        return stored[names[0]]
