"""A synthetic cube and its mask as files of a data set, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.crops import Crop
from napari_hsisynth.study.dataset.layout import CubeFormat, inside
from napari_hsisynth.study.dataset.table import Row, as_crop


def write_cube_file(path: Path, crop: Crop, cube_format: CubeFormat, *, model: str, phantom: bool) -> Path:
    """Write the cube of a crop; the same cube makes the same bytes.

    Parameters
    ----------
    path : pathlib.Path
        The ``.mat``, or the header of the ENVI pair; its stem becomes the name in the file, which says SYNTHETIC.
    crop : Crop
        Synthetic.
    cube_format : {"mat", "envi"}
    model : str
        Family of the generator; empty if not known.
    phantom : bool
        Whether that was trained on phantoms.

    Returns
    -------
    pathlib.Path
        The file with the values: `path`, or the raw data beside the header.
    """
    from napari_hsisynth.formats import write_cube  # here: it brings readers that opening a study does not need
    from napari_hsisynth.formats.envi_write import write_new

    record = crop.record
    said: dict[str, Any] = {
        **crop.cube.provenance,
        "origin": "synthetic",
        "synthetic": True,
        "diagnosis": record.diagnosis.value,
        "run": record.run,
        "checkpoint": record.checkpoint,
        "checkpoint_sha256": record.source_sha256,
        "seed": record.seed,
        **({"model": model} if model else {}),
        **({"phantom": True} if phantom else {}),
    }
    cube = crop.cube.replace(name=path.stem, provenance=said)
    path.parent.mkdir(parents=True, exist_ok=True)
    if cube_format == "envi":
        return write_new(path, cube)
    write_cube(path, cube)
    return path


def values_file(path: Path) -> Path:
    """Return the file with a cube's values: itself, or the raw data beside an ENVI header."""
    return path.with_suffix(".dat") if path.suffix == ".hdr" else path


def write_mask_file(path: Path, mask: NDArray[np.bool_]) -> None:
    """Write a mask as PNG, 0 and 255."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(path, format="PNG")


def read_row(folder: Path, row: Row) -> Crop:
    """Read a cube of a data set with its mask, as a crop.

    Raises
    ------
    InputError
        If a file cannot be read, or is not what the table says.
    """
    from napari_hsisynth.formats import read_cube

    record = as_crop(row)
    path = inside(folder, row.record.file, where=record.crop_id)
    cube = read_cube(path)
    if cube.shape_yx != record.shape_yx:
        raise InputError(f"{cube.shape_yx} px, but the table says {record.shape_yx}", where=path)
    if not (cube.provenance.get("synthetic") and cube.wavelengths_known):
        raise InputError("not a cube that was written as synthetic, with its wavelengths", where=path)
    mask = np.zeros(cube.shape_yx, bool)
    if row.mask_file:
        mask = _read_mask(inside(folder, row.mask_file, where=record.crop_id))
    return Crop(Cube(cube.data, cube.wavelengths_nm, name=record.crop_id, provenance=cube.provenance), mask, record)


def _read_mask(path: Path) -> NDArray[np.bool_]:
    try:
        with Image.open(path) as image:
            return np.array(image.convert("L")) > 127
    except OSError as error:
        raise InputError(f"not a readable mask ({error})", where=path) from None
