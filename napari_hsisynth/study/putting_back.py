"""Crops back in place: into their cube, at their box, at the resolution of the cube."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.crops import CropRecord, read_crop
from napari_hsisynth.study.cube_files import content_sha256, fitting
from napari_hsisynth.study.resizing import resized, resized_mask
from napari_hsisynth.study.study import Study

_MADE_BY_A_GENERATOR = ("synthetic", "run", "checkpoint")


@dataclass(frozen=True, eq=False)
class PutBack:
    """A cube with a crop put back into it.

    Parameters
    ----------
    cube : Cube
        As the source, but for the box. Its provenance says under ``put_back`` what was put where, and, if the patch was
        made by a generator, under ``origin`` that the whole is synthetic.
    mask : ndarray of bool, shape (y, x)
        The crop's mask in its place.
    record : CropRecord
        Of the crop.
    """

    cube: Cube
    mask: NDArray[np.bool_]
    record: CropRecord


def record_of(study: Study, crop_id: str) -> CropRecord:
    """Return the row of a crop in the study's ``crops.csv``; InputError if it has none of this id."""
    records = study.crops()
    for record in records:
        if record.crop_id == crop_id:
            return record
    first = (
        f"the first of {len(records)} is {records[0].crop_id}" if records else "cut some: napari-hsisynth crop STUDY"
    )
    raise InputError(f"no crop '{crop_id}' in this study", where=study.crops_dir, fix=first)


def put_back(study: Study, crop_id: str, patch: Cube | None = None) -> PutBack:
    """Put a crop, or something of its shape, into its cube where the crop was cut from.

    For a crop that was not resized, the cube comes back bit by bit. A resized one is brought back to the size of its
    box, which restores the size but not the detail that shrinking has averaged away.

    Parameters
    ----------
    study : Study
        With the crop and its cube.
    crop_id : str
        Which crop.
    patch : Cube, optional
        What to put in its place: as large as the crop in its file or as its box, with the study's bands. By default the
        crop itself.

    Returns
    -------
    PutBack
        The cube, and the crop's mask in its place.

    Raises
    ------
    InputError
        If there is no such crop, the patch does not fit, or the cube's file is not the one that the crop was cut from.
    """
    record = record_of(study, crop_id)
    crop = read_crop(study.crops_dir, record)
    path = study.cube_path(record.cube_id)
    source = study.read_cube(record.cube_id).loaded()
    if content_sha256(path) != record.source_sha256:
        raise InputError(
            "the cube's file has changed since the crop was cut from it", where=path, fix="cut the crops again"
        )
    if patch is not None:
        patch = fitting(patch.loaded(), study.wavelengths_nm, name=patch.name, where=study.root)
    data = placed(source.data, record, crop.cube.data if patch is None else patch.data)
    mask = np.zeros(source.shape_yx, dtype=bool)
    y0, x0, y1, x1 = record.box
    mask[y0:y1, x0:x1] = resized_mask(crop.mask, record.box_shape_yx)
    return PutBack(source.replace(data=data, provenance=_provenance(source, record, crop.cube, patch)), mask, record)


def placed(source: NDArray[np.float32], record: CropRecord, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a cube's values with others in a crop's box.

    Parameters
    ----------
    source : ndarray, shape (bands, y, x)
        Of the cube; not changed.
    record : CropRecord
        Says where.
    values : ndarray, shape (bands, *record.shape_yx) or (bands, *record.box_shape_yx)
        What goes there; resized to the box if need be.

    Returns
    -------
    ndarray of float32, shape (bands, y, x)

    Raises
    ------
    InputError
        If the box is not inside the cube, or the values have another shape.
    """
    bands, height, width = source.shape
    y0, x0, y1, x1 = record.box
    if y1 > height or x1 > width or record.source_shape_yx not in (None, (height, width)):
        raise InputError(f"the crop was not cut from a cube of {height} x {width} px", where=record.crop_id)
    shapes = list(dict.fromkeys([record.shape_yx, record.box_shape_yx]))
    if values.ndim != 3 or len(values) != bands or values.shape[1:] not in shapes:
        wanted = " or ".join(f"{bands} x {rows} x {columns}" for rows, columns in shapes)
        found = " x ".join(map(str, values.shape))
        raise InputError(f"values of {found} do not fit the crop", where=record.crop_id, fix=f"{wanted} are needed")
    made = source.copy()
    made[:, y0:y1, x0:x1] = resized(values, record.box_shape_yx)
    return made


def _provenance(source: Cube, record: CropRecord, crop: Cube, patch: Cube | None) -> dict[str, Any]:
    used = crop if patch is None else patch
    said = {
        "crop": record.crop_id,
        "box": list(record.box),
        "source_sha256": record.source_sha256,
        "resized_from": None if used.shape_yx == record.box_shape_yx else list(used.shape_yx),
        "patch": None if patch is None else {"name": patch.name, "provenance": dict(patch.provenance)},
    }
    made = {**source.provenance, "put_back": [*source.provenance.get("put_back", []), said]}
    if patch is not None and (
        patch.provenance.get("origin") == "synthetic" or any(patch.provenance.get(key) for key in _MADE_BY_A_GENERATOR)
    ):
        made["origin"] = "synthetic"  # whatever the source is: the whole is no longer what a camera has seen
    return made
